"""How every figure looks: colours that colour-blind people tell apart, quiet axes, no global state."""

import base64
import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#1c2733"
MUTED = "#55616e"
FAINT = "#d9dee3"
SIMULATED_FILL = "#ffd166"
# Okabe and Ito 2008, without yellow, which is faint on white.
GROUPS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
OTHER = "#9aa5b1"
FROZEN, TUNED = "#7a8794", "#0072b2"
DOTS_PER_INCH = 200

Picture = tuple[Figure, str]  # with its text alternative


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of so many inches, drawn by Agg, unknown to pyplot."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def quiet(axes: Axes) -> None:
    """Two thin spines, small grey tick labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=MUTED, labelsize=8, length=3, width=0.6, color=FAINT)
    axes.xaxis.label.set(color=MUTED, fontsize=8.5)
    axes.yaxis.label.set(color=MUTED, fontsize=8.5)


def heading(figure: Figure, title: str, simulated: bool) -> None:
    """A bold title at the figure's upper left, and the word SIMULATED at its right where the data are."""
    width, height = figure.get_size_inches()
    top = 1 - 0.07 / height
    most = int(width * (9.5 if simulated else 12.5))
    text = shortened(title, most)
    figure.text(0.08 / width, top, text, va="top", fontsize=9, fontweight="bold", color=INK, parse_math=False)
    if simulated:
        box = {
            "boxstyle": "round,pad=0.3,rounding_size=0.3",
            "facecolor": SIMULATED_FILL,
            "edgecolor": "none",
        }
        right = 1 - 0.1 / width
        figure.text(
            right,
            top,
            "SIMULATED",
            ha="right",
            va="top",
            fontsize=6.5,
            fontweight="bold",
            color=INK,
            bbox=box,
        )


def shortened(text: str, most: int) -> str:
    """The text, cut to so many characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def data_uri(image: bytes) -> str:
    """A PNG file as the address of an image inside a page."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")
