"""Clocks as scanners, scripts and people leave them: check and the run agree, delays are seconds, nothing asks for a cut."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.datasets.usable_rows import gaps
from brainwavlm.encoding.prepared_stories import planned_clock
from brainwavlm.encoding.run_data import run_data
from brainwavlm.errors import DatasetError
from tests.damage import edited, put
from tests.trees import N_VOXELS, native_tree, responses

DOG = "responses/anna/dog.h5"
SECONDS = 60.0


@pytest.fixture
def folder(tmp_path):
    """60 s of sound a story, a TR of 1.5 s, rows that cover it."""
    native_tree(tmp_path, ("anna",), n_trs=40, seconds=SECONDS, tr=1.5)
    return tmp_path


def rewrite(folder, times=None, data=None, start=None):
    """The responses to dog with this clock: tr_times, start, or neither."""
    put(DOG, "tr_times", times)(folder)
    put(DOG, "@start", start)(folder)
    if data is not None or times is not None:
        put(DOG, "data", responses(len(times), N_VOXELS, 0) if data is None else data)(folder)


def told(checked, folder, kind=None):
    report = checked(folder)
    return report, [p for p in report.problems if p.path == DOG and kind in (None, p.kind)]


@pytest.fixture
def used(settings):
    """The rows of dog that a run uses."""
    return lambda folder: run_data(settings(dataset=str(folder))).recordings["dog"]


# --- rows without sound


@pytest.mark.parametrize(
    ("times", "before", "after"),
    [
        (np.arange(40) * 1.5 - 33.5, 21, 0),  # ds002345: the story starts 33.5 s into its run
        (np.arange(60) * 1.5 - 12.0, 7, 10),  # silence on both sides
        (np.arange(36) * 1.5 - 26.078, 16, 0),  # onsets below zero, as in BIDS (bids-examples#27)
        (np.r_[-300.0, -298.5, np.arange(30) * 1.5], 2, 0),  # a localiser long before
    ],
)
def test_rows_without_sound_are_left_out_with_a_count_by_check_and_run(
    folder, checked, used, settings, times, before, after
):
    rewrite(folder, times)
    report, (warning, *gap) = told(checked, folder)
    assert report.usable
    assert warning.kind == "rows"
    assert f"{before} rows before and {after} after the sound, of {len(times)}" in warning.found
    assert not gap
    kept = used(folder)
    assert_allclose(kept.tr_times, times[before : len(times) - after])
    assert kept.shape[0] == len(times) - before - after == kept.responses().shape[0]
    with h5py.File(folder / DOG) as file:
        assert_allclose(kept.responses(), file["data"][before : len(times) - after], rtol=1e-6)
    assert report.subjects[0]["n_rows"] == 3 * 40 + len(kept.tr_times)
    facts = run_data(settings(dataset=str(folder))).facts()
    assert facts["rows"]["train"] == 40 + len(kept.tr_times)
    n = before + after
    assert any(f"{n} rows are left out" in fact and f"{n} of dog" in fact for fact in facts["facts"])


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (
            np.arange(90) * 1.5,
            ["48 rows, from row 42 on, have no sound", "data[:42] and tr_times[:42] together"],
        ),
        (1000.0 + np.arange(40) * 1.5, ["0 of 40 rows have sound", "they count from the sound's onset"]),
        (np.arange(40) * 1500.0, ["tr_times 1500 apart", "divide them by 1000"]),  # fmriprep#1725
        (np.arange(40.0), ["tr_times 1 apart", "Multiply tr_times by the TR"]),  # numbers of volumes
        (
            np.delete(np.arange(41.0), [7, 20]),
            ["tr_times 1 apart", "Multiply"],
        ),  # less those that were censored
        (np.arange(40) * 1.5 / 60, ["tr_times 0.025 apart", "by 60 if they are minutes"]),
    ],
)
def test_clocks_that_do_not_fit_are_refused_by_check_and_run_alike(folder, checked, used, times, words):
    rewrite(folder, times)
    report, problems = told(checked, folder)
    errors = [one for one in problems if one.severity == "error"]
    assert len(errors) == 1
    assert all(word in str(errors[0]) for word in words), str(errors[0])
    with pytest.raises(DatasetError) as raised:
        used(folder)
    assert raised.value.found == errors[0].found
    assert not report.usable


# --- the forgotten clock


def test_rows_too_many_without_a_clock_ask_for_the_clock_and_for_no_cut(folder, checked, used):
    """Sound from 10 s into the run on, no tr_times: who cut the last rows would shift the clock of all others by 10 s."""
    rewrite(folder, data=responses(50, N_VOXELS, 0))
    _, [error] = told(checked, folder, "rows")
    assert error.severity == "error"
    assert "row k is taken for the volume at k * 1.5 s of the sound" in error.found
    assert "50 rows, the last at 73.5 s" in error.found
    assert "Write when: start=-10" in error.remedy
    assert "Do not cut rows" in error.remedy
    with pytest.raises(DatasetError, match="neither tr_times nor start"):
        used(folder)
    rewrite(folder, start=-10.0)
    report, [warning] = told(checked, folder)
    assert report.usable
    assert "5 rows before and 1 after" in warning.found
    assert used(folder).tr_times[0] == -2.5


def test_whoever_cut_the_rows_is_still_asked_for_the_clock(folder, checked, used):
    rewrite(folder, data=responses(40, N_VOXELS, 0))
    report, [warning] = told(checked, folder)
    assert report.usable
    assert warning.kind == "tr_times"
    assert "neither tr_times nor start: row k is taken for the volume at k * 1.5 s" in warning.found
    assert used(folder).shape[0] == 40
    rewrite(folder, start=0.0)
    assert told(checked, folder)[1] == []


@pytest.mark.parametrize(
    ("n_voxels", "clock"), [(300, "none"), (300, "start"), (300, "tr_times"), (6, "tr_times")]
)
def test_transposed_data_are_recognised_by_the_sounds_length(folder, checked, used, clock, n_voxels):
    """brainiak-tutorials#32, tedana#420, sima#181: (n_voxels, n_trs) where (n_trs, n_voxels) is meant."""
    edited("dataset.yaml", "    anatomy: subjects/anna.h5\n", "")(folder)
    rewrite(folder, data=responses(40, n_voxels, 0).T, start=0.0 if clock == "start" else None)
    if clock == "tr_times":
        put(DOG, "tr_times", np.arange(40) * 1.5)(folder)
    report, problems = told(checked, folder)
    advice = [str(one) for one in problems if "data.T" in one.remedy]
    assert len(advice) == 1, [str(one) for one in problems]
    assert "or cut" not in advice[0]
    if n_voxels == 300:
        assert not report.usable
        with pytest.raises(DatasetError, match=r"data\.T"):
            used(folder)


