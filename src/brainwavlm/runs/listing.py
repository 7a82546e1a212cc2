"""The runs below a folder: how far each is, and what it reached. Quick for a thousand of them."""

import csv
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.results.schemas import AGAIN
from brainwavlm.runs.lock import is_held
from brainwavlm.runs.provenance import read_provenance
from brainwavlm.runs.run import Run, open_run

Row = dict[str, Any]
NUMBERS = ("r_frozen", "r_tuned", "difference", "low", "high")


def summaries(folder: Path) -> list[Row]:
    """One row a run below a folder: where, how far, scores, whose.

    Returns
    -------
    list of dict
        run, state (from `run_state`, or damaged), problem (what is damaged, else None), age_seconds (since it last did
        something), best_epoch and validation_r (so far, for a run that is not done), test_r, change, low and high (of
        the run's target in its own evaluation; over subjects the mean, without an interval), dataset, subject,
        target, method, control, seed, simulated (whether any of its responses are).

    Raises
    ------
    RunError
        No such folder.
    """
    if not folder.is_dir():
        raise RunError(folder, "no such folder.", "a folder with runs in it or below.", "Give its path.")
    now = time.time()
    return [_row(path, str(path.relative_to(folder)), now) for path in run_folders(folder)]


def run_folders(folder: Path) -> Iterator[Path]:
    """Folders with a run.json, in order; what is within a run is no further run."""
    for place, below, files in os.walk(folder):
        below.sort()
        if "run.json" in files:
            below.clear()
            yield Path(place)


def run_state(run: Run) -> str:
    """How far a run is: done; running, while a process holds its lock; else how its last session ended.

    failed, stopped (by Ctrl-C), or killed, where it could not say so; `unfinished` where no session was recorded.
    """
    if (run.path / "result.json").exists():
        return "done"
    if is_held(run.path / "lock"):
        return "running"
    recorded = read_provenance(run.path)
    if recorded is None:
        return "unfinished"
    ended = recorded["sessions"][-1]["ended"] if recorded["sessions"] else None
    return "stopped" if ended == "done" else ended or "killed"


def scores_of(run: Run) -> list[Row]:
    """The rows of this run in RUN/evaluation/table.csv: subject, target, n_voxels, NUMBERS; none without an evaluation.

    Of a thousand evaluations only these columns are read: to open each with pandas takes six times as long.

    Raises
    ------
    RunError
        Damaged.
    """
    path = run.path / "evaluation" / "table.csv"
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file, strict=True))
        # Each subject of a joint run has a row: `run (subject)`.
        names = [row["run"].rpartition(" (")[0] if len(run.sides) > 1 else row["run"] for row in table]
        return [
            {"subject": row["subject"], "target": row["target"], "n_voxels": int(row["n_voxels"])}
            | {name: float(row[name]) if row[name] else None for name in NUMBERS}
            for name_of_run, row in zip(names, table, strict=True)
            if name_of_run == names[0]  # the run that an evaluation lies in comes first in it
        ]
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        expected = f"a table with run, subject, target, n_voxels, {', '.join(NUMBERS)}."
        raise RunError(path, f"not readable: {error!r}.", expected, AGAIN) from None


def _row(path: Path, name: str, now: float) -> Row:
    try:
        run = open_run(path)
        best = run.best or {}
        row = {
            "run": name,
            "state": run_state(run),
            "problem": None,
            "age_seconds": max(now - _last_change(path), 0.0),
            "best_epoch": best.get("epoch"),
            "validation_r": best.get("validation_r"),
            **_own_score(run),
            "dataset": run.manifest["data"]["dataset"],
            **run.facts,
        }
    except (BrainwavlmError, OSError) as error:
        problem = str(error)
        if isinstance(error, BrainwavlmError):
            where = Path(error.path)
            problem = f"{where.relative_to(path) if where.is_relative_to(path) else where}: {error.found}"
        nothing = ("age_seconds", "best_epoch", "validation_r", "test_r", "change", "low", "high")
        row = {"run": name, "state": "damaged", "problem": problem, **dict.fromkeys(nothing)}
        row |= dict.fromkeys(("dataset", "subject", "target", "method", "control", "seed", "simulated"))
    return row


def _own_score(run: Run) -> Row:
    """Test r and change on the target that the run was tuned on."""
    rows = [row for row in scores_of(run) if row["target"] == run.config.target]
    if not rows:
        return dict.fromkeys(("test_r", "change", "low", "high"))
    low, high = (rows[0]["low"], rows[0]["high"]) if len(rows) == 1 else (None, None)
    return {"test_r": _mean(rows, "r_tuned"), "change": _mean(rows, "difference"), "low": low, "high": high}


def _mean(rows: list[Row], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return sum(values) / len(values) if values and len(values) == len(rows) else None


def _last_change(path: Path) -> float:
    """When the run last did something: its end, its last logged line, its beginning."""
    for name in ("result.json", "log.jsonl", "run.json"):
        with suppress(OSError):
            return (path / name).stat().st_mtime
    return 0.0
