"""One speech model scored in one pass over the stories, at the state that is configured and at further ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brainwavlm.encoding.alignment import delayed
from brainwavlm.evaluation.encoding_score import EncodingScore, score_features
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.speech.features import StoryFeatures
from brainwavlm.speech.hidden_states import Backbone


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
