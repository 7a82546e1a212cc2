"""One self-contained page of an evaluation: findings, maps, table, learning curves, and how it was computed."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from brainwavlm import __version__
from brainwavlm.datasets.base import Subject
from brainwavlm.datasets.files import replacing
from brainwavlm.errors import RunError
from brainwavlm.reporting import method, wording
from brainwavlm.reporting.courses import learning_pictures, voxel_pictures
from brainwavlm.reporting.output import ELSEWHERE, require_page_path
from brainwavlm.reporting.places import run_pictures, shared_scales
from brainwavlm.reporting.results import Results, read_results
from brainwavlm.reporting.sources import Source, sources_of
from brainwavlm.reporting.style import Picture, data_uri, png

_MOST_ANSWERS = 6
_CSS_DOTS_PER_INCH = 96


def write_report(
    evaluation_folder: str | Path, output_html: str | Path, subjects: Mapping[str, Subject] | None = None
) -> Path:
    """Write the page of an evaluation: one HTML file that loads nothing.

    Parameters
    ----------
    evaluation_folder : str or Path
        Folder with table.csv, voxels.csv and summary.json, as `evaluate` writes them.
    output_html : str or Path
    subjects : mapping of str to Subject, or None
        Where voxels lie, by subject; None: read from the data sets that the runs name. A subject without
        vertices gets bars in place of maps, and the page says why.

    Returns
    -------
    Path of the page

    Raises
    ------
    RunError
        The folder is not that of an evaluation, or no page can be written to that path.
    """
    results = read_results(evaluation_folder)
    output = Path(output_html)
    require_page_path(output, results.path)
    content = page_content(results, sources_of(results, subjects))
    page = _environment().get_template("report.html.j2").render(content)
    try:
        with replacing(output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(output, f"not writable: {error.strerror}.", *ELSEWHERE) from None
    return output


def page_content(results: Results, sources: Mapping[str, Source]) -> dict[str, Any]:
    """Everything that the template shows."""
    runs = results.runs
    labels = wording.run_labels(runs)
    rows = {run["name"]: results.rows(run["name"]) for run in runs}
    first = sources[runs[0]["name"]]
    data_name = runs[0]["frozen"]["dataset"]
    answers = [wording.answer(run, rows[run["name"]], labels[run["name"]]) for run in runs]
    return {
        "title": wording.page_title(runs, Path(method.model_name(first.config)).name),
        "simulated": results.simulated,
        "all_simulated": all(run["simulated"] for run in runs),
        "data_name": data_name,
        "answers": answers[:_MOST_ANSWERS],
        "more_answers": len(answers) - _MOST_ANSWERS,
        **_table(results, rows, labels),
        **_pictures(results, sources, labels),
        "method": _method(results, sources, labels),
        "settings": [
            {
                "title": f"All settings of run {name}",
                "text": json.dumps(source.config.model_dump(mode="json"), indent=2, ensure_ascii=False),
            }
            for name, source in sources.items()
        ],
        "citations": method.citations(
            __version__,
            data_name,
            first.dataset.citation if first.dataset else "",
            runs[0]["frozen"]["licence"],
        ),
        "next_steps": method.next_steps(results.simulated, [a["kind"] for a in answers], first.config),
        "version": __version__,
        "folder_name": results.path.resolve().name,
    }


def _table(results: Results, rows: Mapping[str, list], labels: Mapping[str, str]) -> dict[str, Any]:
    every = [row for some in rows.values() for row in some]
    span = wording.interval_span(every)
    shown = {run["name"]: wording.table_rows(run, rows[run["name"]], span) for run in results.runs}
    every_shown = [row for some in shown.values() for row in some]
    return {
        "groups": [{"title": _run_title(run, labels), "rows": shown[run["name"]]} for run in results.runs],
        "has_readout": any(row["readout"] != "–" for row in every_shown),
        "has_share": any(row["share"] != "– to –" for row in every_shown),
        "axis_label": f"{wording.signed(span[0])} … 0 … {wording.signed(span[1])}",
        "zero": wording.place(0.0, span),
        "interval_note": "Intervals are of the paired difference tuned minus frozen; where one contains 0, no "
        "change is shown (hollow dot).",
        "table_notes": results.summary["notes"],
    }


def _pictures(results: Results, sources: Mapping[str, Source], labels: Mapping[str, str]) -> dict[str, Any]:
    scales = shared_scales(results)
    places, courses = [], []
    for run in results.runs:
        title = _run_title(run, labels)
        pictures, note = run_pictures(results, run, sources[run["name"]], scales, labels[run["name"]])
        places.append({"title": title, "note": note, "images": [_image(picture) for picture in pictures]})
        course = voxel_pictures(results.of_run(run["name"]), labels[run["name"]], run["simulated"])
        course += learning_pictures(run, labels[run["name"]])
        courses.append({"title": title, "note": "", "images": [_image(picture) for picture in course]})
    return {"places": places, "courses": courses, "has_maps": not all(place["note"] for place in places)}


def _method(
    results: Results, sources: Mapping[str, Source], labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    run = results.runs[0]
    first = sources[run["name"]]
    blocks = [
        {"title": "Data", "entries": method.data_entries(run, first.config)},
        {"title": "Tuning", "entries": method.model_entries(first.config)},
        {"title": "Scores", "entries": method.score_entries(run, results.summary["versions"], first.config)},
    ]
    different = method.differing({labels[name]: source.config for name, source in sources.items()})
    if different:
        blocks.insert(2, {"title": "In which settings the runs differ", "entries": different})
    return blocks


def _run_title(run: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    label, named = labels[run["name"]], f"({run['name']})"
    return wording.capitalised(label if label.endswith(named) else f"{label} (run {run['name']})")


def _image(picture: Picture) -> dict[str, Any]:
    figure, alt = picture
    width, height = (round(inches * _CSS_DOTS_PER_INCH) for inches in figure.get_size_inches())
    return {"uri": data_uri(png(figure)), "alt": alt, "width": width, "height": height}


def _environment() -> jinja2.Environment:
    folder = resources.files("brainwavlm.reporting") / "templates"
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
