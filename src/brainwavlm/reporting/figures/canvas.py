"""What every figure is drawn on: a size, a heading, quiet axes, legends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from brainwavlm.reporting.figures.style import Style, page_style, shortened

_POINTS = 72


@dataclass(frozen=True)
class Canvas:
    """A style and a size.

    Attributes
    ----------
    style : Style
    width : float
        Inches.
    height : float or None
        Inches; None: what the figure suggests.
    """

    style: Style
    width: float
    height: float | None = None

    def figure(self, height: float, title: str = "", simulated: bool = False) -> Figure:
        """An empty white figure, of so many inches where no height is set, unknown to pyplot, with its heading."""
        size = (self.width, self.height or height)
        figure = Figure(size, dpi=self.style.dots_per_inch, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        top = heading(figure, title, simulated, self.style)
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.set(rect=(0, 0, 1, 1 - top / size[1]), w_pad=0.04, h_pad=0.04)  # type: ignore[call-arg]
        return figure

    def letters(self, share: float = 1.0) -> int:
        """About how many letters of the style's text fit into a share of the width."""
        return max(int(share * self.width * _POINTS / (0.56 * self.style.text)), 6)


def page_canvas(width: float, height: float | None = None) -> Canvas:
    """A canvas of the page, in inches."""
    return Canvas(page_style(), width, height)


def quiet(axes: Axes, style: Style) -> None:
    """Two thin spines, small grey tick labels."""
    colours = style.colours
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=colours.faint, linewidth=style.thin)
    axes.tick_params(
        labelcolor=colours.muted, labelsize=style.small, length=2.5, width=style.thin, color=colours.faint
    )
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=colours.muted, fontsize=style.text)


def heading(figure: Figure, title: str, simulated: bool, style: Style) -> float:
    """A bold title at the figure's upper left, the word SIMULATED at its right where the data are; inches they take."""
    if not (title or simulated):
        return 0.0
    width, height = figure.get_size_inches()
    top = 1 - 0.07 / height
    most = int((width - 0.9 * simulated) * _POINTS / (0.62 * style.title))
    figure.text(
        0.08 / width,
        top,
        shortened(title, most),
        va="top",
        fontsize=style.title,
        fontweight="bold",
        color=style.colours.ink,
        parse_math=False,
        gid="title",
    )
    if simulated:
        figure.text(
            1 - 0.1 / width,
            top,
            "SIMULATED",
            ha="right",
            va="top",
            fontsize=style.small - 0.5,
            fontweight="bold",
            color=style.colours.ink,
            bbox={
                "boxstyle": "round,pad=0.3,rounding_size=0.3",
                "facecolor": style.colours.simulated,
                "edgecolor": "none",
            },
            gid="simulated",
        )
    return 0.12 + 1.1 * style.title / _POINTS


def legend(owner: Axes | Figure, style: Style, *handles: Any, **where: Any) -> Legend:
    """A legend without a frame, its names as they are."""
    made = owner.legend(*handles, fontsize=style.small, frameon=False, **where)
    for text in made.get_texts():
        text.set(color=style.colours.ink, parse_math=False)
    return made


def legend_below(figure: Figure, axes: Axes, canvas: Canvas) -> None:
    """A legend under all axes, in as many columns as its names leave room for; none where nothing has a name."""
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    labels = [shortened(label, canvas.letters(0.85)) for label in labels]
    columns = max(int(canvas.letters() / (max(map(len, labels)) + 7)), 1)
    legend(
        figure, canvas.style, handles, labels, loc="outside lower left", ncols=min(columns, len(labels), 4)
    )


def dashes(number: int, colours: Sequence[str]) -> str:
    """A line style that changes when the colours begin anew."""
    return ("-", "--", ":", "-.")[number // len(colours) % 4]
