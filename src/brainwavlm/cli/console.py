"""What commands print: tables and sentences for people. No science, no files."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from textwrap import TextWrapper
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from brainwavlm.config import CONTROLS
from brainwavlm.errors import printable
from brainwavlm.formatting.html import shown
from brainwavlm.formatting.numbers import format_p, voxel_count

console = Console(highlight=False)
if console.width < 1:  # COLUMNS=0 would print nothing at all
    console.width = 80

_LONG_TEXT = 24  # columns of a table; longer text is broken between words
RIDGE_COLUMNS = {
    "target": "target",
    "n_voxels": "voxels",
    "mean_r": "mean r",
    "shared_mean_r": "shared map",
    "p": "p",
    "null_95": "null 95 %",
    "voxels_q_below_.05": "q < .05",
    "time_only_r": "time only",
    "mean_r_normalised": "of ceiling",
}


def show_sentences(text: str, indent: str = "", style: str = "") -> None:
    """Lines as wide as the terminal, which would break longer ones within words; a path or command stays whole."""
    wrapper = TextWrapper(console.width, indent, indent, break_long_words=False, break_on_hyphens=False)
    console.print(Text(wrapper.fill(text), style), soft_wrap=True)


def show_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Rows with the same keys as a table; numbers are right-aligned.

    No cell is ever cut: columns that find no place in the terminal follow in a further table, beside the same names.
    Columns without any value are left out.
    """
    if not rows:
        console.print(f"{escape(printable(title))}: none.")
        return
    columns = {key: [_cell(row[key]) for row in rows] for key in rows[0]}
    cells = {key: column for key, column in columns.items() if set(column) != {"-"}}
    numeric = {key for key in cells if any(isinstance(row[key], int | float) for row in rows)}
    widths = {key: _least_width(key, some, key in numeric) for key, some in cells.items()}
    if title:
        show_sentences(printable(title), style="italic")
    for keys in _tables(rows, widths):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        spare = console.width - _total(widths, keys)
        for key in keys:
            more = min(max(map(cell_len, (_heading(key), *cells[key]))) - widths[key], max(spare, 0))
            spare -= more
            justify: Literal["left", "right"] = "right" if key in numeric else "left"
            table.add_column(
                escape(_heading(key)), justify=justify, width=widths[key] + more, overflow="fold"
            )
        for values in zip(*(cells[key] for key in keys), strict=True):
            table.add_row(*map(escape, values))
        console.print(table)


def _heading(key: str) -> str:
    return printable(key).replace("_", " ")


