"""A figure and its values on disk: both whole, or neither."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import replacing
from brainwavlm.reporting.figures.drawing import Drawing, draw_figure
from brainwavlm.reporting.figures.kinds import PICTURES, Choice, kind_named
from brainwavlm.reporting.figures.style import Style, read_style
from brainwavlm.reporting.page.render import ELSEWHERE, OWN_FILES, writing_problem

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
    """Draw one figure and write it, with a CSV file beside it of exactly the values it shows.

    Parameters
    ----------
    kind, paths, choice, width, height, style
        As in `draw_figure`.
    output : str or Path
        .pdf, .svg or .png; for a table .tex or .csv too. What is there is replaced.

    Returns
    -------
    Paths of the figure and its values; of a .csv only itself

    Raises
    ------
    ConfigError, RunError
        As `draw_figure`, or no figure can be written to that path.
    """
    found = kind_named(kind, choice or Choice())
    target = Path(output)
    _require_suffix(target, found.suffixes)
    values = target.with_suffix(".csv")
    _require_path(target, values)
    known = style if isinstance(style, Style) else read_style(style)
    drawing = draw_figure(kind, paths, choice, width, height, known)
    frame = drawing.values.assign(figure=kind, simulated=drawing.simulated)
    frame = frame[["figure", *frame.columns.drop(["figure", "simulated"]), "simulated"]]
    try:
        with replacing(values) as beside:
            frame.to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")
            if target != values:
                with replacing(target) as temporary:
                    _save(drawing, temporary, target.suffix.lower(), known)
    except OSError as error:
        raise RunError(target, f"not writable: {error.strerror}.", *ELSEWHERE_TOO) from None
    return list(dict.fromkeys([target, values]))


ELSEWHERE_TOO = ("a file that can be written.", ELSEWHERE[1])


def _save(drawing: Drawing, path: Path, suffix: str, style: Style) -> None:
    if suffix == ".tex":
        path.write_text(drawing.tex, encoding="utf-8")
        return
    with style.applied(), warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*collapsed to zero.*")
        try:
            drawing.figure.savefig(
                path, format=suffix[1:], dpi=style.dots_per_inch, metadata=_METADATA[suffix]
            )
        except UserWarning:
            wide, tall = (25.4 * inches for inches in drawing.figure.get_size_inches())
            raise ConfigError(
                "--width, --height",
                f"{wide:.0f} x {tall:.0f} mm.",
                "room for the axes beside their text.",
                "Choose a larger size, or a smaller text in --style.",
            ) from None


def _require_suffix(output: Path, suffixes: Sequence[str]) -> None:
    if output.suffix.lower() not in suffixes:
        found = f"a name that ends in {output.suffix!r}." if output.suffix else "a name without a suffix."
        stem = output.stem.strip(".") or "figure"
        raise ConfigError(
            f"--output {str(output)!r}",
            found,
            f"one that ends in {', '.join(suffixes)}.",
            f"Name it -o {stem}{PICTURES[0]}",
        )


def _require_path(output: Path, values: Path) -> None:
    """Raise before anything is drawn that could not be written, or would replace another kind of file."""
    for path in dict.fromkeys([output, values]):
        if path.name in OWN_FILES and any(
            (path.parent / name).is_file() for name in ("summary.json", "run.json")
        ):
            problem = "a file of the result itself."
        else:
            ours = _HEADER if path == values else b""
            problem = writing_problem(path, ours, "another table is here, not the values of a figure.")
        if problem:
            raise RunError(path, problem, *ELSEWHERE_TOO)
