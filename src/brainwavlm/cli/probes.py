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
    output: Annotated[
        Path | None, option("--output -o", "Folder for tables; default: first RUN/probes.")
    ] = None,
    layers: Annotated[
        str | None, option("--layers", "Hidden states: all, or 0,3,9. Default: the run's own.")
    ] = None,
    controls: Annotated[
        str | None,
        option(
            "--controls",
            "Of shuffled, unseen-types, beyond-low-level, random, low-level; none. Default: all.",
        ),
    ] = None,
    cache: Annotated[Path | None, option("--cache", "Folder of vectors to read and add to.")] = None,
    memory: options.MemoryOption = None,
    json: options.JsonOption = False,
) -> None:
    """Read features of the stimulus off both models' hidden states: sound, phones, words, meaning."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.probes.probe import probe as score
    from brainwavlm.evaluation.probes.tasks import CONTROLS
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "probes"
    memory_gb, states = options.memory_gb_of(memory), options.layers_of(layers)
    options.require_output(folder, "probes.csv", "summary.json", in_run=True)
    names = options.names_of(features)
    asked = CONTROLS if controls is None else [] if controls == "none" else options.names_of(controls)
    opened = [open_run(path) for path in runs]
    probes = score(opened, names, states, cache, TerminalProgress(), memory_gb, asked)
    save_and_show(probes, folder, json)


def partition(
    runs: options.RunsArgument,
    features: _Features,
    candidates: Annotated[int, option("--candidates", "Weights of the spaces to try for each fit.")] = 30,
    output: Annotated[
        Path | None, option("--output -o", "Folder for tables; default: first RUN/partition.")
    ] = None,
    cache: Annotated[
        Path | None, option("--cache", "Folder of the model's features to read and add to.")
    ] = None,
    memory: options.MemoryOption = None,
    json: options.JsonOption = False,
) -> None:
    """Split scores between features of the stimulus and what only the model has, frozen and tuned, by banded ridge."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.evaluation.partition import partition as split
    from brainwavlm.runs.run import open_run

    folder, memory_gb = output if output is not None else runs[0] / "partition", options.memory_gb_of(memory)
    options.require_output(folder, "partition.csv", "partition_voxels.csv", "summary.json", in_run=True)
    opened, names = [open_run(path) for path in runs], options.names_of(features)
    result = split(opened, names, cache, TerminalProgress(), memory_gb, candidates)
    save_and_show(result, folder, json)


def downstream(
    runs: options.RunsArgument,
    task: Annotated[
        str,
        option(
            "--task",
            "phones, words, speaker, a column of a table of sounds, asr or synthesis.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        option(
            "--data",
            "demo, a data set with transcripts, a table of sounds (or its folder), LibriSpeech or TIMIT. Default: "
            "the data set of the first run. See docs/how-to/speech-tasks.md.",
        ),
    ] = None,
    output: Annotated[
        Path | None, option("--output -o", "Folder; default: first RUN/downstream-TASK.")
    ] = None,
    layers: Annotated[str, option("--layers", "Hidden states that are summed: all, or 0,3,9.")] = "all",
    seeds: Annotated[int, option("--seeds", "Heads to train for each model.")] = 3,
    tokens: Annotated[
        Literal["phones", "characters"] | None,
        option("--tokens", "What is recognised. Default: phones where every utterance has some."),
    ] = None,
    epochs: Annotated[int, option("--epochs", "Passes over the training utterances at most.")] = 20,
    memory: Annotated[str, option("--memory", "What hidden states may take.")] = "8GB",
    json: options.JsonOption = False,
) -> None:
    """Train small heads for a speech task on frozen hidden states of both models: is tuned speech still good speech?"""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import save_and_show
    from brainwavlm.config import gigabytes
    from brainwavlm.evaluation.speech_tasks.downstream import downstream as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / f"downstream-{task}"
    memory_gb, states = gigabytes(memory, "--memory"), options.layers_of(layers)
    options.require_output(folder, "speech_task.csv", "summary.json", in_run=True)
    opened = [open_run(path) for path in runs]
    result = score(opened, task, data, states, seeds, tokens, epochs, memory_gb, TerminalProgress())
    save_and_show(result, folder, json)
