from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.datasets import repeats as repeats_module
from brainwavlm.datasets.noise_ceiling import cc_max, ceiling, ceiling_of_share, signal_share
from brainwavlm.datasets.responses import Recording, Story


def simulated(n_repeats=5, n_rows=300, n_voxels=400, seed=0):
    """Repeats of a signal with known power, and the signal."""
    rng = np.random.default_rng(seed)
    power = np.linspace(0.05, 2.0, n_voxels)
    signal = rng.standard_normal((n_rows, n_voxels)) * np.sqrt(power)
    return (
        signal + rng.standard_normal((n_repeats, n_rows, n_voxels)),
        signal,
        np.sqrt(power / (power + 1 / n_repeats)),
    )


def test_ceiling_is_the_correlation_of_the_mean_with_the_true_signal():
    repeats, signal, expected = simulated()
    found = cc_max(repeats)
    known = ~np.isnan(found)
    assert known.mean() > 0.95
    assert np.corrcoef(found[known], expected[known])[0, 1] > 0.95
    assert abs(np.mean((found - expected)[known])) < 0.01
    reached = [np.corrcoef(m, s)[0, 1] for m, s in zip(repeats.mean(0).T, signal.T, strict=True)]
    assert abs(np.mean((found - reached)[known])) < 0.01


def test_both_forms_of_the_ceiling_agree():
    repeats, _, _ = simulated(n_repeats=4, n_rows=50)
    total = repeats.var(1, ddof=1).mean(0)
    mean_power = repeats.mean(0).var(0, ddof=1)
    signal = (4 * mean_power - total) / 3
    kept = signal > 0
    longer = 1 / np.sqrt(1 + (total[kept] / signal[kept] - 1) / 4)
    assert_allclose(cc_max(repeats)[kept], longer)
    assert np.isnan(cc_max(repeats)[~kept]).all()


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e5])
def test_a_constant_voxel_has_no_ceiling(constant):
    repeats = np.full((3, 40, 2), constant)
    repeats[:, :, 1] += np.arange(3.0)[:, None] * 0.3
    assert np.isnan(cc_max(repeats)).all()
    with pytest.raises(ValueError, match="2 or more"):
        cc_max(repeats[:1])


def recording(folder, name, repeats, split="test"):
    path = folder / f"{name}.h5"
    with h5py.File(path, "w") as file:
        file["data"] = repeats.mean(0)
        if len(repeats) > 1:
            file["individual_repeats"] = repeats
    return Recording("S1", Story(name, Path("x.wav"), None, split), path, 2.0)


def test_repeats_are_read_some_voxels_at_a_time(tmp_path, monkeypatch):
    repeats, _, _ = simulated(n_rows=20, n_voxels=50)
    source = recording(tmp_path, "one", repeats)
    monkeypatch.setattr(repeats_module, "_BYTES_AT_ONCE", 5 * 20 * 32 * 7)
    parts = [part for _, part in repeats_module.batches(source, 50)]
    sizes = [part.shape[2] for part in parts]
    assert_array_equal(np.concatenate(parts, axis=2), repeats.astype(np.float32))
    assert sizes == [7] * 7 + [1]


def test_ceiling_of_a_subject_pools_its_repeated_stories(tmp_path):
    first, second = (simulated(n_rows=rows, n_voxels=30, seed=rows)[0] for rows in (40, 60))
    second[:, :, 4] = np.random.default_rng(0).standard_normal((5, 1)) * np.ones(60)  # no signal over time
    sources = [
        recording(tmp_path, "a", first),
        recording(tmp_path, "b", second),
        recording(tmp_path, "c", first[:1]),
    ]
    assert ceiling(sources[2:], 30) == (None, {})
    found, repeated = ceiling(sources, 30)
    assert repeated == {"a": 5, "b": 5}
    assert_allclose(found[4], cc_max(first.astype(np.float32))[4])
    shares = [signal_share(repeats.astype(np.float32)) for repeats in (first, second)]
    pooled = (40 * shares[0] + 60 * shares[1]) / 100
    others = np.arange(30) != 4
    assert_allclose(found[others], ceiling_of_share(pooled, 5)[others])


def test_a_ceiling_is_that_of_the_story_which_is_scored_whatever_the_others_repeat(tmp_path):
    """True share .5: the mean of 10 has a ceiling of sqrt(10 / 11), one presentation of sqrt(1 / 2)."""

    def repeats(n, rows, seed):
        rng = np.random.default_rng(seed)
        return rng.standard_normal((rows, 300)) + rng.standard_normal((n, rows, 300))

    test = recording(tmp_path, "test", repeats(10, 300, 0))
    twice = recording(tmp_path, "twice", repeats(2, 300, 1), "train")
    alone, _ = ceiling([test], 300)
    both, repeated = ceiling([test, twice], 300)
    assert repeated == {"test": 10, "twice": 2}
    assert abs(np.nanmean(alone) - np.sqrt(10 / 11)) < 0.01
    assert abs(np.nanmean(both) - np.sqrt(10 / 11)) < 0.01
    once = recording(tmp_path, "once", repeats(1, 300, 2), "test")
    of_once, _ = ceiling([once, recording(tmp_path, "ten", repeats(10, 300, 3), "train")], 300, ["once"])
    assert abs(np.nanmean(of_once) - np.sqrt(1 / 2)) < 0.02
