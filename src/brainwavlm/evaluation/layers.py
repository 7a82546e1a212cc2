"""Where in the speech model tuning changed what it says of a brain, and when: scores by hidden state, and by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from brainwavlm.encoding.alignment import delayed
from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.evaluation.contrasts import Change, adapted, by_readout, contrast, kept_replicates
from brainwavlm.evaluation.encoding_score import EncodingScore, score_features
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.scores import target_means
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.runs.run import Run
from brainwavlm.speech.features import StoryFeatures
from brainwavlm.speech.hidden_states import Backbone

Layers = Sequence[int] | Literal["all"] | None


def chosen_layers(layers: Layers, n_blocks: int, key: str = "evaluate.layers") -> tuple[int, ...]:
    """The hidden states that are asked for, in order: 0 is the input of the first block, k the output of block k.

    Raises
    ------
    ConfigError
        The model has no such state, or one is named twice.
    """
    if layers is None:
        return ()
    if layers == "all":
        return tuple(range(n_blocks + 1))
    if not layers or len(set(layers)) < len(layers) or not set(layers) <= set(range(n_blocks + 1)):
        raise ConfigError(
            key,
            f"{','.join(map(str, layers)) or 'none'}.",
            f"hidden states from 0 to {n_blocks}, each once.",
            f"For instance: all, or 0,{n_blocks}",
        )
    return tuple(sorted(int(layer) for layer in layers))


@dataclass(frozen=True)
class StateScores:
    """A model's score and features at the configured state, and what it predicts from further ones.

    Predictions are by layer, (n_rows, n_kept) by voxel-wise ridge and by the shared map.
    """

    score: EncodingScore
    predictions: dict[int, tuple[np.ndarray, np.ndarray]]
    features: dict[str, StoryFeatures]


def score_states(
    evaluator: Evaluator,
    plan: ScoringPlan,
    backbone: Backbone,
    title: str,
    layers: Sequence[int] = (),
    like: EncodingScore | None = None,
) -> StateScores:
    """Score a speech model in one pass over the stories: ridge for the configured state and for each further one.

    The backbone gives the configured layer and all of `layers`. Of these only the rows on the clock of the TRs are
    kept, some eight times fewer than windows. `like` as for `score_features`.
    """
    own, delays, recordings = plan.config.backbone.layer, plan.config.alignment.delays, plan.data.recordings
    features: dict[str, StoryFeatures] = {}
    rows: dict[int, dict[str, Sequence[np.ndarray]]] = {layer: {} for layer in layers if layer != own}
    for name, story in evaluator.each(backbone, plan.config, recordings.values(), title):
        features[name] = StoryFeatures(story.times, {own: story.layers[own]})
        if rows:
            clock = plan.clock(recordings[name], story.times)
        for layer, of_stories in rows.items():
            of_stories[name] = clock.rows(story.layers[layer]), clock.kept
    score = score_features(plan, features, like, evaluator.progress)
    predictions = {}
    for layer in layers:
        if layer == own:
            predictions[layer] = score.predictions
            continue
        designs = {name: delayed(some, delays, kept) for name, (some, kept) in rows.pop(layer).items()}
        predictions[layer] = replace(plan, reused=None).ridge(designs).predictions
    return StateScores(score, predictions, features)


def layer_rows(
    about: Mapping[str, Any],
    change: Change,
    frozen: Mapping[int, tuple[np.ndarray, np.ndarray]],
    tuned: Mapping[int, tuple[np.ndarray, np.ndarray]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of layers.csv for one run: both models by state and target, and the paired interval of their difference.

    Beside them the rows of its replicates, for `replicates.gathered`. `frozen`, `tuned`: predictions from each state,
    (n_rows, n_kept) by voxel-wise ridge and by the shared map.
    """
    table, replicates, config = [], [], change.plan.config
    for layer, predicted in tuned.items():
        jackknife = change.jackknife
        if layer != config.backbone.layer:
            jackknife = change.tuned.jackknife(by_readout({"frozen": frozen[layer], "tuned": predicted}))
        replicates += kept_replicates(about, jackknife, change.plan.story_of_row, layer)
        table += [
            {
                **about,
                "layer": layer,
                "target": target,
                "n_voxels": jackknife.n_voxels[target],
                **contrast(jackknife, target),
                "adapted": adapted(config, layer),
            }
            for target in jackknife.means
        ]
    return table, replicates


def require_epochs(run: Run) -> None:
    """RunError where a checkpoint of an epoch is missing."""
    done = {row["epoch"] for row in run.history if row["epoch"]}
    missing = sorted(done - set(run.epochs))
    if missing:
        raise RunError(
            run.path,
            f"no checkpoint of epoch {', '.join(map(str, missing))}.",
            f"the checkpoint of each of its {len(done)} epochs.",
            "Tune again with training.keep_epochs=true, or evaluate without epochs.",
        )


def epoch_rows(
    evaluator: Evaluator, about: Mapping[str, Any], run: Run, change: Change
) -> list[dict[str, Any]]:
    """Mean test r of fresh ridge at every epoch that was kept; epoch 0 is the untuned model."""
    frozen, tuned, plan, rows = change.frozen, change.tuned, change.plan, []
    for epoch, folder in sorted({**run.epochs, 0: None}.items()):
        predicted = frozen.predicted if folder is None else tuned.predicted
        if folder is not None and folder.name != run.best_epoch["checkpoint"]:
            backbone, title = tuned_backbone(run, epoch), f"Reading stories, {about['run']}, epoch {epoch}"
            stories = evaluator.features(backbone, plan.config, plan.data.recordings.values(), title)
            predicted = plan.ridge(plan.designs(stories), shared=False).predicted
        means = target_means(frozen.true, predicted, plan.masks)
        rows += [{**about, "epoch": epoch, "target": target, "r": r} for target, r in means.items()]
    return rows
