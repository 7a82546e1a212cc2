"""The tuned model against the frozen one: the rows of every table that says what tuning changed."""

from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import RunConfig
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.statistics.bootstrap import Resampled
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest
from brainwavlm.evaluation.statistics.tests import LEVEL
from brainwavlm.runs.run import Run


def contrast(
    resampled: Resampled, target: str, metric: str = "r", frozen: str = "frozen", tuned: str = "tuned"
) -> dict[str, float]:
    """Both means over a target, their difference, and its 95 % interval: the columns that all tables share.

    Parameters
    ----------
    resampled : Resampled
    target : str
    metric : str
        What the means are of: the columns are {metric}_frozen and {metric}_tuned.
    frozen, tuned : str
        What the models are called there.
    """
    first, second = resampled.means[target][frozen], resampled.means[target][tuned]
    difference = second - first
    low, high = resampled.interval(difference)
    return {
        f"{metric}_frozen": float(first[0]),
        f"{metric}_tuned": float(second[0]),
        "difference": float(difference[0]),
        "low": low,
        "high": high,
    }


def contrast_rows(
    about: dict[str, Any],
    frozen: EncodingScore,
    tuned: EncodingScore,
    resampled: Resampled,
    paired: PermutationTest,
    r_readout: np.ndarray,
) -> list[dict[str, Any]]:
    """The table's rows of one run, one a target.

    Parameters
    ----------
    about : dict
        Run, subject and seed.
    frozen, tuned : EncodingScore
        On the same rows and voxels.
    resampled : Resampled
        Of both.
    paired : PermutationTest
        Of their difference.
    r_readout : array (n_kept,)
        Test correlation of the run's own readout; NaN where it predicts nothing.
    """
    changed = paired.q < LEVEL
    frozen_q, tuned_q = frozen.test.q, tuned.test.q
    rows = []
    for target, means in resampled.means.items():
        mask, both = tuned.masks[target], contrast(resampled, target)
        intervals = [resampled.interval(means[model]) for model in ("frozen", "tuned")]
        shares = [score.r_normalised[mask] for score in (frozen, tuned)]
        known = ~np.isnan(shares[0]) & ~np.isnan(shares[1])
        time_only = tuned.time_only.mean[target]
        rows.append(
            {
                **about,
                "target": target,
                "n_voxels": resampled.n_voxels[target],
                **both,
                "relative_gain": both["difference"] / both["r_frozen"] if both["r_frozen"] > 0 else np.nan,
                # The readout's mean is comparable only where it predicts the whole target.
                "r_readout": float(np.mean(r_readout[mask])),
                "n_normalised": int(known.sum()),
                "normalised_frozen": float(shares[0][known].mean()) if known.any() else np.nan,
                "normalised_tuned": float(shares[1][known].mean()) if known.any() else np.nan,
                "p_frozen": frozen.test.mean[target][1],
                "p_tuned": tuned.test.mean[target][1],
                "p_difference": paired.mean[target][1],
                "low_frozen": intervals[0][0],
                "high_frozen": intervals[0][1],
                "low_tuned": intervals[1][0],
                "high_tuned": intervals[1][1],
                "voxels_frozen": int((frozen_q < LEVEL)[mask].sum()),
                "voxels_tuned": int((tuned_q < LEVEL)[mask].sum()),
                "voxels_better": int((changed & (paired.statistic > 0))[mask].sum()),
                "voxels_worse": int((changed & (paired.statistic < 0))[mask].sum()),
                "r_time_only": time_only[0],
                "p_time_only": time_only[1],
            }
        )
    return rows


def voxel_rows(
    name: str,
    frozen: EncodingScore,
    tuned: EncodingScore,
    r_readout: np.ndarray,
    paired: PermutationTest,
) -> pd.DataFrame:
    """One row a voxel of one run."""
    return pd.DataFrame(
        {
            "run": name,
            "subject": tuned.summary["subject"],
            "voxel": tuned.voxel,
            **tuned.masks,
            "r_frozen": frozen.r,
            "r_tuned": tuned.r,
            "r_readout": r_readout,
            "normalised_frozen": frozen.r_normalised,
            "normalised_tuned": tuned.r_normalised,
            "alpha_frozen": frozen.alphas,
            "alpha_tuned": tuned.alphas,
            "p_frozen": frozen.test.p,
            "p_tuned": tuned.test.p,
            "q_frozen": frozen.test.q,
            "q_tuned": tuned.test.q,
            "p_max_frozen": frozen.test.p_max,
            "p_max_tuned": tuned.test.p_max,
            "p_difference": paired.p,
            "q_difference": paired.q,
            "p_max_difference": paired.p_max,
            "r_time_only": tuned.time_only.statistic,
        }
    )


def run_summary(name: str, run: Run, frozen: EncodingScore, tuned: EncodingScore) -> dict[str, Any]:
    """What `summary.json` says of one run; the scores have their intervals."""
    config = run.config
    return {
        "name": name,
        "path": str(run.path),
        "subject": config.subject,
        "together_with": [name for number, name in enumerate(run.listeners) if number != run.listener],
        "target": config.target,
        "seed": config.seed,
        "method": config.adapter.method,
        "simulated": tuned.summary["simulated"],
        "control": config.control.kind,
        "finished": run.result is not None,
        "best": run.best,
        "history": run.history,
        "splits": run.manifest["splits"],
        "bootstrap": tuned.summary["bootstrap"],
        "config": config.model_dump(mode="json"),
        "frozen": {key: value for key, value in frozen.summary.items() if key != "versions"},
        "tuned": {key: value for key, value in tuned.summary.items() if key != "versions"},
        "tuned_with": run.manifest["versions"],
        "tuned_on": run.manifest["data"]["control"],
    }


def adapted(config: RunConfig, layer: int) -> bool:
    """Whether a block up to that state carries adapters or was trained: without one the state is as it was."""
    if config.adapter.method == "frozen":
        return False
    first = 1 if config.adapter.layers is None else config.adapter.layers[0]
    return layer >= first
