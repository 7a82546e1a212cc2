"""Two scores side by side: the table, the voxels and the words of an evaluation of runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import CONTROLS, RunConfig
from brainwavlm.evaluation.bootstrap import SEED, Difference, story_bootstrap
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.null import PermutationTest
from brainwavlm.evaluation.scores import rounded
from brainwavlm.evaluation.significance import LEVEL, difference_test
from brainwavlm.runs import Run, versions


def compared(
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


def described(name: str, run: Run, frozen: EncodingScore, tuned: EncodingScore, unit: str) -> dict[str, Any]:
    """What `summary.json` says of one run; `unit` is what the bootstrap drew."""
    config, checkpoint = run.config, run.checkpoint("best")
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
        "best": checkpoint.state["best"],
        "history": run.checkpoint("last").state["history"],
        "splits": run.manifest["splits"],
        "bootstrap": f"{config.evaluation.bootstraps} resamples of {unit}",
        "config": config.model_dump(mode="json"),
        "frozen": {key: value for key, value in frozen.summary.items() if key != "versions"},
        "tuned": {key: value for key, value in tuned.summary.items() if key != "versions"},
        "tuned_with": run.manifest["versions"],
        "tuned_on": run.manifest["data"]["control"],
    }


def amount_note(run: Mapping[str, Any]) -> str:
    """On how much a run's speech model was tuned, and on how much ridge was fitted; `run` is as `described`."""
    validation = len(run["splits"]["validation"])
    taken, all_of = len(run["splits"]["train"]), len(run["frozen"]["fitted"]) - validation
    return (
        f"{run['name']}: tuned on {taken} of {all_of} training stories (train_minutes "
        f"{run['config']['train_minutes']:g}); ridge is fitted on all of them, frozen and tuned."
    )


def control_note(name: str, tuned_on: Mapping[str, Any]) -> str:
    """What to know of a run that is a control; `tuned_on` is what run.json says of its targets."""
    kind, unknown = tuned_on["kind"], tuned_on.get("unknown")
    note = f"{name}: a control, tuned on {CONTROLS[kind]}; scored on the true responses."
    if not tuned_on["voxels"]:
        note += f" Its readout predicts {tuned_on['n_targets']} targets that are no voxels and is not scored."
    if unknown is not None:
        note += f" {100 * unknown[kind] / unknown['of']:.1f} % of {unknown['of']:,} {kind} were unknown."
    return note


def summary(
    entries: list[dict[str, Any]],
    frozen_scores: Mapping[str, EncodingScore],
    listeners: list[dict[str, Any]],
) -> dict[str, Any]:
    """What `summary.json` says: an entry a run, the test over listeners, notes that belong under every table."""
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
        notes += notes_on_tests(known)
    notes += [f"{run['name']}: intervals from {run['bootstrap']}." for run in entries]
    notes += [
        f"{run['name']}: tuned together with {', '.join(run['together_with'])}, ridge in {run['subject']} alone."
        for run in entries
        if run["together_with"]
    ]
    notes += [amount_note(run) for run in entries if run["config"]["train_minutes"] is not None]
    notes += [
        f"{run['name']}: no r from {which} features for {n:,} of {run[which]['n_voxels']:,} voxels: nothing varies."
        for run in entries
        for which in ("frozen", "tuned")
        if (n := run[which]["voxels_without_r"])
    ]
    notes += [f"{run['name']}: the run is not finished." for run in entries if not run["finished"]]
    notes += [control_note(run["name"], run["tuned_on"]) for run in entries if run["control"] != "none"]
    return {
        "simulated": any(run["simulated"] for run in entries),
        "runs": entries,
        "listeners": [rounded(row) for row in listeners],
        "notes": list(dict.fromkeys(notes)),
        "versions": versions(),
    }


def notes_on_tests(known: Mapping[str, Any]) -> list[str]:
    """What to know of a score's tests: p that cannot be small, sounds on both sides of the split."""
    null, subject = known["null"], known["subject"]
    notes = []
    if null["least_p"] > LEVEL:
        notes.append(
            f"{subject}: the test rows are too few for orders of blocks of {null['block_rows']} TRs: p is never below "
            f"{null['least_p']:.2g}. Set evaluation.null=shifts, or shorter blocks with evaluation.block_rows."
        )
    if null["least_p_difference"] > LEVEL:
        notes.append(
            f"{subject}: p of a difference is never below {null['least_p_difference']:.2g}: the test rows hold too few "
            f"blocks of {null['block_rows']} TRs (evaluation.block_rows). See the intervals."
        )
    for story, twins in known["sounds_on_both_sides"].items():
        notes.append(
            f"{subject}: LEAK: {story} is scored, and its sound was fitted as {', '.join(twins)}. See time only."
        )
    return notes


def _time_only(score: EncodingScore, target: str) -> tuple[float, float]:
    return (np.nan, np.nan) if score.time_only is None else score.time_only.mean[target][:2]
