import h5py

from brainwavlm.checks import check_dataset
from brainwavlm.datasets import load_dataset


def test_the_embedded_data_set_can_be_used_and_says_that_it_is_simulated():
    dataset, report = load_dataset("demo"), check_dataset("demo")
    assert dataset.simulated
    assert "SIMULATED" in "".join(dataset.facts)
    assert report.errors == ()
    assert report.simulated
    assert len(report.subjects) >= 2
    for name in dataset.subject_names:
        for recording in dataset.subject(name).recordings.values():
            with h5py.File(recording.path) as file:
                assert bool(file.attrs["simulated"])
