"""What tuning changed: fresh ridge on frozen and on tuned features, on the same rows, folds and voxels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from brainwavlm.config import RunConfig
from brainwavlm.encoding.ridge import Penalties
from brainwavlm.encoding.run_model import tuned_backbone, tuned_readout
from brainwavlm.errors import RunError
from brainwavlm.evaluation.contrasts import (
    Change,
    by_readout,
    contrast_rows,
    kept_replicates,
    run_summary,
    voxel_rows,
)
from brainwavlm.evaluation.downstream import Downstream
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.evaluator import Evaluator, untuned_key
from brainwavlm.evaluation.layers import (
    Layers,
    StateScores,
    chosen_layers,
    epoch_rows,
    layer_rows,
    require_epochs,
    score_states,
)
from brainwavlm.evaluation.notes import ridge_summary, summary
from brainwavlm.evaluation.run_readout import delay_rows, readout_r
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.tests import listener_rows
from brainwavlm.evaluation.transfer_cells import seen_while_tuning
from brainwavlm.progress import Progress
from brainwavlm.results.estimates import LISTENER, named_groups
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.replicates import gathered
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import run_names, subject_runs

_UNTUNED = "Reading stories, model as it is"


def score_backbone(
    config: RunConfig,
    leave_one_out: bool = False,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> EncodingScore:
    """Score a speech model as it is: closed-form ridge, correlation on held-out stories.

    Parameters
    ----------
    config : RunConfig
        Voxels outside config.target are left out.
    leave_one_out : bool
        Predict every story from a fit on all others instead of the test stories.
    cache : str, Path or None
        Folder of features to read and add to; None: computed and not kept.
    progress : Progress or None

    Returns
    -------
    EncodingScore
    """
    evaluator = Evaluator(cache, progress)
    plan = evaluator.plan(config, leave_one_out)
    return scored_alone(plan, score_states(evaluator, plan, evaluator.untuned(config), _UNTUNED).score)


def scored_alone(plan: ScoringPlan, score: EncodingScore) -> EncodingScore:
    """The score of a model that is compared with none, with the summary that `save` writes."""
    jackknife = score.jackknife(by_readout({"frozen": score.predictions}))
    score = score.with_intervals(jackknife, "frozen")
    splits: dict[str, list[str]] = {
        split: [one.story.name for one in some] for split, some in plan.data.splits.items()
    }
    return replace(score, summary=ridge_summary(plan.config, score.summary, splits))


def evaluate(
    runs: Run | Sequence[Run],
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
    layers: Layers = None,
    downstream: Sequence[str] = (),
    epochs: bool = False,
    cross_fit: bool = False,
    reuse_alphas: bool = False,
    keep_tuned: bool = True,
) -> Evaluation:
    """Score runs on held-out stories against the model they started from.

    For each run: ridge on the frozen and on the tuned features, both fitted on training and validation
    stories with the same folds, r over all rows of the test stories. The difference of the means over a target
    has a paired interval over test stories (blocks if there are fewer than 3); each voxel and each mean a paired test.
    Where runs of one kind come from 5 listeners or more, a sign-flip test over listeners is added.

    Parameters
    ----------
    runs : Run, or sequence of Run
    cache : str, Path or None
        Folder of features to read and add to.
    progress : Progress or None
    memory_gb : float or None
        What ridge may use; None: as each run was configured.
    layers : sequence of int, "all" or None
        Hidden states to score besides, of both models, each with a ridge of its own: `Evaluation.layers`. States above
        a run's own come from its tuned blocks and then from blocks that were never tuned.
    downstream : sequence of str
        Tasks that both models are also asked, `phones` or `words`, at these states: `Evaluation.downstream`.
    epochs : bool
        Also score every epoch: `Evaluation.ridge_epochs`. The runs need training.keep_epochs.
    cross_fit : bool
        Fit ridge, on both models' features, on training stories alone that tuning did not use: `cross_fitted`.
    reuse_alphas : bool
        Fit tuned features with the penalties (and the shared map's rank) that were chosen for the untuned ones, as the
        authors' script does, in place of their own. Further `layers` choose their own.
    keep_tuned : bool
        Add features of tuned models to the cache; False: only those of models as they were, which others share.

    Returns
    -------
    Evaluation

    Raises
    ------
    RunError
        A run without a finished epoch, without the epochs, or without the stories that `epochs`, `cross_fit` ask for.
    ConfigError
        No test story, no such hidden state, or a task that the transcripts do not allow.
    """
    runs = subject_runs(runs)
    for run in runs if epochs else ():
        require_epochs(run)
    evaluator = Evaluator(cache, progress, keep_tuned)
    tasks = Downstream(evaluator, downstream) if downstream else None
    plans = evaluator.plans_of(runs, memory_gb)
    if cross_fit:
        plans = [cross_fitted(run, plan) for run, plan in zip(runs, plans, strict=True)]
    if tasks is not None:
        for plan in plans:
            tasks.tasks(plan)
    states = [chosen_layers(layers, evaluator.untuned(plan.config).n_blocks) for plan in plans]
    names = run_names(runs)
    untuned: dict[str, StateScores] = {}
    table, voxels, entries, replicates = [], [], [], []
    by_layer, by_task, by_delay, by_epoch = [], [], [], []
    for run, name, plan, chosen in zip(runs, names, plans, states, strict=True):
        config, key = plan.config, untuned_key(plan)
        about = {"run": name, "subject": config.subject, "seed": config.seed}
        backbone = tuned_backbone(run, layers=chosen)
        readout = tuned_readout(run, backbone.n_dims)
        if key not in untuned:
            model = evaluator.untuned(config, chosen)
            scores = score_states(evaluator, plan, model, _UNTUNED, chosen)
            untuned[key] = replace(scores, features={})  # gigabytes that nobody reads
        before, title = untuned[key], f"Reading stories, {name}"
        if reuse_alphas:
            shared = before.score.summary["shared_readout"][0]
            plan = replace(plan, reused=Penalties(before.score.alphas, (shared["alpha"], shared["rank"])))
        after = score_states(evaluator, plan, backbone, title, chosen, like=before.score)
        own = readout_r(run, readout, plan, after.features)[plan.columns]
        change = Change(before.score, after.score, plan, own)
        if chosen:
            rows, draws = layer_rows(about, change, before.predictions, after.predictions)
            by_layer += rows
            replicates += draws
        if tasks is not None:
            rows, draws = tasks.rows(about, plan, backbone, chosen or (config.backbone.layer,))
            by_task += rows
            replicates += draws
        replicates += kept_replicates(about, change.jackknife, plan.story_of_row)
        table += contrast_rows({**about, "best_epoch": run.best_epoch["epoch"]}, change)
        voxels.append(voxel_rows(name, change))
        of_delays, no_delays = delay_rows(about, run, readout, before.score.summary["tr"])
        by_delay += of_delays
        by_epoch += epoch_rows(evaluator, about, run, change) if epochs else []
        entries.append(run_summary(name, run, change) | {"no_delays": no_delays})
    kinds = named_groups([run.config for run in runs], names, {*LISTENER, "seed"})
    listeners = listener_rows(kinds, table, runs[0].config.evaluation)
    return Evaluation(
        pd.DataFrame(table),
        pd.concat(voxels, ignore_index=True),
        summary(entries, [one.score.summary for one in untuned.values()], listeners, cross_fit, reuse_alphas),
        pd.DataFrame(by_layer),
        gathered(replicates),
        pd.DataFrame(by_task),
        pd.DataFrame(by_delay),
        pd.DataFrame(by_epoch),
    )


def cross_fitted(run: Run, plan: ScoringPlan) -> ScoringPlan:
    """The plan with ridge fitted, for the frozen and for the tuned model, on stories that tuning did not use.

    Features of the stories that tuned a model carry what the loss fitted to their responses, and ridge on the same
    stories reads it back. Test scores stay honest for tuning and ridge together, but say less of what the features are
    worth. Tune two runs, on either end of the training stories (train_from), and each is read out on the other's.

    Left out are sounds that it was tuned on, or its epoch chosen by: `seen_while_tuning`. With two stories or more
    that are left, penalties are chosen over them.

    Raises
    ------
    RunError
        Tuning used every training story.
    """
    fitted = plan.fits[0].fitted
    heard = seen_while_tuning(run, {one.story.name: one.story.audio for one in fitted})
    left = [one for one in fitted if one.story.name not in heard]
    if not left:
        raise RunError(
            run.path,
            f"tuned on all {len(fitted)} training and validation stories.",
            "training stories that tuning did not use, to fit ridge on.",
            "Tune with train_minutes, once with train_from=start and once with train_from=end.",
        )
    return plan.fitted_on(left)
