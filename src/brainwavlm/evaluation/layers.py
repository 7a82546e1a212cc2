"""Where in the speech model tuning changed what it says of a brain: scores by hidden state."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.contrasts import adapted, by_readout, contrast, kept_replicates
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.jackknife import Jackknife

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


def layer_rows(
    about: Mapping[str, Any],
    plan: ScoringPlan,
    score: EncodingScore,
    frozen: Mapping[int, tuple[np.ndarray, np.ndarray]],
    tuned: Mapping[int, tuple[np.ndarray, np.ndarray]],
    of_own: Jackknife,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of layers.csv for one run: both models by state and target, and the paired interval of their difference.

    Beside them the rows of its replicates, for `replicates.gathered`.

    Parameters
    ----------
    about : mapping
        Run, subject and seed.
    plan : ScoringPlan
    score : EncodingScore
        Of the run at its own state: the true responses, the stories and the targets.
    frozen, tuned : mappings of layer to two arrays (n_rows, n_kept)
        Predictions from each state, by voxel-wise ridge and by the shared map.
    of_own : Jackknife
        Of both models at the configured state.
    """
    table, replicates = [], []
    for layer, predicted in tuned.items():
        jackknife = of_own
        if layer != plan.config.backbone.layer:
            jackknife = score.jackknife(by_readout({"frozen": frozen[layer], "tuned": predicted}))
        replicates += kept_replicates(about, jackknife, plan.story_of_row, layer)
        table += [
            {
                **about,
                "layer": layer,
                "target": target,
                "n_voxels": jackknife.n_voxels[target],
                **contrast(jackknife, target),
                "adapted": adapted(plan.config, layer),
            }
            for target in jackknife.means
        ]
    return table, replicates