@pytest.mark.parametrize(("holder", "start"), [("/", 0.0), ("/", 4.0), ("data", -10.0)])
def test_a_start_that_contradicts_tr_times_is_refused_by_both(folder, checked, used, holder, start):
    rewrite(folder, 4.0 + np.arange(36) * 1.5)
    put(DOG, f"{holder}@start", start)(folder)
    _, problems = told(checked, folder)
    errors = [one for one in problems if one.severity == "error"]
    if start == 4.0:
        assert not errors
        return
    holder = "data" if holder == "data" else "the file"
    assert [one.found for one in errors] == [f"two clocks: tr_times[0] = 4, start of {holder} = {start:g} s."]
    with pytest.raises(DatasetError, match="two clocks"):
        used(folder)


def test_a_start_of_data_is_used_and_told_unless_the_files_own_contradicts(folder, checked, used):
    rewrite(folder, data=responses(50, N_VOXELS, 0))
    put(DOG, "data@start", -10.0)(folder)
    report, [misplaced, rows] = told(checked, folder)
    assert report.usable
    assert misplaced.found == "start is an attribute of data."
    assert "5 rows before and 1 after" in rows.found
    assert used(folder).tr_times[0] == -2.5
    put(DOG, "@start", -20.0)(folder)
    assert "start of the file = -20, start of data = -10" in told(checked, folder)[1][0].found


# --- gaps


CENSORED = np.isin(np.arange(40), [7, 8, 20])


