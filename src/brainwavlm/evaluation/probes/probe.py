"""What the speech model holds of the stimulus, before and after tuning: probes of hidden states, beside controls."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.evaluation.evaluator import Evaluator, untuned_key
from brainwavlm.evaluation.layers import Layers, chosen_layers
from brainwavlm.evaluation.notes import result_summary, run_notes
from brainwavlm.evaluation.probes.question import Question, asked_features, question_of
from brainwavlm.evaluation.probes.rows import dimension_rows, probe_rows, seed_rows, with_q
from brainwavlm.evaluation.probes.scores import Predictions, probe_predictions
from brainwavlm.evaluation.probes.tasks import (
    CONTROLS,
    DIMENSION,
    PLAIN,
    RANDOM,
    RESIDUAL,
    SHUFFLED,
    require_controls,
)
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.progress import Progress
from brainwavlm.results.estimates import named_groups
from brainwavlm.results.probes import Probes
from brainwavlm.results.replicates import gathered
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import run_names, subject_runs
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.unit_vectors import cached_unit_vectors
from brainwavlm.stimulus.features.table import STRETCHES

RANDOM_SEED = 0


def probe(
    runs: Run | Sequence[Run],
    features: Sequence[str],
    layers: Layers = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
    controls: Collection[str] = CONTROLS,
    keep_tuned: bool = True,
) -> Probes:
    """Read features of the stimulus off hidden states of runs, and of the models that they started from.

    For each run, hidden state and feature: ridge from the vectors of units (stretches between windows, phones or words;
    each the mean over its frames, heard in the run's windows) to their values, penalties by cross-validation over whole
    stories, fitted on the training and validation stories, scored on the test stories. Responses play no part.

    Parameters
    ----------
    runs : Run, or sequence of Run
    features : sequence of str
        Names in `stimulus.features.table.FEATURES`, or NAME=FILE: vectors of words, or a table of the user's; and
        `dimension`: how many dimensions the hidden states have on the test stories.
    layers : sequence of int, "all" or None
        Hidden states; None: that of each run.
    cache : str, Path or None
        Folder of vectors to read and add to.
    progress : Progress or None
    memory_gb : float or None
        What ridge may use; None: as each run was configured.
    controls : collection of str
        What is scored beside: of `CONTROLS`, all by default.
    keep_tuned : bool
        Add vectors of tuned models to the cache; False: only those of models as they were, which others share.

    Returns
    -------
    Probes

    Raises
    ------
    ConfigError
        No such feature, control or hidden state; a transcript or a package that is missing; fewer than 50 test units.
    DatasetError
        A transcript, table or file of vectors that cannot be used, or a story in which a feature has no value.
    RunError
        A run without a finished epoch, or whose data have changed.
    """
    rows_of_table, dimension = asked_features(features)
    require_controls(controls)
    runs = subject_runs(runs)
    evaluator = Evaluator(cache, progress, keep_tuned)
    plans = evaluator.plans_of(runs, memory_gb, tested=False)
    questions: dict[str, Question] = {}
    states = []
    for plan in plans:
        model, key = evaluator.untuned(plan.config), untuned_key(plan)
        asked = chosen_layers(layers, model.n_blocks, "probe.layers")
        states.append(asked or (plan.config.backbone.layer,))
        if key not in questions:
            sizes = model.min_samples, model.n_dims
            questions[key] = question_of(rows_of_table, plan, *sizes, controls, dimension)
    untuned: dict[str, dict[str, Predictions]] = {}
    table, replicates, entries = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    names = run_names(runs)
    for run, name, plan, chosen in zip(runs, names, plans, states, strict=True):
        question, key = questions[untuned_key(plan)], untuned_key(plan) + str(chosen)
        about = {"run": name, "subject": plan.config.subject, "seed": plan.config.seed}
        if key not in untuned:
            untuned[key] = _untuned_predictions(evaluator, plan, question, chosen, controls)
        heard = evaluator, plan, question, chosen
        backbone = tuned_backbone(run, layers=chosen)
        tuned = _predictions(*heard, backbone, _asked(controls), name)
        models = untuned[key] | {"tuned": tuned}
        for layer in chosen:
            made = [probe_rows(about, task, layer, models, controls) for task in question.tasks]
            if question.stretches is not None:
                made.append(dimension_rows(about, layer, models, question.stretches.story_of_row))
            for rows, more in made:
                table += rows
                replicates += more
        entries.append(
            {
                "name": name,
                "path": str(run.path),
                "subject": plan.config.subject,
                "seed": plan.config.seed,
                "layers": list(chosen),
                "splits": run.manifest["splits"],
                "config": plan.config.model_dump(mode="json"),
            }
        )
    frame = with_q(pd.DataFrame(table))
    simulated = any(plan.data.dataset.simulated for plan in plans)
    notes = ["The runs were tuned on simulated responses."] * simulated
    notes += [note for run, name in zip(runs, names, strict=True) for note in run_notes(run, name)]
    notes += [note for question in questions.values() for note in question.notes]
    units = frame["scores"].map(lambda scores: scores.unit)
    notes.append(f"Intervals over {' or '.join(dict.fromkeys(units))}.")
    streams = [name for run, name in zip(runs, names, strict=True) if run.config.windows.mode == "stream"]
    notes += [f"{name}: tuned in a stream; here it hears windows." for name in streams]
    return Probes(
        frame.drop(columns="scores"),
        seed_rows(frame, named_groups([run.config for run in runs], names, {"seed"})),
        result_summary(
            simulated,
            notes,
            controls=[name for name in CONTROLS if name in controls],
            runs=entries,
            features=next(iter(questions.values())).facts,
        ),
        gathered(replicates),
    )


def _asked(controls: Collection[str]) -> list[str]:
    return [PLAIN, *(name for name in (SHUFFLED, RESIDUAL) if name in controls)]


def _untuned_predictions(
    evaluator: Evaluator,
    plan: ScoringPlan,
    question: Question,
    layers: Sequence[int],
    controls: Collection[str],
) -> dict[str, Predictions]:
    """Of the model as it is, and of one of its shape with random weights where that is asked for."""
    heard, model = (evaluator, plan, question, layers), evaluator.untuned(plan.config, layers)
    models = {"frozen": _predictions(*heard, model, _asked(controls), "model as it is")}
    if RANDOM in controls:
        drawn = load_backbone(plan.config.backbone.name, layers, random_seed=RANDOM_SEED)
        models[RANDOM] = _predictions(*heard, drawn, [PLAIN], "random weights")
    return models


def _predictions(
    evaluator: Evaluator,
    plan: ScoringPlan,
    question: Question,
    layers: Sequence[int],
    backbone: Backbone,
    asked: Sequence[str],
    who: str,
) -> Predictions:
    config = plan.config
    backbone.set_up(config)
    vectors = {
        name: cached_unit_vectors(
            backbone,
            plan.data.recordings[name].story,
            config.windows,
            question.units[name],
            evaluator.cache_of(backbone),
            evaluator.frontends(config),
        )
        for name in evaluator.progress.over(sorted(question.units), f"Hearing units, {who}")
    }
    predictions = probe_predictions(question.tasks, vectors, layers, config, asked)
    if question.stretches is not None:
        for layer in layers:
            stretches = {name: some[layer][STRETCHES] for name, some in vectors.items()}
            predictions[DIMENSION, PLAIN, layer] = question.stretches.centred(stretches)
    return predictions
