"""Whatever is damaged in a folder of results, the error names the file and how to make it again. From the schemas."""

import json
import shutil
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from brainwavlm.errors import RunError
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.open import open_result
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from brainwavlm.results.replicates import FILE, gathered, replicate_rows
from brainwavlm.results.schemas import (
    COLUMNS,
    TEXT,
    ComparisonSummary,
    EvaluationSummary,
    PartitionSummary,
    ProbesSummary,
    SpeechTaskSummary,
    TransferSummary,
)
from brainwavlm.results.speech_task import SpeechTask
from brainwavlm.results.transfer import Transfer
from tests.results.made_up import VERSIONS, filled, run_entry, small_evaluation

DRAWS = {"cortex": (np.zeros(9), np.ones(9))}
RESAMPLES = gathered(replicate_rows("one", "ann", DRAWS, "2 stories", np.array(["a", "b"])))
ABOUT = {"simulated": True, "notes": [], "versions": VERSIONS}
GROUP = {"group": "all runs", "runs": ["one"], "seeds": [0], "subject": "ann"}
CELL = {"run": "one", "scored_on": "ann", "dataset": "d", "target": "cortex"}
TABLES = {
    "evaluation": ("table.csv", "voxels.csv", "layers.csv", "downstream.csv"),
    "comparison": ("runs.csv", "groups.csv", "epochs.csv", "differences.csv"),
    "transfer": ("matrix.csv", "curve.csv", "needed.csv"),
    "probes": ("probes.csv", "seeds.csv"),
    "partition": ("partition.csv", "partition_voxels.csv"),
    "speech task": ("speech_task.csv",),
}
NEEDED = dict(
    zip(
        TABLES,
        ("voxels.csv", "groups.csv", "matrix.csv", "probes.csv", "partition_voxels.csv", "speech_task.csv"),
        strict=True,
    )
)
SHARES = {
    "cortex": 1,
    "unique_model_frozen": 0.1,
    "unique_model_tuned": 0.2,
}  # what the row of partition.csv names
ROWS = {
    "partition.csv": {"run": "one", "target": "cortex", "measure": "unique", "space": "model"},
    "partition_voxels.csv": {"run": "one", **SHARES},
}
FRAMES = {name: filled(name, [ROWS.get(name, {"run": "one"})]) for names in TABLES.values() for name in names}
PROBED = run_entry("one") | {"layers": [3], "config": {"backbone": {"layer": 3}}}
FEATURE = {"name": "mel", "kind": "acoustic", "unit": "words", "columns": ["0"], "n_fitted": 9, "n_tested": 9}
HEADS = {"name": "one", "path": "one", "layers": [3], "shares_frozen": [1.0], "shares_tuned": [1.0]}
RESULTS = {
    "evaluation": small_evaluation([{"run": "one"}], True, [{"run": "one"}], [{"run": "one"}], RESAMPLES),
    "comparison": Comparison(*(FRAMES[name] for name in TABLES["comparison"]), {**ABOUT, "groups": [GROUP]}),
    "transfer": Transfer(
        *(FRAMES[name] for name in TABLES["transfer"]), {**ABOUT, "cells": [CELL]}, RESAMPLES
    ),
    "probes": Probes(
        *(FRAMES[name] for name in TABLES["probes"]),
        {**ABOUT, "controls": ["random"], "runs": [PROBED], "features": [FEATURE]},
        RESAMPLES,
    ),
    "partition": Partition(
        *(FRAMES[name] for name in TABLES["partition"]),
        {**ABOUT, "runs": [run_entry("one")], "features": [FEATURE]},
    ),
    "speech task": SpeechTask(
        FRAMES["speech_task.csv"], {**ABOUT, "task": "asr", "labels": ["a"], "runs": [HEADS]}
    ),
}
KINDS = {kind: type(result) for kind, result in RESULTS.items()}
SCHEMAS = {
    "evaluation": EvaluationSummary,
    "comparison": ComparisonSummary,
    "transfer": TransferSummary,
    "probes": ProbesSummary,
    "partition": PartitionSummary,
    "speech task": SpeechTaskSummary,
}
AGAIN = {
    "evaluation": "Evaluate again",
    "comparison": "Compare again",
    "transfer": "Transfer again",
    "probes": "Probe again: brainwavlm probe",
    "partition": "Make it again: brainwavlm partition",
    "speech task": "Make it again: brainwavlm downstream",
}


def schema_within(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(schema_within, get_args(annotation))), None)


