"""The command line: one function a command, no science in it. Heavy imports stay inside the commands."""

import errno
import io
import json as json_module
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from brainwavlm import __version__
from brainwavlm.cli_figure import figure
from brainwavlm.cli_maps import maps
from brainwavlm.cli_study import study
from brainwavlm.errors import BrainwavlmError
from brainwavlm.plain_text import printable

if TYPE_CHECKING:
    from brainwavlm.config import RunConfig

app = typer.Typer(
    help="Fine-tune speech models on recordings of people listening to stories, and score what that changed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(study, name="study", short_help="Run a grid of cells from one file, each once.")

DatasetArgument = Annotated[
    str,
    typer.Argument(help="Folder of a data set (native or ds003020), or the word demo.", show_default=False),
]
ConfigArgument = Annotated[
    Path | None,
    typer.Argument(help="YAML file of the run; may be left out with --preset.", show_default=False),
]
PresetOption = Annotated[
    str | None,
    typer.Option("--preset", help="paper, authors-2026, recommended or demo: the base of the run."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value over file and preset, e.g. training.epochs=3. Repeatable."),
]
SubjectOption = Annotated[str | None, typer.Option("--subject", help="Name of the subject.")]
BackboneOption = Annotated[
    str | None, typer.Option("--backbone", help="Hub id or local folder of the speech model.")
]
LayerOption = Annotated[int | None, typer.Option("--layer", help="Hidden state that is read.")]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", help="Voxels: cortex, AC, LH, aparc:bankssts, cortex-AC, ceiling>0.4, a file."),
]
FrameOption = Annotated[str | None, typer.Option("--frame", help="Frames of a window: last, first or mean.")]
ContextOption = Annotated[float | None, typer.Option("--context", help="Seconds of sound in a window.")]
StrideOption = Annotated[float | None, typer.Option("--stride", help="Seconds between windows.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of weights, order and dropout.")]
JointOption = Annotated[
    list[str] | None,
    typer.Option(
        "--joint", help="Further subject who tunes the same model, with their own readout; repeatable."
    ),
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps.")]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", help="What ridge may use, e.g. 8GB: decides voxels solved at once.")
]
OutputOption = Annotated[
    Path, typer.Option("--output", help="New folder for what is made.", show_default=False)
]
FeaturesOption = Annotated[
    Path | None, typer.Option("--features", help="Folder of features to read and add to.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]


def main() -> None:
    """Run the command line; bad input ends with its message and exit code 2, never with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a sign that the terminal's encoding lacks is escaped, not an error
            stream.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except BrainwavlmError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        place = error.filename or "--output"
        print(
            f"{printable(place)}: {error.strerror or error}.\n    Expected a place that can be read or written.",
            file=sys.stderr,
        )
        print("    Choose another path, or mend its permissions or its disk.", file=sys.stderr)
        sys.exit(1 if error.errno == errno.ENOSPC else 2)
    except KeyboardInterrupt:
        print("Stopped. A tuning run goes on from its last checkpoint with --resume.", file=sys.stderr)
        sys.exit(130)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command(short_help="Do the whole job on the embedded data set.")
def demo(
    output: Annotated[Path, typer.Option("--output", help="Folder for runs, scores and the page.")] = Path(
        "demo-output"
    ),
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove what an earlier demo left there.")
    ] = False,
    subject: SubjectOption = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Epochs of each tuning.")] = None,
) -> None:
    """Do the whole job on the embedded data set: check, plan, tune on cortex and on AC, score, report."""
    from brainwavlm.demo import run_demo

    overrides: dict[str, Any] = {}
    if subject is not None:
        overrides["subject"] = subject
    if epochs is not None:
        overrides["training.epochs"] = epochs
    _require_output(output)
    run_demo(output, replace, overrides)


@app.command(short_help="List everything that is wrong with a data set.")
def check(dataset: DatasetArgument, subject: SubjectOption = None, json: JsonOption = False) -> None:
    """Read all of a data set and list everything that is wrong with it. Exit code 0 only when it can be used."""
    from brainwavlm.datasets.check import check_dataset
    from brainwavlm.terminal import show_report

    report = check_dataset(dataset, subject)
    if json:
        _print_json(report.as_dict())
    else:
        show_report(report)
    if not report.usable:
        raise typer.Exit(2)


@app.command(short_help="List the voxel sets of a subject, with their sizes.")
def targets(
    dataset: DatasetArgument,
    who: Annotated[
        str | None, typer.Argument(metavar="[SUBJECT]", help="Name of the subject.", show_default=False)
    ] = None,
    subject: SubjectOption = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of a run, for the regions in it.")
    ] = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """List the voxel sets of one subject, or of each, with their sizes. Why others are missing goes to stderr."""
    from brainwavlm.datasets import load_dataset
    from brainwavlm.encoding.targets import target_counts, with_regions
    from brainwavlm.errors import ConfigError
    from brainwavlm.terminal import show_table

    if who is not None and subject is not None and who != subject:
        remedy = "Name it once; without a name all subjects are listed."
        raise ConfigError("--subject", f"{subject}, beside the subject {who}.", "one subject.", remedy)
    loaded = load_dataset(dataset)
    regions = _config(config, None, set_, {}, subject_needed=False).regions
    name = who if who is not None else subject
    rows, missing = [], []
    for each in (name,) if name is not None else loaded.subject_names:
        counts, reasons = target_counts(with_regions(loaded.subject(each), regions))
        rows += [{"subject": each, "target": target, "voxels": count} for target, count in counts.items()]
        missing += [f"{each}, {target}: {reason}" for target, reason in reasons.items()]
    if json:
        _print_json(rows)
    else:
        show_table(rows, title=f"Targets of {loaded.name}")
    for reason in dict.fromkeys(missing):
        print(reason, file=sys.stderr)


@app.command(short_help="Say what a tuning run would do and cost.")
def plan(
    config: ConfigArgument = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    subject: SubjectOption = None,
    backbone: BackboneOption = None,
    layer: LayerOption = None,
    target: TargetOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    joint: JointOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a tuning run would do and cost, from a short calibration. Writes nothing."""
    from brainwavlm.planning import plan as make_plan
    from brainwavlm.terminal import show_plan

    made = make_plan(_config(config, preset, set_, locals() | _together(joint)))
    if json:
        _print_json(made.as_dict())
    else:
        show_plan(made)


@app.command(short_help="Fine-tune a speech model on the responses of listeners.")
def tune(
    output: OutputOption,
    config: ConfigArgument = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    subject: SubjectOption = None,
    backbone: BackboneOption = None,
    layer: LayerOption = None,
    target: TargetOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    joint: JointOption = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the last checkpoint in --output; without a file, preset or --set, as it was configured.",
        ),
    ] = False,
) -> None:
    """Fine-tune a speech model on the responses of one subject, or of several together (--joint)."""
    from brainwavlm.encoding.tuning import tune as start
    from brainwavlm.progress import TerminalProgress
    from brainwavlm.runs import open_run

    given = locals() | _together(joint)
    _require_output(output)
    again = resume and config is None and preset is None and not set_
    base = open_run(output).config.model_dump(mode="json") if again else None
    wanted = _config(config, preset, set_, given, base=base)
    typed = shlex.join(["brainwavlm", *sys.argv[1:]])
    run = start(wanted, output, resume=resume, progress=TerminalProgress(), command=typed)
    best = (run.result or {})["best"]
    if best is None:
        print(f"No epoch was asked for; {run.path} holds no tuned model.")
        return
    r = (
        "no validation stories"
        if best["validation_r"] is None
        else f"validation r {best['validation_r']:.4f}"
    )
    print(f"Best epoch {best['epoch']} ({r}). Next:  brainwavlm evaluate {run.path}")


