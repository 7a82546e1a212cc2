"""The command `brainwavlm maps`. Heavy imports stay inside it."""

import json as json_module
from pathlib import Path
from typing import Annotated, Literal

import typer


def maps(
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder that `evaluate` wrote, or a run, whose evaluation is taken.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="New folder for the maps.", show_default=False)
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="Further mask, e.g. aparc:bankssts or AC&LH; repeatable. Scored targets are there.",
        ),
    ] = None,
    space: Annotated[
        Literal["scanner", "surfaces"],
        typer.Option(
            "--space", help="Of volumes: the data set's own, or mm of the subject's pycortex surfaces."
        ),
    ] = "scanner",
    surfaces: Annotated[
        bool,
        typer.Option("--surfaces", help="Also write the surfaces, and maps.spec for Connectome Workbench."),
    ] = False,
    flatmaps: Annotated[
        bool,
        typer.Option("--flatmaps", help="Also pictures of flatmaps by pycortex; needs the extra flatmaps."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")] = False,
) -> None:
    """Write each map of an evaluation in the subject's space: NIfTI of a volume, GIFTI of a surface, and a sidecar."""
    from brainwavlm.reporting.exports import open_maps
    from brainwavlm.reporting.exports_files import SIDECAR
    from brainwavlm.terminal import console, show_table

    opened = open_maps(path, target or ())
    folder = opened.save(output, space, surfaces, flatmaps)
    rows = [
        {
            "run": name,
            "subject": run.entry["subject"],
            "maps": len(run.maps),
            "volume": run.grid.path.name if run.grid else "-",
            "surface": run.sheet.name if run.sheet else "-",
            "notes": " ".join(run.notes),
        }
        for name, run in opened.items()
    ]
    if json:
        simulated = opened.results.simulated
        print(json_module.dumps({"folder": str(folder), "simulated": simulated, "runs": rows}, indent=2))
        return
    show_table([{key: row[key] for key in row if key != "notes"} for row in rows], title=opened.title)
    for note in dict.fromkeys(note for run in opened.values() for note in run.notes):
        console.print(f"  {note}", markup=False, soft_wrap=True)
    console.print(f"Written: {folder}, with {SIDECAR} for each run", markup=False, soft_wrap=True)