@pytest.mark.parametrize(
    ("value", "outside"),
    [(np.nan, 0.0), (np.nan, np.nan), (0.0, None), (0.0, np.nan), (-9999.0, None)],
)
def test_rows_of_nothing_are_censored_volumes_and_not_the_end_of_the_subject(
    folder, checked, used, value, outside
):
    """NaN as xcp_d (#461) and nilearn (#3193) leave them, 0 as AFNI's 3dTproject -cenmode ZERO."""
    data = responses(40, N_VOXELS, 0)
    data[CENSORED] = value
    if outside is not None:
        data[:, 3] = outside
    rewrite(folder, np.arange(40) * 1.5, data)
    report, problems = told(checked, folder)
    assert report.usable
    assert report.subjects[0]["n_usable"] == N_VOXELS - (outside is not None)
    by_kind = {one.kind: one for one in problems if one.kind in ("censored", "gap")}
    assert (
        "3 rows hold NaN or one number in all voxels, the first of them row 7 (" in by_kind["censored"].found
    )
    assert "2 rows do not come one TR after the row before; the first is row 9, at 13.50 s, 4.50 s after" in (
        by_kind["gap"].found
    )
    assert_allclose(used(folder).tr_times, np.arange(40)[~CENSORED] * 1.5)
    assert np.isfinite(used(folder).responses(columns=np.arange(N_VOXELS) != 3)).all()


def test_a_gap_and_a_censored_volume_make_one_design(folder, settings, used):
    """Whether censored volumes are NaN or not there at all, delays find the same sound."""
    clocks = []
    for times, data in (
        (np.arange(40) * 1.5, np.where(CENSORED[:, None], np.nan, responses(40, N_VOXELS, 0))),
        (np.arange(40)[~CENSORED] * 1.5, responses(40, N_VOXELS, 0)[~CENSORED]),
    ):
        rewrite(folder, times, data)
        clocks.append(planned_clock(used(folder), settings(), 400))
    features = responses(60, 3, 1)
    assert_allclose(*(clock.design(features) for clock in clocks), atol=1e-6)


@pytest.mark.parametrize(
    ("times", "first"),
    [
        (
            np.r_[np.arange(10) * 1.5, 18.4 + np.arange(20) * 1.5],
            "row 10, at 18.40 s, 4.90 s after",
        ),  # two runs
        (np.delete(np.arange(40) * 1.5, [5]), "row 5, at 9.00 s, 3.00 s after"),
        (np.arange(36) * 1.5 + np.where(np.arange(36) % 2, 0.4, 0), "row 1, at 1.90 s, 1.90 s after"),
    ],
)
def test_check_names_the_first_row_after_a_gap(folder, checked, used, times, first):
    rewrite(folder, times)
    report, [gap] = told(checked, folder, "gap")
    assert report.usable
    assert first in gap.found
    assert "Delays are seconds" in gap.remedy
    assert used(folder).shape[0] == len(times)


def test_runs_whose_clock_starts_again_are_refused_with_what_would_do(folder, checked):
    rewrite(folder, np.r_[np.arange(20) * 1.5, np.arange(20) * 1.5])  # pybids#367
    report, [error] = told(checked, folder)
    assert not report.usable
    assert "not increasing at row 20 (0 s after 28.5 s)" in error.found
    assert "go on from where it begins in the sound" in error.remedy


@pytest.mark.parametrize(("tr", "decimals"), [(0.72, 1), (0.613, 2), (1.5007, 2)])
def test_rounded_times_are_evenly_spaced_and_hide_no_gap(tr, decimals):
    times = np.arange(60) * tr
    assert list(gaps(np.round(times, decimals), tr)) == []
    assert list(gaps(np.round(np.delete(times, [20]), decimals), tr)) == [20]
    assert list(gaps(times, tr)) == []


def test_too_few_rows_with_numbers_are_refused_by_both(folder, checked, used):
    data = np.full((40, N_VOXELS), np.nan)
    data[3] = responses(1, N_VOXELS, 0)
    rewrite(folder, np.arange(40) * 1.5, data)
    report, problems = told(checked, folder)
    assert not report.usable
    assert any("1 of 40 rows are neither censored" in one.found for one in problems)
    with pytest.raises(DatasetError, match="neither censored"):
        used(folder)
