"""Tables of the page of a study: claims, findings of an experiment, missing scores, cells."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.page.tables import Table, table
from brainwavlm.study.folder import CellRecord, StudyFolder

PAGE = "report.html"
STATES = ("done", "failed", "running", "waiting")
_INTERVALS = {"95 % over test stories": ("low", "high"), "95 % over seeds": ("seed_low", "seed_high")}
KINDS = {
    "gain": "gain over the untuned model",
    "difference": "difference of tuned r",
    "spread": "ratio of deviations over seeds",
    "transfer": "gain in another listener",
    "minutes": "minutes of data",
    "layer": "gain by hidden state",
    "task": "change in a task (AUC)",
    "none": "nothing yet",
    "no transfer": "nothing yet in other listeners",
}
Row = dict[str, Any]


def _findings_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Findings as the page shows them: the columns of both its tables."""
    frame = []
    for row in rows:
        whole = row["kind"] in ("spread", "minutes")
        shown = partial(number, digits=1) if whole else signed
        ends = {
            name: "–" if row[low] is None else f"{shown(row[low])} to {shown(row[high])}"
            for name, (low, high) in _INTERVALS.items()
        }
        against = f" against {row['against']}" if row["against"] else ""
        tuned_on = f", tuned on {row['tuned_on']}" if row["tuned_on"] else ""
        state = "" if row["layer"] is None else f", state {row['layer']:.0f}"
        readout = ", shared readout" if row["readout"] == "shared" else ""
        about = {
            "experiment": row["experiment"],
            "What came out": row["sentence"],
            "Cells": f"{row['group'] or ''}{against}{tuned_on}",
            "Where": f"{row['target']} of {row['listener']}{state}{readout}" if row["target"] else "",
            "What": KINDS[row["kind"]] if row["estimate"] is not None else row["sentence"],
            "Estimate": shown(row["estimate"]),
        }
        counts = {"Seeds": row["n_seeds"], "Missing": row["n_missing"]}
        frame.append(about | ends | counts | {"Against the report": row["verdict"] or ""})
    return pd.DataFrame(frame)


def numbers_table(rows: Sequence[Row], caption: str, summary: str) -> Table | None:
    """Findings of one experiment; None without rows."""
    if not rows:
        return None
    columns = ["", "Cells", "Where", "What", "Estimate", *_INTERVALS, "Seeds", "Missing"]
    frame = _findings_frame(rows).assign(**{"": ""})[columns]
    names = dict.fromkeys(["Cells", "Where", "What"], "name")
    return table(caption, f"{caption}.", frame, classes=names) | {"summary": f"{summary} ({len(rows)} rows)"}


def claims_table(rows: Sequence[Row], headings: Mapping[str, str]) -> Table:
    """What each experiment came to, by its heading."""
    columns = ["What came out", "Estimate", *_INTERVALS, "Seeds", "Against the report"]
    headlines = [row for row in rows if row["headline"]]
    frame = _findings_frame(headlines)
    frame = frame.assign(experiment=frame["experiment"].map(headings))[["experiment", *columns]]
    return table(
        "Table of claims",
        "What each experiment came to.",
        frame,
        classes={"What came out": "words", "Against the report": "name"},
        element="claims-table",
    )


def missing_table(missing: pd.DataFrame, link: str) -> Table | None:
    """Scores that are missing, and why; None where all are there."""
    if missing.empty:
        return None
    columns = ["cell", "experiments", "step", "state", "error"]
    frame = missing.fillna({"error": "not begun"})[columns].rename(columns=str.capitalize)
    frame.insert(0, "", "")
    caption = Markup(
        "Scores that are missing, and why. Failed cells are tried again by <code>brainwavlm study run "
        '--retry-failed</code>. <a href="{}">missing.csv</a>'
    ).format(link)
    names = {"Cell": "name", "Experiments": "name", "State": _failed(frame["State"]), "Error": "words"}
    return table("Missing scores", caption, frame, classes=names)


def cells_frame(study: StudyFolder) -> pd.DataFrame:
    """cell, experiments, state, attempts, seconds, identity, folder, error: a row a cell."""
    return pd.DataFrame(
        {
            "cell": record.cell.name,
            "experiments": ", ".join(record.cell.experiments),
            "state": record.state,
            "attempts": record.attempts,
            "seconds": "" if record.seconds is None else round(record.seconds),
            "identity": record.identity,
            "folder": record.path.name,
            "error": record.error or "",
        }
        for record in study.cells
    )


def cells_table(rows: pd.DataFrame, records: Sequence[CellRecord], output: Path, link: str) -> Table:
    """All cells, with links to their own pages; `rows` are those of cells.csv."""
    columns = {"state": "State", "attempts": "Tries", "seconds": "Seconds", "identity": "Identity"}
    frame = rows[list(columns)].rename(columns=columns)
    frame.insert(0, "Cell", [_linked(record, output) for record in records])
    frame.insert(0, "", "")
    caption = Markup(
        "State, cost and identity of each cell; a name leads to the cell's own page where <code>brainwavlm "
        'report</code> made one. <a href="{}">cells.csv</a>'
    ).format(link)
    classes = {"Cell": "name", "State": _failed(frame["State"]), "Identity": "code"}
    return table("All cells", caption, frame, classes=classes, element="cells-table")


def _failed(states: pd.Series) -> list[str]:
    return ["failed" if state == "failed" else "" for state in states]


def _linked(record: CellRecord, output: Path) -> str:
    """A cell's name; a link to its own page where it has one, as seen from this page."""
    page = record.path / "evaluation" / PAGE
    if not page.is_file():
        return record.cell.name
    return Markup('<a href="{}">{}</a>').format(quote(relative(page, output)), record.cell.name)


def relative(path: Path, page: Path) -> str:
    """The address of a file as seen from a page."""
    return Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix()


def state_counts(records: Sequence[CellRecord]) -> str:
    """`9 done, 1 failed, 2 waiting`."""
    counts = Counter(record.state for record in records)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
