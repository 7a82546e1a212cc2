"""Files of scores that a cell has, read against what they hold: tables, resamples, summaries."""

from pathlib import Path

import pandas as pd
from pydantic import Field

from brainwavlm.errors import RunError
from brainwavlm.files import Part, read_json
from brainwavlm.results.resamples import FILE, read_resamples
from brainwavlm.runs.run import open_run
from brainwavlm.study.records import WRITTEN, lost_file

COLUMNS = {
    "table.csv": ("run", "subject", "seed", "target", "r_frozen", "r_tuned"),
    "layers.csv": ("run", "subject", "seed", "target", "r_frozen", "r_tuned", "layer"),
    "downstream.csv": ("run", "subject", "seed", "task", "layer", "auc_frozen", "auc_tuned"),
    "matrix.csv": ("run", "scored_on", "seed", "layer", "stories", "target", "r_frozen", "r_tuned"),
    "needed.csv": ("scored_on", "target", "full_minutes", "minutes_needed"),
}
_TEXT = ("run", "subject", "scored_on", "target", "task", "stories")


class Summary(Part):
    """summary.json of an evaluation or a transfer."""

    simulated: bool
    versions: dict[str, str] = Field({})


class ScoredOn(Part):
    """One listener of a transfer, in its summary."""

    scored_on: str
    dataset: str


class TransferSummary(Summary):
    """summary.json of a transfer of a model that several data sets tuned."""

    cells: list[ScoredOn]


def read_table(path: Path) -> pd.DataFrame:
    """One of the tables named in `COLUMNS`: text as text, all else that is read as numbers, NaN where it is empty.

    Raises
    ------
    RunError
        Missing, without one of its columns, or with a word in place of a number.
    """
    columns = COLUMNS[path.name]
    text = {name: str for name in _TEXT if name in columns}
    numbers = [name for name in columns if name not in text]
    try:
        frame = pd.read_csv(
            path, dtype=text, keep_default_na=False, na_values={name: [""] for name in numbers}
        )
        lacking = [name for name in columns if name not in frame]
        if lacking:
            raise ValueError(f"no column {', '.join(lacking)}")
        for name in numbers:
            frame[name] = pd.to_numeric(frame[name])
        if frame.empty:
            raise ValueError("no row")
        if frame[[name for name in ("seed", "layer") if name in columns]].isna().to_numpy().any():
            raise ValueError("a row without its seed or layer")
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            path,
            f"not readable: {error}.",
            f"a table with {', '.join(columns)}.",
            "Start the study again: it scores this cell anew.",
        ) from None
    return frame


def require_whole(cell: Path, step: str) -> None:
    """RunError where a file that a step of a cell leaves is missing or cannot be read.

    Checkpoints are not asked for: when all is scored, they may be removed.

    Parameters
    ----------
    cell : Path
        Its folder.
    step : str
        tune, evaluate or transfer.
    """
    lost = lost_file(cell, step)
    if lost is not None:
        raise RunError(lost, "no such file.", f"what `{step}` writes.", "Start the study again.")
    if step == "tune":
        run = open_run(cell)
        _ = run.config, run.result
        return
    folder = cell / WRITTEN[step][0].partition("/")[0]
    read_json(folder / "summary.json", kind=Summary)
    read_resamples(folder / FILE)
    for name in COLUMNS:
        if (folder / name).exists():
            read_table(folder / name)
