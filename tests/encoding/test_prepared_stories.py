"""A block's design equals the whole story's rows; nothing leaks between stories."""

import dataclasses

import numpy as np
import pytest
import torch

from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.blocks import Block, spanned
from brainwavlm.encoding.prepared_stories import needed_windows, recording_clock, story_responses
from brainwavlm.speech.features import sound_reader
from tests.encoding.loops import block_design, untuned_loop

WAYS = {
    "kept frontend": {},
    "computed frontend": {"training__frontend_cache_gb": 0.0},
    "every second row": {"training__slow": 2, "training__block_rows": 6},
    "every third row": {"training__slow": 3, "training__block_rows": 6},
    "stream": {"windows__mode": "stream", "windows__chunk": 3.0},
}
WAYS["computed stream"] = WAYS["computed frontend"] | WAYS["stream"]


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS)
def loop(settings, request):
    return untuned_loop(settings(**request.param), "dog")


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (3, 8), (6, 12)])
def test_a_block_with_its_halo_equals_the_same_rows_of_the_whole_story(loop, start, stop):
    slow = loop.config.training.slow
    start, stop = start // slow, stop // slow
    whole = loop.loader["dog"].story_design(loop.backbone, loop.config)
    assert len(whole) == 12 // slow
    atol, rtol = (1e-5, 1e-4) if slow == 1 else (1e-4, 1e-3)
    torch.testing.assert_close(
        block_design(loop, "dog", start, stop), whole[start:stop], atol=atol, rtol=rtol
    )


def test_bf16_ends_at_hidden_states(settings):
    """Rows resampled in bf16 would be off by up to .08 of a deviation once their mean is taken away."""
    exact, rounded = (untuned_loop(settings(precision=one), "dog") for one in ("float32", "bf16"))
    one, other = (block_design(loop, "dog", 3, 8) for loop in (exact, rounded))
    assert other.dtype == torch.float32
    assert 1e-5 < (one - other).abs().max() < 0.07


@pytest.mark.parametrize(("loss", "alone"), [("spatial", False), ("temporal", True)])
def test_adjacent_blocks_have_the_losses_and_gradients_that_they_have_by_themselves(settings, loss, alone):
    """Features are read once for all of them: fewer windows, the same method."""
    weights = {f"loss__{name}": weight for name, weight in ({"spatial": 0.0} | {loss: 1.0}).items()}
    blocks, results = [Block("dog", 3, 6), Block("dog", 6, 9)], []
    for together in (True, False):
        loop = untuned_loop(settings(**weights, quirks__block_delays=alone), "dog")
        for _, parameter in loop.backbone.adapter_parameters():
            torch.nn.init.constant_(parameter, 0.02)
        value = loop.loss(*blocks) if together else loop.loss(blocks[0]) + loop.loss(blocks[1])
        value.backward()
        results.append([value.detach(), *(p.grad for _, p in loop.backbone.reachable_parameters())])
    torch.testing.assert_close(*results, atol=1e-6, rtol=1e-4)
    needed = [
        len(needed_windows(loop.loader["dog"].clock, block, loop.config.quirks))
        for block in (*blocks, spanned(blocks))
    ]
    assert needed[2] < needed[0] + needed[1]


def test_without_the_halo_the_first_rows_of_a_block_are_wrong(settings):
    loop = untuned_loop(settings(quirks__block_delays=True), "dog")
    whole = loop.loader["dog"].story_design(loop.backbone, loop.config)
    design = block_design(loop, "dog", 5, 10)
    n_dims = loop.backbone.n_dims
    assert not design[0].any()  # four delays, all before the block: no stimulus at all
    torch.testing.assert_close(design[4:], whole[9:10], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(design[1, :n_dims], whole[6, :n_dims], atol=1e-5, rtol=1e-4)


def test_a_block_that_is_z_scored_alone_has_no_mean(settings):
    """Over its own rows, not the two before them that the delays of 2 see."""
    loop = untuned_loop(settings(quirks__block_zscore=True, alignment__delays=[0, 2]), "dog")
    design = block_design(loop, "dog", 2, 12)[:, : loop.backbone.n_dims]
    torch.testing.assert_close(design.mean(0), torch.zeros(len(design[0])), atol=1e-5, rtol=0)
    torch.testing.assert_close(design.square().mean(0), torch.ones(len(design[0])), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("slow", "blocks"), [(1, ((5, 12), (0, 5))), (2, ((3, 6), (0, 3)))])
def test_moments_summed_over_blocks_are_those_of_the_whole_story(settings, slow, blocks):
    loop = untuned_loop(settings(training__slow=slow, training__block_rows=6), "dog")
    whole = loop.moments["dog"]
    for start, stop in blocks:
        block_design(loop, "dog", start, stop)
    loop.moments.next_epoch()
    for one, other in zip(whole, loop.moments["dog"], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_the_numpy_and_the_torch_path_give_one_design(settings):
    loop = untuned_loop(settings())
    story = loop.loader["dog"]
    with torch.no_grad():
        every = np.arange(len(story.windows))
        reader = sound_reader(loop.backbone, story.windows, loop.config.windows, story.sound)
        features = reader.read(every)[loop.config.backbone.layer].numpy()
    design = story.story_design(loop.backbone, loop.config).numpy()
    np.testing.assert_allclose(design, story.clock.design(features), atol=2e-5)


def test_the_clipped_kernel_of_the_authors_has_no_negative_lobe(settings):
    exact, clipped = (
        untuned_loop(settings(quirks__clip_kernel=clip)).loader["dog"].clock.matrix for clip in (False, True)
    )
    assert exact.min() < -0.01
    assert clipped.min() == 0
    assert clipped.sum() > 1.1 * exact.sum()


def test_the_centre_reference_reads_half_a_tr_later(settings, tree):
    recording = load_dataset(tree).subject("anna").recordings["dog"]
    times = np.arange(0.5, 30.5, 0.5)
    onset = recording_clock(recording, times, settings().alignment)
    centre = recording_clock(recording, times, settings(alignment__tr_reference="centre").alignment)
    later = dataclasses.replace(recording)
    later.__dict__["tr_times"] = recording.tr_times + 1.0
    np.testing.assert_allclose(centre.matrix, recording_clock(later, times, settings().alignment).matrix)
    assert centre.matrix.shape != onset.matrix.shape or np.abs(centre.matrix - onset.matrix).max() > 0.1


def test_responses_are_z_scored_within_the_story_and_nan_stays_nan(tree, monkeypatch):
    recording = load_dataset(tree).subject("anna").recordings["dog"]
    data = recording.responses()
    data[3, 2] = np.nan
    monkeypatch.setattr(type(recording), "responses", lambda self, **_: data)
    z = story_responses(recording, slice(None))
    assert np.isnan(z[:, 2]).all()
    np.testing.assert_allclose(np.delete(z, 2, 1).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.delete(z, 2, 1).std(0), 1, atol=1e-5)
