"""The embedded data set is simulated: what was planted must be found, and nothing where nothing was planted."""

import h5py
import numpy as np
import pytest

from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.demo import demo_folder
from brainwavlm.datasets.noise_ceiling import ceiling
from brainwavlm.encoding.alignment import delayed
from brainwavlm.evaluation.evaluate import score_backbone

SUBJECTS = ("sim01", "sim02")
N_REPEATS = 4


@pytest.fixture(params=SUBJECTS)
def subject(request):
    return load_dataset("demo").subject(request.param)


def planted(subject):
    return h5py.File(demo_folder() / "planted" / f"{subject.name}.h5", "r")


def ceiling_of_the_repeated_stories(subject, file):
    """sqrt(S / (S + (1 - c^2) / n)), S = c^2 Var(x): correlation of the mean of n presentations with the signal x.

    Var(x) is that of these stories, as each response is z-scored within its story.
    """
    single = file["ceiling"][...].astype(float)
    signals = [clean[...].astype(float) for clean in file["clean"].values()]
    power = np.average([x.var(0) for x in signals], axis=0, weights=[len(x) for x in signals])
    return np.sqrt(single**2 * power / (single**2 * power + (1 - single**2) / N_REPEATS))


def test_the_planted_ceiling_is_recovered_across_voxels(subject):
    measured, repeats = ceiling(subject.recordings.values(), subject.n_voxels)
    assert set(repeats.values()) == {N_REPEATS}
    with planted(subject) as file:
        truth = ceiling_of_the_repeated_stories(subject, file)
    found = np.where(np.isnan(measured), 0.0, measured)
    assert np.corrcoef(found, truth)[0, 1] > 0.95


def test_the_planted_haemodynamic_response_is_recovered(subject):
    """FIR weights of auditory voxels on their own source over delays 0 to 6: as planted at 1 to 6, none at 0.

    Voxels differ in when they peak: the mean over the third that peak early, and over the third that peak late.
    """
    delays = range(7)
    with planted(subject) as file:
        hrf = file["hrf"][...].astype(float)
        chosen = subject.rois["AC"] & (file["ceiling"][...] > 0.5)
        n_heard = int(file.attrs["n_auditory"])
        weights = file["weights"][...].astype(float)[chosen, :n_heard]
        courses = {
            story: file[f"sources/{story}"][...].astype(float)[:, :n_heard] @ weights.T
            for story in subject.recordings
        }
    pooled = np.concatenate(list(courses.values()))
    grams, products = np.zeros((chosen.sum(), 7, 7)), np.zeros((chosen.sum(), 7))
    for story, recording in subject.recordings.items():
        course = (courses[story] - pooled.mean(0)) / pooled.std(0)
        rows = delayed(course, delays).reshape(len(course), 7, -1)
        grams += np.einsum("tdv,tev->vde", rows, rows)
        products += np.einsum("tdv,tv->vd", rows, recording.responses(columns=chosen))
    peak = hrf[chosen] @ np.arange(1, 7)
    early, late = peak < np.quantile(peak, 1 / 3), peak > np.quantile(peak, 2 / 3)
    for some in (early, late):
        weights = np.linalg.solve(grams[some].sum(0), products[some].sum(0))
        expected = np.array([0, *hrf[chosen][some].mean(0)])
        weights, expected = (values / np.linalg.norm(values) for values in (weights, expected))
        np.testing.assert_allclose(weights, expected, atol=0.1)
    assert peak[late].mean() - peak[early].mean() > 0.5  # in TRs


@pytest.fixture(scope="module")
def score():
    """Of an early hidden state, fitted on four stories of nine: enough to tell chance from what was planted."""
    few = {
        "train": ["bees", "dog", "ferry", "play"],
        "evaluation.shifts": 200,
        "ridge.alphas": [100.0, 10000.0],
    }
    short = {"windows.context": 1.0, "windows.stride": 2.0, "backbone.layer": 2}
    return score_backbone(load_config(preset="demo", overrides=few | short))


def test_silent_voxels_are_at_chance_and_signal_voxels_are_not(score):
    subject = load_dataset("demo").subject("sim01")
    p = score.test.p
    silent = subject.rois["silent"]
    rate = (p[silent] < 0.05).mean()
    assert abs(rate - 0.05) < 0.05, rate  # some 400 voxels, whose noise is shared in part
    assert (p[subject.rois["AC"]] < 0.05).mean() > 0.5
    assert abs(score.r[silent].mean()) < 0.03


def test_no_score_exceeds_its_ceiling_by_more_than_noise(score):
    normalised = score.r_normalised[~np.isnan(score.r_normalised)]
    assert np.median(normalised) < 1
    assert (normalised > 1.2).mean() < 0.01
