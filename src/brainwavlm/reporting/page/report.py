"""One self-contained page of evaluations, comparisons and transfers: findings, cortex, tables, charts, method."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainwavlm import __version__
from brainwavlm.datasets.base import Subject
from brainwavlm.errors import RunError
from brainwavlm.reporting.page import method, wording
from brainwavlm.reporting.page.cortex import cortex_data
from brainwavlm.reporting.page.evaluation_part import evaluation_part
from brainwavlm.reporting.page.other_parts import comparison_part, transfer_part
from brainwavlm.reporting.page.output import require_page_path
from brainwavlm.reporting.page.render import write_page
from brainwavlm.reporting.page.scripts import in_script, page_scripts
from brainwavlm.reporting.sources import Source, sources_of
from brainwavlm.results.comparison import Comparison, read_comparison
from brainwavlm.results.evaluation import Results, read_results
from brainwavlm.results.open import shown_folder
from brainwavlm.results.transfer import Transfer, read_transfer

_MOST_ANSWERS = 6

Found = Results | Comparison | Transfer


def write_report(
    folders: str | Path | Sequence[str | Path],
    output_html: str | Path,
    subjects: Mapping[str, Subject] | None = None,
) -> Path:
    """Write one page: an HTML file that loads nothing.

    Parameters
    ----------
    folders : str, Path, or sequence of them
        What `evaluate`, `compare` or `transfer` wrote, or runs, whose own evaluation is shown.
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
        A folder is none of these, or no page can be written to that path.
    """
    named = [folders] if isinstance(folders, str | Path) else list(folders)
    found = [read_folder(folder) for folder in dict.fromkeys(Path(folder).absolute() for folder in named)]
    if not found:
        raise RunError("report", "no folder.", "one or more.", "brainwavlm report FOLDER")
    output = Path(output_html)
    require_page_path(output, *(one.path for one in found))
    sources = [sources_of(one, subjects) if isinstance(one, Results) else {} for one in found]
    return write_page(output, "report.html.j2", page_content(found, sources))


def read_folder(folder: str | Path) -> Found:
    """The results in a folder, whichever command wrote it. RunError where they are damaged, or nothing is there."""
    folder = shown_folder(folder)
    if (folder / "groups.csv").is_file():
        return read_comparison(folder)
    if (folder / "matrix.csv").is_file():
        return read_transfer(folder)
    return read_results(folder)


def page_content(found: Sequence[Found], sources: Sequence[Mapping[str, Source]]) -> dict[str, Any]:
    """Everything that the template shows; `sources` are those of each result's runs, none for other results."""
    evaluations = [(one, of) for one, of in zip(found, sources, strict=True) if isinstance(one, Results)]
    labels = [_labels(one, len(evaluations) > 1) for one, _ in evaluations]
    runs = [
        (labels[number][run["name"]], one.of_run(run["name"]), of[run["name"]])
        for number, (one, of) in enumerate(evaluations)
        for run in one.runs
    ]
    data, reasons = cortex_data(runs)
    parts, first = [], 0
    for one, of in zip(found, sources, strict=True):
        if isinstance(one, Comparison):
            parts.append(comparison_part(one))
        elif isinstance(one, Transfer):
            parts.append(transfer_part(one))
        else:
            own = labels[sum(part["kind"] == "evaluation" for part in parts)]
            numbers = {run["name"]: first + at for at, run in enumerate(one.runs)}
            first += len(one.runs)
            parts.append(evaluation_part(one, of, own, numbers, bool(data["meshes"])))
    for number, part in enumerate(parts, start=1):
        part |= {"id": f"part-{number}", "of_several": len(parts) > 1}
    answers = [answer for part in parts for answer in part["answers"]]
    simulated = [part["simulated"] for part in parts]
    return {
        "title": _title(evaluations, parts),
        "simulated": any(simulated),
        "all_simulated": all(simulated)
        and all(run["simulated"] for one, _ in evaluations for run in one.runs),
        "data_name": _data_name(evaluations),
        "answers": answers[:_MOST_ANSWERS],
        "more_answers": len(answers) - _MOST_ANSWERS,
        "cortex": _cortex(data, reasons) if evaluations else None,
        "parts": parts,
        "run_data": in_script(data) if evaluations else "",
        **_ending(evaluations, parts, answers),
        "version": __version__,
        "folder_name": ", ".join(part["folder"] for part in parts),
        **page_scripts(),
    }


def _labels(results: Results, several: bool) -> dict[str, str]:
    labels = wording.run_labels(results.runs)
    if not several:
        return labels
    return {name: f"{label}, {results.path.resolve().name}" for name, label in labels.items()}


def _title(
    evaluations: Sequence[tuple[Results, Mapping[str, Source]]], parts: Sequence[Mapping[str, Any]]
) -> str:
    if not evaluations:
        return "; ".join(part["title"] for part in parts)
    results, sources = evaluations[0]
    models = {Path(method.model_name(source.config)).name for _, of in evaluations for source in of.values()}
    runs = [run for one, _ in evaluations for run in one.runs]
    first = Path(method.model_name(sources[results.runs[0]["name"]].config)).name
    return wording.page_title(runs, first if len(models) == 1 else "Speech models")


def _data_name(evaluations: Sequence[tuple[Results, Mapping[str, Source]]]) -> str:
    return ", ".join(dict.fromkeys(run["frozen"]["dataset"] for one, _ in evaluations for run in one.runs))


def _cortex(data: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    """The controls of the cortex: what there is to choose from."""
    shown = [(number, run["label"]) for number, run in enumerate(data["runs"]) if run["mesh"]]
    some = [data["runs"][number] for number, _ in shown]
    kinds = [kind for mesh in data["meshes"].values() for kind in mesh["kinds"]]
    targets = list(dict.fromkeys(name for run in some for name in run["targets"]))
    masks = [
        (key, name)
        for key, name in (("q_tuned", "tuned: q < .05"), ("q_difference", "change: q < .05"))
        if any(key in run["values"] for run in some)
    ]
    return {
        "runs": shown,
        "maps": [(one["key"], one["title"]) for one in data["maps"]],
        "kinds": list(dict.fromkeys(kinds)),
        "targets": targets,
        "outline": next((name for name in ("AC", *targets) if name in targets), ""),
        "masks": masks,
        "reasons": [f"{label}: {reason}" for label, reason in reasons.items()],
        "notes": [note for mesh in data["meshes"].values() for note in mesh["notes"]],
    }


def _ending(
    evaluations: Sequence[tuple[Results, Mapping[str, Source]]],
    parts: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """How to cite, and what to try next."""
    citations = method.citations(__version__, "", "", "")[:2]
    steps: list[dict[str, str]] = []
    for results, sources in evaluations:
        run = results.runs[0]
        source = sources[run["name"]]
        cited = source.dataset.citation if source.dataset else ""
        citations += method.citations(__version__, run["frozen"]["dataset"], cited, run["frozen"]["licence"])[
            2:
        ]
        if not steps:
            steps = method.next_steps(
                results.simulated, [answer["kind"] for answer in answers], source.config
            )
    return {"citations": list(dict.fromkeys(citations)), "next_steps": steps}
