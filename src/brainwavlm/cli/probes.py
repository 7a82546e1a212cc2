"""Commands that ask what a model says of the stimulus: probe, partition, downstream."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from brainwavlm.cli.options import (
    JsonOption,
    MemoryOption,
    RunsArgument,
    layers_of,
    memory_gb_of,
    names_of,
    print_json,
    require_output,
)

_Features = Annotated[
    str,
    typer.Option(
        "--features",
        help="Names with commas between them: mel,articulation,glove=FILE,word-rate. See docs/how-to/probes.md.",
        show_default=False,
    ),
]


def probe(
    runs: RunsArgument,
    features: _Features,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for tables; default: first RUN/probes.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option("--layers", help="Hidden states: all, or 0,3,9. Default: the run's own.")
    ] = None,
    controls: Annotated[
        str | None,
        typer.Option(
            "--controls",
            help="Of shuffled, unseen-types, beyond-low-level, random, low-level; none. Default: all.",
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of vectors to read and add to.")
    ] = None,
    memory: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Read features of the stimulus off both models' hidden states: sound, phones, words, meaning."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import show_probes
    from brainwavlm.evaluation.probes.probe import probe as score
    from brainwavlm.evaluation.probes.tasks import CONTROLS
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / "probes"
    memory_gb, states = memory_gb_of(memory), layers_of(layers)
    require_output(folder, "probes.csv", "summary.json", in_run=True)
    names = names_of(features)
    asked = CONTROLS if controls is None else [] if controls == "none" else names_of(controls)
    opened = [open_run(path) for path in runs]
    probes = score(opened, names, states, cache, TerminalProgress(), memory_gb, asked)
    probes.save(folder)
    if json:
        print_json(probes.as_dict())
    else:
        show_probes(probes, folder)


def partition(
    runs: RunsArgument,
    features: _Features,
    candidates: Annotated[
        int, typer.Option("--candidates", help="Weights of the spaces to try for each fit.")
    ] = 30,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for tables; default: first RUN/partition.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of the model's features to read and add to.")
    ] = None,
    memory: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Split scores between features of the stimulus and what only the model has, frozen and tuned, by banded ridge."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import show_partition
    from brainwavlm.evaluation.partition import partition as split
    from brainwavlm.runs.run import open_run

    folder, memory_gb = output if output is not None else runs[0] / "partition", memory_gb_of(memory)
    require_output(folder, "partition.csv", "partition_voxels.csv", "summary.json", in_run=True)
    opened, names = [open_run(path) for path in runs], names_of(features)
    result = split(opened, names, cache, TerminalProgress(), memory_gb, candidates)
    result.save(folder)
    if json:
        print_json(result.as_dict())
    else:
        show_partition(result, folder)


def downstream(
    runs: RunsArgument,
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="phones, words, speaker, a column of a table of sounds, asr or synthesis.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="demo, a data set with transcripts, a table of sounds (or its folder), LibriSpeech or TIMIT. Default: "
            "the data set of the first run. See docs/how-to/speech-tasks.md.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default: first RUN/downstream-TASK.")
    ] = None,
    layers: Annotated[
        str, typer.Option("--layers", help="Hidden states that are summed: all, or 0,3,9.")
    ] = "all",
    seeds: Annotated[int, typer.Option("--seeds", help="Heads to train for each model.")] = 3,
    tokens: Annotated[
        Literal["phones", "characters"] | None,
        typer.Option("--tokens", help="What is recognised. Default: phones where every utterance has some."),
    ] = None,
    epochs: Annotated[
        int, typer.Option("--epochs", help="Passes over the training utterances at most.")
    ] = 20,
    memory: Annotated[str, typer.Option("--memory", help="What hidden states may take.")] = "8GB",
    json: JsonOption = False,
) -> None:
    """Train small heads for a speech task on frozen hidden states of both models: is tuned speech still good speech?"""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.cli.show_scores import show_speech_task
    from brainwavlm.config import gigabytes
    from brainwavlm.evaluation.speech_tasks.downstream import downstream as score
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / f"downstream-{task}"
    memory_gb, states = gigabytes(memory, "--memory"), layers_of(layers)
    require_output(folder, "speech_task.csv", "summary.json", in_run=True)
    opened = [open_run(path) for path in runs]
    result = score(opened, task, data, states, seeds, tokens, epochs, memory_gb, TerminalProgress())
    result.save(folder)
    if json:
        print_json(result.as_dict())
    else:
        show_speech_task(result, folder)
