"""Scores by target as a typeset table, and the same as LaTeX."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainwavlm.errors import ConfigError
from brainwavlm.formatting.numbers import capitalised, number, signed
from brainwavlm.reporting.figures.canvas import Canvas
from brainwavlm.reporting.figures.drawing import Drawing
from brainwavlm.reporting.figures.folders import Place, chosen_names, scored_runs
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.style import MILLIMETRES
from brainwavlm.reporting.page.wording import has_interval

HEADINGS = ("Mean test r", "Voxels", "Frozen", "Tuned", "Change", "95 % interval")
_KEYS = ("n_voxels", "r_frozen", "r_tuned", "difference", "low", "high")
_LINE = 1.65  # of the size of text
_SPECIAL = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": r"$-$",
}


def draw_table(places: Sequence[Place], choice: Choice, canvas: Canvas) -> Drawing:
    """Mean test r of both models by target, with the paired difference and its interval.

    values: run, target, n_voxels, r_frozen, r_tuned, difference, low, high.
    """
    runs = scored_runs(places, choice)
    known = [row["target"] for run in runs for row in run.results.rows(run.name)]
    targets = chosen_names("--target", choice.target, known)
    groups, rows = [], []
    for run in runs:
        own = {row["target"]: row for row in run.results.rows(run.name)}
        shown = [own[target] for target in targets if target in own]
        groups.append((capitalised(run.label) if len(runs) > 1 else "", [_cells(row) for row in shown]))
        rows += [
            {"run": run.name, "target": row["target"], **{key: row[key] for key in _KEYS}} for row in shown
        ]
    simulated = any(run.entry["simulated"] for run in runs)
    figure = table_figure(groups, choice.title, simulated, canvas)
    return Drawing(figure, pd.DataFrame(rows), simulated, latex(groups, choice.title, simulated))


def table_figure(
    groups: Sequence[tuple[str, Sequence[Sequence[str]]]], title: str, simulated: bool, canvas: Canvas
) -> Figure:
    """Rows of text between three rules, the first column to the left, the others to the right.

    Parameters
    ----------
    groups : sequence of (title, rows of cells)
        A group without a title has no row of its own for it.
    title : str
    simulated : bool
    canvas : Canvas

    Raises
    ------
    ConfigError
        The table is wider than the canvas.
    """
    style, colours = canvas.style, canvas.style.colours
    line = _LINE * style.text / 72
    lines = 1 + sum(len(rows) + bool(name) for name, rows in groups)
    head = 0.2 + 1.1 * style.title / 72 if title or simulated else 0.06
    needed = head + lines * line + 0.12
    if canvas.height is not None and canvas.height < needed:
        raise ConfigError(
            "--height",
            f"{MILLIMETRES * canvas.height:.0f} mm.",
            f"at least {MILLIMETRES * needed:.0f} mm for {lines} lines.",
            "Leave it out, or name fewer targets with --target.",
        )
    figure = canvas.figure(needed, title, simulated)
    figure.set_layout_engine(None)
    height = figure.get_size_inches()[1]
    widths = _widths(figure, [HEADINGS, *(row for _, rows in groups for row in rows)], style.text)
    edge = 0.06
    gap = (canvas.width - 2 * edge - sum(widths)) / (len(widths) - 1)
    if gap < 0.06:
        wanted = MILLIMETRES * (sum(widths) + 0.1 * (len(widths) - 1) + 2 * edge)
        raise ConfigError(
            "--width",
            f"{MILLIMETRES * canvas.width:.0f} mm.",
            f"at least {wanted:.0f} mm for this table.",
            "Choose a wider figure, or a smaller text in --style.",
        )
    gap = min(gap, 0.35)
    rights = [edge + sum(widths[: n + 1]) + n * gap for n in range(len(widths))]
    y = height - head

    def rule(at: float, strength: float) -> None:
        figure.add_artist(
            Line2D(
                [edge / canvas.width, (rights[-1]) / canvas.width],
                [at / height, at / height],
                color=colours.ink,
                linewidth=strength * style.thin,
            )
        )

    def write(cells: Sequence[str], at: float, gid: str, **how: Any) -> None:
        for column, cell in enumerate(cells):
            x = edge if column == 0 else rights[column]
            figure.text(
                x / canvas.width,
                (at - 0.5 * line) / height,
                cell,
                ha="left" if column == 0 else "right",
                va="center_baseline",
                fontsize=style.text,
                parse_math=False,
                gid=f"{gid}:{column}",
                **{"color": colours.ink, **how},
            )

    rule(y, 1.6)
    write(HEADINGS, y, "heading", color=colours.muted)
    y -= line
    rule(y, 1.0)
    for n, (name, rows) in enumerate(groups):
        if name:
            write([name], y, f"group:{n}", fontweight="bold")
            y -= line
        for m, cells in enumerate(rows):
            write(cells, y, f"cell:{n}:{m}")
            y -= line
    rule(y, 1.6)
    return figure


def latex(groups: Sequence[tuple[str, Sequence[Sequence[str]]]], title: str, simulated: bool) -> str:
    """The table for LaTeX with booktabs."""
    columns = len(HEADINGS)
    lines = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{l{'r' * (columns - 1)}}}"]
    above = ". ".join(part for part in (title, "SIMULATED responses" if simulated else "") if part)
    if above:
        lines.append(rf"\multicolumn{{{columns}}}{{l}}{{\textbf{{{escaped(above)}}}}} \\")
    lines += [r"\toprule", " & ".join(map(escaped, HEADINGS)) + r" \\", r"\midrule"]
    for name, rows in groups:
        if name:
            lines.append(rf"\multicolumn{{{columns}}}{{l}}{{\textit{{{escaped(name)}}}}} \\")
        lines += [" & ".join(map(escaped, cells)) + r" \\" for cells in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _cells(row: dict[str, Any]) -> list[str]:
    span = f"{signed(row['low'])} to {signed(row['high'])}" if has_interval(row) else "–"
    return [
        str(row["target"]),
        f"{int(row['n_voxels']):,}",
        number(row["r_frozen"]),
        number(row["r_tuned"]),
        signed(row["difference"]),
        span,
    ]


def _widths(figure: Figure, rows: Sequence[Sequence[str]], size: float) -> list[float]:
    """Inches of the widest cell of each column."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    widths = [0.0] * len(HEADINGS)
    for row in rows:
        for column, cell in enumerate(row):
            text = figure.text(0, 0, cell, fontsize=size, parse_math=False)
            widths[column] = max(widths[column], text.get_window_extent(renderer).width / figure.dpi)
            text.remove()
    return widths
