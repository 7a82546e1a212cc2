"""Two scores side by side: the table, the voxels and the words of an evaluation of runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import RunConfig
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.statistics.bootstrap import SEED, Difference, story_bootstrap
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest
from brainwavlm.evaluation.statistics.tests import LEVEL, difference_test
from brainwavlm.runs.run import Run


def contrast_rows(
    name: str, config: RunConfig, frozen: EncodingScore, tuned: EncodingScore, r_readout: np.ndarray
) -> tuple[list[dict[str, Any]], PermutationTest, dict[str, Difference], str]:
    """The table's rows of one run, one a target, the paired test of every voxel, the bootstrap and what it drew.

    Parameters
    ----------
    name : str
        Of the run, in the table.
    config : RunConfig
    frozen, tuned : EncodingScore
        On the same rows and voxels.
    r_readout : array (n_kept,)
        Test correlation of the run's own readout; NaN where it predicts nothing.
    """
    differences, unit = story_bootstrap(
        frozen.true,
        frozen.predicted,
        tuned.predicted,
        frozen.story_of_row,
        tuned.masks,
        config.evaluation.bootstraps,
        SEED,
    )
    paired = difference_test(
        frozen.true,
        frozen.predicted,
        tuned.predicted,
        frozen.story_of_row,
        config.evaluation,
        config.seed,
        tuned.masks,
    )
    changed = paired.q < LEVEL
    rows = []
    for target, found in differences.items():
        mask = tuned.masks[target]
        shares = [score.r_normalised[mask] for score in (frozen, tuned)]
        known = ~np.isnan(shares[0]) & ~np.isnan(shares[1])
        rows.append(
            {
                "run": name,
                "subject": config.subject,
                "seed": config.seed,
                "target": target,
                "n_voxels": found.n_voxels,
                "r_frozen": found.first,
                "r_tuned": found.second,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "relative_gain": found.difference / found.first if found.first > 0 else np.nan,
                # The readout's mean is comparable only where it predicts the whole target.
                "r_readout": float(np.mean(r_readout[mask])),
                "n_normalised": int(known.sum()),
                "normalised_frozen": float(shares[0][known].mean()) if known.any() else np.nan,
                "normalised_tuned": float(shares[1][known].mean()) if known.any() else np.nan,
                "p_frozen": frozen.test.mean[target][1],
                "p_tuned": tuned.test.mean[target][1],
                "p_difference": paired.mean[target][1],
                "low_frozen": found.first_interval[0],
                "high_frozen": found.first_interval[1],
                "low_tuned": found.second_interval[0],
                "high_tuned": found.second_interval[1],
                "voxels_frozen": int((frozen.test.q[mask] < LEVEL).sum()),
                "voxels_tuned": int((tuned.test.q[mask] < LEVEL).sum()),
                "voxels_better": int((changed & (paired.statistic > 0))[mask].sum()),
                "voxels_worse": int((changed & (paired.statistic < 0))[mask].sum()),
                "r_time_only": _time_only(tuned, target)[0],
                "p_time_only": _time_only(tuned, target)[1],
            }
        )
    return rows, paired, differences, unit


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
            "r_time_only": np.nan if tuned.time_only is None else tuned.time_only.statistic,
        }
    )


def run_summary(
    name: str,
    run: Run,
    frozen: EncodingScore,
    tuned: EncodingScore,
    differences: Mapping[str, Difference],
    unit: str,
) -> dict[str, Any]:
    """What `summary.json` says of one run; `differences` and `unit` (what was drawn) are those of its rows."""
    config, n_resamples = run.config, run.config.evaluation.bootstraps
    of_frozen = {target: found.first_interval for target, found in differences.items()}
    of_tuned = {target: found.second_interval for target, found in differences.items()}
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
        "bootstrap": f"{n_resamples} resamples of {unit}",
        "config": config.model_dump(mode="json"),
        "frozen": _without_versions(frozen.summary) | frozen.target_summary(of_frozen, n_resamples, unit),
        "tuned": _without_versions(tuned.summary) | tuned.target_summary(of_tuned, n_resamples, unit),
        "tuned_with": run.manifest["versions"],
        "tuned_on": run.manifest["data"]["control"],
    }


def _without_versions(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key != "versions"}


def _time_only(score: EncodingScore, target: str) -> tuple[float, float]:
    return (np.nan, np.nan) if score.time_only is None else score.time_only.mean[target][:2]
