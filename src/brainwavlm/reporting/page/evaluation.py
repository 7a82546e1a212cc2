"""One self-contained page of results, a part each; and the part that tells of an evaluation."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brainwavlm.errors import RunError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.brains import run_maps
from brainwavlm.reporting.figures.curves import delays_table, learning_table, no_delays, states_table
from brainwavlm.reporting.figures.lines import lines_of
from brainwavlm.reporting.figures.scores import bars_table
from brainwavlm.reporting.page import charts, provenance, tables, wording
from brainwavlm.reporting.page.cortex import cortex_controls, cortex_data
from brainwavlm.reporting.page.other_parts import comparison_part, partition_part, probes_part, transfer_part
from brainwavlm.reporting.page.render import image, in_script, require_page_path, write_page
from brainwavlm.reporting.surface_maps import Source, shown_scales, sources_of
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.open import made_at, open_result
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from brainwavlm.results.transfer import Transfer

_SCRIPTS = ("page.js", "export.js", "cortex.js")

_PARTS: dict[type, Callable[[Any], dict[str, Any]]] = {
    Comparison: comparison_part,
    Transfer: transfer_part,
    Probes: probes_part,
    Partition: partition_part,
}
Found = Evaluation | Comparison | Transfer | Probes | Partition


def write_report(
    results: str | Path | Found | Sequence[str | Path | Found],
    output_html: str | Path,
) -> Path:
    """Write one page: an HTML file that loads nothing.

    Where voxels lie is read from the data sets that the runs name. A subject without vertices gets bars in place of
    maps, and the page says why.

    Parameters
    ----------
    results : Evaluation, Comparison, Transfer, Probes, Partition, str, Path, or sequence of them
        What `evaluate`, `compare`, `transfer`, `probe` or `partition` gave, folders that they or `ridge` wrote, or
        runs, whose own evaluation is shown.
    output_html : str or Path

    Returns
    -------
    Path of the page

    Raises
    ------
    RunError
        A folder is none of these, or no page can be written to that path.
    """
    named = list(results) if isinstance(results, Sequence) and not isinstance(results, str) else [results]
    once = dict.fromkeys(one if isinstance(one, Found) else Path(one).absolute() for one in named)
    opened = [one if isinstance(one, Found) else _opened(one) for one in once]
    if not opened:
        raise RunError("report", "no folder.", "one or more.", "brainwavlm report FOLDER")
    output = Path(output_html)
    require_page_path(output)
    return write_page(output, "evaluation.html.j2", _SCRIPTS, page_content(opened))


def _opened(folder: Path) -> Found:
    result, remedy = open_result(folder), "See its tables; report the evaluation of the same runs."
    if not isinstance(result, Found):
        found, wanted = f"the folder of a {made_at(folder)}.", "that of an evaluation, or the like."
        raise RunError(folder, found, wanted, remedy)
    return result


def page_content(results: Sequence[Found]) -> dict[str, Any]:
    """Everything that the template shows."""
    evaluations = [one for one in results if isinstance(one, Evaluation)]
    each = []
    for evaluation in evaluations:
        folder = f", {evaluation.path.resolve().name}" * (len(evaluations) > 1)
        labels = {name: label + folder for name, label in wording.run_labels(evaluation.runs).items()}
        each.append((evaluation, sources_of(evaluation), labels))
    runs = [(run, one, of[run["name"]], names[run["name"]]) for one, of, names in each for run in one.runs]
    data, reasons = cortex_data([(label, one.of_run(run["name"]), of) for run, one, of, label in runs])
    parts: list[dict[str, Any]] = []
    first = 0
    for place, one in enumerate(results, start=1):
        if isinstance(one, Evaluation):
            part = evaluation_part(*each.pop(0), first)
            first += len(one.runs)
        else:
            part = _PARTS[type(one)](one)
        about = {"id": f"part-{place}", "folder": one.path.resolve().name, "of_several": len(results) > 1}
        about |= {"simulated": one.simulated, "open_figures": not data["meshes"]}
        about |= {key: one.summary[key] for key in ("notes", "versions")}
        parts.append({**about, **part})
    everything = [*(part["simulated"] for part in parts), *(run["simulated"] for run, *_ in runs)]
    models = {Path(provenance.model_name(source.config)).name for *_, source, _ in runs}
    model = models.pop() if len(models) == 1 else "Speech models"
    titles = [part["title"] for part in parts if "title" in part]
    return {
        "title": wording.page_title([run for run, *_ in runs], model) if runs else "; ".join(titles),
        "data_name": ", ".join(dict.fromkeys(run["frozen"]["dataset"] for run, *_ in runs)),
        "citations": provenance.citations([(run, source) for run, _, source, _ in runs]),
        "evaluated_simulated": any(one.simulated for one in evaluations[:1]),
        "next_seed": next((of.config.seed + 1 for _, one, of, _ in runs if one.tuned), None),
        "untuned_only": bool(runs) and not any(one.tuned for one in evaluations),
        "simulated": any(everything),
        "all_simulated": all(everything),
        "answers": [answer for part in parts for answer in part["answers"]],
        "cortex": cortex_controls(data, reasons) if evaluations else None,
        "parts": parts,
        "run_data": in_script(data) if evaluations else "",
        "folder_name": ", ".join(part["folder"] for part in parts),
    }


def evaluation_part(
    results: Evaluation, sources: Mapping[str, Source], labels: Mapping[str, str], first: int
) -> dict[str, Any]:
    """What the template shows of an evaluation.

    `sources` and `labels`, different on the whole page, are by run; `first` is the place of the first run in
    `cortex_data`.
    """
    runs = results.runs
    titles = {run["name"]: wording.run_title(run, labels) for run in runs}
    models = wording.models(runs, labels)
    config, tasks = sources[runs[0]["name"]].config, results.downstream
    told = {"run": tasks["run"].map(titles), "Task": tasks["task"]} if len(tasks) else {}
    files = {name: getattr(results, name) for name in ("table", "layers", "downstream", "delays")}
    settings = {label: sources[some[0]["name"]].config for label, some in models.items()}
    headings = {label: wording.run_title(some[0], {some[0]["name"]: label}) for label, some in models.items()}
    if results.tuned:
        blocks, texts = provenance.origins(models, settings, headings)
        commands = provenance.rerun_commands(models, results.layers, results.downstream)
        answers = [wording.answer(run, results.rows_of(run["name"]), labels[run["name"]]) for run in runs]
    else:
        blocks, answers = [], [wording.untuned_answer(run, results.rows_of(run["name"])) for run in runs]
        texts, commands = provenance.untuned_again(runs[0], config)
    voxels, places, bars = [], [], []
    every = [results.of_run(run["name"]) for run in runs]
    scales = shown_scales([one.shown() for one in every])
    for place, (run, scores) in enumerate(zip(runs, every, strict=True), start=first):
        source, label = sources[run["name"]], labels[run["name"]]
        if results.tuned:
            voxels.append(charts.voxels_chart(place, label, scores.frozen, scores.tuned))
        if source.mesh is not None and not source.no_map:
            pictures = run_maps(scores, source.mesh, scales, label, run["simulated"])
            places.append({"title": titles[run["name"]], "images": [image(one) for one in pictures]})
        else:
            regions = source.subject.rois if source.subject else {}
            note = f"No cortical map of {run['subject']}: {source.no_map or source.no_mesh}. Bars instead."
            bars.append(charts.bars_chart(bars_table(scores, run["name"], label, regions), note))
    return {
        "tuned": results.tuned,
        "answers": answers,
        "tables": [
            tables.scores_table(results, titles),
            tables.chance_table(results, titles),
            tables.table("What is said", tasks, told, simulated=results.simulated),
        ],
        "files": [tables.file_link(f"{name}.csv", frame) for name, frame in files.items() if len(frame)],
        "voxel_charts": voxels + bars,
        "charts": _charts(results, labels, models) if results.tuned else [],
        "places": places,
        "run": runs[0],
        "config": config,
        "model": provenance.model_name(config),
        "differing": provenance.differing(settings),
        "where_from": provenance.seeds_and_versions(models),
        "origins": blocks,
        "texts": texts,
        "commands": commands,
    }


def _charts(results: Evaluation, labels: Mapping[str, str], models: Mapping[str, Any]) -> list[charts.Chart]:
    """Those of the models; a joint run is one model."""
    learned = {runs[0]["name"]: label for label, runs in models.items()}
    learning = learning_table([run for run in results.runs if run["name"] in learned], learned)
    every = [charts.lines_chart(lines_of(learning), "Learning curves", charts.LEARNED_NOTE)]
    for run in results.runs if len(results.layers) else ():
        label = labels[run["name"]]
        targets = list(dict.fromkeys([run["target"], "cortex", "AC", *results.target_names]))[:4]
        states = lines_of(states_table(results.layers, run["name"], targets))
        note = f"{capitalised(label)}. Dotted: frozen. Bars: 95 % intervals of the difference."
        every.append(charts.lines_chart(states, "Hidden states", note))
    delays = delays_table(results, labels)
    without = [run for run in results.runs if run["name"] not in set(delays["run"])]
    reasons = [f"{labels[run['name']]}: none ({no_delays(run)})" for run in without]
    note = (
        "Norm of the weights by delay, of the readout that learned with the adapters; bars: quartiles over voxels. "
        "Weights began at random: what training left of that flattens the profile."
    )
    every.append(charts.lines_chart(lines_of(delays), "Delays of the readout", " ".join([note, *reasons])))
    return [one for one in every if one]
