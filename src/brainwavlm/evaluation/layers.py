"""Where in the speech model tuning changed what it says of a brain: scores by hidden state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from brainwavlm.encoding.alignment import delayed
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.contrasts import adapted, contrast
from brainwavlm.evaluation.encoding_score import EncodingScore, score_features
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.bootstrap import Resampled
from brainwavlm.results.resamples import resample_rows
from brainwavlm.speech.backbones import Backbone
from brainwavlm.speech.features import StoryFeatures

Layers = Sequence[int] | Literal["all"] | None


def chosen_layers(layers: Layers, n_blocks: int) -> tuple[int, ...]:
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
            "--layers",
            f"{','.join(map(str, layers)) or 'none'}.",
            f"hidden states from 0 to {n_blocks}, each once.",
            "For instance: --layers all, or --layers 0,3,9",
        )
    return tuple(sorted(int(layer) for layer in layers))


@dataclass(frozen=True)
class StateScores:
    """A model's score at the configured state, and what it predicts from further ones.

    Attributes
    ----------
    score : EncodingScore
    predictions : dict of layer to array (n_rows, n_kept)
    features : dict of story to StoryFeatures
        Of the configured state.
    """

    score: EncodingScore
    predictions: dict[int, np.ndarray]
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

    Of the further states only the rows on the clock of the TRs are kept, some eight times fewer than windows.

    Parameters
    ----------
    evaluator : Evaluator
    plan : ScoringPlan
    backbone : Backbone
        Which gives the configured layer and all of `layers`.
    title : str
        For the progress.
    layers : sequence of int
    like : EncodingScore or None
        As in `score_features`.
    """
    own, delays, recordings = plan.config.backbone.layer, plan.config.alignment.delays, plan.data.recordings
    features: dict[str, StoryFeatures] = {}
    rows: dict[int, dict[str, np.ndarray]] = {layer: {} for layer in layers if layer != own}
    for name, story in evaluator.each(backbone, plan.config, recordings.values(), title):
        features[name] = StoryFeatures(story.times, {own: story.layers[own]})
        if rows:
            clock = plan.clock(recordings[name], story.times)
        for layer, of_stories in rows.items():
            of_stories[name] = clock.rows(story.layers[layer])
    score = score_features(plan, features, like)
    predictions = {}
    for layer in layers:
        if layer == own:
            predictions[layer] = score.predicted
            continue
        designs = {name: delayed(some, delays)[max(delays) :] for name, some in rows.pop(layer).items()}
        predictions[layer] = plan.predicted(designs)[0]
    return StateScores(score, predictions, features)


def layer_rows(
    about: Mapping[str, Any],
    plan: ScoringPlan,
    frozen: StateScores,
    tuned: StateScores,
    of_own: Resampled,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of layers.csv for one run: both models by state and target, and the paired interval of their difference.

    Beside them the rows of its resamples, for `resamples.gathered`.

    Parameters
    ----------
    about : mapping
        Run, subject and seed.
    plan : ScoringPlan
    frozen, tuned : StateScores
    of_own : Resampled
        Of both models at the configured state.
    """
    table, resamples = [], []
    for layer, predicted in tuned.predictions.items():
        resampled = of_own
        if layer != plan.config.backbone.layer:
            models = {"frozen": frozen.predictions[layer], "tuned": predicted}
            resampled = tuned.score.resampled(models, plan.config.evaluation.bootstraps)
        resamples += resample_rows(
            about["run"],
            about["subject"],
            resampled.draw_pairs("frozen", "tuned"),
            resampled.drawn,
            plan.story_of_row,
            layer,
        )
        table += [
            {
                **about,
                "layer": layer,
                "target": target,
                "n_voxels": resampled.n_voxels[target],
                **contrast(resampled, target),
                "adapted": adapted(plan.config, layer),
            }
            for target in resampled.means
        ]
    return table, resamples
