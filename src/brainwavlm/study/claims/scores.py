"""What the cells of a study scored, read back: measured means and their replicates, by listener and target."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.evaluation.downstream import STORIES
from brainwavlm.results.estimates import Score
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.replicates import FILE, OWN_LAYER, Replicates, read_replicates
from brainwavlm.results.tables import records, under_both_readouts
from brainwavlm.results.transfer import Transfer
from brainwavlm.study.cells import Listener, naming, tuners
from brainwavlm.study.folder import CellRecord
from brainwavlm.study.records import remedied

_AGAIN = "Start the study again: it scores this cell anew."
Step = Literal["evaluation", "transfer"]
# Who is scored in a row of a table, from the row and the number of rows before it that say the same.
Who = Callable[[Mapping[str, Any], int], Listener]


@dataclass(frozen=True)
class CellScore(Score):
    """Frozen and tuned model of one cell in one listener and target.

    Attributes
    ----------
    cell : str
    listener : str
        Whose responses are predicted, by a name that nobody else has in the study.
    subject : str
        The same person's name in their data set.
    tuned_on : str
        Whose responses tuned the model, joined by +.
    is_tuner : bool
    target : str
        Or the task that the model was asked.
    stories : str
        `all`, or `unheard`: test stories that tuning did not use; `clips` of them for a task.
    layer : int
        `OWN_LAYER`, or the hidden state that is scored.
    readout : str
        `voxelwise` or `shared`.
    unit : str
        What its interval is over: test stories, or blocks of one or two.
    best_epoch : int or None
        That was chosen; None in another listener.
    """

    cell: str
    listener: str
    subject: str
    tuned_on: str
    is_tuner: bool
    target: str
    stories: str
    layer: int
    readout: str
    unit: str
    best_epoch: int | None


@dataclass(frozen=True)
class CellScores:
    """One cell as far as it was scored.

    Attributes
    ----------
    record : CellRecord
    tuned_on : str
        Whose responses tuned the model, joined by +.
    scores, layers, tasks, transfers : tuple of CellScore
        From the table, from layers.csv, from downstream.csv, and in other listeners; empty where that is not there.
    minutes : tuple of dict
        listener, target, full_minutes, minutes_needed, in listeners who did not tune the model.
    simulated : bool or None
        None where nothing was scored.
    errors : tuple of (step, str)
        Why a step that is there could not be read.
    """

    record: CellRecord
    tuned_on: str
    scores: tuple[CellScore, ...] = ()
    layers: tuple[CellScore, ...] = ()
    tasks: tuple[CellScore, ...] = ()
    transfers: tuple[CellScore, ...] = ()
    minutes: tuple[dict[str, Any], ...] = ()
    simulated: bool | None = None
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Of the cell."""
        return self.record.cell.name


def read_cell(record: CellRecord, name: Callable[[Listener], str] | None = None) -> CellScores:
    """What a cell has so far; files that cannot be read are errors of that cell, not of the study.

    Parameters
    ----------
    record : CellRecord
    name : function from Listener to str, optional
        From `naming` of all cells of the study; None: of this one.
    """
    name = name or naming([record.cell.config])
    cell = CellScores(record, "+".join(map(name, tuners(record.cell.config))))
    if not (record.path / "run.json").is_file():
        return cell
    for step, folder, read in (
        ("evaluation", record.evaluation, _read_evaluation),
        ("transfer", record.transfer, _read_transfer),
    ):
        try:
            if folder is not None:
                with remedied(_AGAIN):
                    cell = replace(cell, **read(folder, cell, name))
        except BrainwavlmError as error:
            cell = replace(cell, errors=(*cell.errors, (step, str(error))))
    return cell


def missing(cells: Sequence[CellScores], step: Step) -> Iterator[CellScores]:
    """Cells without the scores of a step, of those that should have them."""
    for cell in cells:
        asked = step == "evaluation" or cell.record.cell.transfer is not None
        if asked and not (cell.scores if step == "evaluation" else cell.transfers):
            yield cell


def _read_evaluation(folder: Path, cell: CellScores, name: Callable[[Listener], str]) -> dict[str, Any]:
    listeners = tuners(cell.record.cell.config)
    evaluation, replicates = Evaluation.open(folder, ("layers", "downstream")), read_replicates(folder / FILE)
    names = {"task": "target", "auc_frozen": "r_frozen", "auc_tuned": "r_tuned"}
    tables = {
        "scores": evaluation.table,
        "layers": evaluation.layers,
        "tasks": evaluation.downstream.rename(columns=names).assign(stories=STORIES),
    }
    # One name a side of the run, in the order of its listeners.
    sides = list(dict.fromkeys(evaluation.table["run"]))
    if len(sides) != len(listeners):
        raise RunError(
            folder / "table.csv",
            f"scores of {len(sides)} listeners.",
            f"those of {len(listeners)}: {cell.tuned_on}.",
            _AGAIN,
        )
    listener_of, best = dict(zip(sides, listeners, strict=True)), {}
    for entry in evaluation.summary["runs"]:
        best[entry["name"]] = (entry["best"] or {}).get("epoch")

    def who(row: Mapping[str, Any], _: int) -> Listener:
        return listener_of[row["run"]]

    scores = {key: _scores(folder, table, replicates, cell, who, name, best) for key, table in tables.items()}
    return {"simulated": evaluation.simulated, **scores}


def _read_transfer(folder: Path, cell: CellScores, name: Callable[[Listener], str]) -> dict[str, Any]:
    transfer, replicates = Transfer.open(folder), read_replicates(folder / FILE)
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
    return {
        "simulated": transfer.simulated,
        "transfers": _scores(folder, matrix, replicates, cell, who, name, {}),
        "minutes": tuple(minutes),
    }


def _scored_in(transfer: Transfer, cell: CellScores) -> Who:
    """Whom rows of a transfer are about: a subject of the run's data set, or of that which its summary names."""
    datasets = list(dict.fromkeys(dataset for dataset, _ in tuners(cell.record.cell.config)))
    if len(datasets) == 1:
        return lambda row, _: (datasets[0], row["subject"])
    datasets_of: dict[str, list[str]] = {}
    for one in transfer.summary["cells"]:
        datasets_of.setdefault(one["scored_on"], []).append(one["dataset"])

    return lambda row, before: (datasets_of[row["subject"]][before], row["subject"])


def _scores(
    folder: Path,
    table: pd.DataFrame,
    replicates: Replicates,
    cell: CellScores,
    who: Who,
    name: Callable[[Listener], str],
    best_epochs: Mapping[str, int | None],
) -> tuple[CellScore, ...]:
    about = ("run", "subject", "target", "stories", "layer", "readout")
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, described in enumerate(replicates.about):
        places.setdefault(tuple(described[key] for key in about), []).append(place)
    before: Counter[tuple[Any, ...]] = Counter()
    scores = []
    defaults: dict[str, Any] = {"stories": "all", "layer": OWN_LAYER, "readout": "voxelwise"}
    for row in (defaults | said for said in under_both_readouts(table)):
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
            )
        )
    return tuple(scores)
