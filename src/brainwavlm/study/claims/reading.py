"""Scores of a cell of a study, read back from the folders that its steps wrote."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.evaluation.downstream import STORIES
from brainwavlm.evaluation.probes.tasks import PLAIN, RESIDUAL, UNSEEN
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.probes import Probes
from brainwavlm.results.replicates import FILE, OWN_LAYER, Replicates, read_replicates
from brainwavlm.results.tables import records, under_both_readouts
from brainwavlm.results.transfer import Transfer
from brainwavlm.study.cells import Listener, tuners
from brainwavlm.study.claims.scores import CellScore, CellScores, Kind
from brainwavlm.study.folder import CellRecord
from brainwavlm.study.records import remedied

CHANGED = (PLAIN, UNSEEN, RESIDUAL)  # controls under which tuned and untuned model are compared
_AGAIN = "Remove the folder in which it lies, and start the study again: it scores this cell anew."
# Who is scored in a row of a table, from the row and the number of rows before it that say the same.
Who = Callable[[Mapping[str, Any], int], Listener]


def read_cell(record: CellRecord, name: Callable[[Listener], str]) -> CellScores:
    """What a cell has so far, listeners by their `naming`; files that cannot be read are errors of that cell alone."""
    cell = CellScores(record, "+".join(map(name, tuners(record.cell.config))))
    if not (record.path / "run.json").is_file():
        return cell
    for step, folder, read in (
        ("evaluation", record.evaluation, _read_evaluation),
        ("transfer", record.transfer, _read_transfer),
        ("probes", record.probes, _read_probes),
    ):
        try:
            if folder is not None:
                with remedied(_AGAIN):
                    cell = read(folder, cell, name)
        except BrainwavlmError as error:
            cell = replace(cell, errors=(*cell.errors, (step, str(error))))
    return cell


def _read_evaluation(folder: Path, cell: CellScores, name: Callable[[Listener], str]) -> CellScores:
    evaluation = Evaluation.open(folder, ("layers", "downstream"))
    replicates = read_replicates(folder / FILE, evaluation.summary)
    names = {"task": "target", "auc_frozen": "r_frozen", "auc_tuned": "r_tuned"}
    tables: dict[Kind, pd.DataFrame] = {
        "gain": evaluation.table,
        "layer": evaluation.layers,
        "task": evaluation.downstream.rename(columns=names).assign(stories=STORIES),
    }
    who = _side_of(folder / "table.csv", evaluation.table, cell)
    best = {entry["name"]: (entry["best"] or {}).get("epoch") for entry in evaluation.summary["runs"]}
    for kind, table in tables.items():
        cell = _with_scores(cell, kind, folder, table, replicates, who, name, best)
    return replace(cell, simulated=evaluation.simulated)


def _read_probes(folder: Path, cell: CellScores, name: Callable[[Listener], str]) -> CellScores:
    """The first score of each feature, hidden state and control that tuning may change."""
    probes = Probes.open(folder)
    replicates = read_replicates(folder / FILE, probes.summary)
    table = probes.table[probes.table["control"].isin(CHANGED)]
    table = table.drop_duplicates(["run", "layer", "feature", "control"])
    names = {"feature": "target", "control": "stories", "score": "readout", "kind": "information"}
    names |= {"score_frozen": "r_frozen", "score_tuned": "r_tuned"}
    who = _side_of(folder / "probes.csv", table, cell)
    cell = replace(cell, simulated=probes.simulated)
    return _with_scores(cell, "probe", folder, table.rename(columns=names), replicates, who, name)


def _side_of(path: Path, table: pd.DataFrame, cell: CellScores) -> Who:
    """Whom rows of a table are about: one name a side of the run, in the order of its listeners."""
    sides, listeners = list(dict.fromkeys(table["run"])), tuners(cell.record.cell.config)
    if len(sides) != len(listeners):
        raise RunError(
            path,
            f"scores of {len(sides)} listeners.",
            f"those of {len(listeners)}: {cell.tuned_on}.",
            _AGAIN,
        )
    listener_of = dict(zip(sides, listeners, strict=True))
    return lambda row, _: listener_of[row["run"]]


def _read_transfer(folder: Path, cell: CellScores, name: Callable[[Listener], str]) -> CellScores:
    transfer = Transfer.open(folder)
    replicates = read_replicates(folder / FILE, transfer.summary)
    who = _scored_in(transfer, cell)
    matrix = transfer.matrix.rename(columns={"scored_on": "subject"})
    before: Counter[tuple[str, str]] = Counter()
    minutes = []
    for row in records(transfer.needed.rename(columns={"scored_on": "subject"})):
        key = (row["subject"], row["target"])
        listener = who(row, before[key])
        before[key] += 1
        if listener not in tuners(cell.record.cell.config):
            columns = ("target", "full_minutes", "minutes_needed")
            minutes.append({"listener": name(listener), **{column: row[column] for column in columns}})
    cell = replace(cell, simulated=transfer.simulated, minutes=tuple(minutes))
    return _with_scores(cell, "transfer", folder, matrix, replicates, who, name)


def _scored_in(transfer: Transfer, cell: CellScores) -> Who:
    """Whom rows of a transfer are about: a subject of the run's data set, or of that which its summary names."""
    datasets = list(dict.fromkeys(dataset for dataset, _ in tuners(cell.record.cell.config)))
    if len(datasets) == 1:
        return lambda row, _: (datasets[0], row["subject"])
    datasets_of: dict[str, list[str]] = {}
    for one in transfer.summary["cells"]:
        datasets_of.setdefault(one["scored_on"], []).append(one["dataset"])

    return lambda row, before: (datasets_of[row["subject"]][before], row["subject"])


