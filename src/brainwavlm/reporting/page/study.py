"""One self-contained page of a study: what was asked, the state of the cells, the claims, a section an experiment."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.errors import BrainwavlmError
from brainwavlm.files import read_json, replacing
from brainwavlm.formatting.numbers import number
from brainwavlm.reporting.figures.curves import claim_states_table, learning_table
from brainwavlm.reporting.figures.findings import KINDS, changes_forest, changes_table, findings_table
from brainwavlm.reporting.figures.forest import forest_of
from brainwavlm.reporting.figures.lines import lines_of
from brainwavlm.reporting.page import charts, study_tables
from brainwavlm.reporting.page.render import ELSEWHERE, require_page_path, write_page
from brainwavlm.reporting.page.study_tables import PAGE
from brainwavlm.results.schemas import EvaluationSummary
from brainwavlm.results.tables import csv_text
from brainwavlm.runs.output_paths import written
from brainwavlm.runs.run import open_run
from brainwavlm.study.claims.table import Claims, claims_of
from brainwavlm.study.claims.verdicts import CLAIMS, NOT_YET
from brainwavlm.study.folder import CellRecord, StudyFolder, open_study

TABLES = "report"
MOST_RUNS = 24  # lines in a chart of learning


def write_study_report(folder: str | Path, output_html: str | Path | None = None) -> Path:
    """Write the page of a study from the cells that exist, and its tables as CSV files beside; the path of the page.

    Without a path it is report.html in the folder of the study; tables go to report/ there. RunError where there is no
    study, or no page or table can be written.
    """
    study = open_study(folder)
    output = study.path / PAGE if output_html is None else Path(output_html)
    require_page_path(output)
    claims = claims_of(study)
    with written(study.path / TABLES, *ELSEWHERE):
        tables = write_tables(study, claims)
    return write_page(output, "study.html.j2", ("page.js",), page_content(study, claims, tables, output))


def write_tables(study: StudyFolder, claims: Claims) -> dict[str, Path]:
    """Write claims.csv, seeds.csv, missing.csv, cells.csv and a table an experiment; their paths by name."""
    folder = study.path / TABLES
    frames = {"claims": claims.table, "seeds": claims.seeds, "missing": claims.missing}
    frames["cells"] = study_tables.cells_frame(study)
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
    links = {name: study_tables.relative(path, output) for name, path in tables.items()}
    asked = {experiment.claim for experiment in study.study.experiments.values()}
    yaml = study.path / "study.yaml"
    described = [_experiment(study, claims, name, links) for name in study.study.experiments]
    table, verdicts = study_tables.claims_table(
        claims.table, {one["name"]: one["heading"] for one in described}
    )
    return {
        "study": study,
        "title": study.study.title or study.study.name,
        "simulated": claims.simulated,
        "all_simulated": claims.simulated,
        "run_data": "",
        "folder_name": study.path.resolve().name,
        "experiments": described,
        "forest": _forest(claims.table),
        "claims": table,
        "verdicts": verdicts,
        "n_rows": len(claims.table),
        "states": study_tables.state_counts(study.cells),
        "cells": study_tables.cells_table(study, output, links["cells"]),
        "missing": study_tables.missing_table(claims.missing, links["missing"]),
        "n_missing": len(claims.missing),
        "not_asked": [f"{n}. {CLAIMS[n]}" for n in CLAIMS if n not in asked and n not in NOT_YET],
        "not_yet": [f"{n}. {CLAIMS[n]}" for n in NOT_YET if n not in asked],
        "hours": number(sum(record.seconds or 0 for record in study.cells) / 3600, 2),
        "versions": _versions(study),
        "yaml": yaml.read_text(encoding="utf-8", errors="replace") if yaml.is_file() else "",
        "resolved": json.dumps(study.study.model_dump(mode="json"), indent=2, ensure_ascii=False),
        "links": links,
    }


def _experiment(study: StudyFolder, claims: Claims, name: str, links: Mapping[str, str]) -> dict[str, Any]:
    experiment, cells = study.study.experiments[name], study.of(name)
    rows = claims.table[claims.table["experiment"] == name]
    others = rows[~rows["headline"].astype(bool)]
    claim = f"{experiment.claim}. {CLAIMS[experiment.claim]}: " if experiment.claim else ""
    return {
        "name": name,
        "heading": f"{claim}{name}",
        "claim": experiment.claim,
        "claim_text": CLAIMS.get(experiment.claim or 0, ""),
        "question": experiment.question,
        "states": study_tables.state_counts(cells),
        "further": study_tables.numbers_table(others, name),
        "probes": study_tables.probes_table(rows, name),
        "charts": _charts(rows, claims.seeds, cells),
        "missing": [record.cell.name for record in cells if record.state != "done"],
        "csv": links[f"experiment {name}"],
    }


def _forest(rows: pd.DataFrame) -> charts.Chart | None:
    """All findings that are changes of r."""
    shown = rows[rows["headline"].astype(bool) & rows["kind"].isin(KINDS) & rows["estimate"].notna()]
    units = ", ".join(dict.fromkeys(shown["unit"]))
    return charts.forest_chart(
        changes_forest(changes_table(shown)),
        "Every finding under both readouts",
        f"Blue diamonds: ridge for each voxel alone. Orange circles: a linear map that voxels share, for the untuned "
        f"and the tuned model alike. Bars: 95 % over {units}, for these seeds. Numbers in front: the claim.",
    )


def _charts(rows: pd.DataFrame, seeds: pd.DataFrame, cells: Sequence[CellRecord]) -> list[charts.Chart]:
    """Charts of one experiment, those that it has the numbers for."""
    more = len(cells) - MOST_RUNS
    left_out = f" The first {MOST_RUNS} cells; {more} are not shown." if more > 0 else ""
    scored = rows[rows["estimate"].notna()]
    gains = scored[scored["headline"].astype(bool) & scored["kind"].isin(["gain", "transfer"])]
    states = claim_states_table(scored[scored["kind"] == "layer"])
    findings, learned = forest_of(findings_table(gains, seeds)), _learned(cells[:MOST_RUNS])
    note = f"Each line is a cell: point at it to read which. {charts.LEARNED_NOTE}{left_out}"
    intervals = "Dotted: untuned. Bars: 95 % intervals over test stories."
    every = [
        charts.forest_chart(findings, "Findings, seed by seed", charts.DOTS_NOTE),
        charts.lines_chart(lines_of(states), "Gain by hidden state", intervals),
        charts.lines_chart(lines_of(learned), "Learning curves", note, legend=False),
    ]
    return [one for one in every if one is not None]


def _learned(cells: Sequence[CellRecord]) -> pd.DataFrame:
    """How cells learned, of those that have begun; the table of cells names the damaged ones."""
    runs = []
    for record in cells:
        with suppress(BrainwavlmError, OSError):
            runs.append({"name": record.cell.name, **open_run(record.path).course})
    return learning_table(runs, {run["name"]: run["name"] for run in runs})


def _versions(study: StudyFolder) -> list[tuple[str, str]]:
    """Of the libraries that the cells were scored with; those of all cells, where they differ."""
    versions: dict[str, dict[str, None]] = {}
    for folder in (record.evaluation for record in study.cells if record.evaluation is not None):
        with suppress(BrainwavlmError):  # a damaged summary is named among the missing cells
            summary = read_json(folder / "summary.json", kind=EvaluationSummary)
            for library, version in summary["versions"].items():
                versions.setdefault(library, {})[version] = None
    return [(library, ", ".join(several)) for library, several in versions.items()]
