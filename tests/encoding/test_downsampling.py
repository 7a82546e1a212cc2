"""Responses of a slower scanner: what is taken out, which rows meet, and that scores stay at full rate."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.alignment import lanczos_matrix
from brainwavlm.encoding.blocks import epoch_steps
from brainwavlm.encoding.clock import story_clock
from brainwavlm.encoding.downsampling import downsampled, downsampled_responses
from brainwavlm.encoding.prepared_stories import read_story
from brainwavlm.encoding.run_model import predict, tuned_backbone, tuned_readout
from brainwavlm.errors import ConfigError
from tests.encoding.loops import untuned_loop

TR = 2.0
TIMES = 4.0 + TR * np.arange(200)
SLOW = {"training__slow": 2, "training__block_rows": 6}


def test_slow_responses_are_the_kernels_rows_z_scored():
    rng = np.random.default_rng(0)
    responses = rng.standard_normal((200, 3))
    rows = lanczos_matrix(TIMES, TIMES[::3]) @ responses
    expected = (rows - rows.mean(0)) / rows.std(0)
    assert_allclose(downsampled_responses(responses, TIMES, 3), expected, atol=1e-6)
    responses[5, 1] = np.nan
    assert np.isnan(downsampled_responses(responses, TIMES, 3)).all(axis=0).tolist() == [False, True, False]
    assert not downsampled_responses(np.zeros((200, 1)), TIMES, 3).any()


def test_every_row_of_a_slow_clock_has_the_slow_kernel_and_its_ticks_are_the_kernels_own():
    windows = np.arange(0.5, 420, 0.5)
    clock = story_clock(windows, TIMES, (1, 2), slow=2)
    assert clock.halo == 2
    ticks = clock.matrix[clock.halo :: 2]
    assert_allclose(ticks[1:], lanczos_matrix(windows, TIMES[::2])[1:], atol=1e-12)
    shifted = lanczos_matrix(windows, TIMES[::2] - TR)
    assert_allclose(clock.matrix[clock.halo - 1 :: 2][:100], shifted, atol=1e-12)


def test_one_response_function_holds_at_both_rates():
    """Planted: y[t] = sum_d W_d x[t - d]. The same W predict the slow responses from the slow design."""
    rng = np.random.default_rng(1)
    windows = np.arange(0.25, 420, 0.25)
    smooth = np.stack(
        [np.convolve(x, np.hanning(33), "same") for x in rng.standard_normal((4, len(windows)))], 1
    )
    full, slow = (story_clock(windows, TIMES, (1, 2, 3, 4), slow=n) for n in (1, 2))
    weights = rng.standard_normal((16, 5))
    targets = downsampled_responses(full.design(smooth) @ weights, TIMES, 2)
    predicted = (slow.design(smooth) @ weights)[::2]
    inner = slice(8, -8)
    for voxel in range(5):
        assert np.corrcoef(targets[inner, voxel], predicted[inner, voxel])[0, 1] > 0.98
    # Delays counted in slow rows would reach back twice as far.
    twice = story_clock(windows, TIMES, (2, 4, 6, 8), slow=2)
    wrong = (twice.design(smooth) @ weights)[::2]
    assert np.mean([np.corrcoef(targets[inner, v], wrong[inner, v])[0, 1] for v in range(5)]) < 0.6


def test_a_downsampled_story_pairs_each_row_with_its_time(settings, tree):
    loop = untuned_loop(settings(**SLOW))
    story, backbone, config = loop.loader["dog"], loop.backbone, loop.config
    recording = load_dataset(tree).subject("anna").recordings["dog"]
    full = read_story(recording, np.ones(30, bool), backbone.min_samples, config, torch.device("cpu"))
    assert story.responses.shape == (6, 30)
    assert_allclose(
        story.responses.numpy(),
        downsampled_responses(full.responses.numpy(), recording.tr_times, 2),
        atol=1e-6,
    )
    assert story.story_design(backbone, config).shape == (6, full.story_design(backbone, config).shape[1])
    assert downsampled(full, recording, settings()) is full


@pytest.mark.parametrize(
    ("slow", "expected"), [(1, [0, 6, 12, 18, 25]), (2, [0, 3, 6, 9, 13]), (3, [0, 2, 4, 6, 9])]
)
def test_blocks_span_the_same_time_at_every_rate(settings, slow, expected):
    config = settings(training__slow=slow, training__block_rows=6)
    ((_, steps),) = epoch_steps({"dog": 25}, config, 0)
    edges = sorted({edge for (block,) in steps for edge in (block.start, block.stop)})
    assert edges == expected
    rows = sorted(row for (block,) in steps for row in range(block.start, block.stop))
    assert rows == list(range(expected[-1]))


def test_a_slow_run_with_several_losses_listeners_and_a_control(finished):
    losses = {f"loss__{name}": 1 for name in ("temporal", "contrastive", "ceiling_weighted")}
    control = {"control__kind": "block-permuted", "control__seconds": 4.0}
    quirks = {f"quirks__{name}": True for name in ("block_delays", "clip_kernel", "block_zscore")}
    run = finished(**SLOW, **losses, **control, **quirks, joint=[{"subject": "ben"}])
    assert np.isfinite(run.result["best"]["validation_r"])
    n_steps = len([event for event in run.log() if event["event"] == "step"])
    assert n_steps == 4 * len(run.sides)  # two blocks of six TRs a story


def test_validation_is_on_the_slow_clock_and_scores_are_at_full_rate(finished, evaluated):
    run = finished(**SLOW)
    config = run.config
    loader = untuned_loop(config).loader
    backbone = tuned_backbone(run)
    readout = tuned_readout(run, backbone.n_dims)
    prepared = loader["garden"]
    predicted, true = predict(backbone, readout, prepared, config).numpy(), prepared.responses.numpy()
    assert predicted.shape == true.shape == (6, 30)
    r = np.mean([np.corrcoef(t, p)[0, 1] for t, p in zip(true.T, predicted.T, strict=True)])
    assert_allclose(run.result["best"]["validation_r"], r, atol=1e-4)
    scores = evaluated(**SLOW)
    assert scores.summary["runs"][0]["tuned"]["rows"] == {"held_out": 12, "fitted": 36}
    # The readout has the delays of the full rate, so it predicts every TR.
    assert np.isfinite(scores.voxels["r_readout"]).all()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"training__slow": 0}, "greater than or equal to 1"),
        ({"training__slow": 3, "training__block_rows": 10}, "block_rows has to be a multiple of slow"),
        ({"training__slow": 10, "training__block_rows": 10}, "twice slow or more"),
        (
            {"training__slow": 2, "training__block_rows": 4, "loss__temporal": 1},
            r"loss\.temporal with training\.slow = 2 needs training\.block_rows of 6 or more",
        ),
    ],
)
def test_combinations_without_sense_are_refused(settings, overrides, words):
    with pytest.raises(ConfigError, match=words):
        settings(**overrides)
