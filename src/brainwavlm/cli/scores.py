"""Commands that score: ridge, evaluate, compare, transfer."""

from pathlib import Path
from typing import Annotated

from brainwavlm.cli import options
from brainwavlm.cli.options import option


def ridge(
    dataset: options.DatasetArgument,
    output: options.OutputOption,
    subject: options.SubjectOption = None,
    backbone: options.BackboneOption = None,
    layer: options.LayerOption = None,
    frame: options.FrameOption = None,
    context: options.ContextOption = None,
    stride: options.StrideOption = None,
    target: options.TargetOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    memory: options.MemoryOption = None,
    leave_one_out: Annotated[
        bool, option("--leave-one-out", "Predict each story from all others instead of the test stories.")
    ] = False,
    cache: options.FeaturesOption = None,
    preset: options.PresetOption = None,
    set_: options.SetOption = None,
    json: options.JsonOption = False,
) -> None:
    """Score a speech model as it is: closed-form ridge, test correlation a voxel."""
    from brainwavlm.cli.console import show_ridge
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.evaluation.evaluate import score_backbone

    given = locals() | {"memory": options.memory_gb_of(memory)}
    options.require_output(output, "scores.csv", "summary.json")
    wanted = options.config_of(None, preset, set_, given)
    score = score_backbone(wanted, leave_one_out=leave_one_out, cache=cache, progress=TerminalProgress())
    score.save(output)
    if json:
        options.print_json(score.summary)
    else:
        show_ridge(score.summary, output)


def evaluate(
    runs: options.RunsArgument,
    output: Annotated[Path | None, option("--output", "Folder for scores; default: RUN/evaluation.")] = None,
    cache: options.FeaturesOption = None,
    memory: options.MemoryOption = None,
    layers: Annotated[
        str | None, option("--layers", "Also score hidden states of both models: all, or 0,3,9.")
    ] = None,
    downstream: Annotated[
        str | None, option("--downstream", "Also ask both models what is said in clips: phones,words.")
    ] = None,
    epochs: Annotated[
        bool, option("--epochs", "Also score every epoch; needs training.keep_epochs=true.")
    ] = False,
    cross_fit: Annotated[
        bool, option("--cross-fit", "Fit ridge only on training stories that tuning did not use.")
    ] = False,
    reuse_alphas: Annotated[
        bool, option("--reuse-alphas", "Fit tuned features with the penalties chosen for the untuned ones.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Score runs on held-out stories: fresh ridge on frozen and on tuned features, with intervals of the difference."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.evaluate import evaluate as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "evaluation"
    memory_gb, states = options.memory_gb_of(memory), options.layers_of(layers)
    options.require_output(folder, "table.csv", "voxels.csv", "summary.json", in_run=True)
    opened = [open_run(path) for path in runs]
    tasks = options.names_of(downstream)
    progress = TerminalProgress()
    scores = score(opened, cache, progress, memory_gb, states, tasks, epochs, cross_fit, reuse_alphas)
    save_and_show(scores, folder, json)


def compare(
    runs: options.RunsArgument,
    evaluation: Annotated[
        list[Path] | None,
        option(
            "--evaluation", "Folder that `evaluate` wrote, beside those in the runs' own folders; repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None, option("--output", "Folder for tables; default: first RUN/comparison.")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Compare configurations over their seeds: mean and spread by epoch and target, paired differences."""
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.compare import compare as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "comparison"
    opened = [open_run(path) for path in runs]
    options.require_output(
        folder, "runs.csv", "groups.csv", "epochs.csv", "differences.csv", "summary.json", in_run=True
    )
    comparison = score(opened, evaluation or ())
    save_and_show(comparison, folder, json)


def transfer(
    runs: options.RunsArgument,
    subject: Annotated[
        list[str] | None, option("--subject", "Subject to score; repeatable. Default: all of the data set.")
    ] = None,
    layer: options.LayerOption = None,
    minutes: Annotated[
        str | None, option("--minutes", "Also fit on up to so many minutes of a subject's data: 5,10,20.")
    ] = None,
    draws: Annotated[int, option("--draws", "Random subsets of stories for each amount.")] = 5,
    test: Annotated[
        list[str] | None,
        option("--test", "Test story of every subject; repeatable. Default: as the run was split."),
    ] = None,
    cache: options.FeaturesOption = None,
    output: Annotated[
        Path | None, option("--output", "Folder for tables; default: first RUN/transfer.")
    ] = None,
    memory: options.MemoryOption = None,
    json: options.JsonOption = False,
) -> None:
    """Score models tuned on one subject in others: the matrix of subjects, and how much of their data it takes."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.transfer import transfer as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "transfer"
    memory_gb, amounts = options.memory_gb_of(memory), options.numbers_of(minutes, "--minutes")
    opened = [open_run(path) for path in runs]
    options.require_output(folder, "matrix.csv", "summary.json", in_run=True)
    scores = score(
        opened, subject or None, layer, amounts, draws, test or None, cache, TerminalProgress(), memory_gb
    )
    save_and_show(scores, folder, json)
