"""How every figure looks: paper.mplstyle and page.mplstyle, colours by what they stand for, what is drawn on."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import RcParams, font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like, to_rgba
from matplotlib.figure import Figure
from matplotlib.style import context

from brainwavlm.config import read_yaml
from brainwavlm.errors import ConfigError

# Charts that move (plotly, the page's script) take these two as they are; a test keeps them those of paper.mplstyle.
GROUPS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
OTHER = "#9aa5b1"
MILLIMETRES = 25.4  # in an inch
# By what they stand for; a style file names them `brainwavlm.tuned` and so on.
COLOURS = {
    "frozen": "#7a8794",
    "tuned": "#0072b2",
    "shared": "#d55e00",  # scores by the map that voxels share
    "gained": "#b2182b",
    "lost": "#2166ac",
    "other": OTHER,  # voxels of no region
    "simulated": "#ffd166",  # behind the word
}
COLOUR_MAPS = {"correlation": "viridis", "difference": "RdBu_r"}
_OWN = "brainwavlm."
_GENERIC_FONTS = ("serif", "sans-serif", "sans serif", "monospace", "cursive", "fantasy")

Picture = tuple[Figure, str]  # with its text alternative


@dataclass(frozen=True)
class Style:
    """Settings of matplotlib that are not its defaults; `COLOURS` and `COLOUR_MAPS` with a style file's entries."""

    settings: Mapping[str, Any]
    colours: Mapping[str, str]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it matplotlib draws and writes in this style, whatever its own settings are; then as before."""
        with context(["default", dict(self.settings)]):
            yield


@cache
def shipped_style() -> Style:
    """The style of the package."""
    return _style_of(Path(__file__).with_name("paper.mplstyle"), Style({}, {**COLOURS, **COLOUR_MAPS}))


@cache
def page_style() -> Style:
    """The same colours, in sizes for the page."""
    return _style_of(Path(__file__).with_name("page.mplstyle"), shipped_style())


def read_style(path: str | Path | None) -> Style:
    """The shipped style, with the entries of a style file in place of its own.

    ConfigError where there is no such file, an unknown entry, or a value that an entry cannot have.
    """
    if path is None:
        return shipped_style()
    if not Path(path).is_file():
        remedy = "docs/how-to/figures.md shows the package's own."
        raise ConfigError(path, "no such file.", "a style file.", remedy)
    return _style_of(Path(path), shipped_style())


def _style_of(path: Path, base: Style) -> Style:
    settings: Any = RcParams()
    settings.update(base.settings)
    colours = dict(base.colours)
    for key, value in read_yaml(path).items():
        name = str(key).removeprefix(_OWN)
        try:
            if str(key).startswith(_OWN) and name in colours:
                colours[name] = str(value)
                problem = _colour_problem(name, colours[name])
            elif key in rcParams:
                settings[key] = value if isinstance(value, list) else str(value)
                problem = _setting_problem(str(key), settings[key])
            else:
                near = get_close_matches(str(key), [*rcParams, *(_OWN + one for one in colours)], n=1)
                hint = f"Did you mean {near[0]}?" if near else "Write `key: value` lines."
                see = f"{hint} See docs/how-to/figures.md."
                raise ConfigError(path, f"unknown key {key}.", "one of matplotlib's.", see)
        except ValueError as error:
            problem = str(error)
        if problem:
            remedy = "Mend that entry. See docs/how-to/figures.md."
            raise ConfigError(path, f"{key} = {value!r}.", f"{problem}.", remedy)
    return Style(dict(settings), colours)


def _colour_problem(name: str, value: str) -> str:
    if name in COLOUR_MAPS:
        return "" if value in matplotlib.colormaps else "a colour map of matplotlib, for instance viridis"
    return "" if is_color_like(value) and to_rgba(value)[3] else "a colour, for instance '#0072b2'"


def _setting_problem(key: str, value: Any) -> str:
    # Not findfont, which reads a name as a pattern: `DejaVu Sans:bold` would draw another font.
    if key == "font.family" and not {*value} <= {*font_manager.get_font_names(), *_GENERIC_FONTS}:
        return "a font that is installed here, for instance DejaVu Sans"
    if key == "text.color" and to_rgba(value)[3] == 0:
        return "a colour that can be seen"
    low, high = (50, 2400) if key == "figure.dpi" else (0, 100)
    is_size = key.endswith(("size", "width", "dpi")) and isinstance(value, int | float)
    return f"above {low}, up to {high}" if is_size and not low < value <= high else ""


@dataclass(frozen=True)
class Canvas:
    """What a figure is drawn on, while its style is applied: inches (no height: what the figure suggests), heading."""

    style: Style
    width: float
    height: float | None = None
    title: str = ""
    simulated: bool = False

    @property
    def colours(self) -> Mapping[str, str]:
        """By what they stand for."""
        return self.style.colours

    @property
    def head(self) -> float:
        """Inches that title and word take."""
        return 0.12 + 1.1 * rcParams["figure.titlesize"] / 72 if self.title or self.simulated else 0.0

    def figure(self, height: float) -> Figure:
        """A figure with its heading, of so many inches where no height is set, unknown to pyplot."""
        width, height = self.width, self.height or height
        figure = Figure((width, height), layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(rect=(0, 0, 1, 1 - self.head / height), w_pad=0.04, h_pad=0.04)  # type: ignore
        top, size = 1 - 0.07 / height, rcParams["figure.titlesize"]
        bold: dict[str, Any] = {"va": "top", "fontweight": "bold"}
        title = shortened(self.title, int((width - 0.9 * self.simulated) * 72 / (0.62 * size)))
        figure.text(0.08 / width, top, title, fontsize=size, gid="title", **bold)
        if self.simulated:
            box = {"boxstyle": "round,pad=0.3,rounding_size=0.3", "edgecolor": "none"}
            box["facecolor"] = self.colours["simulated"]
            place = (1 - 0.1 / width, top, "SIMULATED")
            figure.text(*place, ha="right", fontsize=0.75 * size, bbox=box, gid="simulated", **bold)
        return figure

    def panels(
        self, count: int, narrowest: float, tall: float, more: float, **shared: Any
    ) -> tuple[Figure, list[Axes], int]:
        """A figure of so many axes, as many in a row as are not too narrow, and how many letters a title of them has.

        Inches of a row, and of what else there is.
        """
        columns = min(max(int(self.width / narrowest), 1), count)
        rows = -(-count // columns)
        figure = self.figure(tall * rows + more)
        grid = list(figure.subplots(rows, columns, squeeze=False, **shared).ravel())
        for axes in grid[count:]:
            axes.remove()
        return figure, grid[:count], self.letters(0.9 / columns)

    def letters(self, share: float = 1.0) -> int:
        """About how many letters fit into a share of the width."""
        return max(int(share * self.width * 72 / (0.56 * rcParams["font.size"])), 6)


def page_canvas(width: float, title: str = "", simulated: bool = False) -> Canvas:
    """A canvas of the page, in inches."""
    return Canvas(page_style(), width, None, title, simulated)


def shortened(text: str, most: int) -> str:
    """The text, cut to so many characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def counted(labels: Sequence[str]) -> list[str]:
    """The labels, each once: where several would be the same, with their place."""
    return [f"{one} ({n})" if labels.count(one) > 1 else one for n, one in enumerate(labels, start=1)]


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with page_style().applied():
        figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
    return buffer.getvalue()


def data_uri(figure: Figure) -> str:
    """The figure as the address of a PNG image inside a page."""
    return "data:image/png;base64," + base64.b64encode(png(figure)).decode("ascii")
