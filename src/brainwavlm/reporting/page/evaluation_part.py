"""The part of a page that tells of one evaluation: scores, tests, voxels, learning, layers, how it came about."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from brainwavlm.reporting.figures.places import run_pictures, shared_scales
from brainwavlm.reporting.page import method, wording
from brainwavlm.reporting.page.charts import Chart, delay_chart, layer_charts, learning_chart, voxel_chart
from brainwavlm.reporting.page.courses import learning_pictures, voxel_pictures
from brainwavlm.reporting.page.delays import delay_profile
from brainwavlm.reporting.page.evaluation_sheets import run_title, tasks_sheet, tests_sheet
from brainwavlm.reporting.page.provenance import origin_entries, text_uri
from brainwavlm.reporting.page.render import image
from brainwavlm.reporting.page.sheets import file_link
from brainwavlm.reporting.sources import Source
from brainwavlm.results.evaluation import Results


def evaluation_part(
    results: Results,
    sources: Mapping[str, Source],
    labels: Mapping[str, str],
    numbers: Mapping[str, int],
    interactive: bool,
) -> dict[str, Any]:
    """What the template shows of an evaluation.

    Parameters
    ----------
    results : Results
    sources : mapping of str to Source
        By run.
    labels : mapping of str to str
        By run, different on the whole page.
    numbers : mapping of str to int
        Place of each run in `cortex_data`.
    interactive : bool
        Whether the page has a cortex that turns.
    """
    rows = {run["name"]: results.rows(run["name"]) for run in results.runs}
    first = sources[results.runs[0]["name"]]
    origins = {run["name"]: origin_entries(run, sources[run["name"]].config) for run in results.runs}
    return {
        "kind": "evaluation",
        "folder": results.path.resolve().name,
        "simulated": results.simulated,
        "answers": [wording.answer(run, rows[run["name"]], labels[run["name"]]) for run in results.runs],
        **_table(results, rows, labels),
        "sheets": [one for one in (tests_sheet(results, rows, labels), tasks_sheet(results, labels)) if one],
        "csv": [
            file_link(results.path / name)
            for name in ("table.csv", "layers.csv", "downstream.csv")
            if (results.path / name).is_file()
        ],
        "voxel_charts": [
            {"run": labels[run["name"]], "chart": _voxels(results, run, labels, numbers)}
            for run in results.runs
        ],
        "charts": _charts(results, sources, labels),
        **_pictures(results, sources, labels, interactive),
        "method": _method(results, sources, labels, origins),
        "settings": [
            *(_settings(name, source) for name, source in sources.items()),
            *(_files(name, listed) for name, (_, listed) in origins.items() if listed),
        ],
        "commands": _commands(results, sources),
        "first_config": first.config,
    }


def _voxels(
    results: Results, run: Mapping[str, Any], labels: Mapping[str, str], numbers: Mapping[str, int]
) -> Chart:
    scores = results.of_run(run["name"])
    return voxel_chart(numbers[run["name"]], labels[run["name"]], scores.frozen, scores.tuned)


def _charts(
    results: Results, sources: Mapping[str, Source], labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Charts with their notes: why one is not there."""
    found: list[dict[str, Any]] = []
    if learning := learning_chart(results.runs, labels):
        note = "A star marks the epoch that was kept."
        if "yaxis3" in learning["spec"]["layout"]:
            note += " The norm of the gradient is the mean over the steps of an epoch, before clipping."
        found.append({**learning, "note": note})
    for run in results.runs if len(results.layers) else ():
        targets = list(dict.fromkeys([run["target"], "cortex", "AC", *results.target_names]))[:4]
        for one in layer_charts(results.layers, run, targets, labels[run["name"]]):
            title = wording.capitalised(labels[run["name"]])
            note = f"{title}. Dotted: frozen. Bars: 95 % intervals of the difference."
            found.append({**one, "note": note})
    profiles, reasons = {}, []
    for run in results.runs:
        profile, reason = delay_profile(run, sources[run["name"]].config)
        if profile:
            profiles[labels[run["name"]]] = profile
        else:
            reasons.append(f"{labels[run['name']]}: none ({reason})")
    if delays := delay_chart(profiles):
        note = (
            "Norm of the weights by delay, of the readout that learned with the adapters; bars: quartiles over voxels. "
            "Weights began at random: what training left of that flattens the profile."
        )
        found.append({**delays, "note": " ".join([note, *reasons])})
    return found


