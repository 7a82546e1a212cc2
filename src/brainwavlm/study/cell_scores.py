"""What the cells of a study scored, read back: measured means and their resamples, by listener and target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.evaluation.resamples import FILE, OWN_LAYER, Resamples, read_resamples
from brainwavlm.run_files import read_json
from brainwavlm.study.folder import CellRecord

Step = Literal["evaluation", "transfer"]


@dataclass(frozen=True)
class Score:
    """Frozen and tuned model of one cell in one listener and target.

    Attributes
    ----------
    cell : str
    seed : int
    listener : str
        Whose responses are predicted.
    tuned_on : str
        Whose responses tuned the model, joined by +.
    target : str
    stories : str
        `all`, or `unheard`: test stories that tuning did not use.
    layer : int
        `OWN_LAYER`, or the hidden state that is scored.
    r_frozen, r_tuned : float
        As measured.
    frozen, tuned : arrays (n_resamples,)
        In every resample; NaN without draws.
    rows : str
        Scores with the same rows and as many resamples had the same draws.
    """

    cell: str
    seed: int
    listener: str
    tuned_on: str
    target: str
    stories: str
    layer: int
    r_frozen: float
    r_tuned: float
    frozen: np.ndarray
    tuned: np.ndarray
    rows: str


@dataclass(frozen=True)
class CellScores:
    """One cell as far as it was scored.

    Attributes
    ----------
    record : CellRecord
    scores, layers, transfers : tuple of Score
        From the table, from layers.csv, and in other listeners; empty where that step is not there.
    minutes : tuple of dict
        Rows of needed.csv.
    simulated : bool or None
        None where nothing was scored.
    errors : tuple of (step, str)
        Why a step that is there could not be read.
    """

    record: CellRecord
    scores: tuple[Score, ...] = ()
    layers: tuple[Score, ...] = ()
    transfers: tuple[Score, ...] = ()
    minutes: tuple[dict[str, Any], ...] = ()
    simulated: bool | None = None
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Of the cell."""
        return self.record.cell.name

    @property
    def tuned_on(self) -> str:
        """Whose responses tuned the model, joined by +."""
        return _tuned_on(self.record)


def read_cell(record: CellRecord) -> CellScores:
    """What a cell has so far; files that cannot be read are errors of that cell, not of the study."""
    found: dict[str, Any] = {}
    errors = []
    for step, folder, read in (
        ("evaluation", record.evaluation, _read_evaluation),
        ("transfer", record.transfer, _read_transfer),
    ):
        if folder is None:
            continue
        try:
            found |= read(folder, record)
            found["simulated"] = bool(read_json(folder / "summary.json", "simulated")["simulated"])
        except BrainwavlmError as error:
            errors.append((step, str(error)))
    return CellScores(record, **found, errors=tuple(errors))


def missing(cells: Sequence[CellScores], step: Step) -> Iterator[CellScores]:
    """Cells without the scores of a step, of those that should have them."""
    for cell in cells:
        asked = step == "evaluation" or cell.record.cell.transfer is not None
        if asked and not (cell.scores if step == "evaluation" else cell.transfers):
            yield cell


def _read_evaluation(folder: Path, record: CellRecord) -> dict[str, Any]:
    resamples = read_resamples(folder / FILE)
    tuned_on = _tuned_on(record)
    columns = ("run", "subject", "seed", "target", "r_frozen", "r_tuned")
    table = _read(folder / "table.csv", columns)
    found = {"scores": _scores(folder, table, resamples, record, tuned_on)}
    if (folder / "layers.csv").is_file():
        layers = _read(folder / "layers.csv", (*columns, "layer"))
        found["layers"] = _scores(folder, layers, resamples, record, tuned_on)
    return found


def _read_transfer(folder: Path, record: CellRecord) -> dict[str, Any]:
    resamples = read_resamples(folder / FILE)
    columns = ("run", "scored_on", "seed", "layer", "stories", "target", "r_frozen", "r_tuned")
    matrix = _read(folder / "matrix.csv", columns).rename(columns={"scored_on": "subject"})
    found: dict[str, Any] = {"transfers": _scores(folder, matrix, resamples, record, _tuned_on(record))}
    if (folder / "needed.csv").is_file():
        needed = _read(folder / "needed.csv", ("scored_on", "target", "full_minutes", "minutes_needed"))
        found["minutes"] = tuple(
            {str(key): value for key, value in row.items()} for row in needed.to_dict("records")
        )
    return found


def _scores(
    folder: Path, table: pd.DataFrame, resamples: Resamples, record: CellRecord, tuned_on: str
) -> tuple[Score, ...]:
    places = {
        (row["subject"], row["target"], row["stories"], row["layer"]): place
        for place, row in enumerate(resamples.about)
    }
    scores = []
    for row in table.to_dict("records"):
        stories, layer = str(row.get("stories", "all")), int(row.get("layer", OWN_LAYER))
        key = (str(row["subject"]), str(row["target"]), stories, layer)
        if key not in places:
            raise RunError(
                folder / FILE,
                f"no resamples of {' '.join(map(str, key))}.",
                "those of every row.",
                "Evaluate again.",
            )
        place = places[key]
        scores.append(
            Score(
                record.cell.name,
                record.cell.config.seed,
                key[0],
                tuned_on,
                key[1],
                stories,
                layer,
                float(row["r_frozen"]),
                float(row["r_tuned"]),
                resamples.frozen[place].astype(np.float64),
                resamples.tuned[place].astype(np.float64),
                resamples.about[place]["rows"],
            )
        )
    return tuple(scores)


def _tuned_on(record: CellRecord) -> str:
    config = record.cell.config
    return "+".join([config.subject, *(listener.subject for listener in config.joint)])


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    text = {name: str for name in ("run", "subject", "scored_on", "target", "stories") if name in columns}
    try:
        frame = pd.read_csv(
            path,
            dtype=text,
            keep_default_na=False,
            na_values={name: [""] for name in columns if name not in text},
        )
    except (OSError, ValueError) as error:
        raise RunError(path, f"not readable: {error}.", "a table of scores.", "Score again.") from None
    lacking = [name for name in columns if name not in frame]
    if lacking:
        raise RunError(
            path, f"no column {', '.join(lacking)}.", f"the columns {', '.join(columns)}.", "Score again."
        )
    return frame
