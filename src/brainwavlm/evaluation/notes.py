"""What has to be said beside the scores of an evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brainwavlm.config import CONTROLS, RunConfig
from brainwavlm.evaluation.statistics.tests import LEVEL
from brainwavlm.results.schemas import FORMAT
from brainwavlm.results.tables import rounded
from brainwavlm.runs.environment import versions
from brainwavlm.runs.run import Run

SIMULATED = "The responses are simulated: the numbers show that the method works, not how brains work."
EDGE_SHARE = 0.1  # of voxels at an end of the grid of penalties is worth a note


def result_summary(simulated: bool, notes: Iterable[str], **facts: Any) -> dict[str, Any]:
    """What the `summary.json` of every result says: besides its facts its format, each note once, and versions."""
    about = {"format": FORMAT, "simulated": simulated, **facts}
    return {**about, "notes": list(dict.fromkeys(notes)), "versions": versions()}


def training_subset_note(run: Mapping[str, Any]) -> str:
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


def run_notes(run: Run, name: str) -> list[str]:
    """What to know of a run whatever is asked of it: that it is not finished, or a control."""
    kind = run.config.control.kind
    return [
        *([f"{name}: the run is not finished."] if run.result is None else []),
        *([f"{name}: a control, tuned on {CONTROLS[kind]}."] if kind != "none" else []),
    ]


def summary(
    entries: list[dict[str, Any]],
    frozen: Sequence[Mapping[str, Any]],
    listeners: list[dict[str, Any]],
    cross_fit: bool,
    reuse_alphas: bool,
) -> dict[str, Any]:
    """What `summary.json` says: an entry a run, the test over listeners, notes that belong under every table."""
    simulated = any(run["simulated"] for run in entries)
    notes = [SIMULATED] * simulated
    for known in frozen:
        notes += score_notes(known)
    if cross_fit:
        notes.append(
            "Cross-fitted: ridge was fitted, on frozen and on tuned features, on stories that tuning did not use."
        )
    if reuse_alphas:
        notes.append(
            "Tuned features were fitted with the penalties chosen for the untuned ones, not their own."
        )
    for run in entries:
        notes += untestable_note(f"{run['name']}: which voxels changed", run["untestable_voxels"])
    notes += [f"{run['name']}: intervals over {run['intervals']}." for run in entries]
    notes += [
        f"{run['name']}: tuned together with {', '.join(run['together_with'])}, ridge in {run['subject']} alone."
        for run in entries
        if run["together_with"]
    ]
    if not cross_fit:
        notes += [training_subset_note(run) for run in entries if run["config"]["train_minutes"] is not None]
    notes += [
        f"{run['name']}: no r from {which} features for {n:,} of {run[which]['n_voxels']:,} voxels: nothing varies."
        for run in entries
        for which in ("frozen", "tuned")
        if (n := run[which]["voxels_without_r"])
    ]
    notes += [f"{run['name']}: the run is not finished." for run in entries if not run["finished"]]
    notes += [control_note(run["name"], run["tuned_on"]) for run in entries if run["control"] != "none"]
    return result_summary(
        simulated,
        notes,
        runs=entries,
        listeners=[rounded(row) for row in listeners],
        cross_fit=cross_fit,
        reuse_alphas=reuse_alphas,
    )


def ridge_summary(
    config: RunConfig, known: Mapping[str, Any], splits: Mapping[str, list[str]]
) -> dict[str, Any]:
    """What `summary.json` says of a speech model as it is: its score's summary, how it was asked for, and notes."""
    n_voxels, without = known["n_voxels"], known["voxels_without_r"]
    notes = [SIMULATED] * known["simulated"]
    notes += [*score_notes(known), f"Intervals over {known['intervals']}."]
    if without:
        notes.append(
            f"No r for {without:,} of {n_voxels:,} voxels, where nothing varies: they are in no mean."
        )
    return {
        "format": FORMAT,
        "target": config.target,
        "seed": config.seed,
        "splits": splits,
        "config": config.model_dump(mode="json"),
        "notes": notes,
        **known,
    }


def untestable_note(what: str, reason: Mapping[str, float] | None) -> list[str]:
    """That q < .05 is out of reach, and why; nothing where it is not."""
    if reason is None:
        return []
    least, n_voxels = reason["least_p"], reason["n_voxels"]
    needed = f"at least {least * n_voxels / LEVEL:,.0f} of {n_voxels:,} voxels together"
    return [
        f"{what} cannot be tested: p of a voxel is never below {least:.2g}, and q < {LEVEL:g} would take {needed} at "
        "that floor. More test stories, or shorter blocks (evaluation.block_rows), lower it. See means over targets."
    ]


def score_notes(known: Mapping[str, Any]) -> list[str]:
    """What to know of a score: targets that are missing, rows, p that cannot be small, sounds on both sides."""
    null, subject = known["null"], known["subject"]
    notes = [f"{subject}: no target {name} ({why})" for name, why in known["missing_targets"].items()]
    notes.append(
        f"{subject}: {known['rows']['held_out']} test rows of {len(known['held_out'])} stories, "
        f"{known['rows']['fitted']} fitted (training and validation), features read at the TR's "
        f"{known['tr_reference']}, penalties by {known['folds']}."
    )
    notes += [f"{subject}: {fact}" for fact in known["left_out"]]
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
    notes += untestable_note(f"{subject}: which voxels are predicted", known["untestable_voxels"])
    edges, n_fits = known["alphas_at_grid_edge"], known["n_voxels"] * len(known["shared_readout"])
    for end, n in edges.items():
        if n > EDGE_SHARE * n_fits:
            notes.append(
                f"{subject}: {n:,} of {n_fits:,} voxels chose the {end} penalty of ridge.alphas: widen it, unless they "
                "carry no signal."
            )
    for story, twins in known["sounds_on_both_sides"].items():
        notes.append(
            f"{subject}: LEAK: {story} is scored, and its sound was fitted as {', '.join(twins)}. See time only."
        )
    return notes
