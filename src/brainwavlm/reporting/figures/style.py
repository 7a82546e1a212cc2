"""How every figure looks: one style file, colours that colour-blind people tell apart, no global state left behind."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import matplotlib
from matplotlib import font_manager
from matplotlib.colors import is_color_like, to_rgba
from matplotlib.figure import Figure
from matplotlib.style import context
from pydantic import AfterValidator, Field

from brainwavlm.config import Step, read_yaml, validated
from brainwavlm.errors import ConfigError

# Charts that move (plotly, the page's script) take these two as they are; a test keeps them those of the style file.
GROUPS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
OTHER = "#9aa5b1"
MILLIMETRES = 25.4  # in an inch
_SHIPPED = "style.yaml"
# The page shows its figures on a screen, where they are read from further away than print.
_PAGE = {"text": 8.0, "small": 7.5, "title": 9.0, "line": 1.5, "marker": 4.0, "dots_per_inch": 200}

Picture = tuple[Figure, str]  # with its text alternative


def _colour(name: str) -> str:
    if not is_color_like(name) or to_rgba(name)[3] == 0:
        raise ValueError("A colour, for instance '#0072b2'")
    return name


def _map(name: str) -> str:
    if name not in matplotlib.colormaps:
        raise ValueError("A colour map of matplotlib, for instance viridis")
    return name


def _font(name: str) -> str:
    # Not findfont, which reads a name as a pattern: `DejaVu Sans:bold` would draw another font.
    if name not in font_manager.get_font_names():
        raise ValueError("A font that is installed here, for instance DejaVu Sans")
    return name


Points = Annotated[float, Field(gt=0, le=100)]
Colour = Annotated[str, AfterValidator(_colour)]
ColourMap = Annotated[str, AfterValidator(_map)]


class Colours(Step):
    """Colours by what they stand for."""

    ink: Colour
    muted: Colour
    faint: Colour
    frozen: Colour
    tuned: Colour
    gained: Colour
    lost: Colour
    other: Colour
    simulated: Colour
    groups: Annotated[list[Colour], Field(min_length=6)]

    def group(self, number: int) -> str:
        """The colour of the so-manieth line or group; they repeat."""
        return self.groups[number % len(self.groups)]


class ColourMaps(Step):
    """Colour maps by what they show."""

    correlation: ColourMap
    difference: ColourMap


class Style(Step):
    """Every entry of the style file; templates/style.yaml has their values and what they are for."""

    font: Annotated[str, AfterValidator(_font)]
    text: Points
    small: Points
    title: Points
    line: Points
    thin: Points
    marker: Points
    width: Annotated[float, Field(gt=0)]
    dots_per_inch: Annotated[int, Field(ge=50, le=2400)]
    colours: Colours
    maps: ColourMaps

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it matplotlib draws and writes in this style, whatever its own settings are; then as before."""
        rules = {
            "font.family": [self.font],
            "pdf.fonttype": 42,  # TrueType, which journals ask for
            "svg.fonttype": "none",
            "svg.hashsalt": "brainwavlm",  # element ids that do not change from one writing to the next
            "image.composite_image": False,
        }
        with context(["default", rules]):
            yield


@cache
def shipped_style() -> Style:
    """The style file of the package."""
    return validated(Style, _shipped(), _SHIPPED)


@cache
def page_style() -> Style:
    """The same colours, in sizes for the page."""
    return shipped_style().model_copy(update=_PAGE)


def read_style(path: str | Path | None) -> Style:
    """The shipped style, with the entries of a YAML file in place of its own.

    Raises
    ------
    ConfigError
        No such file, no YAML, an unknown entry, or a value that an entry cannot have.
    """
    if path is None:
        return shipped_style()
    if not Path(path).is_file():
        raise ConfigError(
            path, "no such file.", "a style file.", "docs/how-to/figures.md shows one with all entries."
        )
    entries = read_yaml(Path(path))
    values = _shipped()
    for key, value in entries.items():
        both = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = {**values[key], **value} if both else value
    try:
        return validated(Style, values, str(path))
    except ConfigError as error:
        hint = error.remedy if error.remedy.startswith("Did you mean") else "Mend that entry."
        remedy = f"{hint} docs/how-to/figures.md lists all entries."
        raise ConfigError(error.path, error.found, error.expected, remedy) from None


def _shipped() -> dict[str, Any]:
    with resources.as_file(resources.files("brainwavlm.reporting") / "templates" / _SHIPPED) as path:
        return read_yaml(path)


def shortened(text: str, most: int) -> str:
    """The text, cut to so many characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
    return buffer.getvalue()


def data_uri(image: bytes) -> str:
    """A PNG file as the address of an image inside a page."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")
