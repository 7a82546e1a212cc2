"""Fill values and single outliers are named with value, rows and voxels; data as they are measured are not."""

from pathlib import Path

import numpy as np
import pytest

from brainwavlm.checks.outliers import add_voxel_problems
from brainwavlm.checks.report import Problems
from brainwavlm.datasets.usable_voxels import scan
from tests.damage import within
from tests.trees import N_VOXELS, native_tree, responses

MARKET, N_ROWS = "responses/anna/market.h5", 40
ROWS, VOXELS = np.array([3, 11, 12, 30]), np.arange(5, 17)


def told(data):
    """What is said of outliers in these responses."""
    data = np.asarray(data, np.float32)
    rows, problems = np.arange(len(data)), Problems()
    add_voxel_problems(
        problems, Path("dog.h5"), scan([data]), lambda chosen: iter([data[:, chosen]]), rows, "data"
    )
    return [problem.found for problem in problems]


def measured(kind):
    noise = responses(N_ROWS, N_VOXELS, 13)
    drift = np.cumsum(responses(N_ROWS, N_VOXELS, 4), axis=0)
    return {
        "z-scored": noise,
        "raw": np.linspace(200, 20000, N_VOXELS) + noise * np.geomspace(3, 300, N_VOXELS),
        "whole numbers": np.rint(1000 + 3 * noise),
        "drifting": noise + 20 * drift,
        "steps": noise + 100.0 * (np.arange(N_ROWS) >= 25)[:, None],
        "two values": (noise > 0).astype(float),
        "heavy tails": np.random.default_rng(0).standard_t(3, (N_ROWS, N_VOXELS)),
    }[kind]


def test_what_was_measured_has_none():
    for kind in ("z-scored", "raw", "whole numbers", "drifting", "steps", "two values", "heavy tails"):
        assert told(measured(kind)) == [], kind


@pytest.mark.parametrize(
    ("kind", "value", "rows", "voxels"),
    [
        ("z-scored", -9999.0, ROWS, VOXELS),
        ("raw", 9.96921e36, ROWS, VOXELS),
        ("whole numbers", -9999.0, ROWS, VOXELS),
        ("z-scored", -9999.0, ROWS, np.arange(25)),  # most voxels
        ("z-scored", -9999.0, np.setdiff1d(np.arange(N_ROWS), [20, 25]), VOXELS[:4]),
        ("z-scored", -9999.0, [7], [3]),
    ],
)
def test_a_fill_value_is_named_with_its_rows_and_voxels(kind, value, rows, voxels):
    data = measured(kind)
    data[np.ix_(rows, voxels)] = value
    [found] = told(data)
    n = len(rows) * len(voxels)
    where = f"in {len(rows)} rows, the first of them row {rows[0]}, and {len(voxels)} voxels"
    assert f"{n} numbers of data, {where}" in found
    assert f"{value:g} ({n} times)." in found


def test_single_outliers_are_counted_with_the_largest_groups_first():
    data = measured("z-scored")
    data[5, :6] = 1000.0 + np.arange(6)
    data[9, 20:23] = -9999.0
    [found] = told(data)
    assert "9 numbers of data, in 2 rows, the first of them row 5, and 9 voxels" in found
    assert "-9999 (3 times), 1000 (1 times), 1001 (1 times) and 4 other values." in found


@pytest.mark.parametrize("name", ["data", "individual_repeats"])
def test_check_names_them_in_data_and_repeats(tmp_path, checked, name):
    folder = native_tree(tmp_path, ("anna",), n_trs=N_ROWS, seconds=90.0).path
    within(MARKET, name, (..., 7, slice(4)), -9999.0)(folder)  # of each repeat
    report = checked(folder)
    [problem] = [one for one in report.problems if one.kind == "outliers"]
    n = 4 if name == "data" else 12
    assert report.usable
    assert (problem.path, problem.severity) == (MARKET, "warning")
    assert f"{n} numbers of {name}, in {n // 4} rows, the first of them row 7, and 4 voxels" in problem.found
    assert f"-9999 ({n} times)." in problem.found