@app.command(short_help="Compute the features of all layers once, into a folder.")
def features(
    dataset: DatasetArgument,
    output: OutputOption,
    backbone: BackboneOption = None,
    subject: SubjectOption = None,
    context: ContextOption = None,
    stride: StrideOption = None,
    frame: FrameOption = None,
    device: DeviceOption = None,
    preset: PresetOption = None,
    set_: SetOption = None,
) -> None:
    """Compute the features of all layers for each story once, into a folder that other commands read."""
    from brainwavlm.extraction import extract_dataset
    from brainwavlm.progress import TerminalProgress

    given = locals()
    _require_output(output)
    wanted = _config(None, preset, [*(set_ or []), f"dataset={dataset}"], given, subject_needed=False)
    extract_dataset(wanted, output, subject, TerminalProgress())


@app.command(short_help="Score a speech model as it is, by closed-form ridge.")
def ridge(
    dataset: DatasetArgument,
    output: OutputOption,
    subject: SubjectOption = None,
    backbone: BackboneOption = None,
    layer: LayerOption = None,
    frame: FrameOption = None,
    context: ContextOption = None,
    stride: StrideOption = None,
    target: TargetOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    memory: MemoryOption = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out", help="Predict each story from all others instead of the test stories."
        ),
    ] = False,
    cache: Annotated[
        Path | None, typer.Option("--features", help="Folder of features to read and add to.")
    ] = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Score a speech model as it is: closed-form ridge, test correlation a voxel."""
    from brainwavlm.evaluation.evaluate import score_backbone
    from brainwavlm.progress import TerminalProgress
    from brainwavlm.terminal import show_ridge

    given = locals() | {"memory": _gigabytes(memory)}
    _require_output(output, "scores.csv", "summary.json")
    wanted = _config(None, preset, [*(set_ or []), f"dataset={dataset}"], given)
    score = score_backbone(wanted, leave_one_out=leave_one_out, cache=cache, progress=TerminalProgress())
    score.save(output)
    if json:
        _print_json(score.summary)
    else:
        show_ridge(score, output)


@app.command(short_help="Score runs on held-out stories, frozen against tuned.")
def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Folders of tuning runs.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for scores; default: RUN/evaluation.")
    ] = None,
    cache: FeaturesOption = None,
    memory: MemoryOption = None,
    layers: Annotated[
        str | None, typer.Option("--layers", help="Also score hidden states of both models: all, or 0,3,9.")
    ] = None,
    downstream: Annotated[
        str | None,
        typer.Option("--downstream", help="Also ask both models what is said in clips: phones,words."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Score runs on held-out stories: fresh ridge on frozen and on tuned features, with intervals of the difference."""
    from brainwavlm.evaluation.evaluate import evaluate as score
    from brainwavlm.progress import TerminalProgress
    from brainwavlm.runs import open_run
    from brainwavlm.terminal import show_scores
    from brainwavlm.terminal_comparisons import show_downstream, show_layers

    folder = output if output is not None else runs[0] / "evaluation"
    memory_gb, states = _gigabytes(memory), _states(layers)
    _require_output(folder, "table.csv", "voxels.csv", "summary.json", in_run=True)
    opened = [open_run(path) for path in runs]
    tasks = [] if downstream is None else [name.strip() for name in downstream.split(",")]
    scores = score(opened, cache, TerminalProgress(), memory_gb, states, tasks)
    scores.save(folder)
    if json:
        _print_json(scores.as_dict())
    else:
        show_scores(scores, folder)
        show_layers(scores)
        show_downstream(scores)


