"""The command `figure`: figures for papers."""

from pathlib import Path
from typing import Annotated

import typer

from brainwavlm.reporting.paper.kinds import KINDS, QUANTITIES, VIEWS

_KINDS = "; ".join(f"{name}: {kind.shows}" for name, kind in KINDS.items())


def figure(
    kind: Annotated[str, typer.Argument(help=f"{_KINDS}.", show_default=False)],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Runs, folders of `evaluate`, `compare` or `transfer`, or studies.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="FILE.pdf, .svg or .png (table: also .tex, .csv); its values go to FILE.csv beside it.",
            show_default=False,
        ),
    ],
    width: Annotated[
        float | None, typer.Option("--width", help="Millimetres; default: the style's, 85.")
    ] = None,
    height: Annotated[
        float | None, typer.Option("--height", help="Millimetres; default: what the content needs.")
    ] = None,
    style: Annotated[
        Path | None, typer.Option("--style", help="YAML file whose entries replace those of the style.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Above the figure; default: none.")] = "",
    quantity: Annotated[
        list[str] | None,
        typer.Option("--quantity", help=f"maps: {', '.join(QUANTITIES)}. Repeatable."),
    ] = None,
    view: Annotated[str | None, typer.Option("--view", help=f"maps: {', '.join(VIEWS)}.")] = None,
    q: Annotated[
        float | None,
        typer.Option("--q", help="maps: only voxels with a false discovery rate below it, e.g. 0.05."),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Voxel set that is shown. Repeatable.")
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="Name of a run that is shown. Repeatable; default: all.")
    ] = None,
    experiment: Annotated[
        list[str] | None,
        typer.Option("--experiment", help="Experiment of a study. Repeatable; default: all."),
    ] = None,
) -> None:
    """Draw one figure for a paper, from what other commands wrote, with a CSV file of exactly the values it shows."""
    from brainwavlm.reporting.paper import Choice, write_figure

    choice = Choice(
        tuple(quantity or ()), tuple(target or ()), tuple(run or ()), view, q, tuple(experiment or ()), title
    )
    for path in write_figure(kind, paths, output, choice, width, height, style):
        print(path)
