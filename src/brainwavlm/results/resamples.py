"""Every resample's mean correlations, kept in a file, so that scores of different evaluations can be paired.

resamples.npz   one row a run, listener and target (and hidden state); arrays alone
    run, subject, target, stories, unit, rows    text
    layer                                        -1: the state of the run's table
    frozen, tuned                                (n_rows, n_resamples) float32: mean r over the target in each
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

FILE = "resamples.npz"
OWN_LAYER = -1
_TEXT = ("run", "subject", "target", "stories", "unit", "rows")


@dataclass(frozen=True)
class Resamples:
    """Resampled mean correlations of frozen and tuned models.

    Attributes
    ----------
    about : tuple of dict
        One a row: run, subject (who is scored), target, stories (`all` or `unheard`), layer (`OWN_LAYER`, or a further
        hidden state), unit (what was drawn), rows (test stories with their numbers of TRs). Rows with equal `rows` and
        as many resamples had the same draws.
    frozen, tuned : arrays (n_rows, n_resamples) float32
        NaN where there was nothing to draw, and behind the resamples of a run that asked for fewer.
    """

    about: tuple[dict[str, Any], ...]
    frozen: np.ndarray
    tuned: np.ndarray

    def draws(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Means of the frozen and of the tuned model of a row in its own resamples; empty where nothing was drawn."""
        drawn = np.flatnonzero(~np.isnan(self.tuned[place]))
        n = int(drawn[-1]) + 1 if len(drawn) else 0  # behind it is what other runs drew more
        return self.frozen[place, :n].astype(np.float64), self.tuned[place, :n].astype(np.float64)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        arrays: dict[str, Any] = {key: np.array([row[key] for row in self.about], dtype=str) for key in _TEXT}
        arrays["layer"] = np.array([row["layer"] for row in self.about], dtype=np.int64)
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, frozen=self.frozen, tuned=self.tuned, **arrays)


def resample_rows(
    run: str,
    subject: str,
    draws: Mapping[str, tuple[np.ndarray, np.ndarray]],
    unit: str,
    story_of_row: np.ndarray,
    layer: int = OWN_LAYER,
    stories: str = "all",
) -> list[dict[str, Any]]:
    """Rows for `gathered`, one a target.

    Parameters
    ----------
    run : str
        Name in the table.
    subject : str
    draws : mapping of target to pair of arrays (n_resamples,)
        Means of the frozen and of the tuned model.
    unit : str
        What was drawn.
    story_of_row : array (n_rows,)
    layer : int
    stories : str
    """
    rows = ", ".join(f"{name} {n_trs}" for name, n_trs in Counter(story_of_row.tolist()).items())
    about = {"run": run, "subject": subject, "stories": stories, "layer": layer, "unit": unit, "rows": rows}
    return [{**about, "target": target, "draws": pair} for target, pair in draws.items()]


def gathered(rows: Sequence[Mapping[str, Any]]) -> Resamples:
    """One table of the rows of all runs."""
    most = max((len(row["draws"][0]) for row in rows), default=0)
    frozen, tuned = np.full((2, len(rows), most), np.nan, dtype=np.float32)
    for place, row in enumerate(rows):
        first, second = row["draws"]
        frozen[place, : len(first)], tuned[place, : len(second)] = first, second
    about = tuple({key: row[key] for key in (*_TEXT, "layer")} for row in rows)
    return Resamples(about, frozen, tuned)


def read_resamples(path: str | Path) -> Resamples:
    """What `Resamples.save` wrote.

    Raises
    ------
    RunError
        Missing or damaged.
    """
    path = Path(path)
    again = "Evaluate again."
    if not path.is_file():
        raise RunError(path, "no such file.", "the resamples of an evaluation.", again)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {key: content[key] for key in (*_TEXT, "layer", "frozen", "tuned")}
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise RunError(path, f"not readable: {error}.", "the resamples of an evaluation.", again) from None
    n = len(arrays["run"])
    shapes = {arrays[key].shape for key in ("frozen", "tuned")}
    if any(len(values) != n for values in arrays.values()) or len(shapes) > 1:
        raise RunError(path, "arrays of different lengths.", "a row for each run and target.", again)
    about = tuple(
        {**{key: str(arrays[key][place]) for key in _TEXT}, "layer": int(arrays["layer"][place])}
        for place in range(n)
    )
    return Resamples(about, arrays["frozen"], arrays["tuned"])


def read_if_there(path: Path) -> Resamples | None:
    """What `Resamples.save` wrote; None where it wrote nothing, as earlier versions did not."""
    return read_resamples(path) if path.is_file() else None
