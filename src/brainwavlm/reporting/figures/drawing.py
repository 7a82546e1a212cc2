"""From folders to a figure and its values, and both on disk: whole, or neither."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import replacing
from brainwavlm.reporting.figures.folders import Choice, Shown, kind_named, place_of
from brainwavlm.reporting.figures.kinds import KINDS
from brainwavlm.reporting.figures.style import MILLIMETRES, Canvas, Style, read_style
from brainwavlm.runs.output_paths import require_path, written

_NARROWEST, _WIDEST = 20.0, 2000.0  # mm
_HEADER = b"figure,"
_ELSEWHERE = ("a file that can be written.", "Choose another output.")
# No date, so that the same input gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".pdf": {"Creator": "brainwavlm", "CreationDate": None},
    ".svg": {"Creator": "brainwavlm", "Date": None},
    ".png": {"Software": "brainwavlm"},
}


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
    places = [place_of(path, kind, KINDS[kind]) for path in folders]
    places = list({place.path.resolve(): place for place in places}.values())
    with style.applied():
        inches = rcParams["figure.figsize"][0] if width is None else width / MILLIMETRES
        for option, size in (("width", width or MILLIMETRES * inches), ("height", height)):
            if size is not None and not _NARROWEST <= size <= _WIDEST:
                expected = f"{_NARROWEST:g} to {_WIDEST:g} mm."
                remedy = "A column of a journal has about 85 mm, a page 180."
                raise ConfigError(option, f"{size:g} mm.", expected, remedy)
        shown: Shown = getattr(import_module(f"{__package__}.{home}"), kind)(places, choice)
        if shown.draw is None:
            return Drawing(None, shown.values, shown.simulated, shown.tex)
        high = height / MILLIMETRES if height else None
        figure = shown.draw(Canvas(style, inches, high, choice.title, shown.simulated))
    (title,) = [text.get_text() for text in figure.texts if text.get_gid() == "title"] or [choice.title]
    if title != choice.title:
        found = f"{len(choice.title)} letters on {MILLIMETRES * figure.get_size_inches()[0]:.0f} mm."
        raise ConfigError("title", found, f"up to {len(title)}.", "Shorten it, or choose a larger width.")
    return Drawing(figure, shown.values, shown.simulated)


def write_figure(
    kind: str,
    paths: str | Path | Sequence[str | Path],
    output: str | Path,
    choice: Choice | None = None,
    width: float | None = None,
    height: float | None = None,
    style: Style | str | Path | None = None,
) -> list[Path]:
    """Draw one figure as `draw_figure` does and write it, with a CSV file beside it of exactly the values it shows.

    `output` is .pdf, .svg or .png; .tex or .csv for a table. What is there is replaced.

    Returns
    -------
    Paths of the figure and its values; of a .csv only itself

    Raises
    ------
    ConfigError, RunError
        As `draw_figure`, or no figure can be written to that path.
    """
    target = Path(output)
    suffixes = kind_named(kind, choice or Choice()).suffixes
    if target.suffix.lower() not in suffixes:
        ending = f"a name that ends in {target.suffix!r}." if target.suffix else "a name without a suffix."
        remedy = f"Name it -o {target.stem.strip('.') or 'figure'}{suffixes[0]}"
        raise ConfigError("output", ending, f"one that ends in {', '.join(suffixes)}.", remedy)
    values = target.with_suffix(".csv")
    for path in dict.fromkeys([target, values]):
        ours = _HEADER if path == values else b""
        require_path(path, ours, "another table is here, not the values of a figure.", _ELSEWHERE)
    style = style if isinstance(style, Style) else read_style(style)
    drawing = draw_figure(kind, paths, choice, width, height, style)
    frame = drawing.values.assign(simulated=drawing.simulated)
    frame.insert(0, "figure", kind)
    with written(target, *_ELSEWHERE), replacing(values) as beside:
        frame.to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")
        if target != values:
            with replacing(target) as temporary:
                if drawing.figure is None:
                    temporary.write_text(drawing.tex, encoding="utf-8")
                else:
                    _save(drawing.figure, temporary, target.suffix.lower(), style)
    return list(dict.fromkeys([target, values]))


def _save(figure: Figure, path: Path, suffix: str, style: Style) -> None:
    with style.applied(), warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*collapsed to zero.*")
        try:
            whole = BytesIO()  # of a full disk matplotlib's PDF says an AttributeError
            figure.savefig(whole, format=suffix[1:], metadata=_METADATA[suffix])
            path.write_bytes(whole.getbuffer())
        except UserWarning:
            size = " x ".join(f"{MILLIMETRES * inches:.0f}" for inches in figure.get_size_inches())
            remedy = "Choose a larger size, or a smaller text in the style."
            room = "room for the axes beside their text."
            raise ConfigError("width, height", f"{size} mm.", room, remedy) from None