def _table(results: Results, rows: Mapping[str, list], labels: Mapping[str, str]) -> dict[str, Any]:
    every = [row for some in rows.values() for row in some]
    span = wording.interval_span(every)
    shown = {run["name"]: wording.table_rows(run, rows[run["name"]], span) for run in results.runs}
    every_shown = [row for some in shown.values() for row in some]
    return {
        "groups": [{"title": run_title(run, labels), "rows": shown[run["name"]]} for run in results.runs],
        "has_readout": any(row["readout"] != "–" for row in every_shown),
        "has_share": any(row["share"] != "– to –" for row in every_shown),
        "axis_label": f"{wording.signed(span[0])} … 0 … {wording.signed(span[1])}",
        "zero": wording.place(0.0, span),
        "interval_note": "Intervals are of the paired difference tuned minus frozen; where one contains 0, no "
        "change is shown (hollow dot).",
        "table_notes": results.summary["notes"],
    }


def _pictures(
    results: Results, sources: Mapping[str, Source], labels: Mapping[str, str], interactive: bool
) -> dict[str, Any]:
    scales = shared_scales(results)
    places, courses = [], []
    for run in results.runs:
        title = run_title(run, labels)
        pictures, note = run_pictures(results, run, sources[run["name"]], scales, labels[run["name"]])
        places.append({"title": title, "note": note, "images": [image(picture) for picture in pictures]})
        course = voxel_pictures(results.of_run(run["name"]), labels[run["name"]], run["simulated"])
        course += learning_pictures(run, labels[run["name"]])
        courses.append({"title": title, "note": "", "images": [image(picture) for picture in course]})
    return {
        "places": places,
        "courses": courses,
        "has_maps": not all(place["note"] for place in places),
        "open_figures": not interactive,
    }


def _method(
    results: Results,
    sources: Mapping[str, Source],
    labels: Mapping[str, str],
    origins: Mapping[str, tuple[method.Entries, str]],
) -> list[dict[str, Any]]:
    run = results.runs[0]
    first = sources[run["name"]]
    blocks = [
        {"title": "Data", "entries": method.data_entries(run, first.config)},
        {"title": "Tuning", "entries": method.model_entries(first.config)},
        {"title": "Scores", "entries": method.score_entries(run, results.summary["versions"], first.config)},
        {"title": "Where from", "entries": _shared_origin(results, labels)},
        *({"title": run_title(run, labels), "entries": origins[run["name"]][0]} for run in results.runs),
    ]
    different = method.differing({labels[name]: source.config for name, source in sources.items()})
    if different:
        blocks.insert(2, {"title": "In which settings the runs differ", "entries": different})
    return blocks


def _shared_origin(results: Results, labels: Mapping[str, str]) -> method.Entries:
    """Seeds, and the versions with which runs were tuned."""
    runs = results.runs
    entries = [("Seeds", "; ".join(f"{labels[run['name']]}: {run['seed']}" for run in runs))]
    tuned_with = [run["tuned_with"] for run in runs if isinstance(run.get("tuned_with"), dict)]
    for versions in dict.fromkeys(
        ", ".join(f"{name} {v}" for name, v in some.items()) for some in tuned_with
    ):
        entries.append(("Tuned with", versions))
    return entries


def _files(name: str, listed: str) -> dict[str, str]:
    return {
        "title": f"Files that run {name} read, with their checksums",
        "text": listed,
        "file": f"{_file_name(name)}-files.txt",
        "uri": text_uri(listed),
    }


def _settings(name: str, source: Source) -> dict[str, str]:
    written = yaml.safe_dump(source.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return {
        "title": f"All settings of run {name}",
        "text": written,
        "file": f"{_file_name(name)}.yaml",
        "uri": "data:text/yaml;charset=utf-8;base64," + base64.b64encode(written.encode()).decode("ascii"),
    }


def _commands(results: Results, sources: Mapping[str, Source]) -> str:
    """What makes these numbers again, from the settings above."""
    names = {name: _file_name(name) for name in sources}
    tuned = [f"brainwavlm tune {name}.yaml --output {name}" for name in names.values()]
    more = ""
    if len(results.layers):
        states = sorted({int(layer) for layer in results.layers["layer"]})
        more = f" --layers {','.join(map(str, states))}"
    if len(results.downstream):
        more += f" --downstream {','.join(dict.fromkeys(results.downstream['task']))}"
    every = " ".join(names.values())
    return "\n".join(
        [*tuned, f"brainwavlm evaluate {every}{more} --output evaluation", "brainwavlm report evaluation"]
    )


def _file_name(name: str) -> str:
    """A run's name as part of a command that can be pasted: letters, digits, - and _ only."""
    kept = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "-" for sign in Path(name).name
    )
    return kept.strip("-")[:60] or "run"
