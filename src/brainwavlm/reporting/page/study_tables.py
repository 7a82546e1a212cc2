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
from brainwavlm.reporting.figures.findings import NUMBERS, changes_table, held_table
from brainwavlm.reporting.page.tables import Table, table
from brainwavlm.results.tables import records
from brainwavlm.study.folder import CellRecord, StudyFolder

PAGE = "report.html"
STATES = ("done", "failed", "running", "waiting")
VERDICT = "Against the report"
# What the estimate of a finding is, where it is no gain or difference of r.
_KINDS = {"spread": "ratio of deviations over seeds, ", "minutes": "minutes of data, ", "task": "AUC, "}
_READOUTS = {"": "Estimate", "shared_": "Shared map"}
_HEADINGS = ["experiment", "Finding", *_READOUTS.values(), "Seeds", "What holds", VERDICT]
_NAMES = {"Finding": "name", "What holds": "line", VERDICT: "line"}
Row = dict[str, Any]


def findings_frame(rows: pd.DataFrame, line: str = "; ") -> pd.DataFrame:
    """Findings as page and documentation show them, one a row: experiment, and columns by their headings.

    `rows` are of the table of claims; `line` stands between an estimate and its intervals, `Markup` in cells of HTML.
    """
    findings = [
        {
            "experiment": row["experiment"],
            "Finding": f"{_KINDS.get(row['kind'], '')}{row['label']}",
            **{heading: _estimate(row, readout, line) for readout, heading in _READOUTS.items()},
            "Seeds": row["n_seeds"],
            "What holds": row["holds"],
            VERDICT: _verdicts(row),
        }
        for row in records(changes_table(rows))
    ]
    table = pd.DataFrame(findings, columns=_HEADINGS)
    alone = (table[_READOUTS["shared_"]] == "").all()  # of probes and tasks, where no voxel takes part
    return table.drop(columns=_READOUTS["shared_"]) if alone else table


def _estimate(row: Row, readout: str, line: str) -> str:
    """An estimate and its intervals over stories and over seeds; empty where there is none."""
    estimate, *ends = (row[readout + column] for column in NUMBERS)
    if estimate is None or estimate != estimate:
        return "not reached in every seed" if row["kind"] == "minutes" and not readout else ""
    shown = partial(number, digits=1) if row["kind"] in ("spread", "minutes") else signed
    pairs = ((low, high) if low is not None and low == low else None for low, high in (ends[:2], ends[2:]))
    over_stories, over_seeds = (f"{shown(pair[0])} to {shown(pair[1])}" if pair else "–" for pair in pairs)
    return line.join([f"{shown(estimate)}, {over_stories}", f"seeds {over_seeds}"])


def _verdicts(row: Row) -> str:
    """The verdict under ridge for each voxel, and under the shared map where that is another one."""
    one, shared = row["verdict"] or "", row["shared_verdict"] or ""
    return one if shared in ("", one) else f"{one}; shared map: {shared}"


def numbers_table(rows: pd.DataFrame, name: str) -> Table | None:
    """Findings of one experiment, without titles; None without rows."""
    frame = findings_frame(rows, Markup("<br>")).assign(experiment="")
    return table("Further findings of {name}", frame, classes=_NAMES, name=name)


def probes_frame(rows: pd.DataFrame, line: str = "; ") -> pd.DataFrame:
    """What models of an experiment predict and hold, one a row: r in each target, then each feature that was read off.

    A cell is the score of the tuned model and its change from the untuned one with the 95 % interval over stories; the
    first row is the untuned model. `rows` are of the table of claims, of one experiment; `line` stands between a score
    and its change.
    """
    models: dict[tuple[str, str], Row] = {}
    for row in held_table(rows).to_dict("records"):
        change = f"{signed(row['difference'])}, {signed(row['low'])} to {signed(row['high'])}"
        models.setdefault((row["subject"], "untuned"), {})[row["score"]] = number(row["untuned"])
        cell = line.join([number(row["tuned"]), change])
        models.setdefault((row["subject"], row["model"]), {})[row["score"]] = cell
    subjects = list(dict.fromkeys(subject for subject, _ in models))
    order = sorted(models, key=lambda key: subjects.index(key[0]))
    return pd.DataFrame([{"subject": key[0], "model": key[1], **models[key]} for key in order]).fillna("")


def probes_table(rows: pd.DataFrame, name: str) -> Table | None:
    """`probes_frame` on the page; None where nothing was read off."""
    if not (rows["kind"] == "probe").any():
        return None
    return table("What models of {name} predict and hold", probes_frame(rows, Markup("<br>")), name=name)


def claims_table(
    rows: pd.DataFrame, headings: Mapping[str, str]
) -> tuple[Table | None, list[tuple[str, int]]]:
    """What each experiment came to, by its heading, and how often each verdict; None without a headline in `rows`."""
    frame = findings_frame(rows[rows["headline"].astype(bool)], Markup("<br>"))
    frame["experiment"] = frame["experiment"].map(headings)
    units = " or ".join(dict.fromkeys(rows["unit"].dropna()))
    verdicts = Counter(verdict for verdict in frame[VERDICT] if verdict).most_common()
    about: dict[str, Any] = {"element": "claims-table", "simulated": bool(rows["simulated"].any())}
    return table("Table of claims", frame, classes=_NAMES, units=units, **about), verdicts


def missing_table(missing: pd.DataFrame, link: str) -> Table | None:
    """Scores that are missing, and why; None where all are there."""
    columns = ["cell", "experiments", "step", "state", "error"]
    frame = missing.fillna({"error": "not begun"})[columns].rename(columns=str.capitalize)
    frame.insert(0, "", "")
    classes = {"Cell": "name", "Experiments": "name", "State": _failed(frame["State"]), "Error": "words"}
    return table("Missing scores", frame, classes=classes, link=link)


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


def cells_table(study: StudyFolder, output: Path, link: str) -> Table | None:
    """All cells, with links to their own pages."""
    frame = cells_frame(study)[["state", "attempts", "seconds", "identity"]].set_axis(
        ["State", "Tries", "Seconds", "Identity"], axis=1
    )
    frame.insert(0, "Cell", [_linked(record, output) for record in study.cells])
    frame.insert(0, "", "")
    classes = {"Cell": "name", "State": _failed(frame["State"]), "Identity": "code"}
    return table("All cells", frame, classes=classes, element="cells-table", link=link)


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