def _with_scores(
    cell: CellScores,
    kind: Kind,
    folder: Path,
    table: pd.DataFrame,
    replicates: Replicates,
    who: Who,
    name: Callable[[Listener], str],
    best_epochs: Mapping[str, int | None] = MappingProxyType({}),
) -> CellScores:
    """The cell with a score a row of a table and readout. RunError where they are of another run than the cell's."""
    names = {cell.record.path.name, cell.record.path.resolve().name}
    about = ("run", "subject", "target", "stories", "layer", "readout")
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, described in enumerate(replicates.about):
        places.setdefault(tuple(described[key] for key in about), []).append(place)
    before: Counter[tuple[Any, ...]] = Counter()
    scores = []
    defaults: dict[str, Any] = {
        "stories": "all",
        "layer": OWN_LAYER,
        "readout": "voxelwise",
        "information": "",
    }
    for row in (defaults | said for said in under_both_readouts(table)):
        if row["run"].partition(" (")[0] not in names:  # RUN, or of a joint run RUN (SUBJECT)
            what = f"scores of the run {row['run']}, not of {cell.record.path.name}."
            raise RunError(folder / "summary.json", what, "those of the cell.", _AGAIN)
        key = tuple(row[column] for column in about)
        # Two people of one name in two data sets: tables and replicates list them in one order.
        same = places.get(key, [])
        if before[key] >= len(same):
            what = f"no replicates of {' '.join(map(str, key))}."
            raise RunError(folder / FILE, what, "those of every row.", _AGAIN)
        place, listener = same[before[key]], who(row, before[key])
        before[key] += 1
        frozen, tuned = replicates.of_row(place)
        scores.append(
            CellScore(
                seed=cell.record.cell.config.seed,
                r_frozen=float(row["r_frozen"]),
                r_tuned=float(row["r_tuned"]),
                frozen=frozen,
                tuned=tuned,
                rows=replicates.about[place]["rows"],
                kind=kind,
                cell=cell.name,
                listener=name(listener),
                subject=listener[1],
                tuned_on=cell.tuned_on,
                is_tuner=listener in tuners(cell.record.cell.config),
                target=row["target"],
                stories=row["stories"],
                layer=int(row["layer"]),
                readout=row["readout"],
                unit=replicates.about[place]["unit"],
                best_epoch=best_epochs.get(row["run"]),
                information=row["information"],
            )
        )
    return replace(cell, scores=(*cell.scores, *scores))