def _least_width(key: str, cells: Sequence[str], numeric: bool) -> int:
    """Of a column: its heading may be broken between words, and so may long text."""
    width = max(map(cell_len, cells))
    if not numeric and width > _LONG_TEXT:
        width = max(_LONG_TEXT, *(cell_len(word) for cell in cells for word in cell.split()))
    return min(max([width, *map(cell_len, _heading(key).split())]), console.width // 2)


def _tables(rows: Sequence[Mapping[str, Any]], widths: Mapping[str, int]) -> Iterator[list[str]]:
    """Columns of each table: first what tells rows apart, all before the first score."""
    names = list(takewhile(lambda key: not any(isinstance(row[key], float) for row in rows), widths))
    names = names if _total(widths, names) <= console.width / 2 else names[:1]
    keys = list(names)
    for key in [key for key in widths if key not in names]:
        if len(keys) > len(names) and _total(widths, [*keys, key]) > console.width:
            yield keys
            keys = list(names)
        keys.append(key)
    yield keys


def _total(widths: Mapping[str, int], keys: Sequence[str]) -> int:
    return sum(widths[key] + 2 for key in keys)


def show_report(report: Any) -> None:
    """The result of `check`: where the data lie, facts, each problem in full, one closing line."""
    if report.dataset:
        where = f"{printable(report.dataset)}: {printable(report.path)}"
        console.print(escape(where), soft_wrap=True)
    for row in report.subjects:
        stories = ", ".join(f"{len(row[split])} {split}" for split in ("train", "validation", "test"))
        show_sentences(
            f"{row['subject']}: {_cell(row['n_usable'])} of {_cell(row['n_voxels'])} voxels usable, "
            f"{_cell(row['n_rows'])} TRs, {60 * (row['hours'] or 0):.0f} minutes; stories: {stories}"
        )
    for fact in report.facts:
        show_sentences(fact, "  ")
    for problem in report.problems:
        colour = "red" if problem.severity == "error" else "yellow"
        console.print(f"[{colour}]{problem.severity}[/{colour}]  {escape(str(problem))}", soft_wrap=True)
    errors = sum(problem.severity == "error" for problem in report.problems)
    warnings = len(report.problems) - errors
    verdict = "[green]can be used[/green]" if report.usable else "[red]cannot be used yet[/red]"
    console.print(f"{errors} errors, {warnings} warnings: this data set {verdict}.")


def show_plan(plan: Any) -> None:
    """The result of `plan`."""
    facts = plan.facts
    label = "  [bold]SIMULATED RESPONSES[/bold]" if facts["simulated"] else ""
    console.print(f"[bold]{escape(facts['dataset'])}, {escape(facts['subject'])}[/bold]{label}")
    show_table(
        [
            {
                "split": s,
                "stories": plan.stories[s],
                "minutes of sound": round(60 * plan.hours[s]),
                "TRs": plan.rows[s],
            }
            for s in plan.stories
        ]
    )
    for name, data in facts["listeners"].items():
        unusable = ", ".join(f"{n} {reason}" for reason, n in data["unusable"].items() if n) or "none"
        console.print(
            f"Voxels of {escape(name)}: {data['n_target']:,} of {data['n_voxels']:,} in the loss; unusable: {unusable}"
        )
    _show_control(facts["control"]["kind"])
    trained = ", ".join(f"{n:,} in the {part}" for part, n in plan.trained.items())
    console.print(f"Trained parameters: {trained}")
    console.print(
        f"An epoch: {plan.steps_per_epoch:,} steps, {plan.windows_per_epoch:,} windows read, for which "
        f"{plan.sound_per_epoch:.1f} h of sound go through the model; {plan.epochs} epochs"
    )
    console.print(
        f"On {plan.device}: {plan.seconds_per_step:.2f} s a step (measured now), about "
        f"{_duration(plan.hours_of_run * 3600)} for the run, about {plan.memory_gb:.1f} GB of memory"
        + ("" if plan.card_gb is None else f", {plan.card_gb:.1f} GB of the card's")
    )
    for note in plan.notes:
        show_sentences(note, "  ")


def show_ridge(summary: Mapping[str, Any], folder: Path) -> None:
    """The result of `ridge`, from its summary."""
    least = summary["null"]["least_p"]
    rows = [
        {heading: row[key] for key, heading in RIDGE_COLUMNS.items()}
        | {"p": format_p(row["p"], least), "q < .05": voxel_count(row["voxels_q_below_.05"])}
        for row in summary["targets"]
    ]
    show_table(rows, title=labelled("Ridge on the speech model as it is", summary))
    show_sentences(
        "mean r: over voxels, held-out stories, by ridge for each voxel alone; shared map: by a linear map that voxels "
        f"share; p, null 95 %: of the mean r, {_null(summary)}; q < .05: voxels "
        "after false-discovery correction; time only: what position in the story predicts without any sound; "
        "of ceiling: r / noise ceiling"
    )
    step = f"brainwavlm report {shlex.quote(str(folder))}"
    show_end(summary["notes"], f"Written: {folder}/scores.csv, summary.json", step)


def show_scores(scores: Any) -> None:
    """The tables of `evaluate` by target."""
    show_by_run(scores.rows(), "mean test correlation", scores.summary)
    show_sentences(
        "frozen, tuned: ridge on the features before and after, for each voxel alone; shared map: the change where "
        "both are read out by a linear map that voxels share; readout: the run's own, where it covers the target"
    )
    show_by_run(scores.test_rows(), "tests", scores.summary)
    frozen = scores.summary["runs"][0]["frozen"]
    show_sentences(
        f"p tuned: of the mean, {_null(frozen)}; p change: blocks of at least {frozen['null']['block_rows']} TRs "
        "swapped between frozen and tuned, two-sided; frozen q, tuned q: voxels with q < .05; better, "
        "worse: voxels whose change has q < .05; time only: what position in the story predicts without any sound"
    )
    listeners = [
        {key: value for key, value in row.items() if key != "listeners"}
        | {key: format_p(row[key], 0.5 ** row["n_listeners"]) for key in ("p", "p_max")}
        for row in scores.summary["listeners"]
    ]
    if listeners:
        show_table(
            listeners, title=labelled("Over listeners: mean change, one-sided sign flips", scores.summary)
        )


def show_end(notes: Sequence[str], written: str, step: str) -> None:
    """The last lines of a command: notes, where its files are, and what can be done next, if anything."""
    for note in notes:
        show_sentences(note, "  ")
    for line in [written, *([f"Next:  {step}"] if step else [])]:
        console.print(escape(line), soft_wrap=True)


def show_by_run(rows: Sequence[Mapping[str, Any]], title: str, summary: Mapping[str, Any]) -> None:
    """A table for each run of the rows."""
    for run in dict.fromkeys(row["run"] for row in rows):
        table = [{k: value for k, value in row.items() if k != "run"} for row in rows if row["run"] == run]
        show_table(table, title=labelled(f"{run}: {title}", summary))


def _null(summary: Mapping[str, Any]) -> str:
    null = summary["null"]
    return "circular shifts" if null["kind"] == "shifts" else f"orders of blocks of {null['block_rows']} TRs"


def _show_control(kind: str) -> None:
    if kind != "none":
        console.print(f"[bold]CONTROL[/bold]: tuned on {CONTROLS[kind]}", soft_wrap=True)


def labelled(title: str, summary: Mapping[str, Any]) -> str:
    """The title, with a word where responses are simulated."""
    return f"{title} (SIMULATED responses)" if summary.get("simulated") else title


def _cell(value: Any) -> str:
    return printable(shown(value, nothing="-", minus="-"))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
