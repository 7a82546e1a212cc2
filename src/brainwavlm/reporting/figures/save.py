"""A figure and its values on disk: both whole, or neither."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import replacing
from brainwavlm.reporting.figures.drawing import draw_figure
from brainwavlm.reporting.figures.kinds import Choice, kind_named
from brainwavlm.reporting.figures.style import MILLIMETRES, Style, read_style
from brainwavlm.reporting.page.render import OWN_FILES, writing_problem

ELSEWHERE = ("a file that can be written.", "Choose another output.")
_HEADER = b"figure,"
# No date, so that the same input gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".pdf": {"Creator": "brainwavlm", "CreationDate": None},
    ".svg": {"Creator": "brainwavlm", "Date": None},
    ".png": {"Software": "brainwavlm"},
}


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
    _require_suffix(target, kind_named(kind, choice or Choice()).suffixes)
    values = target.with_suffix(".csv")
    for path in dict.fromkeys([target, values]):
        _require_path(path, _HEADER if path == values else b"")
    style = style if isinstance(style, Style) else read_style(style)
    drawing = draw_figure(kind, paths, choice, width, height, style)
    frame = drawing.values.assign(simulated=drawing.simulated)
    frame.insert(0, "figure", kind)
    try:
        with replacing(values) as beside:
            frame.to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")
            if target != values:
                with replacing(target) as temporary:
                    if drawing.figure is None:
                        temporary.write_text(drawing.tex, encoding="utf-8")
                    else:
                        _save(drawing.figure, temporary, target.suffix.lower(), style)
    except OSError as error:
        raise RunError(target, f"not writable: {error.strerror}.", *ELSEWHERE) from None
    return list(dict.fromkeys([target, values]))


def _require_path(path: Path, ours: bytes) -> None:
    """Raise before anything is drawn that could not be written, or would replace another kind of file."""
    beside = any((path.parent / name).is_file() for name in ("summary.json", "run.json"))
    if path.name in OWN_FILES and beside:
        problem = "a file of the result itself."
    else:
        problem = writing_problem(path, ours, "another table is here, not the values of a figure.")
    if problem:
        raise RunError(path, problem, *ELSEWHERE)


def _save(figure: Figure, path: Path, suffix: str, style: Style) -> None:
    with style.applied(), warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*collapsed to zero.*")
        try:
            figure.savefig(path, format=suffix[1:], metadata=_METADATA[suffix])
        except UserWarning:
            wide, tall = (MILLIMETRES * inches for inches in figure.get_size_inches())
            raise ConfigError(
                "width, height",
                f"{wide:.0f} x {tall:.0f} mm.",
                "room for the axes beside their text.",
                "Choose a larger size, or a smaller text in the style.",
            ) from None


def _require_suffix(output: Path, suffixes: Sequence[str]) -> None:
    if output.suffix.lower() not in suffixes:
        ending = f"a name that ends in {output.suffix!r}." if output.suffix else "a name without a suffix."
        stem = output.stem.strip(".") or "figure"
        raise ConfigError(
            "output",
            ending,
            f"one that ends in {', '.join(suffixes)}.",
            f"Name it -o {stem}{suffixes[0]}",
        )
