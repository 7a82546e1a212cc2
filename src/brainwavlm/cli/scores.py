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

    given = locals()
    options.require_output(output, "scores.csv", "summary.json")
    wanted = options.config_of(None, preset, set_, given)
    score = score_backbone(wanted, leave_one_out=leave_one_out, cache=cache, progress=TerminalProgress())
    score.save(output)
    options.answer(json, score.summary, show_ridge, score.summary, output)


def evaluate(
    runs: options.RunsArgument,
    output: Annotated[Path | None, options.results_in("evaluation")] = None,
    cache: options.FeaturesOption = None,
    memory: options.MemoryOption = None,
    layers: Annotated[str | None, option("Also score hidden states of both models: all, or 0,3,9.")] = None,
    downstream: Annotated[
        str | None, option("Also ask both models what is said in clips: phones,words.")
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

    states, tasks = options.layers_of(layers), options.names_of(downstream)
    opened, folder = options.opened_runs(runs, output, "evaluation", "table.csv")
    progress = TerminalProgress()
    scores = score(opened, cache, progress, memory, states, tasks, epochs, cross_fit, reuse_alphas)
    save_and_show(scores, folder, json)


def compare(
    runs: options.RunsArgument,
    evaluation: Annotated[
        list[Path] | None,
        option("Folder that `evaluate` wrote, beside those in the runs' own folders; repeatable."),
    ] = None,
    output: Annotated[Path | None, options.results_in("comparison")] = None,
    json: options.JsonOption = False,
) -> None:
    """Compare configurations over their seeds: mean and spread by epoch and target, paired differences."""
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.compare import compare as score

    tables = ("runs.csv", "groups.csv", "epochs.csv", "differences.csv")
    opened, folder = options.opened_runs(runs, output, "comparison", *tables)
    save_and_show(score(opened, evaluation or ()), folder, json)


def transfer(
    runs: options.RunsArgument,
    subject: Annotated[
        list[str] | None, option("Subject to score; repeatable. Default: all of the data set.")
    ] = None,
    layer: options.LayerOption = None,
    minutes: Annotated[
        str | None, option("Also fit on up to so many minutes of a subject's data: 5,10,20.")
    ] = None,
    draws: Annotated[int, option("Random subsets of stories for each amount.")] = 5,
    test: Annotated[
        list[str] | None, option("Test story of every subject; repeatable. Default: as the run was split.")
    ] = None,
    cache: options.FeaturesOption = None,
    output: Annotated[Path | None, options.results_in("transfer")] = None,
    memory: options.MemoryOption = None,
    json: options.JsonOption = False,
) -> None:
    """Score models tuned on one subject in others: the matrix of subjects, and how much of their data it takes."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.transfer import transfer as score

    amounts = options.numbers_of(minutes, "--minutes")
    opened, folder = options.opened_runs(runs, output, "transfer", "matrix.csv")
    scores = score(
        opened, subject or None, layer, amounts, draws, test or None, cache, TerminalProgress(), memory
    )
    save_and_show(scores, folder, json)
