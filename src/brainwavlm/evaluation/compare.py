"""Runs against each other: seeds of one configuration as spread, configurations by what differs between them.

The unit is the group: runs that are equal but for their seed. How steady a method is shows in the spread over its
seeds, epoch by epoch; which method is better in the difference of group means on the same test stories.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainwavlm.config import EvaluationConfig
from brainwavlm.encoding.run_model import tuned_model
from brainwavlm.errors import RunError
from brainwavlm.evaluation.compare_tables import Scored, difference_table, epoch_table, group_table, run_table
from brainwavlm.evaluation.evaluator import (
    Evaluator,
    run_names,
    subject_runs,
    untuned_model_key,
    with_whole_cortex,
)
from brainwavlm.evaluation.paired_predictions import PairedPredictions, target_means
from brainwavlm.evaluation.ridge_predictions import RidgePredictions
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.bootstrap import SEED, Resampled
from brainwavlm.progress import Progress
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.grouping import common_evaluation, grouped
from brainwavlm.results.schemas import FORMAT
from brainwavlm.runs.environment import versions
from brainwavlm.runs.run import Run
from brainwavlm.speech.backbones import Backbone


def compare(
    runs: Run | Sequence[Run],
    epochs: bool = False,
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
) -> Comparison:
    """Group runs by configuration, and say how steady each group is and how groups differ.

    Every run is scored as `evaluate` does: fresh ridge on its best epoch's features and on the untuned model's, test
    correlation by target. A difference of groups is that of their means over seeds; all models get the same resamples
    of test stories, so the interval is paired. It holds for these seeds: the spread over seeds stands beside it.

    Parameters
    ----------
    runs : Run, or sequence of Run
    epochs : bool
        Also score every epoch by ridge; the runs need training.keep_epochs.
    cache : str, Path or None
        Folder of features to read and add to.
    progress : Progress or None
    memory_gb : float or None
        What ridge may use; None: as each run was configured.

    Returns
    -------
    Comparison

    Raises
    ------
    RunError
        A run without a finished epoch, or without all its epochs where `epochs` asks for them.
    ConfigError
        No run, one named twice, or no test story.
    """
    runs = subject_runs(runs)
    histories = [run.history for run in runs]
    if epochs:
        for run, history in zip(runs, histories, strict=True):
            _require_epochs(run, len(history))
    names = run_names(runs)
    groups = grouped([run.config for run in runs], {"seed"})
    group_of = {position: group for group, members in groups.items() for position in members}
    evaluator = Evaluator(cache, progress)
    evaluation = common_evaluation([run.config for run in runs])
    configs = [
        with_whole_cortex(run.config.model_copy(update={"evaluation": evaluation}), (), memory_gb)
        for run in runs
    ]
    plans = [evaluator.plan_of(run, config, tested=False) for run, config in zip(runs, configs, strict=True)]
    rows: dict[str, PairedPredictions] = {}
    scored: list[Scored] = []
    of_epochs: dict[tuple[str, int, str, str], list[float]] = defaultdict(list)
    for position, (run, name, plan) in enumerate(zip(runs, names, plans, strict=True)):
        one = Scored(name, run, group_of[position], untuned_model_key(plan.config), _rows_key(plan))
        title = f"Reading stories, {name}"
        held = _held_out(evaluator, tuned_model(run)[0], plan, title)
        if one.rows not in rows:
            rows[one.rows] = PairedPredictions(held, plan.masks)
        side = rows[one.rows]
        if one.frozen not in side.predictions:
            title_of_frozen = "Reading stories, model as it is"
            side.add(one.frozen, _held_out(evaluator, evaluator.untuned(plan.config), plan, title_of_frozen))
        side.add(name, held)
        scored.append(one)
        for entry in histories[position]:
            if entry["validation_r"] is not None:
                of_epochs[one.group, entry["epoch"], "validation", run.config.target].append(
                    entry["validation_r"]
                )
        for epoch, folder in sorted(run.epochs.items()) if epochs else ():
            best = run.best_epoch["checkpoint"]
            found = held
            if folder.name != best:
                at = f"{title}, epoch {epoch}"
                found = _held_out(evaluator, tuned_model(run, epoch)[0], plan, at)
            for target, r in target_means(found, side.masks).items():
                of_epochs[one.group, epoch, "ridge", target].append(r)
    resampled = {key: side.resampled(evaluation.bootstraps, SEED) for key, side in rows.items()}
    if epochs:
        for one in scored:
            for target, means in resampled[one.rows].means.items():
                of_epochs[one.group, 0, "ridge", target].append(float(means[one.frozen][0]))
    return Comparison(
        run_table(scored, resampled),
        group_table(list(groups), scored, resampled),
        epoch_table(of_epochs),
        difference_table(list(groups), scored, resampled),
        _summary(groups, scored, resampled, evaluation),
    )


def _held_out(evaluator: Evaluator, backbone: Backbone, plan: ScoringPlan, title: str) -> RidgePredictions:
    return plan.predict(evaluator.features(backbone, plan.config, plan.data.recordings.values(), title))


def _rows_key(plan: ScoringPlan) -> str:
    """Runs with the same key are scored on the same responses and targets."""
    data = plan.data
    return repr((data.dataset.path, data.subject.name, data.story_names(), plan.config.regions))


def _require_epochs(run: Run, n_epochs: int) -> None:
    missing = sorted(set(range(1, n_epochs + 1)) - set(run.epochs))
    if missing:
        raise RunError(
            run.path,
            f"no checkpoint of epoch {', '.join(map(str, missing))}.",
            f"the checkpoint of each of its {n_epochs} epochs.",
            "Tune again with --set training.keep_epochs=true, or compare without --epochs.",
        )


def _summary(
    groups: dict[str, list[int]],
    scored: list[Scored],
    resampled: dict[str, Resampled],
    evaluation: EvaluationConfig,
) -> dict[str, Any]:
    simulated = any(one.run.manifest["data"]["simulated"] for one in scored)
    notes = []
    if simulated:
        notes.append(
            "The responses are simulated: the numbers show that the method works, not how brains work."
        )
    drawn = dict.fromkeys(found.drawn for found in resampled.values())
    notes += [f"Intervals from {evaluation.bootstraps} resamples of {what}." for what in drawn]
    asked = sorted({one.run.config.evaluation.bootstraps for one in scored})
    if len(asked) > 1:
        notes.append(f"The runs ask for {', '.join(map(str, asked))} resamples: the most were drawn for all.")
    alone = [group for group, members in groups.items() if len(members) == 1]
    notes += [f"{group}: one seed, so no spread." for group in alone]
    for group, members in groups.items():
        seeds = [scored[position].run.config.seed for position in members]
        if len(set(seeds)) < len(seeds):
            notes.append(f"{group}: several runs with one seed: their spread is not that over seeds.")
    if len(resampled) > 1:
        notes.append(
            "Groups that are scored on other stories, voxels or listeners are not subtracted from each other."
        )
    notes += [f"{one.name}: the run is not finished." for one in scored if one.run.result is None]
    return {
        "format": FORMAT,
        "simulated": simulated,
        "groups": [
            {
                "group": group,
                "runs": [scored[position].name for position in members],
                "seeds": [scored[position].run.config.seed for position in members],
                "subject": scored[members[0]].run.config.subject,
            }
            for group, members in groups.items()
        ],
        "notes": notes,
        "versions": versions(),
    }
