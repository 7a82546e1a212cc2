"""The embedded data set is simulated: what was planted must be found, and nothing where nothing was planted."""

from itertools import product

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


def test_the_data_say_that_they_are_simulated():
    dataset = load_dataset("demo")
    assert dataset.simulated
    assert "SIMULATED" in "".join(dataset.facts)
    for name in SUBJECTS:
        for recording in dataset.subject(name).recordings.values():
            with h5py.File(recording.path) as file:
                assert bool(file.attrs["simulated"])


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


def test_noise_is_shared_by_voxels_of_one_place():
    """Residuals of test presentations of silent voxels: neighbours correlate, as 30 % of the noise is of four courses."""
    subject = load_dataset("demo").subject("sim01")
    silent = np.flatnonzero(subject.rois["silent"])
    repeats = (recording.repeats(columns=silent) for recording in subject.recordings.values())
    r = np.corrcoef(np.concatenate([of_story[0] for of_story in repeats if of_story is not None]).T)
    pairs = r[np.triu_indices(len(r), 1)]
    assert 0.1 < np.abs(pairs).mean() < 0.3


def test_the_two_listeners_have_different_haemodynamic_responses():
    early, late = (h5py.File(demo_folder() / "planted" / f"{name}.h5")["hrf"][...] for name in SUBJECTS)
    assert late.mean(0) @ np.arange(6) - early.mean(0) @ np.arange(6) > 0.2


def test_language_sources_of_one_listener_are_within_reach_of_adapters():
    """sim02 follows what a model with low-rank adapters says of the sources that sim01 follows."""
    first, second = (h5py.File(demo_folder() / "planted" / f"{name}.h5") for name in SUBJECTS)
    n_heard = int(first.attrs["n_auditory"])
    for story, source in product(first["clean"], range(2)):
        true, said = (file[f"sources/{story}"][:, n_heard + source].astype(float) for file in (first, second))
        assert 0.3 < np.corrcoef(true, said)[0, 1] < 0.99
    assert first.attrs["language_sources"] == "language"
    assert second.attrs["language_sources"] == "reachable"


@pytest.fixture(scope="module")
def score():
    config = load_config(preset="demo", overrides={"evaluation.shifts": 1000, "windows.stride": 2.0})
    return score_backbone(config)


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
