"""Commands that ask what a model says of the stimulus: probe, partition, downstream."""

from pathlib import Path
from typing import Annotated, Literal

from brainwavlm.cli import options
from brainwavlm.cli.options import option

_Features = Annotated[
    str,
    option(
        "--features",
        "Names with commas between them: mel,articulation,glove=FILE,word-rate. See docs/how-to/probes.md.",
        show_default=False,
    ),
]


def probe(
    runs: options.RunsArgument,
    features: _Features,
    output: Annotated[Path | None, options.results_in("probes")] = None,
    layers: Annotated[str | None, option("Hidden states: all, or 0,3,9. Default: the run's own.")] = None,
    controls: Annotated[
        str | None,
        option("Of shuffled, unseen-types, beyond-low-level, random, low-level; none. Default: all."),
    ] = None,
    cache: Annotated[Path | None, option("Folder of vectors to read and add to.")] = None,
    memory: options.MemoryOption = None,
    json: options.JsonOption = False,
) -> None:
    """Read features of the stimulus off both models' hidden states: sound, phones, words, meaning."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.probes.probe import probe as score
    from brainwavlm.evaluation.probes.tasks import CONTROLS

    states = options.layers_of(layers)
    opened, folder = options.opened_runs(runs, output, "probes", "probes.csv")
    names = options.names_of(features)
    asked = CONTROLS if controls is None else [] if controls == "none" else options.names_of(controls)
    probes = score(opened, names, states, cache, TerminalProgress(), memory, asked)
    save_and_show(probes, folder, json)


def partition(
    runs: options.RunsArgument,
    features: _Features,
    candidates: Annotated[int, option("Weights of the spaces to try for each fit.")] = 30,
    output: Annotated[Path | None, options.results_in("partition")] = None,
    cache: Annotated[Path | None, option("Folder of the model's features to read and add to.")] = None,
    memory: options.MemoryOption = None,
    json: options.JsonOption = False,
) -> None:
    """Split scores between features of the stimulus and what only the model has, frozen and tuned, by banded ridge."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.partition import partition as split

    opened, folder = options.opened_runs(runs, output, "partition", "partition.csv", "partition_voxels.csv")
    result = split(opened, options.names_of(features), cache, TerminalProgress(), memory, candidates)
    save_and_show(result, folder, json)


def downstream(
    runs: options.RunsArgument,
    task: Annotated[
        str,
        option(
            "phones, words, speaker, a column of a table of sounds, asr or synthesis.", show_default=False
        ),
    ],
    data: Annotated[
        str | None,
        option(
            "demo, a data set with transcripts, a table of sounds (or its folder), LibriSpeech or TIMIT. Default: "
            "the data set of the first run. See docs/how-to/speech-tasks.md.",
        ),
    ] = None,
    output: Annotated[Path | None, options.results_in("downstream-TASK")] = None,
    layers: Annotated[str, option("Hidden states that are summed: all, or 0,3,9.")] = "all",
    seeds: Annotated[int, option("Heads to train for each model.")] = 3,
    tokens: Annotated[
        Literal["phones", "characters"] | None,
        option("What is recognised. Default: phones where every utterance has some."),
    ] = None,
    epochs: Annotated[int, option("Passes over the training utterances at most.")] = 20,
    memory: Annotated[str, option("What hidden states may take.")] = "8GB",
    json: options.JsonOption = False,
) -> None:
    """Train small heads for a speech task on frozen hidden states of both models: is tuned speech still good speech?"""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.speech_tasks.downstream import downstream as score

    memory_gb, states = options.gigabytes_of(memory), options.layers_of(layers)
    opened, folder = options.opened_runs(runs, output, f"downstream-{task}", "speech_task.csv")
    result = score(opened, task, data, states, seeds, tokens, epochs, memory_gb, TerminalProgress())
    save_and_show(result, folder, json)
