"""Is it still good at speech, or better? One task for runs, and for the models that they started from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.datasets.responses import Split
from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.layers import Layers, chosen_layers
from brainwavlm.evaluation.notes import result_summary, run_notes
from brainwavlm.evaluation.speech_tasks.scores import Heads, HeadScores
from brainwavlm.evaluation.speech_tasks.states import require_headers, require_hearable
from brainwavlm.evaluation.speech_tasks.tasks import ASR, SYNTHESIS, Task, Tokens, task_of
from brainwavlm.evaluation.statistics.jackknife import left_out_pieces
from brainwavlm.evaluation.transfer_cells import seen_while_tuning
from brainwavlm.progress import Progress
from brainwavlm.results.estimates import of_both_models, over_seeds
from brainwavlm.results.speech_task import SOUNDS, SpeechTask
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import distinct_runs, run_names
from brainwavlm.stimulus.corpora import read_corpus

EPOCHS = 20


def downstream(
    runs: Run | Sequence[Run],
    task: str = ASR,
    data: str | Path | None = None,
    layers: Layers = "all",
    seeds: int = 3,
    tokens: Tokens | None = None,
    epochs: int = EPOCHS,
    memory_gb: float = 8.0,
    progress: Progress | None = None,
) -> SpeechTask:
    """Train small heads for a speech task on frozen hidden states of runs, and of the models that they started from.

    y = head(sum_l softmax(a)[l] x[l]), with x[l] the standardised hidden states of utterances that are heard alone and
    whole, and a learned with the head. The heads of both models begin alike and see the same batches.

    - phones, words: one label for the mean over the frames of each; speaker, or any column of a table of sounds: for
      the mean over an utterance. A linear map, cross entropy; accuracy and macro-F1.
    - asr: convolutions over frames, CTC; rates of errors of phones, or of words and characters.
    - synthesis: convolutions to log-mel energies, Griffin-Lim; mel-cepstral distortion in dB, and the rates of errors
      of the untuned model's recogniser, trained on real sounds, on the sounds that come out.

    Parameters
    ----------
    runs : Run, or sequence of Run
    task : str
    data : str, Path or None
        As in `read_corpus`; None: the data set of the first run, split as the run was.
    layers : sequence of int, "all" or None
        Hidden states that are summed; None: that of each run.
    seeds : int
        Heads to train for each model; scores are means over them.
    tokens : phones, characters or None
        What is recognised; None: phones where every utterance has some.
    epochs : int
        At most; five that are no better on the validation utterances end training.
    memory_gb : float
        What hidden states may take, in GB.
    progress : Progress or None

    Returns
    -------
    SpeechTask

    Raises
    ------
    ConfigError
        No such task for these data, too few labels, or too little memory.
    DatasetError
        Data that cannot be used.
    RunError
        A run without a finished epoch, or whose speech model has changed.
    """
    if seeds < 1 or epochs < 1:
        raise ConfigError(
            "downstream.seeds", f"{seeds}, {epochs} epochs.", "1 or more of each.", "Name more."
        )
    runs = distinct_runs(runs)
    corpus = read_corpus(data or runs[0].config.dataset, _splits_of(runs[0], data))
    asked = task_of(task, corpus, tokens)
    require_headers(asked)
    evaluator = Evaluator(None, progress)
    states = []
    for run in runs:
        run.require_whole()
        evaluator.require_same_model(run)
        model = evaluator.untuned(run.config)
        chosen = chosen_layers(layers, model.n_blocks, "downstream.layers")
        states.append(chosen or (run.config.backbone.layer,))
        require_hearable(asked, model.min_samples, len(states[-1]) * model.n_dims, memory_gb)
    names = run_names(runs)
    heads: dict[str, Heads] = {}
    table, about, sounds = list[dict[str, Any]](), list[dict[str, Any]](), dict[str, np.ndarray]()
    for run, name, chosen in zip(runs, names, states, strict=True):
        key = f"{run.config.backbone.name} {chosen} {run.config.precision}"
        if key not in heads:
            untuned = evaluator.untuned(run.config, chosen).set_up(run.config).eval()
            heads[key] = Heads(asked, untuned, chosen, seeds, epochs, evaluator.progress)
        tuned = tuned_backbone(run, layers=chosen).set_up(run.config)
        both = {"frozen": heads[key].frozen, "tuned": heads[key].scores_of(tuned, name)}
        who = {"run": name, "subject": "+".join(run.listeners), "seed": run.config.seed}
        table += [{**who, **row} for row in _rows(asked, both, heads[key].references)]
        place = name.strip("./").replace("/", "_")
        shares = {f"shares_{model}": one.shares for model, one in both.items()}
        about.append({"name": name, "path": str(run.path), **who, "layers": list(chosen), **shares})
        for label, said in (
            {model: one.sounds for model, one in both.items()} | heads[key].real_sounds
        ).items():
            sounds |= {f"{SOUNDS}/{place}/{which} {label}.wav": one for which, one in said.items()}
    summary = result_summary(
        any(side.manifest["data"]["simulated"] for run in runs for side in run.sides),
        _notes(runs, names, asked),
        task=asked.name,
        data=str(corpus.path),
        kind=corpus.kind,
        tokens=asked.tokens,
        **asked.facts(),
        runs=about,
    )
    return SpeechTask(pd.DataFrame(table), summary, sounds)


def _rows(
    task: Task, both: Mapping[str, HeadScores], references: Mapping[str, float]
) -> list[dict[str, Any]]:
    rows = []
    for score, frozen in both["frozen"].scores.items():
        tuned = both["tuned"].scores[score]
        about = {"task": task.name, "score": score, "n_seeds": len(frozen)}
        means = of_both_models("score", frozen.mean(0), tuned.mean(0))
        of_seeds = over_seeds((tuned - frozen)[:, 0].tolist())
        sizes = {"n_units": len(task.group_of_row), "n_groups": len(set(task.group_of_row.tolist()))}
        rows.append({**about, "reference": references.get(score, np.nan), **means, **of_seeds, **sizes})
    return rows


def _splits_of(run: Run, data: str | Path | None) -> dict[str, Split]:
    """Stories as the run was split, where these are asked: what it was tuned on is not to be tested."""
    if data is not None and str(data) != run.config.dataset:
        return {}
    splits: dict[Split, list[str]] = run.manifest["splits"]
    return {story: split for split, stories in splits.items() for story in stories}


def _notes(runs: Sequence[Run], names: Sequence[str], task: Task) -> list[str]:
    unit = left_out_pieces(task.group_of_row, "utterances" if task.sequences else "labels", task.groups)[1]
    notes = [note for run, name in zip(runs, names, strict=True) for note in run_notes(run, name)]
    notes += [*task.notes, f"Intervals over {unit}, and over seeds of heads."]
    tested = {one.source: one.audio for one in (item.utterance for item in task.items["test"])}
    for run, name in zip(runs, names, strict=True):
        if heard := seen_while_tuning(run, tested):
            notes.append(
                f"{name}: {', '.join(heard[:5])} heard while tuning; its scores are of known sounds."
            )
    if task.name == SYNTHESIS:
        notes.append("reference: the sounds' own log-mel energies through the same vocoder.")
    return notes
