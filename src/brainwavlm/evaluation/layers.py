"""Where in the speech model tuning changed what it says of a brain: scores by hidden state."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.encoding.alignment import delayed
from brainwavlm.encoding.prepared_stories import recording_clock
from brainwavlm.encoding.run_data import RunData
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.evaluator import Evaluator, device_of
from brainwavlm.evaluation.ridge_predictions import fit_and_predict, held_out_fits
from brainwavlm.evaluation.statistics.bootstrap import SEED, story_bootstrap
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


def read_states(
    evaluator: Evaluator,
    backbone: Backbone,
    config: RunConfig,
    setting: RunData,
    title: str,
    layers: Sequence[int],
) -> tuple[dict[str, StoryFeatures], dict[int, dict[str, np.ndarray]]]:
    """One pass over the stories: features of the configured layer, and rows of each state on the clock of the TRs.

    Of the further states only the rows are kept, which are some eight times fewer than windows.

    Parameters
    ----------
    evaluator : Evaluator
    backbone : Backbone
        Which gives the configured layer and all of `layers`.
    config : RunConfig
    setting : RunData
    title : str
        For the progress.
    layers : sequence of int

    Returns
    -------
    features : dict of story to StoryFeatures
        Of the configured layer.
    rows : dict of layer to dict of story to array (halo + n_trs, n_dims)
        z-scored, not yet delayed.
    """
    own = config.backbone.layer
    features: dict[str, StoryFeatures] = {}
    rows: dict[int, dict[str, np.ndarray]] = {layer: {} for layer in layers}
    for name, story in evaluator.each(backbone, config, setting.recordings.values(), title):
        features[name] = StoryFeatures(story.times, {own: story.layers[own]})
        if layers:
            clock = recording_clock(setting.recordings[name], story.times, config.alignment)
        for layer in layers:
            rows[layer][name] = clock.rows(story.layers[layer])
    return features, rows


def layer_predictions(
    rows: Mapping[int, Mapping[str, np.ndarray]], own: EncodingScore, config: RunConfig, setting: RunData
) -> dict[int, np.ndarray]:
    """Predictions of the test stories from each state, (n_rows, n_kept): ridge as for the configured layer.

    Parameters
    ----------
    rows : mapping of layer to mapping of story to array (halo + n_trs, n_dims)
        From `read_states`.
    own : EncodingScore
        Of the configured layer; its predictions are taken over, and its voxels are those that are predicted.
    config : RunConfig
    setting : RunData
    """
    delays, device = config.alignment.delays, device_of(config).type
    predictions = {}
    for layer, of_stories in rows.items():
        if layer == config.backbone.layer:
            predictions[layer] = own.predicted
            continue
        designs = {name: delayed(some, delays)[max(delays) :] for name, some in of_stories.items()}
        ((fit, held),) = held_out_fits(setting.splits, leave_one_out=False)
        found, _ = fit_and_predict(designs, fit, held, own.voxel, config, device)
        predictions[layer] = np.concatenate([found[recording.story.name] for recording in held])
    return predictions


def layer_rows(
    name: str,
    config: RunConfig,
    score: EncodingScore,
    frozen: Mapping[int, np.ndarray],
    tuned: Mapping[int, np.ndarray],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of layers.csv for one run: both models by state and target, and the paired interval of their difference.

    Beside them the rows of its resamples, for `resamples.gathered`.

    Parameters
    ----------
    name : str
        Of the run, in the table.
    config : RunConfig
    score : EncodingScore
        Of the run at its own layer: the true responses, the stories and the targets.
    frozen, tuned : mappings of layer to array (n_rows, n_kept)
        From `layer_predictions`.
    """
    table, resamples = [], []
    for layer in tuned:
        differences, unit = story_bootstrap(
            score.true,
            frozen[layer],
            tuned[layer],
            score.story_of_row,
            score.masks,
            config.evaluation.bootstraps,
            SEED,
        )
        resamples += resample_rows(
            name,
            config.subject,
            {target: found.draws for target, found in differences.items()},
            unit,
            score.story_of_row,
            layer,
        )
        table += [
            {
                "run": name,
                "subject": config.subject,
                "seed": config.seed,
                "layer": layer,
                "target": target,
                "n_voxels": found.n_voxels,
                "r_frozen": found.first,
                "r_tuned": found.second,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "adapted": adapted(config, layer),
            }
            for target, found in differences.items()
        ]
    return table, resamples


def adapted(config: RunConfig, layer: int) -> bool:
    """Whether a block up to that state carries adapters or was trained: without one the state is as it was."""
    if config.adapter.method == "frozen":
        return False
    first = 1 if config.adapter.layers is None else config.adapter.layers[0]
    return layer >= first
