import json
import shutil

import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.results.evaluation import read_results
from tests.reporting.fakes import fake_evaluation


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("whole"), 40)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "e")


def set_cell(path, column, text, row=1):
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[row, column] = text
    frame.to_csv(path, index=False)


CELLS = [
    ("table.csv", "n_voxels", "", "empty"),
    ("table.csv", "n_voxels", "nan", "'nan'"),
    ("table.csv", "n_voxels", "-1", "'-1'"),
    ("table.csv", "difference", "much", "'much'"),
    ("table.csv", "low", "inf", "'inf'"),
    ("table.csv", "r_readout", "?", r"'\?'"),
    ("table.csv", "r_tuned", "1.5", "1.5"),
    ("table.csv", "target", "", "empty"),
    ("voxels.csv", "voxel", "", "empty"),
    ("voxels.csv", "voxel", "-1", "'-1'"),
    ("voxels.csv", "voxel", "1.5", "'1.5'"),
    ("voxels.csv", "voxel", "9" * 30, "'9+'"),
    ("voxels.csv", "r_frozen", "-7", "-7"),
    ("voxels.csv", "r_tuned", "text", "'text'"),
    ("table.csv", "p_difference", "0", "0"),
    ("voxels.csv", "q_tuned", "1.5", "1.5"),
    ("voxels.csv", "p_max_difference", "-0.1", "-0.1"),
    ("voxels.csv", "AC", "False ", "'False '"),
    ("voxels.csv", "AC", "0", "'0'"),
    ("voxels.csv", "AC", "", "empty"),
]


@pytest.mark.parametrize(("name", "column", "text", "found"), CELLS)
def test_an_impossible_cell_is_named_by_line_and_column(folder, name, column, text, found):
    set_cell(folder / name, column, text)
    with pytest.raises(RunError, match=f"{name}: line 3, column {column}: {found}"):
        read_results(folder)


@pytest.mark.parametrize("name", ["table.csv", "voxels.csv"])
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda b: b"", "no column run, "),
        (lambda b: b"\n", "no column run, "),
        (lambda b: b"\x89PNG\xff\xfe" * 9, "not readable as CSV"),
        (lambda b: b"\0" * 99, "no column run, "),
        (lambda b: b[:-1], "line .* is cut off"),
        (lambda b: b[: b.rindex(b",")], "line .* has "),
        (lambda b: b.replace(b"\n", b",1\n").replace(b",1\n", b"\n", 1), "line 2 has "),
        (lambda b: b.replace(b"r_tuned", b"r_frozen", 1), "no column r_tuned"),
        (
            lambda b: b.replace(b"r_readout", b"r_frozen", 1),
            "no column r_readout|column r_frozen more than once",
        ),
        (lambda b: b + b.splitlines(keepends=True)[1], "line .* repeats run on-cortex, "),
        (lambda b: b[: b.index(b"\n") + 1], "no row of run"),
        (lambda b: b.replace(b"on-AC", b"other"), "no row of run on-AC"),
        (lambda b: b + b.splitlines(keepends=True)[1].replace(b"on-cortex", b"third"), "rows of run third"),
    ],
)
def test_a_damaged_csv_file_is_an_error_that_names_it(folder, name, damage, found):
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(RunError, match=f"{name}: ({found})"):
        read_results(folder)


def test_voxel_rows_are_as_many_as_the_summary_says(folder):
    lines = (folder / "voxels.csv").read_text().splitlines(keepends=True)
    (folder / "voxels.csv").write_text("".join(lines[:-1]))
    with pytest.raises(RunError, match=r"voxels\.csv: 39 rows of run on-AC"):
        read_results(folder)


def test_a_target_without_its_column_of_voxels_is_an_error(folder):
    pd.read_csv(folder / "voxels.csv").drop(columns="language").to_csv(folder / "voxels.csv", index=False)
    with pytest.raises(RunError, match=r"voxels\.csv: no column language"):
        read_results(folder)