@app.command(short_help="Compare configurations over their seeds.")
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of tuning runs.", show_default=False)],
    epochs: Annotated[
        bool,
        typer.Option("--epochs", help="Also score every epoch by ridge; needs training.keep_epochs=true."),
    ] = False,
    cache: FeaturesOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for tables; default: first RUN/comparison.")
    ] = None,
    memory: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Compare configurations over their seeds: mean and spread by epoch and target, paired differences."""
    from brainwavlm.evaluation.compare import compare as score
    from brainwavlm.progress import TerminalProgress
    from brainwavlm.runs import open_run
    from brainwavlm.terminal_comparisons import show_comparison

    folder = output if output is not None else runs[0] / "comparison"
    memory_gb = _gigabytes(memory)
    opened = [open_run(path) for path in runs]
    _require_output(
        folder, "runs.csv", "groups.csv", "epochs.csv", "differences.csv", "summary.json", in_run=True
    )
    found = score(opened, epochs, cache, TerminalProgress(), memory_gb)
    found.save(folder)
    if json:
        _print_json(found.as_dict())
    else:
        show_comparison(found, folder)


@app.command(short_help="Score models tuned on one listener in others.")
def transfer(
    runs: Annotated[list[Path], typer.Argument(help="Folders of tuning runs.", show_default=False)],
    subject: Annotated[
        list[str] | None,
        typer.Option("--subject", help="Listener to score; repeatable. Default: all of the data set."),
    ] = None,
    layer: LayerOption = None,
    minutes: Annotated[
        str | None,
        typer.Option("--minutes", help="Also fit on up to so many minutes of a listener's data: 5,10,20."),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", help="Random subsets of stories for each amount.")] = 5,
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test", help="Test story of every listener; repeatable. Default: as the run was split."
        ),
    ] = None,
    cache: FeaturesOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for tables; default: first RUN/transfer.")
    ] = None,
    memory: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Score models tuned on one listener in others: the matrix of listeners, and how much of their data it takes."""
    from brainwavlm.evaluation.transfer import transfer as score
    from brainwavlm.progress import TerminalProgress
    from brainwavlm.runs import open_run
    from brainwavlm.terminal_comparisons import show_transfer

    folder = output if output is not None else runs[0] / "transfer"
    memory_gb, amounts = _gigabytes(memory), _numbers(minutes, "--minutes")
    opened = [open_run(path) for path in runs]
    _require_output(folder, "matrix.csv", "summary.json", in_run=True)
    found = score(
        opened, subject or None, layer, amounts, draws, test or None, cache, TerminalProgress(), memory_gb
    )
    found.save(folder)
    if json:
        _print_json(found.as_dict())
    else:
        show_transfer(found, folder)


