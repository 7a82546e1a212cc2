"""Commands that show results: report, figure, maps."""

from pathlib import Path
from typing import Annotated, Literal

from brainwavlm.cli.options import argument, option, print_json
from brainwavlm.reporting.figures.kinds import KINDS, QUANTITIES, VIEWS


def report(
    folders: Annotated[
        list[Path],
        argument(
            "Folders that `ridge`, `evaluate`, `compare`, `transfer`, `probe` or `partition` wrote, or runs, "
            "whose evaluation is shown.",
            metavar="PATH",
        ),
    ],
    output: Annotated[Path | None, option("HTML file; default: report.html in the first folder.")] = None,
) -> None:
    """Make one self-contained page of results: findings, a cortex that turns, tables, charts, how it was computed."""
    from brainwavlm.reporting.page.evaluation import write_report
    from brainwavlm.results.open import shown_folder

    print(write_report(folders, output or shown_folder(folders[0]) / "report.html"))


_KINDS = "; ".join(f"{name}: {kind.shows}" for name, kind in KINDS.items())


def figure(
    kind: Annotated[str, argument(f"{_KINDS}.")],
    paths: Annotated[
        list[Path],
        argument(
            "Runs, folders of `ridge`, `evaluate`, `compare`, `transfer`, `probe` or `partition`, or studies.",
            metavar="PATH",
        ),
    ],
    output: Annotated[
        Path,
        option(
            "--output",
            "-o",
            "FILE.pdf, .svg or .png (table: .tex or .csv); its values go to FILE.csv beside it.",
            show_default=False,
        ),
    ],
    width: Annotated[float | None, option("Millimetres; default: the style's, 85.")] = None,
    height: Annotated[float | None, option("Millimetres; default: what the content needs.")] = None,
    style: Annotated[
        Path | None, option("matplotlib style file whose entries replace those of the package's.")
    ] = None,
    title: Annotated[str, option("Above the figure; default: none.")] = "",
    quantity: Annotated[list[str] | None, option(f"maps: {', '.join(QUANTITIES)}. Repeatable.")] = None,
    readout: Annotated[
        str | None,
        option(
            "maps, scatter, histogram: voxelwise (ridge for each voxel, the default) or shared (one map)."
        ),
    ] = None,
    view: Annotated[str | None, option(f"maps: {', '.join(VIEWS)}.")] = None,
    q: Annotated[
        float | None, option("maps: only voxels with a false discovery rate below it, e.g. 0.05.")
    ] = None,
    target: Annotated[
        list[str] | None, option("Voxel set that is shown; of probes, feature. Repeatable.")
    ] = None,
    run: Annotated[list[str] | None, option("Name of a run that is shown. Repeatable; default: all.")] = None,
    experiment: Annotated[
        list[str] | None, option("Experiment of a study. Repeatable; default: all.")
    ] = None,
) -> None:
    """Draw one figure for a paper, from what other commands wrote, with a CSV file of exactly the values it shows."""
    from brainwavlm.reporting.figures import Choice, write_figure

    asked = {"quantity": quantity, "target": target, "run": run, "readout": readout, "view": view, "q": q}
    choice = Choice(**asked, experiment=experiment, title=title)
    for path in write_figure(kind, paths, output, choice, width, height, style):
        print(path)


def maps(
    path: Annotated[
        Path,
        argument(
            "Folder that `ridge`, `evaluate` or `partition` wrote, or a run, whose evaluation is taken."
        ),
    ],
    output: Annotated[Path, option("--output", "-o", "New folder for the maps.", show_default=False)],
    target: Annotated[
        list[str] | None,
        option("Further mask, e.g. aparc:bankssts or AC&LH; repeatable. Scored targets are there."),
    ] = None,
    space: Annotated[
        Literal["scanner", "surfaces"],
        option("Of volumes: the data set's own, or mm of the subject's pycortex surfaces."),
    ] = "scanner",
    surfaces: Annotated[
        bool, option("--surfaces", "Also write the surfaces, and maps.spec for Connectome Workbench.")
    ] = False,
    flatmaps: Annotated[
        bool, option("--flatmaps", "Also pictures of flatmaps by pycortex; needs the extra flatmaps.")
    ] = False,
    json: Annotated[bool, option("--json", "Print JSON for machines instead of text.")] = False,
) -> None:
    """Write each map of a result in the subject's space: NIfTI of a volume, GIFTI of a surface, and a sidecar."""
    from brainwavlm.cli.console import console, labelled, show_sentences, show_table
    from brainwavlm.reporting.maps import open_maps
    from brainwavlm.reporting.maps.writer import SIDECAR

    opened = open_maps(path, target or ())
    folder = opened.save(output, space, surfaces, flatmaps)
    rows = [
        {
            "run": name,
            "subject": run.entry["subject"],
            "maps": len(run.maps),
            "volume": run.grid.path.name if run.grid else "-",
            "surface": run.source.mesh.name if run.source.mesh else "-",
            "notes": " ".join(run.notes),
        }
        for name, run in opened.items()
    ]
    if json:
        simulated = opened.results.simulated
        print_json({"folder": str(folder), "simulated": simulated, "runs": rows})
        return
    title = labelled(f"Maps of {opened.results.path.resolve().name}", opened.results.summary)
    show_table([{key: row[key] for key in row if key != "notes"} for row in rows], title=title)
    for note in dict.fromkeys(note for run in opened.values() for note in run.notes):
        show_sentences(note, "  ")
    console.print(f"Written: {folder}, with {SIDECAR} for each run", markup=False, soft_wrap=True)
