import gzip

import numpy as np
import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.run_voxels import REMAINDER, RunVoxels
from tests.made_up import filled, small_evaluation, without_checksums

RUNS = ("NA", "1", "run (a), b")  # names that a CSV reader may take for something else


def rows(runs=RUNS):
    return [
        {"run": run, "target": target, "r_frozen": 0.123456789, "low": np.nan}
        for run in runs
        for target in ("cortex", "AC")
    ]


@pytest.fixture
def evaluation():
    made = small_evaluation(rows(), tasks=[{"run": "NA", "task": "words"}])
    voxels = pd.concat(
        [filled("voxels.csv.gz", [{"run": run, "voxel": v} for v in range(3)]) for run in RUNS]
    )
    voxels["AC"] = [True, False, True, False, False, True, np.nan, np.nan, np.nan]
    voxels["cortex"], voxels["q_tuned"] = True, np.linspace(0.1, 0.9, 9)
    return Evaluation(made.table, voxels.reset_index(drop=True), made.summary, downstream=made.downstream)


def test_what_is_read_is_what_was_written(evaluation, tmp_path):
    read = Evaluation.open(evaluation.save(tmp_path / "e"))
    for name in ("table", "voxels", "downstream"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(evaluation, name), rtol=1e-5)
    assert read.summary == {**evaluation.summary, "files": read.summary["files"]}
    assert read.layers.empty
    assert read.replicates is None
    assert read.rows_of("1")[1]["target"] == "AC"
    before = {path.name: path.read_bytes() for path in (tmp_path / "e").iterdir()}
    read.save(tmp_path / "again")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == before


def test_a_target_that_another_run_has_alone_is_no_mask_of_this_one(evaluation, tmp_path):
    for one in (evaluation, Evaluation.open(evaluation.save(tmp_path / "e"))):
        assert list(one.of_run("run (a), b").masks) == ["cortex"]
        scores = one.of_run("1")
        assert scores.masks["AC"].tolist() == [False, False, True]
        np.testing.assert_allclose(scores.more["q_tuned"], [0.4, 0.5, 0.6])


def test_only_what_is_asked_for_is_read(evaluation, tmp_path):
    folder = evaluation.save(tmp_path / "e")
    (folder / "voxels.csv.gz").unlink()
    (folder / "downstream.csv").write_text("no table")
    assert Evaluation.open(folder, ()).table["target"].tolist() == ["cortex", "AC"] * 3
    for part in ("voxels", "downstream"):
        with pytest.raises(RunError, match=f"{part}.csv"):
            Evaluation.open(folder, (part,))


def test_a_table_of_an_earlier_evaluation_in_the_folder_does_not_stay(evaluation, tmp_path):
    folder = evaluation.save(tmp_path / "e")
    small_evaluation(rows(["other"])).save(folder)
    assert not (folder / "downstream.csv").exists()
    assert Evaluation.open(folder).downstream.empty


@pytest.mark.parametrize("name", ["table.csv", "voxels.csv.gz"])
def test_rows_are_those_of_the_runs_that_the_summary_names(evaluation, tmp_path, name):
    folder = evaluation.save(tmp_path / "e")
    without_checksums(folder)
    frame = pd.read_csv(folder / name, dtype={"run": str}, keep_default_na=False)
    frame[frame["run"] != "1"].to_csv(folder / name, index=False)
    with pytest.raises(RunError, match=rf"{name}: rows of other runs"):
        Evaluation.open(folder)


def test_a_writer_that_forgets_a_column_is_stopped(evaluation, tmp_path):
    with pytest.raises(ValueError, match=r"table\.csv without r_tuned"):
        Evaluation(evaluation.table.drop(columns="r_tuned"), evaluation.voxels, {}).save(tmp_path)


def test_groups_hold_each_voxel_once_in_its_smallest_region():
    masks = {
        "cortex": np.ones(6, bool),
        "language": np.array([1, 1, 1, 0, 0, 0], bool),
        "AC": np.array([0, 0, 1, 1, 0, 0], bool),
        "LH": np.array([1, 0, 1, 0, 1, 0], bool),
        "cortex-AC": np.array([1, 1, 0, 0, 1, 1], bool),
        "ceiling>0.2": np.array([1, 1, 1, 0, 0, 0], bool),
    }
    groups = RunVoxels(np.arange(6), np.zeros(6), np.zeros(6), masks).groups()
    assert {name: list(np.flatnonzero(mask)) for name, mask in groups.items()} == {
        "AC": [2, 3],
        "language": [0, 1],
        REMAINDER: [4, 5],
    }


def test_the_table_of_voxels_is_compressed_and_that_of_an_earlier_version_is_read(evaluation, tmp_path):
    folder = evaluation.save(tmp_path / "e")
    first = (folder / "voxels.csv.gz").read_bytes()
    assert (evaluation.save(folder) / "voxels.csv.gz").read_bytes() == first  # without the time
    without_checksums(folder)
    (folder / "voxels.csv").write_bytes(gzip.decompress(first))
    (folder / "voxels.csv.gz").unlink()
    earlier = Evaluation.open(folder)
    assert earlier.voxels_path == folder / "voxels.csv"
    pd.testing.assert_frame_equal(earlier.voxels, evaluation.voxels, check_dtype=False)
    evaluation.save(folder)
    assert not (folder / "voxels.csv").exists()