@app.command(short_help="Make one self-contained page of results.")
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Folders that `evaluate`, `compare` or `transfer` wrote, or runs, whose evaluation is shown.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", help="HTML file; default: report.html in the first folder.")
    ] = None,
) -> None:
    """Make one self-contained page of results: findings, a cortex that turns, tables, charts, how it was computed."""
    from brainwavlm.reporting.report import shown_folder, write_report

    print(write_report(folders, output or shown_folder(folders[0]) / "report.html"))


app.command(short_help="Draw a figure for a paper from results.")(figure)
app.command(short_help="Write maps as NIfTI and GIFTI files for other tools.")(maps)


@app.command(short_help="List runs with their state, age and scores.")
def runs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path(),
    json: JsonOption = False,
) -> None:
    """List the runs below a folder: state, age, best validation r, and test r where there is an evaluation."""
    from brainwavlm.listing import summaries
    from brainwavlm.terminal_runs import show_runs

    rows = summaries(folder)
    if json:
        _print_json(rows)
    else:
        show_runs(rows, folder)


@app.command(short_help="Show how a run went, and what to do next.")
def show(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Show what a run was asked to do, how it went, what came out and what to do next."""
    from brainwavlm.listing import run_state
    from brainwavlm.provenance import read_provenance
    from brainwavlm.runs import open_run
    from brainwavlm.terminal_runs import show_run

    opened = open_run(run)
    if json:
        record = {"state": run_state(opened), "provenance": read_provenance(opened.path)}
        _print_json({"manifest": opened.manifest, "result": opened.result, **record})
    else:
        show_run(opened)


_OPTION_KEYS = {
    "subject": "subject",
    "backbone": "backbone.name",
    "layer": "backbone.layer",
    "target": "target",
    "frame": "windows.frame",
    "context": "windows.context",
    "stride": "windows.stride",
    "seed": "seed",
    "device": "device",
    "memory": "ridge.memory_gb",
    "joint": "joint",
}


def _config(
    path: Path | None,
    preset: str | None,
    set_: list[str] | None,
    options: dict[str, Any],
    subject_needed: bool = True,
    base: dict[str, Any] | None = None,
) -> "RunConfig":
    from brainwavlm.config import load_config, parse_overrides

    overrides = {**(base or {}), **parse_overrides(set_ or [])}
    overrides |= {key: options[name] for name, key in _OPTION_KEYS.items() if options.get(name) is not None}
    if not subject_needed:
        overrides.setdefault("subject", "none")
    given = {key: f"--{name}" for name, key in _OPTION_KEYS.items() if options.get(name) is not None}
    return load_config(path, preset, overrides, options=given)


def _together(joint: list[str] | None) -> dict[str, Any]:
    return {"joint": [{"subject": name} for name in joint] if joint else None}


def _gigabytes(memory: str | None) -> float | None:
    from brainwavlm.config import gigabytes

    return None if memory is None else gigabytes(memory, "--memory")


def _numbers(text: str | None, source: str) -> list[float]:
    """[5.0, 10.0] from "5,10"."""
    from brainwavlm.errors import ConfigError

    try:
        return [] if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            source, repr(text), "numbers with commas between them.", f"For instance: {source} 5,10,20"
        ) from None


def _states(layers: str | None) -> list[int] | Literal["all"] | None:
    """[0, 3, 9] from "0,3,9"; `all` and None as they are."""
    from brainwavlm.errors import ConfigError

    if layers is None or layers.strip() == "all":
        return None if layers is None else "all"
    try:
        return [int(part) for part in layers.split(",")]
    except ValueError:
        remedy = "For instance: --layers 0,3,9"
        raise ConfigError(
            "--layers", repr(layers), "all, or whole numbers with commas between them.", remedy
        ) from None


def _require_output(path: Path, *own: str, in_run: bool = False) -> None:
    """Refuse, before anything is computed, an output that cannot be made or that would mix with other files.

    With the names of a command's `own` files, a folder must be new or empty, or hold an earlier result: all of them.
    """
    from brainwavlm.errors import ConfigError
    from brainwavlm.places import require_apart

    parents = [folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists()]
    if not parents[0].is_dir() or not os.access(parents[0], os.W_OK):
        raise ConfigError(
            "--output",
            f"{path} cannot be made.",
            "a folder that is new or can be written.",
            "Choose another place.",
        )
    earlier = all((path / name).is_file() for name in own)
    if not earlier and path.exists() and any(path.iterdir()):
        raise ConfigError(
            "--output",
            f"{path} is a folder with other files.",
            f"a new or empty folder, or one with an earlier {', '.join(own)}, which are replaced.",
            "Choose another place.",
        )
    require_apart(path, in_run)


def _print_json(content: Any) -> None:
    print(json_module.dumps(content, indent=2, allow_nan=False))
