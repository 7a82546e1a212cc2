import shutil

import numpy as np
import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.results.evaluation import REMAINDER, RunVoxels, read_results


def test_results_read_back_what_was_written(simulated_evaluation):
    results = read_results(simulated_evaluation)
    written = pd.read_csv(simulated_evaluation / "voxels.csv")
    scores = results.of_run("on-AC")
    own = written[written["run"] == "on-AC"]
    np.testing.assert_array_equal(scores.tuned, own["r_tuned"])
    np.testing.assert_array_equal(scores.masks["AC"], own["AC"])
    assert results.simulated
    assert [row["target"] for row in results.rows("on-AC")] == list(scores.masks)


def test_a_target_that_another_run_has_alone_is_no_mask_of_this_one(simulated_evaluation, tmp_path):
    folder = shutil.copytree(simulated_evaluation, tmp_path / "e")
    voxels = pd.read_csv(folder / "voxels.csv").astype({"AC": object})
    voxels.loc[voxels["run"] == "on-cortex", "AC"] = np.nan
    voxels.to_csv(folder / "voxels.csv", index=False)
    results = read_results(folder)
    assert "AC" not in results.of_run("on-cortex").masks
    assert results.of_run("on-AC").masks["AC"].dtype == bool
    assert results.of_run("on-AC").masks["AC"].sum() == 100


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


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda f: (f / "table.csv").unlink(), "no such file"),
        (lambda f: (f / "summary.json").write_text("{}"), "no simulated"),
        (lambda f: (f / "summary.json").write_text("{"), "not JSON"),
        (lambda f: (f / "voxels.csv").write_text("run,voxel\n"), "no column subject, r_frozen, r_tuned"),
        (
            lambda f: (f / "table.csv").write_text(
                "".join((f / "table.csv").read_text().splitlines(True)[:2])
            ),
            "no row of run on-AC",
        ),
    ],
)
def test_a_damaged_folder_is_an_error_that_names_the_file(simulated_evaluation, tmp_path, damage, found):
    folder = shutil.copytree(simulated_evaluation, tmp_path / "e")
    damage(folder)
    with pytest.raises(RunError, match=found):
        read_results(folder)