def keys_of(schema, content, path=()):
    """Every key that a summary has of its schema, and whether it must be there."""
    for name, field in schema.model_fields.items():
        if name not in content:
            continue
        yield (*path, name), field.is_required()
        inner, value = schema_within(field.annotation), content[name]
        if inner is not None and value:
            step = (0,) if isinstance(value, list) else ()
            yield from keys_of(inner, value[0] if step else value, (*path, name, *step))


def lose(frame, column):
    return frame.drop(columns=column)


def write_a_word(frame, column):
    return frame.astype({column: object}).assign(**{column: "much"})


CELLS_OF_TABLES = [
    (kind, name, column, change)
    for kind, names in TABLES.items()
    for name in names
    for column in (*COLUMNS[name], *(SHARES if name == "partition_voxels.csv" else ()))
    for change in (lose, write_a_word)
    if change is lose or column not in TEXT
]
KEYS = [
    (kind, path, change)
    for kind, result in RESULTS.items()
    for path, needed in keys_of(SCHEMAS[kind], result.summary)
    for change in ("missing", "wrong")
    if needed or change == "wrong"
]
WHOLE_FILES = [
    (kind, name, change)
    for kind, names in TABLES.items()
    for name in (*names, "summary.json", *([FILE] if getattr(RESULTS[kind], "replicates", None) else []))
    for change in (lambda content: b"", lambda content: content[:-2], lambda content: b"\xff\x00" * 50)
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return {kind: result.save(folder / kind) for kind, result in RESULTS.items()}


@pytest.fixture
def folder_of(saved, tmp_path):
    return lambda kind: shutil.copytree(saved[kind], tmp_path / kind)


def test_what_is_whole_is_read(saved):
    assert {kind: type(open_result(folder)) for kind, folder in saved.items()} == KINDS


@pytest.mark.parametrize(("kind", "name", "change"), WHOLE_FILES)
def test_a_file_that_is_empty_cut_off_or_of_another_kind_is_named(folder_of, kind, name, change):
    path = folder_of(kind) / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(RunError) as error:
        open_result(path.parent)
    assert error.value.path == str(path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (k, name)
        for k, names in TABLES.items()
        for name in names
        if name not in ("epochs.csv", "differences.csv")
    ],
)
def test_a_table_without_rows_is_named(folder_of, kind, name):
    path = folder_of(kind) / name
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(RunError, match=rf"{name}: not readable: no rows"):
        open_result(path.parent)


def test_a_summary_without_any_table_is_of_no_kind(folder_of):
    folder = folder_of("transfer")
    for path in folder.glob("*.csv"):
        path.unlink()
    with pytest.raises(RunError, match=r"summary\.json without a table"):
        open_result(folder)


def test_show_names_a_summary_that_is_missing(folder_of, brainwavlm):
    folder = folder_of("evaluation")
    (folder / "summary.json").unlink()
    done = brainwavlm("show", folder)
    assert done.code == 2
    assert "summary.json: no such file" in done.err


@pytest.mark.parametrize("kind", RESULTS)
def test_a_file_that_must_be_there_is_named(folder_of, kind):
    folder = folder_of(kind)
    for name in (NEEDED[kind], "summary.json"):
        (folder / name).unlink()
        with pytest.raises(RunError, match=name):
            KINDS[kind].open(folder)


@pytest.mark.parametrize(("kind", "name", "column", "change"), CELLS_OF_TABLES)
def test_a_table_without_a_column_or_with_a_word_for_a_number_is_named(folder_of, kind, name, column, change):
    path = folder_of(kind) / name
    change(pd.read_csv(path), column).to_csv(path, index=False)
    with pytest.raises(RunError, match=rf"{name}: not readable") as error:
        open_result(path.parent)
    assert AGAIN[kind] in error.value.remedy
    assert change is write_a_word or column in error.value.found


@pytest.mark.parametrize(("kind", "keys", "change"), KEYS)
def test_a_key_of_the_summary_that_is_missing_or_of_another_type_is_named(folder_of, kind, keys, change):
    path = folder_of(kind) / "summary.json"
    summary = json.loads(path.read_text())
    place = summary
    for key in keys[:-1]:
        place = place[key]
    if change == "missing":
        del place[keys[-1]]
    else:
        place[keys[-1]] = {"wrong": [{}]} if keys[-1] != "config" else "wrong"
    path.write_text(json.dumps(summary))
    with pytest.raises(RunError, match=r"summary\.json") as error:
        open_result(path.parent)
    assert AGAIN[kind] in error.value.remedy
    assert ".".join(map(str, keys)) in error.value.found


@pytest.mark.parametrize("kind", RESULTS)
def test_files_of_a_later_version_are_refused(folder_of, kind):
    path = folder_of(kind) / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(RunError, match="format is 2"):
        open_result(path.parent)
