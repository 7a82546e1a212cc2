"""One self-contained page of a study: what was asked, the state of the cells, the claims, a section an experiment."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.files import read_json, replacing
from brainwavlm.formatting.numbers import number
from brainwavlm.reporting.figures.data_curves import claim_states_table, learning_table
from brainwavlm.reporting.figures.data_findings import differences_table, findings_table
from brainwavlm.reporting.page import charts, dot_charts
from brainwavlm.reporting.page.render import ELSEWHERE, require_page_path, write_page
from brainwavlm.reporting.page.study_tables import (
    PAGE,
    Row,
    cells_frame,
    cells_table,
    claims_table,
    missing_table,
    numbers_table,
    state_counts,
)
from brainwavlm.results.schemas import EvaluationSummary
from brainwavlm.results.tables import csv_text
from brainwavlm.runs.provenance import energy_of, read_provenance
from brainwavlm.runs.run import open_run
from brainwavlm.study.claims.paper import CLAIMS, NOT_YET
from brainwavlm.study.claims.table import Claims, claims_of
from brainwavlm.study.folder import CellRecord, StudyFolder, open_study

TABLES = "report"
MOST_RUNS = 24  # lines in a chart of learning


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
    return write_page(output, "study.html.j2", ("page.js",), page_content(study, claims, tables, output))


def write_tables(study: StudyFolder, claims: Claims) -> dict[str, Path]:
    """Write claims.csv, seeds.csv, missing.csv, cells.csv and a table an experiment; their paths by name."""
    folder = study.path / TABLES
    frames = {
        "claims": claims.table,
        "seeds": claims.seeds,
        "missing": claims.missing,
        "cells": cells_frame(study),
    }
    paths = {name: folder / f"{name}.csv" for name in frames}
    for name in study.study.experiments:
        frames[f"experiment {name}"] = claims.table[claims.table["experiment"] == name]
        paths[f"experiment {name}"] = folder / "experiments" / f"{name}.csv"
    for name, frame in frames.items():
        with replacing(paths[name]) as temporary:  # not write_frame: an experiment may be called layers
            temporary.write_text(csv_text(frame), encoding="utf-8", newline="")
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
    asked = {experiment.claim for experiment in study.study.experiments.values()}
    yaml = study.path / "study.yaml"
    described = [
        _experiment(study, claims, name, [row for row in rows if row["experiment"] == name], links)
        for name in study.study.experiments
    ]
    return {
        "name": study.study.name,
        "title": study.study.title or study.study.name,
        "simulated": claims.simulated,
        "all_simulated": claims.simulated,
        "run_data": "",
        "folder_name": study.path.resolve().name,
        "experiments": described,
        "claims": claims_table(rows, {one["name"]: one["heading"] for one in described}),
        "states": state_counts(study.cells),
        "n_cells": len(study.cells),
        "cells": cells_table(cells_frame(study), study.cells, output, links["cells"]),
        "n_missing": len(claims.missing),
        "missing": missing_table(claims.missing, links["missing"]),
        "stale": [path.name for path in study.stale],
        "not_asked": [f"{n}. {CLAIMS[n]}" for n in CLAIMS if n not in asked and n not in NOT_YET],
        "not_yet": [f"{n}. {CLAIMS[n]}" for n in NOT_YET if n not in asked],
        "hours": number(sum(record.seconds or 0 for record in study.cells) / 3600, 2),
        "code": [(str(key), str(value)) for key, value in study.code.items() if value is not None],
        "versions": _versions(study),
        "yaml": yaml.read_text(encoding="utf-8", errors="replace") if yaml.is_file() else "",
        "resolved": json.dumps(study.study.model_dump(mode="json"), indent=2, ensure_ascii=False),
        "links": links,
        "verdicts": _verdicts(rows),
        "energy": _energy(study),
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
    others = [row for row in rows if not row["headline"]]
    claim = f"{experiment.claim}. {CLAIMS[experiment.claim]}. " if experiment.claim else ""
    counted = f"{len(records)} cells: {state_counts(records)}"
    return {
        "name": name,
        "heading": f"{name}: {claim}{experiment.question} ({counted}){' SIMULATED' * simulated}",
        "claim": experiment.claim,
        "claim_text": CLAIMS.get(experiment.claim or 0, ""),
        "question": experiment.question,
        "simulated": simulated,
        "states": state_counts(records),
        "n_cells": len(records),
        "tables": [
            numbers_table(headlines, f"Findings of {name}", "Findings as numbers"),
            numbers_table(others, f"Further findings of {name}", "Other targets and comparisons"),
        ],
        "charts": _charts(headlines, rows, claims.seeds, records),
        "missing": [record.cell.name for record in records if record.state != "done"],
        "verdicts": _verdicts(rows),
        "csv": links[f"experiment {name}"],
    }


def _charts(
    headlines: Sequence[Row], rows: Sequence[Row], seeds: pd.DataFrame, records: Sequence[CellRecord]
) -> list[charts.Chart]:
    """Charts of one experiment, those that it has the numbers for."""
    more = len(records) - MOST_RUNS
    left_out = f" The first {MOST_RUNS} cells; {more} are not shown." if more > 0 else ""
    gains, differences, states = (
        [row for row in some if row["kind"] in kinds and row["estimate"] is not None]
        for some, kinds in (
            (headlines, ("gain", "transfer")),
            (headlines, ("difference",)),
            (rows, ("layer",)),
        )
    )
    every = [
        dot_charts.findings_chart(
            findings_table(gains, seeds),
            "Findings, seed by seed",
            dot_charts.DOTS_NOTE,
        ),
        dot_charts.differences_chart(
            differences_table(differences),
            "The first cells minus the second. Diamond with a bar: 95 % over test stories; thin bar: 95 % over "
            "seeds. A finding leaves 0 out of both.",
        ),
        charts.states_chart(
            claim_states_table(states),
            "Gain by hidden state",
            "",
            "Dotted: untuned. Bars: 95 % intervals over test stories.",
        ),
        charts.learning_chart(
            _learned(records[:MOST_RUNS]),
            f"Each line is a cell: point at it to read which. A star marks the epoch that was kept.{left_out}",
            legend=False,
        ),
    ]
    return [one for one in every if one is not None]


def _learned(records: Sequence[CellRecord]) -> pd.DataFrame:
    """How cells learned, of those that have begun; the table of cells names the damaged ones."""
    runs = []
    for record in records:
        with suppress(BrainwavlmError, OSError):
            runs.append({"name": record.cell.name, **open_run(record.path).course})
    return learning_table(runs, {run["name"]: run["name"] for run in runs})


def _verdicts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """How often the headline findings came out in which way against what was reported."""
    return Counter(row["verdict"] for row in rows if row["headline"] and row["verdict"]).most_common()


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
    cells = f"{measured} of {len(study.cells)} cells"
    return f"{total:.3g} kWh of tuning in {cells}, by the counters of their {', '.join(parts)}"


def _versions(study: StudyFolder) -> list[tuple[str, str]]:
    """Of the libraries that the cells were scored with; those of all cells, where they differ."""
    found: dict[str, dict[str, None]] = {}
    for record in study.cells:
        with suppress(BrainwavlmError):  # a damaged summary is named among the missing cells
            summary = (
                {}
                if record.evaluation is None
                else read_json(record.evaluation / "summary.json", kind=EvaluationSummary)
            )
            for library, version in summary.get("versions", {}).items():
                found.setdefault(library, {})[version] = None
    return [(library, ", ".join(versions)) for library, versions in found.items()]
