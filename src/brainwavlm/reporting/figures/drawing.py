"""From folders to a figure and its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.canvas import Canvas
from brainwavlm.reporting.figures.folders import place_of
from brainwavlm.reporting.figures.kinds import KINDS, Choice, kind_named
from brainwavlm.reporting.figures.style import MILLIMETRES, Style, read_style

_NARROWEST, _WIDEST = 20.0, 2000.0  # mm


@dataclass(frozen=True)
class Drawing:
    """A figure and exactly the values that it shows.

    Attributes
    ----------
    figure : Figure
    values : DataFrame
        In long form; its columns are those of the tables that the values come from.
    simulated : bool
        Whether any of the responses behind it are.
    tex : str
        The same as LaTeX, for a table; else empty.
    """

    figure: Figure
    values: pd.DataFrame
    simulated: bool
    tex: str = ""


def draw_figure(
    kind: str,
    paths: str | Path | Sequence[str | Path],
    choice: Choice | None = None,
    width: float | None = None,
    height: float | None = None,
    style: Style | str | Path | None = None,
) -> Drawing:
    """Draw one figure.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    paths : str, Path, or sequence of them
        Folders that the commands behind this kind wrote, or runs that hold such a folder.
    choice : Choice or None
        What of them is shown.
    width, height : float or None
        Millimetres; None: the style's width, and the height that the content needs.
    style : Style, str, Path or None
        A style or a style file; None: the package's own.

    Raises
    ------
    ConfigError, RunError
        An option that does not fit, a folder of another command, or a damaged one.
    """
    choice = choice or Choice()
    if not choice.title.isprintable():
        raise ConfigError("--title", repr(choice.title), "one line of text.", "Leave out what is no letter.")
    found = kind_named(kind, choice)
    known = style if isinstance(style, Style) else read_style(style)
    canvas = canvas_of(known, width, height)
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    if not named:
        raise RunError("PATH", "no folder.", "one or more.", f"brainwavlm figure {kind} FOLDER -o FILE.pdf")
    places = [place_of(path, kind, KINDS[kind]) for path in named]
    places = list({place.path.resolve(): place for place in places}.values())
    module, function = found.home.split(".")
    with known.applied():
        drawing: Drawing = getattr(import_module(f"{__package__}.{module}"), function)(places, choice, canvas)
    for text in drawing.figure.texts:
        if text.get_gid() == "title" and text.get_text() != choice.title:
            raise ConfigError(
                "--title",
                f"{len(choice.title)} letters on {MILLIMETRES * canvas.width:.0f} mm.",
                f"up to {len(text.get_text())}.",
                "Shorten it, or choose a larger --width.",
            )
    return drawing


def canvas_of(style: Style, width: float | None, height: float | None) -> Canvas:
    """A canvas of so many millimetres. ConfigError for a size that no figure has."""
    width = style.width if width is None else width
    for option, size in (("--width", width), ("--height", height)):
        if size is not None and not _NARROWEST <= size <= _WIDEST:
            raise ConfigError(
                option,
                f"{size:g} mm.",
                f"{_NARROWEST:g} to {_WIDEST:g} mm.",
                "A column of a journal has about 85 mm, a page 180.",
            )
    return Canvas(style, width / MILLIMETRES, height / MILLIMETRES if height else None)
