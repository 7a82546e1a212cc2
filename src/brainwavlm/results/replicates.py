"""Mean scores without each test story, kept in a file, so that scores of different evaluations can be paired.

replicates.npz   one row a run, listener and target (and hidden state); arrays alone
    run, subject, target, stories, unit, rows, readout    text
    layer                                        -1: the state of the run's table
    frozen, tuned                                (n_rows, n_pieces): mean over the target without each piece
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from brainwavlm.errors import RunError
from brainwavlm.files import replacing
from brainwavlm.results.schemas import REPLICATES
from brainwavlm.results.tables import is_written, require_written

FILE = REPLICATES
OWN_LAYER = -1
# Ridge for each voxel alone, and the map whose directions all voxels share.
READOUTS = ("voxelwise", "shared")
_TEXT = ("run", "subject", "target", "stories", "unit", "rows", "readout")


@dataclass(frozen=True)
class Replicates:
    """Mean correlations of frozen and tuned models without each piece of the test rows.

    Attributes
    ----------
    about : tuple of dict
        One a row: run, subject (who is scored), target, stories (`all` or `unheard`), layer (`OWN_LAYER`, or a further
        hidden state), unit (what was left out in turn), rows (test stories with their numbers of TRs), readout
        (`voxelwise` or `shared`). Rows with equal `rows` left out the same pieces.
    frozen, tuned : arrays (n_rows, n_pieces)
        NaN behind the pieces of a row that has fewer.
    """

    about: tuple[dict[str, Any], ...]
    frozen: np.ndarray
    tuned: np.ndarray

    def of_row(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Replicates of the frozen and of the tuned model of a row; empty where there was one piece."""
        known = ~np.isnan(self.tuned[place])
        return self.frozen[place, known], self.tuned[place, known]

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        arrays: dict[str, Any] = {key: np.array([row[key] for row in self.about], dtype=str) for key in _TEXT}
        arrays["layer"] = np.array([row["layer"] for row in self.about], dtype=np.int64)
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, frozen=self.frozen, tuned=self.tuned, **arrays)


def replicate_rows(
    run: str,
    subject: str,
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    unit: str,
    story_of_row: np.ndarray,
    layer: int = OWN_LAYER,
    stories: str = "all",
    readout: str = "voxelwise",
) -> list[dict[str, Any]]:
    """Rows for `gathered`, one a target.

    `pairs` are means of the frozen and of the tuned model without each piece, (n_pieces,), by target; `unit` is what
    was left out in turn, `run` the name in the table.
    """
    rows = ", ".join(f"{name} {n_trs}" for name, n_trs in Counter(story_of_row.tolist()).items())
    about = {"run": run, "subject": subject, "stories": stories, "layer": layer, "unit": unit, "rows": rows}
    about["readout"] = readout
    return [{**about, "target": target, "pair": pair} for target, pair in pairs.items()]


def gathered(rows: Sequence[Mapping[str, Any]]) -> Replicates:
    """One table of the rows of all runs."""
    most = max((len(row["pair"][0]) for row in rows), default=0)
    frozen, tuned = np.full((2, len(rows), most), np.nan)
    for place, row in enumerate(rows):
        first, second = row["pair"]
        frozen[place, : len(first)], tuned[place, : len(second)] = first, second
    about = tuple({key: row[key] for key in (*_TEXT, "layer")} for row in rows)
    return Replicates(about, frozen, tuned)


def read_replicates(path: str | Path, summary: Mapping[str, Any] | None = None) -> Replicates:
    """What `Replicates.save` wrote; RunError where it is missing, damaged, or not what its summary was written with."""
    path = Path(path)
    expected, again = "the jackknife replicates of an evaluation.", "Evaluate again."
    if not path.is_file():
        raise RunError(path, "no such file.", expected, again)
    require_written(path, summary or {}, again)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {key: content[key] for key in (*_TEXT, "layer", "frozen", "tuned")}
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise RunError(path, f"not readable: {error}.", expected, again) from None
    n = len(arrays["run"])
    shapes = {arrays[key].shape for key in ("frozen", "tuned")}
    if any(len(values) != n for values in arrays.values()) or len(shapes) > 1:
        raise RunError(path, "arrays of different lengths.", "a row for each run and target.", again)
    about = tuple(
        {**{key: str(arrays[key][place]) for key in _TEXT}, "layer": int(arrays["layer"][place])}
        for place in range(n)
    )
    return Replicates(about, arrays["frozen"], arrays["tuned"])


def read_if_there(path: Path, summary: Mapping[str, Any]) -> Replicates | None:
    """What `Replicates.save` wrote; None where it wrote nothing, as earlier versions did not."""
    return read_replicates(path, summary) if is_written(path, summary) else None
