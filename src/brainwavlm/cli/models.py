"""Commands about models and folders that travel: export, predict, verify, copy."""

from pathlib import Path
from typing import Annotated, Any, Literal

from brainwavlm.cli import options
from brainwavlm.cli.options import argument, option

SourceArgument = Annotated[
    str, argument("Folder that `export` wrote, OWNER/NAME on the hub, or a run.", metavar="MODEL")
]


def export(
    run: Annotated[Path, argument("Folder of a finished run.")],
    output: Annotated[Path, option("--output", "-o", "New folder for the model.", show_default=False)],
    adapter: Annotated[
        bool,
        option(
            "--adapter",
            "The adapter of peft in place of merged weights. Stock WavLM ignores it: only `load` applies it.",
        ),
    ] = False,
    trim: Annotated[
        bool, option("--trim", "Leave out the blocks above the hidden state that the run reads.")
    ] = False,
    scores: Annotated[
        Path | None,
        option("Folder of `evaluate` with this run, and controls, for the card; default: the run's own."),
    ] = None,
    cache: options.FeaturesOption = None,
    push: Annotated[
        str | None, option("Also upload it to OWNER/NAME on the hub.", metavar="OWNER/NAME")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Write a run as a folder that transformers reads without this package: weights, readouts, a model card."""
    from brainwavlm.cli.console import console
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.models import export as write

    asked: dict[str, Any] = {"adapter": adapter, "trim": trim, "scores": scores, "cache": cache, "push": push}
    folder = write(run, output, progress=TerminalProgress(), **asked)
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    if json:
        options.print_json({"folder": str(folder), "files": files, "pushed": push})
        return
    console.print(f"Written: {folder}, {len(files)} files. Read {folder / 'README.md'} next.", markup=False)
    if adapter:
        console.print("Stock WavLM ignores an adapter; brainwavlm.load applies it.", markup=False)
    if push:
        console.print(f"Uploaded: {push}", markup=False)


def predict(
    model: SourceArgument,
    sounds: Annotated[list[Path], argument("Sound files.", metavar="SOUND")],
    output: Annotated[
        Path,
        option(
            "--output",
            "-o",
            "OUT.h5, .npy, .nii.gz or .func.gii; of several sounds with the name of each before the ending.",
            show_default=False,
        ),
    ],
    subject: options.SubjectOption = None,
    tr: Annotated[float | None, option("Seconds between rows; default: the data set's.")] = None,
    readout: Annotated[Literal["ridge", "trained"], option("ridge, or trained: that of tuning.")] = "ridge",
    device: options.DeviceOption = None,
    cache: options.FeaturesOption = None,
) -> None:
    """Predict a subject's responses to sounds of any length. What is broken off goes on with the same command."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.models import load
    from brainwavlm.models.prediction_files import predict_files

    opened = load(model, device=device or "auto", cache=cache, progress=TerminalProgress())
    for path in predict_files(opened, sounds, output, subject, tr, readout, TerminalProgress()):
        print(f"{path}{' (SIMULATED responses)' if opened.simulated else ''}")


def verify(model: SourceArgument, json: options.JsonOption = False) -> None:
    """Compare every file of an exported model or a run with its checksum; predict the model's example again."""
    from brainwavlm.models import verify as compare

    told = compare(model)
    if json:
        options.print_json(told)
        return
    print(f"{told['files']} files have the content that they were written with.")
    if told["difference"] is not None:
        print(f"The example is predicted as it was, within {told['difference']:.1g} deviations.")


def copy(
    source: Annotated[str, argument("Folder, or address such as s3://bucket/folder.", metavar="SOURCE")],
    target: Annotated[str, argument("The other of the two.", metavar="TARGET")],
    json: options.JsonOption = False,
) -> None:
    """Copy a folder of data, a run, a study or a model from an object store, or to one; only files that changed."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.runs.object_store import copy_folder

    copied = copy_folder(source, target, TerminalProgress())
    if json:
        options.print_json({"target": target, "copied": copied})
        return
    print(f"{target}: {len(copied)} files copied, each with the size that it has in {source}.")
