"""Two scores side by side: the table, the voxels and the words of an evaluation of runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import RunConfig
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.statistics import story_bootstrap
from brainwavlm.runs import Run, versions


def compared(
    name: str, config: RunConfig, frozen: EncodingScore, tuned: EncodingScore, r_readout: np.ndarray
) -> tuple[list[dict[str, Any]], str]:
    """The table's rows of one run, one a target, and what the bootstrap drew.

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
        config.seed,
    )
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
            }
        )
    return rows, unit


def voxel_rows(name: str, frozen: EncodingScore, tuned: EncodingScore, r_readout: np.ndarray) -> pd.DataFrame:
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
        }
    )


def described(name: str, run: Run, frozen: EncodingScore, tuned: EncodingScore, unit: str) -> dict[str, Any]:
    """What `summary.json` says of one run; `unit` is what the bootstrap drew."""
    config, checkpoint = run.config, run.checkpoint("best")
    return {
        "name": name,
        "path": str(run.path),
        "subject": config.subject,
        "target": config.target,
        "seed": config.seed,
        "method": config.adapter.method,
        "simulated": tuned.summary["simulated"],
        "shift_responses": config.shift_responses,
        "finished": run.result is not None,
        "best": checkpoint.state["best"],
        "history": run.checkpoint("last").state["history"],
        "splits": run.manifest["splits"],
        "bootstrap": f"{config.evaluation.bootstraps} resamples of {unit}",
        "config": config.model_dump(mode="json"),
        "frozen": {key: value for key, value in frozen.summary.items() if key != "versions"},
        "tuned": {key: value for key, value in tuned.summary.items() if key != "versions"},
        "tuned_with": run.manifest["versions"],
    }


def summary(entries: list[dict[str, Any]], frozen_scores: Mapping[str, EncodingScore]) -> dict[str, Any]:
    """What `summary.json` says: an entry a run, and notes that belong under every table."""
    notes = []
    if any(run["simulated"] for run in entries):
        notes.append(
            "The responses are simulated: the numbers show that the method works, not how brains work."
        )
    for score in frozen_scores.values():
        known = score.summary
        notes += [
            f"{known['subject']}: no target {name} ({why})" for name, why in known["missing_targets"].items()
        ]
        notes.append(
            f"{known['subject']}: {known['rows']['held_out']} test rows of {len(known['held_out'])} stories, "
            f"{known['rows']['fitted']} fitted (training and validation), features read at the TR's "
            f"{known['tr_reference']}, penalties by {known['folds']}."
        )
    notes += [f"{run['name']}: intervals from {run['bootstrap']}." for run in entries]
    notes += [f"{run['name']}: the run is not finished." for run in entries if not run["finished"]]
    return {
        "simulated": any(run["simulated"] for run in entries),
        "runs": entries,
        "notes": list(dict.fromkeys(notes)),
        "versions": versions(),
    }
