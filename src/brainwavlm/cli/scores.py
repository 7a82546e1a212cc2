"""Commands that score: ridge, evaluate, compare, transfer."""

from pathlib import Path
from typing import Annotated

import typer

from brainwavlm.cli.options import (
    BackboneOption,
    ContextOption,
    DatasetArgument,
    DeviceOption,
    FeaturesOption,
    FrameOption,
    JsonOption,
    LayerOption,
    MemoryOption,
    OutputOption,
    PresetOption,
    RunsArgument,
    SeedOption,
    SetOption,
    StrideOption,
    SubjectOption,
    TargetOption,
    config_of,
    layers_of,
    memory_gb_of,
    names_of,
    numbers_of,
    print_json,
    require_output,
)


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
    cache: FeaturesOption = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Score a speech model as it is: closed-form ridge, test correlation a voxel."""
    from brainwavlm.cli.console import show_ridge
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.evaluation.evaluate import score_backbone

    given = locals() | {"memory": memory_gb_of(memory)}
    require_output(output, "scores.csv", "summary.json")
    wanted = config_of(None, preset, set_, given)
    score = score_backbone(wanted, leave_one_out=leave_one_out, cache=cache, progress=TerminalProgress())
    score.save(output)
    if json:
        print_json(score.summary)
    else:
        show_ridge(score.summary, output)


def evaluate(
    runs: RunsArgument,
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
    epochs: Annotated[
        bool, typer.Option("--epochs", help="Also score every epoch; needs training.keep_epochs=true.")
    ] = False,
    cross_fit: Annotated[
        bool,
        typer.Option("--cross-fit", help="Fit ridge only on training stories that tuning did not use."),
    ] = False,
    reuse_alphas: Annotated[
        bool,
        typer.Option(
            "--reuse-alphas", help="Fit tuned features with the penalties chosen for the untuned ones."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Score runs on held-out stories: fresh ridge on frozen and on tuned features, with intervals of the difference."""
    from brainwavlm.cli.console import show_scores
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import show_downstream, show_layers
    from brainwavlm.evaluation.evaluate import evaluate as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "evaluation"
    memory_gb, states = memory_gb_of(memory), layers_of(layers)
    require_output(folder, "table.csv", "voxels.csv", "summary.json", in_run=True)
    opened = [open_run(path) for path in runs]
    tasks = names_of(downstream)
    progress = TerminalProgress()
    scores = score(opened, cache, progress, memory_gb, states, tasks, epochs, cross_fit, reuse_alphas)
    scores.save(folder)
    if json:
        print_json(scores.as_dict())
    else:
        show_scores(scores, folder)
        show_layers(scores)
        show_downstream(scores)


def compare(
    runs: RunsArgument,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluation",
            help="Folder that `evaluate` wrote, beside those in the runs' own folders; repeatable.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for tables; default: first RUN/comparison.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare configurations over their seeds: mean and spread by epoch and target, paired differences."""
    from brainwavlm.cli.show_scores import show_comparison
    from brainwavlm.evaluation.compare import compare as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "comparison"
    opened = [open_run(path) for path in runs]
    require_output(
        folder, "runs.csv", "groups.csv", "epochs.csv", "differences.csv", "summary.json", in_run=True
    )
    comparison = score(opened, evaluation or ())
    comparison.save(folder)
    if json:
        print_json(comparison.as_dict())
    else:
        show_comparison(comparison, folder)


def transfer(
    runs: RunsArgument,
    subject: Annotated[
        list[str] | None,
        typer.Option("--subject", help="Subject to score; repeatable. Default: all of the data set."),
    ] = None,
    layer: LayerOption = None,
    minutes: Annotated[
        str | None,
        typer.Option("--minutes", help="Also fit on up to so many minutes of a subject's data: 5,10,20."),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", help="Random subsets of stories for each amount.")] = 5,
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test", help="Test story of every subject; repeatable. Default: as the run was split."
        ),
    ] = None,
    cache: FeaturesOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for tables; default: first RUN/transfer.")
    ] = None,
    memory: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Score models tuned on one subject in others: the matrix of subjects, and how much of their data it takes."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import show_transfer
    from brainwavlm.evaluation.transfer import transfer as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "transfer"
    memory_gb, amounts = memory_gb_of(memory), numbers_of(minutes, "--minutes")
    opened = [open_run(path) for path in runs]
    require_output(folder, "matrix.csv", "summary.json", in_run=True)
    scores = score(
        opened, subject or None, layer, amounts, draws, test or None, cache, TerminalProgress(), memory_gb
    )
    scores.save(folder)
    if json:
        print_json(scores.as_dict())
    else:
        show_transfer(scores, folder)
