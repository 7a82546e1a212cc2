"""The commands `brainwavlm study ...`. Heavy imports stay inside the commands."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brainwavlm.cli.options import JsonOption, answer, argument, option, print_json
from brainwavlm.cli.progress import TerminalProgress

if TYPE_CHECKING:
    from brainwavlm.study.description import Study


study = typer.Typer(
    help="Run a grid of cells from one file, each tuned and scored once, and see how far they are.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FileArgument = Annotated[Path, argument("YAML file of the study.")]
FolderArgument = Annotated[Path, argument("Folder of the study.")]


@study.command(short_help="Tune and score every cell that is not done yet.")
def run(
    file: FileArgument,
    output: Annotated[
        Path,
        option("Folder of the study: new, or to go on with. ray: on shared storage.", show_default=False),
    ],
    engine: Annotated[str, option("local: processes of this machine. ray: a Ray cluster.")] = "local",
    workers: Annotated[
        int | None, option("Cells at once; default: 1, with --address what the cluster has room for.")
    ] = None,
    address: Annotated[str | None, option("ray: an existing cluster; default: Ray on this machine.")] = None,
    cpus: Annotated[int, option("Threads of each cell, and what it asks of Ray.")] = 1,
    gpus: Annotated[
        float | None,
        option(
            "GPUs of each cell, 1 or a part of one; default: local: 1 where there are any, ray: 0.",
            show_default=False,
        ),
    ] = None,
    memory_gb: Annotated[
        float | None, option("ray: memory that each cell asks for; --dry-run estimates it.")
    ] = None,
    retries: Annotated[int, option("Times that a cell whose process died is started again.")] = 3,
    retry_failed: Annotated[
        bool, option("--retry-failed", "Start also the cells that failed before.")
    ] = False,
    only: Annotated[list[str] | None, option("Experiment whose cells are worked on; repeatable.")] = None,
    upload: Annotated[
        str | None,
        option(
            "Address on an object store, e.g. s3://bucket/study, to which cells go when they are done.",
            show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        option("--set", "key=value for every cell, above the file, e.g. training.epochs=3. Repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, option("--dry-run", "List the cells with hours and memory; write nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Tune and score every cell that is not done yet. Exit code 1 when one failed; the others go on.

    Started again, it keeps what is done and goes on from the checkpoints of the rest.
    """
    from brainwavlm.cli.show_study import show_study, status_rows
    from brainwavlm.config import parse_overrides
    from brainwavlm.study import load_study

    wanted = load_study(file).with_settings(parse_overrides(set_ or []))
    options: dict[str, Any] = {
        "engine": engine,
        "workers": workers,
        "address": address,
        "cpus": cpus,
        "gpus": gpus,
    }
    options |= {"memory_gb": memory_gb, "retries": retries}
    if dry_run:
        _dry_run(wanted, output, options, only or [], json)
        return

    from brainwavlm.study import open_study, run_study

    options |= {"retry_failed": retry_failed, "only": only or (), "upload": upload}

    def finished(state: Any) -> None:
        took = "" if state.seconds is None else f", {state.seconds:.0f} s"
        print(f"{state.folder}: {state.state}{took}", file=sys.stderr if json else sys.stdout, flush=True)

    try:
        states = run_study(wanted, output, finished=finished, progress=_ToldProgress(), **options)
    except KeyboardInterrupt:
        print("Stopped. Started again, the study goes on from the checkpoints of its cells.", file=sys.stderr)
        raise typer.Exit(130) from None
    folder = open_study(output)
    answer(json, status_rows(folder), show_study, folder)
    if any(state.state != "done" for state in states):
        raise typer.Exit(1)


@study.command(short_help="Say how far each cell is.")
def status(folder: FolderArgument, json: JsonOption = False) -> None:
    """Say how far each cell of a study is: experiment, varied keys, state, tries, seconds, error."""
    from brainwavlm.cli.show_study import show_study, status_rows
    from brainwavlm.study import open_study

    opened = open_study(folder)
    answer(json, status_rows(opened), show_study, opened)


@study.command(short_help="Write one page of a study, from the cells that are there.")
def report(
    folder: FolderArgument,
    output: Annotated[
        Path | None, option("HTML file; default: report.html in that folder.", show_default=False)
    ] = None,
) -> None:
    """Write one page of a study: what was asked, the table of claims, figures, and which cells are missing.

    Its tables go to report/ in the folder of the study, as CSV files.
    """
    from brainwavlm.reporting.page.study import TABLES, write_study_report

    page = write_study_report(folder, output)
    print(f"Wrote {page}; tables in {folder / TABLES}")


class _ToldProgress(TerminalProgress):
    """Bars, and their titles as lines, which stay where there is no terminal."""

    def over(self, items: Iterable[Any], title: str) -> Iterable[Any]:
        """The items, one by one, under a title."""
        print(title, file=sys.stderr, flush=True)
        return super().over(items, title)


def _dry_run(study: "Study", output: Path, options: dict[str, Any], only: list[str], json: bool) -> None:
    from brainwavlm.cli.console import show_sentences, show_table
    from brainwavlm.study.calibrations import calibrations
    from brainwavlm.study.cost import estimate
    from brainwavlm.study.engines import engine_options

    def timed(name: str) -> None:
        print(f"Timing {name}", file=sys.stderr)

    workers = engine_options(**options).workers or 1  # refuses what is wrong
    with calibrations(options["cpus"], timed) as calibrated:
        cost = estimate(study, output, calibrated, workers, only, progress=_ToldProgress())
    if json:
        print_json(asdict(cost))
        return
    rows = [
        {"cell": row["name"], "experiments": ", ".join(row["experiments"]), "state": row["state"]}
        | {"hours": row["hours"], "GB": row["memory_gb"]}
        for row in cost.cells
    ]
    show_table(rows, title=f"{study.name}: {len(rows)} cells, tuning only")
    show_sentences(
        f"{cost.hours:.2f} h for what is not done, {cost.hours_on_workers:.2f} h on {cost.workers} at once, "
        f"with {cost.memory_gb:.1f} GB of memory. {cost.calibrations} kinds of cells were timed, the first on "
        f"{cost.timed_at}; scoring comes on top. Nothing of the study was written."
    )
