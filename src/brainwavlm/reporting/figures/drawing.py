"""From folders to a figure and its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.folders import Shown, place_of
from brainwavlm.reporting.figures.kinds import KINDS, Choice, kind_named
from brainwavlm.reporting.figures.style import MILLIMETRES, Canvas, Style, read_style

_NARROWEST, _WIDEST = 20.0, 2000.0  # mm


@dataclass(frozen=True)
class Drawing:
    """A figure (None for a table) and exactly the values that it shows, in long form; a table as LaTeX too.

    `simulated` says whether any of the responses behind it are.
    """

    figure: Figure | None
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
    home = kind_named(kind, choice).home
    style = style if isinstance(style, Style) else read_style(style)
    folders = [paths] if isinstance(paths, str | Path) else list(paths)
    if not folders:
        raise RunError("paths", "no folder.", "one or more.", f"brainwavlm figure {kind} FOLDER -o FILE.pdf")
    for option, size in (("width", width), ("height", height)):
        _require_size(option, size)
    places = [place_of(path, kind, KINDS[kind]) for path in folders]
    places = list({place.path.resolve(): place for place in places}.values())
    module, function = home.split(".")
    with style.applied():
        _require_size("width", MILLIMETRES * rcParams["figure.figsize"][0])
        shown: Shown = getattr(import_module(f"{__package__}.{module}"), function)(places, choice)
        if shown.draw is None:
            return Drawing(None, shown.values, shown.simulated, shown.tex)
        inches = width / MILLIMETRES if width else rcParams["figure.figsize"][0]
        high = height / MILLIMETRES if height else None
        figure = shown.draw(Canvas(style, inches, high, choice.title, shown.simulated))
    _require_title(figure, choice.title)
    return Drawing(figure, shown.values, shown.simulated)


def _require_size(option: str, size: float | None) -> None:
    if size is not None and not _NARROWEST <= size <= _WIDEST:
        raise ConfigError(
            option,
            f"{size:g} mm.",
            f"{_NARROWEST:g} to {_WIDEST:g} mm.",
            "A column of a journal has about 85 mm, a page 180.",
        )


def _require_title(figure: Figure, title: str) -> None:
    (text,) = [text.get_text() for text in figure.texts if text.get_gid() == "title"] or [title]
    if text != title:
        raise ConfigError(
            "title",
            f"{len(title)} letters on {MILLIMETRES * figure.get_size_inches()[0]:.0f} mm.",
            f"up to {len(text)}.",
            "Shorten it, or choose a larger width.",
        )
