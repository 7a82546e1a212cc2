"""One self-contained page of a study: what was asked, the state of the cells, the claims, a section an experiment."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from brainwavlm import __version__
from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.evaluation.scores import write_frame
from brainwavlm.files import read_json
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting.figures.study import study_pictures
from brainwavlm.reporting.page.output import ELSEWHERE, require_page_path
from brainwavlm.reporting.page.render import image, write_page
from brainwavlm.reporting.page.scripts import page_scripts
from brainwavlm.reporting.page.study_charts import study_charts
from brainwavlm.runs.provenance import energy_of, read_provenance
from brainwavlm.study.claims.paper import CLAIMS, NOT_YET
from brainwavlm.study.claims.score_files import Summary
from brainwavlm.study.claims.table import Claims, claims_of
from brainwavlm.study.folder import CellRecord, StudyFolder, open_study

PAGE, TABLES = "report.html", "report"
STATES = ("done", "failed", "running", "waiting")
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


def write_study_report(folder: str | Path, output_html: str | Path | None = None) -> Path:
    """Write the page of a study from the cells that exist, and its tables as CSV files beside.

    Parameters
    ----------
    folder : str or Path
        Of the study.
    output_html : str, Path or None
        None: report.html in that folder. Tables go to report/ in the folder of the study.

    Returns
    -------
    Path of the page

    Raises
    ------
    RunError
        No study there, or no page or table can be written.
    """
    study = open_study(folder)
    output = study.path / PAGE if output_html is None else Path(output_html)
    require_page_path(output, study.path)
    claims = claims_of(study)
    try:
        tables = write_tables(study, claims)
    except OSError as error:
        raise RunError(study.path / TABLES, f"not writable: {error.strerror}.", *ELSEWHERE) from None
    return write_page(output, "study.html.j2", page_content(study, claims, tables, output))


def write_tables(study: StudyFolder, claims: Claims) -> dict[str, Path]:
    """Write claims.csv, seeds.csv, missing.csv, cells.csv and a table an experiment; their paths by name."""
    folder = study.path / TABLES
    frames = {
        "claims": claims.table,
        "seeds": claims.seeds,
        "missing": claims.missing,
        "cells": pd.DataFrame(_cell_rows(study)),
    }
    paths = {name: folder / f"{name}.csv" for name in frames}
    for name in study.study.experiments:
        frames[f"experiment {name}"] = claims.table[claims.table["experiment"] == name]
        paths[f"experiment {name}"] = folder / "experiments" / f"{name}.csv"
    for name, frame in frames.items():
        write_frame(paths[name], frame)
    return paths


def page_content(
    study: StudyFolder, claims: Claims, tables: Mapping[str, Path], output: Path
) -> dict[str, Any]:
    """Everything that the template shows."""
    rows = _records(claims.table)
    links = {
        name: Path(os.path.relpath(path.resolve(), output.resolve().parent)).as_posix()
        for name, path in tables.items()
    }
    experiments = study.study.experiments
    asked = {experiment.claim for experiment in experiments.values()}
    yaml = study.path / "study.yaml"
    return {
        "name": study.study.name,
        "title": study.study.title or study.study.name,
        "simulated": claims.simulated,
        "version": __version__,
        "folder_name": study.path.resolve().name,
        "experiments": [
            _experiment(study, claims, name, [row for row in rows if row["experiment"] == name], links)
            for name in experiments
        ],
        "states": _counted(study.cells),
        "n_cells": len(study.cells),
        "cells": _cell_rows(study),
        "missing": [{**row, "error": row["error"] or "not begun"} for row in _records(claims.missing)],
        "stale": [path.name for path in study.stale],
        "not_asked": [f"{n}. {CLAIMS[n]}" for n in CLAIMS if n not in asked and n not in NOT_YET],
        "not_yet": [f"{n}. {CLAIMS[n]}" for n in NOT_YET if n not in asked],
        "hours": number(sum(record.seconds or 0 for record in study.cells) / 3600, 2),
        "code": [(str(key), str(value)) for key, value in study.code.items() if value is not None],
        "versions": _versions(study),
        "yaml": yaml.read_text(encoding="utf-8", errors="replace") if yaml.is_file() else "",
        "resolved": json.dumps(study.study.model_dump(mode="json"), indent=2, ensure_ascii=False),
        "links": links,
        "pages": _pages(study, output),
        "verdicts": _verdicts(rows),
        "energy": _energy(study),
        **page_scripts(),
    }


def _records(frame: pd.DataFrame) -> list[Row]:
    """Rows with None where there is nothing."""
    known = frame.astype(object).where(frame.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in known.to_dict("records")]


def _experiment(
    study: StudyFolder, claims: Claims, name: str, rows: Sequence[Row], links: Mapping[str, str]
) -> dict[str, Any]:
    experiment = study.study.experiments[name]
    records = study.of(name)
    simulated = any(row["simulated"] for row in rows)
    headlines = [row for row in rows if row["headline"]]
    seeds = claims.seeds[claims.seeds["experiment"] == name] if len(claims.seeds) else claims.seeds
    return {
        "name": name,
        "claim": experiment.claim,
        "claim_text": CLAIMS.get(experiment.claim or 0, ""),
        "question": experiment.question,
        "simulated": simulated,
        "states": _counted(records),
        "n_cells": len(records),
        "rows": [_shown(row) for row in headlines],
        "others": [_shown(row) for row in rows if not row["headline"]],
        "images": [image(picture) for picture in study_pictures(name, headlines, rows, seeds, simulated)],
        "charts": study_charts(headlines, rows, seeds, records),
        "missing": [record.cell.name for record in records if record.state != "done"],
        "verdicts": _verdicts(rows),
        "csv": links[f"experiment {name}"],
    }


def _shown(row: Row) -> Row:
    digits = 1 if row["kind"] in ("spread", "minutes") else 3
    shown = number if row["kind"] in ("spread", "minutes") else signed

    def ends(low: str, high: str) -> str:
        return "–" if row[low] is None else f"{shown(row[low], digits)} to {shown(row[high], digits)}"

    against = f" against {row['against']}" if row["against"] else ""
    state = "" if row["layer"] is None else f", state {row['layer']:.0f}"
    return {
        "kind": KINDS[row["kind"]],
        "group": f"{row['group'] or ''}{against}",
        "tuned_on": row["tuned_on"] or "",
        "where": f"{row['target']} of {row['listener']}{state}" if row["target"] else "",
        "known": row["estimate"] is not None,
        "sort": {
            key: "" if row[key] is None else repr(float(row[key])) for key in ("estimate", "low", "seed_low")
        },
        "estimate": shown(row["estimate"], digits),
        "interval": ends("low", "high"),
        "over_seeds": ends("seed_low", "seed_high"),
        "n_seeds": row["n_seeds"],
        "n_missing": row["n_missing"],
        "verdict": row["verdict"] or "",
        "sentence": row["sentence"],
    }


def _verdicts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """How often the headline findings came out in which way against what was reported."""
    return Counter(row["verdict"] for row in rows if row["headline"] and row["verdict"]).most_common()


def _pages(study: StudyFolder, output: Path) -> dict[str, str]:
    """Where the page of a cell lies, by the name of its folder, as seen from this page; of those that have one."""
    found = {}
    for record in study.cells:
        page = record.path / "evaluation" / PAGE
        if page.is_file():
            where = Path(os.path.relpath(page.resolve(), output.resolve().parent)).as_posix()
            found[record.path.name] = quote(where)
    return found


def _energy(study: StudyFolder) -> str:
    """What the cells measured while they were tuned."""
    measured, total, parts = 0, 0.0, Counter[str]()
    for record in study.cells:
        with suppress(BrainwavlmError, OSError):
            recorded = read_provenance(record.path)
            if recorded is not None and (found := energy_of(recorded)[0]):
                measured, total = measured + 1, total + sum(found.values())
                parts.update(found.keys())
    if not measured:
        return "not measured: no cell could read a counter, or cells were made before energy was recorded"
    of = f"{measured} of {len(study.cells)} cells, by the counters of their {', '.join(parts)}"
    return f"{total:.3g} kWh of tuning in {of}"


def _counted(records: Sequence[CellRecord]) -> str:
    """`9 done, 1 failed, 2 waiting`."""
    counts = Counter(record.state for record in records)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _cell_rows(study: StudyFolder) -> list[Row]:
    return [
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
    ]


def _versions(study: StudyFolder) -> list[tuple[str, str]]:
    """Of the libraries that the cells were scored with; those of all cells, where they differ."""
    found: dict[str, dict[str, None]] = {}
    for record in study.cells:
        with suppress(BrainwavlmError):  # a damaged summary is named among the missing cells
            summary = (
                {}
                if record.evaluation is None
                else read_json(record.evaluation / "summary.json", kind=Summary)
            )
            for library, version in summary.get("versions", {}).items():
                found.setdefault(library, {})[version] = None
    return [(library, ", ".join(versions)) for library, versions in found.items()]
