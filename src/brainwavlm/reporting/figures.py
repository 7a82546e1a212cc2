"""Figures without a brain in them: learning curves, frozen against tuned, the histogram of differences, bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainwavlm.reporting.results import REMAINDER
from brainwavlm.reporting.style import (
    FAINT,
    FROZEN,
    GROUPS,
    INK,
    MUTED,
    OTHER,
    TUNED,
    heading,
    new_figure,
    quiet,
    shortened,
)

MOST_BARS = 30
_BINS = 60


def learning_curves(
    history: Sequence[Mapping[str, Any]], best: int | None, title: str, simulated: bool
) -> Figure:
    """Loss and validation correlation by epoch, the best epoch marked.

    Parameters
    ----------
    history : sequence of mapping
        `epoch`, `loss` and `validation_r`; either number may be None.
    best : int or None
        Epoch whose weights were kept.
    title : str
    simulated : bool
    """
    figure = new_figure(3.9, 3.7)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1.35]})
    figure.subplots_adjust(left=0.17, right=0.96, top=0.855, bottom=0.13, hspace=0.14)
    for axes, key, label, colour in (
        (upper, "loss", "training loss", MUTED),
        (lower, "validation_r", "validation r", TUNED),
    ):
        points = [(entry["epoch"], entry[key]) for entry in history if entry.get(key) is not None]
        if points:
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, color=colour, linewidth=1.5, marker="o", markersize=2.5)
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        if best is not None:
            axes.axvline(best, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        quiet(axes)
    kept = {entry["epoch"]: entry.get("validation_r") for entry in history}.get(best)
    if kept is not None:
        lower.plot([best], [kept], marker="o", markersize=6, color=TUNED, markeredgecolor="white")
        figure.text(
            0.021, 0.905, f"dashed: epoch {best}, kept (validation r {kept:.3f})", fontsize=7.5, color=MUTED
        )
    lower.set_xlabel("epoch")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    heading(figure, title, simulated)
    return figure


def frozen_against_tuned(
    frozen: np.ndarray, tuned: np.ndarray, groups: Mapping[str, np.ndarray], title: str, simulated: bool
) -> Figure:
    """One dot a voxel; above the diagonal, tuning helped.

    Parameters
    ----------
    frozen, tuned : arrays (n_voxels,)
        Test correlations; voxels with a NaN are left out.
    groups : mapping of str to bool array (n_voxels,)
        Disjoint, `RunVoxels.groups`.
    title : str
    simulated : bool
    """
    figure = new_figure(3.9, 3.7)
    axes = figure.add_axes((0.15, 0.13, 0.81, 0.75))
    known = np.isfinite(frozen) & np.isfinite(tuned)
    low, high = _limits(np.concatenate([frozen[known], tuned[known]]))
    axes.plot([low, high], [low, high], color=MUTED, linewidth=0.8, zorder=3)
    size = float(np.clip(4000 / max(known.sum(), 1), 4, 40))
    for (name, members), colour in zip(groups.items(), _colours(groups), strict=True):
        shown = members & known
        axes.scatter(
            frozen[shown],
            tuned[shown],
            s=size,
            color=colour,
            alpha=0.55,
            linewidths=0,
            label=f"{name} ({int(shown.sum()):,})",
            zorder=1 if name == REMAINDER else 2,
        )
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="frozen model, test r", ylabel="tuned model, test r")
    axes.set_aspect("equal")
    quiet(axes)
    legend = axes.legend(
        loc="upper left", fontsize=7.5, frameon=False, handletextpad=0.2, markerscale=(20 / size) ** 0.5
    )
    for text in legend.get_texts():
        text.set(color=INK, parse_math=False)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    heading(figure, title, simulated)
    return figure


def difference_histogram(frozen: np.ndarray, tuned: np.ndarray, title: str, simulated: bool) -> Figure:
    """How many voxels gained and how many lost.

    Parameters
    ----------
    frozen, tuned : arrays (n_voxels,)
        Test correlations; voxels with a NaN are left out.
    title : str
    simulated : bool
    """
    figure = new_figure(3.9, 3.7)
    axes = figure.add_axes((0.15, 0.13, 0.81, 0.75))
    difference = (tuned - frozen)[np.isfinite(frozen) & np.isfinite(tuned)]
    if difference.size:
        # An edge at zero, so that no bar holds gains and losses alike.
        step = max(float(np.ptp(difference)) / _BINS, 1e-6)
        first, last = np.floor(difference.min() / step), np.ceil(difference.max() / step)
        counts, edges = np.histogram(difference, bins=step * np.arange(first, max(last, first + 1) + 1))
        gained = edges[:-1] >= -step / 2
        axes.bar(edges[:-1], counts, width=step, align="edge", color=np.where(gained, "#b2182b", "#2166ac"))
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_ylim(0, counts.max() * 1.18)
        share = (difference > 0).mean()
        for x, where, text, colour in (
            (0.98, "right", f"{share:.0%} of voxels up", "#b2182b"),
            (0.02, "left", f"{(difference < 0).mean():.0%} down", "#2166ac"),
        ):
            axes.text(x, 0.985, text, transform=axes.transAxes, ha=where, va="top", fontsize=8, color=colour)
    axes.set(xlabel="difference in test r (tuned − frozen)", ylabel="voxels")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    quiet(axes)
    heading(figure, title, simulated)
    return figure


def score_bars(
    names: Sequence[str], frozen: np.ndarray, tuned: np.ndarray, title: str, simulated: bool
) -> Figure:
    """Frozen and tuned r as paired bars, one pair a region or voxel.

    Parameters
    ----------
    names : sequence of str
    frozen, tuned : arrays (n_names,)
        Test correlations; NaN leaves a gap.
    title : str
    simulated : bool
    """
    height = 0.95 + 0.34 * len(names)
    figure = new_figure(3.9, height)
    axes = figure.add_axes((0.27, 0.42 / height, 0.69, 1 - 0.95 / height))
    rows = np.arange(len(names))
    axes.barh(rows - 0.18, frozen, height=0.34, color=FROZEN, label="frozen")
    axes.barh(rows + 0.18, tuned, height=0.34, color=TUNED, label="tuned")
    axes.set_yticks(rows, [shortened(name, 18) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("test correlation r")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    quiet(axes)
    legend = figure.legend(
        *axes.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0.26, 1 - 0.26 / height),
        ncols=2,
        fontsize=7.5,
        frameon=False,
        handlelength=1,
        borderaxespad=0,
    )
    for text in legend.get_texts():
        text.set_color(INK)
    heading(figure, title, simulated)
    return figure


def _colours(groups: Mapping[str, np.ndarray]) -> list[str]:
    named = iter(GROUPS)
    return [OTHER if name == REMAINDER else next(named) for name in groups]


def _limits(values: np.ndarray) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    margin = 0.04 * max(float(np.ptp(values)), 0.05)
    return float(values.min()) - margin, float(values.max()) + margin
