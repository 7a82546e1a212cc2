"""The loop on a pretend CUDA card: no tensors of two devices meet, and the host waits for the card once a step."""

from pathlib import Path

import pytest
import torch

from brainwavlm.encoding.blocks import epoch_steps
from brainwavlm.encoding.plan import plan
from brainwavlm.encoding.tuning import TuningLoop
from brainwavlm.progress import Progress
from tests.pretend_card import pretend_card


def step_counts(monkeypatch, config):
    """What the second step of a run counts; before and after it all that a run does otherwise, but save."""
    with pretend_card(monkeypatch) as counts:
        loop = TuningLoop(config, Path(), Progress())
        monkeypatch.setattr(loop, "log", lambda *_, **__: None)
        if config.loss.distil:
            loop.read_untuned()
        loop.begin()
        loop.backbone.train()
        loop.readouts.train()
        steps = [step for _, some in epoch_steps(loop.lengths, config, 0) for step in some]
        loop.train_step(steps[0])
        loop.state.step = 1
        counts.clear()
        loop.train_step(steps[1])
        counted = dict(counts)
        loop.moments.next_epoch()
        loop.refresh_readout()
        loop.validate()
    return counted


TWO = {"training__blocks_per_step": 2}
FIXED = {"readout__kind": "ridge-fixed", "readout__refresh": 1, "training__slow": 2, "adapter__dora": True}


@pytest.mark.parametrize(
    ("kernels", "changed"),
    [
        (501, {"training__frontend_cache_gb": 0.0, "adapter__method": "full"}),
        (770, {"windows__mode": "stream"}),
        (931, TWO | {"joint": [{"subject": "ben"}], "loss__distil": 0.1}),
        (727, TWO | {"training__adjacent_blocks": True, "training__recompute": True}),
        (642, FIXED),
        (569, {"readout__kind": "linear", "loss__temporal": 1.0, "loss__contrastive": 1.0, "loss__mse": 1.0}),
    ],
)
def test_a_step_waits_once_and_mixes_no_devices(kernels, changed, settings, monkeypatch):
    """Kernels as they were when this was written: each more is a launch on a card, where it is not compiled away."""
    # Without clipping: it groups gradients by a device that the pretend card cannot hide.
    counted = step_counts(
        monkeypatch, settings(device="auto", training__clip=None, training__block_rows=4, **changed)
    )
    assert counted["waits"] == 1
    assert counted["kernels"] <= kernels


def test_a_plan_says_what_of_the_card_a_run_takes(settings, monkeypatch):
    """The peak of its steps, and all stories but the first, in half precision."""
    assert plan(settings(), calibration_steps=1).card_gb is None
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3e9)
    config = settings(device="auto", training__clip=None)
    with pretend_card(monkeypatch):
        planned = plan(config, calibration_steps=1)
    stories = sum(planned.rows[split] for split in ("train", "validation"))
    assert 3.0 < planned.card_gb < 3.0 + stories * (2 * planned.facts["n_target"] + 64_000 * 2.0) / 1e9
