"""Whatever is damaged in a folder of results, the error names the file and how to make it again."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.results import Comparison, Evaluation, Partition, Probes, SpeechTask, Transfer
from brainwavlm.results.open import open_result
from brainwavlm.results.replicates import gathered, replicate_rows
from brainwavlm.results.schemas import COLUMNS, TEXT, WHOLE
from tests.made_up import (
    ABOUT,
    fake_comparison,
    fake_partition,
    fake_probes,
    fake_transfer,
    filled,
    small_evaluation,
    without_checksums,
)

ONE = [{"run": "one"}]
HEADS = {"name": "one", "path": "one", "layers": [3], "shares_frozen": [1.0], "shares_tuned": [1.0]}
# Of each kind what must be there beside the summary, a key within the summary, and what helps.
KINDS = {
    Evaluation: ("voxels.csv.gz", ("runs", 0, "history", 0, "epoch"), "Evaluate again"),
    Comparison: ("groups.csv", ("groups", 0, "seeds"), "Compare again"),
    Transfer: ("matrix.csv", ("cells", 0, "dataset"), "Transfer again"),
    Probes: ("probes.csv", ("runs", 0, "config", "backbone"), "Probe again: brainwavlm probe"),
    Partition: ("partition_voxels.csv", ("features", 0, "kind"), "Make it again: brainwavlm partition"),
    SpeechTask: ("speech_task.csv", ("labels",), "Make it again: brainwavlm downstream"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    draws = {"cortex": (np.zeros(9), np.ones(9))}
    resamples = gathered(replicate_rows("one", "ann", draws, "2 stories", np.array(["a", "b"])))
    about = {**ABOUT, "simulated": True, "task": "asr", "labels": ["a"], "runs": [HEADS]}
    return {
        Evaluation: small_evaluation(ONE, True, ONE, ONE, resamples).save(folder / "evaluation"),
        Comparison: fake_comparison(folder / "comparison"),
        Transfer: fake_transfer(folder / "transfer"),
        Probes: fake_probes(folder / "probes"),
        Partition: fake_partition(folder / "partition"),
        SpeechTask: SpeechTask(filled("speech_task.csv", ONE), about).save(folder / "task"),
    }


@pytest.fixture
def folder_of(saved, tmp_path):
    return lambda kind: shutil.copytree(saved[kind], tmp_path / "copy")


def refused(folder, path, words=None):
    """What is said when the folder is opened, of that file."""
    with pytest.raises(RunError, match=words) as error:
        open_result(folder)
    assert error.value.path == str(path)
    return error.value


def test_what_is_whole_is_read(saved):
    assert {type(open_result(folder)) for folder in saved.values()} == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_empty_cut_off_or_of_another_kind_is_named(folder_of, kind):
    folder = folder_of(kind)
    for path in folder.iterdir():
        whole = path.read_bytes()
        for damaged in (b"", whole[:-2], b"\xff\x00" * 50):
            path.write_bytes(damaged)
            refused(folder, path)
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_the_summary_was_not_written_with_is_named(folder_of, kind):
    folder = folder_of(kind)
    for path in [path for path in folder.iterdir() if path.name != "summary.json"]:
        whole, lines = path.read_bytes(), path.read_bytes().splitlines(keepends=True)
        by_excel = whole.replace(b",", b";").replace(b"\n", b"\r\n")
        for other in {whole + lines[-1], b"".join(lines[:-1]), by_excel} - {whole}:
            path.write_bytes(other)
            refused(folder, path, "not the file that summary.json was written with")
        path.unlink()
        with pytest.raises(RunError, match=rf"{path.name}: no such file|summary.json without a table"):
            open_result(folder)
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_or_a_link_to_nothing_is_no_table_that_was_never_written(folder_of, kind):
    folder = folder_of(kind)
    without_checksums(folder)
    for path in [path for path in folder.iterdir() if path.name not in (KINDS[kind][0], "summary.json")]:
        moved = path.rename(folder / "whole")
        path.mkdir()
        refused_here = pytest.raises(RunError, match=f"{path.name}: no such file|without a table")
        with refused_here:
            open_result(folder)
        path.rmdir()
        path.symlink_to("nowhere")
        with refused_here:
            open_result(folder)
        moved.rename(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_rows_or_a_column_or_with_a_word_for_a_number_is_named(folder_of, kind):
    folder = folder_of(kind)
    without_checksums(folder)
    for path in folder.glob("*.csv*"):
        whole, columns = pd.read_csv(path), COLUMNS[path.name]
        number = next(name for name in reversed(columns) if name not in TEXT)
        damages = [whole.drop(columns=columns[0]), whole.astype({number: object}).assign(**{number: "much"})]
        if count := next((name for name in columns if name in WHOLE), None):
            damages.append(whole.assign(**{count: "9" * 20}))
        if path.name not in ("epochs.csv", "differences.csv"):
            damages.append(whole[:0])
        if path.name == "partition_voxels.csv":
            damages.append(whole.drop(columns="unique_model_tuned"))  # of a row of partition.csv
        for damaged in damages:
            damaged.to_csv(path, index=False)
            assert KINDS[kind][2] in refused(folder, path, "not readable").remedy
        if len(whole):
            whole.to_csv(path, header=[*whole.columns], index_label=False)  # a field more in each row
            refused(folder, path, "not readable")
        whole.to_csv(path, index=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_the_summary_that_is_missing_or_of_another_type_is_named(folder_of, kind):
    path = folder_of(kind) / "summary.json"
    for keys in (("simulated",), KINDS[kind][1]):
        for wrong in (None, [{}]):
            summary = place = json.loads((path.parent / "summary.json").read_text())
            for key in keys[:-1]:
                place = place[key]
            whole = place.pop(keys[-1])
            if wrong:
                place[keys[-1]] = wrong
            path.write_text(json.dumps(summary))
            error = refused(path.parent, path)
            assert KINDS[kind][2] in error.remedy
            assert ".".join(map(str, keys)) in error.found
            place[keys[-1]] = whole
            path.write_text(json.dumps(summary))
    path.write_text(json.dumps(summary | {"format": 2}))
    refused(path.parent, path, "format is 2")  # of a later version


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_must_be_there_is_named(folder_of, kind):
    folder = folder_of(kind)
    for name in (KINDS[kind][0], "summary.json"):
        (folder / name).unlink()
        with pytest.raises(RunError, match=name):
            kind.open(folder)


def test_a_summary_without_any_table_is_of_no_kind(folder_of):
    folder = folder_of(Transfer)
    for path in folder.glob("*.csv*"):
        path.unlink()
    with pytest.raises(RunError, match=r"summary\.json without a table"):
        open_result(folder)
