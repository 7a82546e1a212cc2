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
    return np.sqrt(single**2 * power / (single**2 * power + (1 - single**2) / 5))


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
    assert set(repeats.values()) == {5}
    with planted(subject) as file:
        truth = ceiling_of_the_repeated_stories(subject, file)
    found = np.where(np.isnan(measured), 0.0, measured)
    assert np.corrcoef(found, truth)[0, 1] > 0.95


def test_the_planted_haemodynamic_response_is_recovered(subject):
    """FIR weights of auditory voxels on their own source over delays 0 to 6: as planted at 1 to 4, none elsewhere."""
    delays = range(7)
    gram, product = np.zeros((7, 7)), np.zeros(7)
    with planted(subject) as file:
        chosen = subject.rois["AC"] & (file["ceiling"][...] > 0.5)
        n_heard = int(file.attrs["n_auditory"])
        weights = file["weights"][...].astype(float)[chosen, :n_heard]
        courses = {
            story: file[f"sources/{story}"][...].astype(float)[:, :n_heard] @ weights.T
            for story in subject.recordings
        }
        expected = np.array([0, *file["hrf"][...], 0, 0])
    pooled = np.concatenate(list(courses.values()))
    for story, recording in subject.recordings.items():
        course = (courses[story] - pooled.mean(0)) / pooled.std(0)
        response = recording.responses(columns=chosen)
        for voxel in range(chosen.sum()):
            design = delayed(course[:, [voxel]], delays)
            gram += design.T @ design
            product += design.T @ response[:, voxel]
    found = np.linalg.solve(gram, product)
    np.testing.assert_allclose(found / np.linalg.norm(found), expected, atol=0.05)


def test_the_two_listeners_have_different_haemodynamic_responses():
    with (
        h5py.File(demo_folder() / "planted" / "sim01.h5") as one,
        h5py.File(demo_folder() / "planted" / "sim02.h5") as two,
    ):
        assert np.abs(one["hrf"][...] - two["hrf"][...]).max() > 0.1


@pytest.fixture(scope="module")
def score():
    config = load_config(preset="demo", overrides={"evaluation.shifts": 1000, "windows.stride": 2.0})
    return score_backbone(config)


def test_silent_voxels_are_at_chance_and_signal_voxels_are_not(score):
    subject = load_dataset("demo").subject("sim01")
    p = score.test.p
    silent = subject.rois["silent"]
    rate = (p[silent] < 0.05).mean()
    assert abs(rate - 0.05) < 0.03, rate  # some 400 voxels; neighbours share no noise
    assert (p[subject.rois["AC"]] < 0.05).mean() > 0.5
    assert abs(score.r[silent].mean()) < 0.02


def test_no_score_exceeds_its_ceiling_by_more_than_noise(score):
    normalised = score.r_normalised[~np.isnan(score.r_normalised)]
    assert np.median(normalised) < 1
    assert (normalised > 1.2).mean() < 0.01