def test_voxels_of_another_subject_are_an_error(folder):
    set_cell(folder / "voxels.csv", "subject", "sim02")
    with pytest.raises(RunError, match="rows of subject sim02 in run on-cortex"):
        read_results(folder)


@pytest.mark.parametrize("key", ["simulated", "runs", "notes", "versions"])
def test_every_key_of_the_summary_is_needed(folder, key):
    damaged(folder, lambda summary: summary.pop(key))
    with pytest.raises(RunError, match=rf"summary.json: no {key}\."):
        read_results(folder)


RUN_KEYS = (
    *("name", "subject", "target", "seed", "method", "simulated", "control", "best", "history"),
    *("splits", "bootstrap", "config", "frozen"),
)
FROZEN_KEYS = (
    *("dataset", "licence", "facts", "unusable_voxels", "n_voxels", "voxels_without_r", "tr", "tr_reference"),
    *("rows", "folds", "normalised_by"),
)


@pytest.mark.parametrize("key", RUN_KEYS)
@pytest.mark.parametrize("change", ["missing", "wrong"])
def test_every_key_of_a_run_is_needed_and_has_its_type(folder, key, change):
    damaged(folder, lambda summary: lose(summary["runs"][1], key, change))
    with pytest.raises(RunError, match=rf"summary.json: (no )?runs\.1\.{key}"):
        read_results(folder)


@pytest.mark.parametrize("key", FROZEN_KEYS)
@pytest.mark.parametrize("change", ["missing", "wrong"])
def test_every_key_of_frozen_is_needed_and_has_its_type(folder, key, change):
    damaged(folder, lambda summary: lose(summary["runs"][0]["frozen"], key, change))
    with pytest.raises(RunError, match=rf"summary.json: (no )?runs\.0\.frozen\.{key}"):
        read_results(folder)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda s: s.update(runs=[]), "runs is "),
        (lambda s: s.update(runs=None), "runs is None"),
        (lambda s: s.update(runs={"a": 1}), "runs is "),
        (lambda s: s.update(runs=["a"]), "runs.0 is 'a'"),
        (lambda s: s.update(notes="text"), "notes is 'text'"),
        (lambda s: s.update(simulated=False), "simulated is False"),
        (lambda s: s["runs"].append(s["runs"][0]), "several runs with the name on-cortex"),
        (lambda s: s["runs"][0]["history"][2].pop("epoch"), "no runs.0.history.2.epoch"),
        (lambda s: s["runs"][0]["history"][2].update(loss=float("nan")), "runs.0.history.2.loss is nan"),
        (lambda s: s["runs"][0]["best"].pop("epoch"), "no runs.0.best.epoch"),
        (lambda s: s["runs"][0]["frozen"]["rows"].pop("fitted"), "no runs.0.frozen.rows.fitted"),
        (lambda s: s["runs"][0]["splits"].update(other=[]), "runs.0.splits"),
    ],
)
def test_what_is_wrong_inside_the_summary_is_named(folder, change, found):
    damaged(folder, change)
    with pytest.raises(RunError, match=f"summary.json: {found}"):
        read_results(folder)


@pytest.mark.parametrize("text", ["null", "[]", "3", '"text"'])
def test_a_summary_that_is_no_object_is_an_error(folder, text):
    (folder / "summary.json").write_text(text)
    with pytest.raises(RunError, match=r"summary\.json: .*object"):
        read_results(folder)


def test_a_summary_that_is_a_folder_is_an_error(folder):
    (folder / "summary.json").unlink()
    (folder / "summary.json").mkdir()
    with pytest.raises(RunError, match=r"summary\.json: "):
        read_results(folder)


def test_a_file_is_no_evaluation(folder):
    with pytest.raises(RunError, match=r"table\.csv: a file, not a folder"):
        read_results(folder / "table.csv")


def damaged(folder, change):
    summary = json.loads((folder / "summary.json").read_text())
    change(summary)
    (folder / "summary.json").write_text(json.dumps(summary))


def lose(values, key, change):
    if change == "missing":
        del values[key]
    else:
        values[key] = ["wrong", 1, {}]
