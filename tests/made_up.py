"""Results with numbers that were made up, by the program's own writers: what a test does not care for is filled in."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn.datasets import load_fsaverage

from brainwavlm.config import load_config
from brainwavlm.datasets.dataset_yaml import Description
from brainwavlm.datasets.folder import Responses, write_folder
from brainwavlm.files import write_json
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from brainwavlm.results.schemas import COLUMNS, TEXT, WHOLE, RidgeSummary
from brainwavlm.results.tables import write_frame, write_summary
from brainwavlm.results.transfer import Transfer
from brainwavlm.runs.run import FORMAT

STORIES = {"bees": "train", "chess": "train", "ferry": "validation", "museum": "test"}
ABOUT = {"notes": ["Intervals over 3 test stories."], "versions": {"brainwavlm": "0.1.0", "torch": "2.13.0"}}
TEMPORAL = {0: (-55, -15, 8), 1: (55, -12, 8)}  # pial coordinates in mm: around Heschl's gyrus
BROCA = {0: (-48, 20, 15), 1: (48, 20, 15)}


def filled(file, rows):
    """A table with all columns that the file must have."""
    fill = {name: "made-up" if name in TEXT else 1 if name in WHOLE else 0.1 for name in COLUMNS[file]}
    return pd.DataFrame([fill | row for row in rows])


def product(**axes):
    """A row for each combination."""
    return pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False)


def run_entry(name, target="cortex", config=None, n_voxels=1, simulated=True, subject="sim01"):
    """What summary.json says of a run."""
    history = [
        {
            "epoch": k,
            "loss": None if k == 0 else -0.08 - 0.03 * k**0.5,
            "validation_r": 0.2 + 0.0126 * k - 0.0009 * k * k,
            "gradient_norm": None if k == 0 else 3.0 / k,
        }
        for k in range(11)
    ]
    frozen = {"dataset": "made-up", "licence": "CC0", "facts": ["Made up for tests."], "unusable_voxels": {}}
    frozen |= {"n_voxels": n_voxels, "voxels_without_r": 0, "tr": 2.0, "tr_reference": "onset"}
    frozen |= {"rows": {"held_out": 70, "fitted": 460}, "folds": "5 folds of whole stories"}
    about = {"name": name, "path": f"runs/{name}", "subject": subject, "target": target, "seed": 0}
    about |= {"method": "lora", "simulated": simulated, "control": "none", "finished": True}
    return about | {
        "best": {"epoch": 7, "validation_r": 0.2441, "checkpoint": "7-70"},
        "history": history,
        "splits": {s: [n for n, at in STORIES.items() if at == s] for s in ("train", "validation", "test")},
        "intervals": "12 blocks of at least 10 TRs of these 2 test stories",
        "config": {} if config is None else config.model_dump(mode="json"),
        "frozen": frozen | {"normalised_by": "CC_norm on the repeats of museum"},
    }


def small_evaluation(rows, simulated=True, layers=(), tasks=(), replicates=None):
    """An evaluation with these rows of its table, and a voxel a run."""
    table = filled("table.csv", rows)
    names = list(dict.fromkeys(table["run"]))
    runs = [run_entry(name, simulated=simulated) for name in names]
    return Evaluation(
        table,
        filled("voxels.csv.gz", [{"run": name} for name in names]),
        {**ABOUT, "simulated": simulated, "runs": runs, "notes": []},
        filled("layers.csv", layers),
        replicates,
        filled("downstream.csv", tasks),
    )


@cache
def distances():
    """Of each vertex of fsaverage5 from AC, and from the nearer of AC and, six mm further, Broca's area; by side."""
    both = []
    for code, name in enumerate(("left", "right")):
        pial = load_fsaverage("fsaverage5")["pial"].parts[name].coordinates
        to_temporal, to_broca = (np.linalg.norm(pial - place[code], axis=1) for place in (TEMPORAL, BROCA))
        both.append((to_temporal, np.minimum(to_temporal, to_broca + 6)))
    return both


def patches(n_voxels):
    """Contiguous patches of fsaverage5 vertices: hemisphere, vertex, distance from AC."""
    hemisphere = np.repeat([0, 1], [n_voxels - n_voxels // 2, n_voxels // 2]).astype(np.int8)
    vertex = np.empty(n_voxels, dtype=np.int32)
    distance = np.empty(n_voxels)
    for code, (to_temporal, nearest) in enumerate(distances()):
        here = hemisphere == code
        vertex[here] = np.argsort(nearest, kind="stable")[: here.sum()]
        distance[here] = to_temporal[vertex[here]]
    return hemisphere, vertex, distance


def fake_evaluation(
    folder,
    n_voxels=60,
    simulated=True,
    runs=(("on-cortex", "cortex"), ("on-AC", "AC")),
    surface="fsaverage5",
    region_names=None,
):
    """Write a data set and an evaluation below a folder; returns the evaluation's folder."""
    folder, rng = Path(folder), np.random.default_rng(0)
    hemisphere, vertex, distance = patches(n_voxels)
    order = np.argsort(np.argsort(distance))
    ac, language = order < n_voxels // 4, (order >= n_voxels // 4) & (order < 3 * n_voxels // 4)
    masks, anatomy = {"cortex": np.ones(n_voxels, bool)}, {"surface": surface, "vertex": vertex}
    if region_names:
        anatomy = {"rois": {name: np.arange(n_voxels) == n for n, name in enumerate(region_names)}}
    else:
        anatomy = (anatomy if surface else {}) | {"rois": {"AC": ac, "language": language}}
        anatomy["hemisphere"] = hemisphere
        masks |= {"AC": ac, "cortex-AC": ~ac, "LH": hemisphere == 0, "RH": hemisphere == 1}
        masks["language"] = language
    description = Description(
        format=1,
        name="made-up",
        licence="CC0",
        citation="Nobody et al., 2026",
        tr=2.0,
        simulated=simulated,
        stories={name: {"audio": f"stimuli/{name}.wav", "split": split} for name, split in STORIES.items()},
        subjects={"sim01": {"responses": "responses/sim01", "anatomy": "subjects/sim01.h5"}},
    )
    responses = {name: Responses(np.zeros((3, n_voxels), np.float32)) for name in STORIES}
    dataset = write_folder(folder / "data", description, {"sim01": responses}, {"sim01": anatomy})
    ceiling = 0.3 + 0.5 * np.exp(-distance / 30)
    frozen = 0.55 * np.exp(-distance / 22) + rng.normal(0, 0.03, n_voxels)
    who, table, voxels, entries = {"subject": "sim01", "seed": 0}, [], [], []
    for name, target in runs:
        change = 0.03 * (np.where(ac, -0.2, 1.2) if target == "cortex" else np.where(ac, 1.4, 0.5))
        tuned = frozen + change * np.exp(-distance / 60) + rng.normal(0, 0.012, n_voxels)
        scores = {"r_frozen": frozen, "r_tuned": tuned, "r_readout": tuned - 0.01}
        scores |= {"normalised_frozen": frozen / ceiling, "normalised_tuned": tuned / ceiling}
        frame = pd.DataFrame({"run": name, "subject": "sim01", "voxel": np.arange(n_voxels), **scores})
        strengths = {"frozen": frozen, "tuned": tuned, "difference": np.abs(tuned - frozen) * 8}
        for kind, strength in strengths.items():
            p = np.clip(np.exp(-12 * strength), 0.001, 1)
            frame[f"p_{kind}"], frame[f"q_{kind}"] = p, np.minimum(1, 1.5 * p)
            frame[f"p_max_{kind}"] = np.minimum(1, 9 * p)
        voxels.append(frame.assign(**masks))
        for key, mask in masks.items():
            row = {
                "run": name,
                **who,
                "target": key,
                **dict.fromkeys(("n_voxels", "n_normalised"), mask.sum()),
            }
            row |= {column: values[mask].mean() for column, values in scores.items()}
            if (mask & ~masks.get(target, mask)).any():
                row["r_readout"] = np.nan
            difference = row["r_tuned"] - row["r_frozen"]
            row |= {"difference": difference, "low": difference - 0.008, "high": difference + 0.009}
            row |= {"relative_gain": difference / row["r_frozen"], "r_time_only": 0.0123, "p_time_only": 0.4}
            for kind in ("frozen", "tuned"):
                row |= {f"low_{kind}": row["r_frozen"] - 0.02, f"high_{kind}": row["r_tuned"] + 0.02}
            row |= {f"p_{kind}": 0.001 + 0.001 * len(table) for kind in strengths}
            row |= {f"voxels_{kind}": len(table) for kind in ("frozen", "tuned", "better", "worse")}
            table.append(row)
        about = {"dataset": str(dataset.path), "subject": "sim01", "target": target}
        config = load_config(preset="demo", overrides=about)
        entries.append(run_entry(name, target, config, n_voxels, simulated))
    names = [name for name, _ in runs]
    layers = product(run=names, layer=range(4), target=list(masks)).assign(**who, n_voxels=1)
    state = layers["layer"]
    layers = layers.assign(r_frozen=0.1 * state, r_tuned=0.12 * state, difference=0.02 * state)
    layers = layers.assign(low=0.015 * state, high=0.03 * state, adapted=state > 0)
    tasks = product(run=names, task=("phones", "words"), layer=(0, 3)).assign(**who, n_labels=30, n_clips=290)
    state = tasks["layer"]
    tasks = tasks.assign(auc_frozen=0.9, auc_tuned=0.9 - 0.0123 * state, difference=-0.0123 * state)
    tasks = tasks.assign(low=-0.02 * state, high=-0.01 * state, adapted=state > 0)
    delays = product(run=names, seconds=[2.0, 4.0, 6.0, 8.0]).assign(**who)
    less = 0.02 * delays["seconds"]
    delays = delays.assign(median=0.3 - less, low=0.25 - less, high=0.37 - less)
    notes = ["sim01: no target Broca (not a region)"]
    summary = {**ABOUT, "simulated": simulated, "runs": entries, "notes": notes}
    voxels, more = pd.concat(voxels, ignore_index=True), {"downstream": tasks, "delays": delays}
    return Evaluation(pd.DataFrame(table), voxels, summary, layers, **more).save(folder / "evaluation")


def native_evaluation(folder, root, masks, values, subject="UTS03", simulated=True):
    """Write an evaluation of one run on a copy of ds003020 in `root`: values (n_voxels,) are the frozen scores."""
    n_voxels, tuned = len(values), values + 0.05 * np.cos(9 * values)
    masks = {"cortex": np.ones(n_voxels, bool), **masks}
    frame = pd.DataFrame({"run": "one", "subject": subject, "voxel": np.arange(n_voxels)})
    frame["r_frozen"], frame["r_tuned"], frame["r_readout"] = values, tuned, tuned
    frame["normalised_frozen"], frame["normalised_tuned"] = 1.5 * values, 1.5 * tuned
    q = np.clip(0.2 - 0.3 * np.abs(values), 0.001, 1)
    frame = frame.assign(q_frozen=q, q_tuned=q, q_difference=q, **masks)
    table = [
        {"run": "one", "subject": subject, "seed": 0, "target": name, "n_voxels": int(mask.sum())}
        | {"r_frozen": values[mask].mean(), "r_tuned": tuned[mask].mean(), "relative_gain": 0.1}
        | {"difference": (tuned - values)[mask].mean(), "low": -0.01, "high": 0.04, "n_normalised": 1}
        for name, mask in masks.items()
    ]
    config = load_config(preset="demo", overrides={"dataset": str(root), "subject": subject})
    entry = run_entry("one", "cortex", config, n_voxels, simulated)
    entry |= {"subject": subject, "frozen": entry["frozen"] | {"dataset": "ds003020"}}
    summary = {**ABOUT, "simulated": simulated, "runs": [entry], "notes": []}
    return Evaluation(filled("table.csv", table), frame, summary).save(folder)


def without_checksums(folder):
    """Take the checksums of its files out of the summary, so that a test may edit them, as somebody may by hand."""
    summary = json.loads((folder / "summary.json").read_text())
    del summary["files"]
    (folder / "summary.json").write_text(json.dumps(summary))


def fake_ridge(evaluation, folder):
    """Write what `ridge` leaves of the untuned model of an evaluation; its r by the shared map is .05 higher."""
    scores = Evaluation.open(evaluation)
    (entry, *_), names = scores.runs, [name for name in scores.target_names if name in scores.voxels]
    rows = scores.voxels[scores.voxels["run"] == entry["name"]]
    voxels = rows[["subject", "voxel", *names]].assign(split="test", r=rows["r_frozen"])
    voxels = voxels.assign(shared_r=voxels["r"] + 0.05, r_normalised=rows["normalised_frozen"], alpha=10.0)
    voxels = voxels.assign(p=rows["p_frozen"], q=rows["q_frozen"], p_max=rows["p_max_frozen"])
    write_frame(folder / "scores.csv", voxels)
    targets = []
    for row in scores.rows_of(entry["name"]):
        r = row["r_frozen"]
        about = {"target": row["target"], "n_voxels": row["n_voxels"], "mean_r": r, "low": r - 0.02}
        about |= {"high": r + 0.02, "shared_mean_r": r + 0.05, "shared_low": r, "shared_high": r + 0.1}
        about |= {"p": row["p_frozen"], "null_95": 0.1, "voxels_q_below_.05": 3, "voxels_p_max_below_.05": 1}
        about |= {"time_only_r": 0.0, "time_only_p": 0.5, "mean_r_normalised": row["normalised_frozen"]}
        targets.append(about)
    keys = ("subject", "target", "seed", "simulated", "splits", "intervals", "config")
    null = {"kind": "shifts", "draws": 200, "block_rows": 10, "least_p": 0.0, "least_p_difference": 0.01}
    summary = {**entry["frozen"], **{k: entry[k] for k in keys}, **ABOUT, "targets": targets, "null": null}
    write_summary(folder / "summary.json", summary, RidgeSummary)
    return folder


def probes_summary(run, features, controls, layers=(0, 3), own=3, simulated=True):
    """What summary.json says of probes of one run and of features with their kinds."""
    sizes = {"unit": "words", "columns": ["0"], "n_fitted": 100, "n_tested": 60}
    about = {
        "path": run,
        "subject": "sim01",
        "seed": 0,
        "layers": list(layers),
        "splits": {"test": ["museum"]},
    }
    return {
        **ABOUT,
        "simulated": simulated,
        "runs": [{"name": run, **about, "config": {"backbone": {"layer": own}, "target": "cortex"}}],
        "features": [{"name": name, "kind": kind, **sizes} for name, kind in features],
        "controls": list(controls),
    }


def fake_probes(folder, layers=range(5), runs=("one",)):
    """Write the folder of probes of `meaning` (its controls too) and `mel`; each run was tuned at state 3."""
    controls = ("none", "shuffled", "selectivity", "unseen-types", "beyond-low-level", "random", "low-level")
    table = product(run=runs, layer=layers, feature=("mel", "meaning"), control=controls, score=("r", "r2"))
    of_sound = table["control"].isin(["unseen-types", "beyond-low-level", "low-level"])
    table = table[(table["feature"] == "meaning") | ~of_sound].reset_index(drop=True)
    place = table["control"].map(controls.index)
    table["score_frozen"] = 0.5 + 0.05 * table["layer"] - 0.08 * place - 0.2 * (table["score"] == "r2")
    untouched = table["control"].isin(["random", "low-level"])
    change = np.where(untouched, np.nan, np.where(table["feature"] == "meaning", 0.02, -0.001))
    table["score_tuned"] = table["score_frozen"] + np.nan_to_num(change)
    table = table.assign(difference=change, low=change - 0.011, high=change + 0.011, p=0.01, q=0.04)
    for model in ("frozen", "tuned"):
        table[f"low_{model}"], table[f"high_{model}"] = (
            table[f"score_{model}"] + end for end in (-0.03, 0.03)
        )
    table = table.assign(subject="sim01", seed=0, n_stories=3, n_units=200, n_labels=24)
    table["kind"] = table["feature"].map({"mel": "acoustic", "meaning": "semantic"})
    summary = probes_summary(
        "", [("mel", "made-up"), ("meaning", "made-up")], controls[1:2] + controls[3:], layers
    )
    summary["runs"] = [{**run, "name": name, "path": name} for run in summary["runs"] for name in runs]
    return Probes(table, summary=summary).save(folder)


def fake_partition(folder, config=None, n_voxels=8):
    """Write the folder of a partition by `mel` of a run tuned on AC, where all of the gain is shared with it."""
    parts = [("total", "all"), ("alone", "model"), ("alone", "stimulus"), ("unique", "model")]
    parts += [("shared", "stimulus"), ("alone", "mel"), ("unique", "mel"), ("shared", "mel")]
    parts += [("product", "mel"), ("product", "model")]
    gained = {("alone", "model"): 0.02, ("shared", "stimulus"): 0.025, ("unique", "model"): -0.005}
    rows, voxels = [], pd.DataFrame({"run": "one", "subject": "sim01", "voxel": range(n_voxels), "cortex": 1})
    voxels["AC"] = (voxels["voxel"] < 3).astype(int)
    for place, (measure, space) in enumerate(parts):
        change, frozen = gained.get((measure, space), -0.01), 0.03 + 0.01 * place
        tuned = frozen + change
        row = {"run": "one", "subject": "sim01", "seed": 0, "measure": measure, "space": space}
        row |= {"n_voxels": n_voxels, "r2_frozen": frozen, "r2_tuned": tuned, "difference": change}
        row |= {"low": change - 0.002, "high": change + 0.002, "low_frozen": frozen - 0.01}
        row |= {"high_frozen": frozen + 0.01, "low_tuned": tuned - 0.01, "high_tuned": tuned + 0.01}
        rows += [row | {"target": target} for target in ("cortex", "AC")]
        voxels[f"{measure}_{space}_frozen"] = frozen + 0.001 * voxels["voxel"]
        voxels[f"{measure}_{space}_tuned"] = voxels[f"{measure}_{space}_frozen"] + change
    summary = {**ABOUT, "simulated": True, "runs": [run_entry("one", "AC", config, n_voxels)]}
    summary["features"] = [{"name": "mel", "kind": "acoustic"}]
    return Partition(pd.DataFrame(rows), voxels, summary).save(folder)


def fake_comparison(folder, simulated=True, names=("adapter.method=lora", "adapter.method=full")):
    """Write the folder of a comparison: two groups of three seeds, two targets."""
    runs = product(group=names, target=("cortex", "AC"), seed=range(3))
    place = runs["group"].map(names.index)
    runs["run"] = [f"run-{k}-{seed}" for k, seed in zip(place, runs["seed"], strict=True)]
    runs = runs.assign(n_voxels=50, subject="sim01", r_frozen=0.25, best_epoch=3)
    runs["r_tuned"] = 0.3 + 0.05 * place + 0.01 * runs["seed"]
    scores = runs.groupby(["group", "target"], sort=False)["r_tuned"]
    spread = {"n_runs": "count", "mean": "median", "deviation": "std", "lowest": "min", "highest": "max"}
    spread = scores.agg(**spread).reset_index()
    groups = spread.assign(n_voxels=50, r_frozen=0.25, gain=spread["mean"] - 0.25, low=0.02, high=0.09)
    epochs = spread.assign(score="validation").merge(pd.DataFrame({"epoch": [1, 2, 3]}), how="cross")
    differences = pd.DataFrame({"first": names[0], "second": names[1], "target": ["cortex", "AC"]})
    differences = differences.assign(difference=0.05, low=0.01, high=0.08, n_first=3, n_second=3)
    differences["deviation_over_seeds"] = 0.0
    group = {"group": names[0], "runs": ["run-0-0"], "seeds": [0], "subject": "sim01"}
    summary = {**ABOUT, "simulated": simulated, "groups": [group]}
    return Comparison(runs, groups, epochs, differences, summary).save(folder)


def fake_transfer(folder, simulated=True, subjects=("ann", "ben")):
    """Write the folder of a transfer: a run a subject, each scored in all, with a curve over minutes."""
    matrix = product(tuned_on=subjects, scored_on=subjects)
    matrix["run"] = "run-" + matrix["tuned_on"]
    where = matrix.assign(target="cortex")
    first, second = (matrix[key].map(subjects.index) for key in ("tuned_on", "scored_on"))
    change = np.where(first == second, 0.06, 0.02 - 0.05 * (first > second))
    matrix = where.assign(seed=0, layer=4, stories="all", n_voxels=50, r_frozen=0.3, r_tuned=0.3 + change)
    matrix = matrix.assign(difference=change, low=change - 0.01, high=change + 0.01)
    matrix = matrix.assign(r_readout=np.nan, n_readout=0, shared="")
    amounts = pd.DataFrame({"asked": [5, 10, np.nan], "minutes": [4.5, 9.5, 20.0]})
    curve = where.merge(amounts, how="cross").assign(draw=0, n_stories=2)
    curve = curve.assign(r_frozen=0.01 * curve["minutes"], r_tuned=0.012 * curve["minutes"])
    needed = where.assign(full_minutes=20.0, r_frozen=0.2, minutes_needed=16.7)
    cells = where[["run", "scored_on", "target"]].assign(dataset="made-up").to_dict("records")
    summary = {**ABOUT, "simulated": simulated, "cells": cells, "notes": ["None heard."]}
    return Transfer(matrix, curve, needed, summary).save(folder)


def fake_run(folder, config, history, kept, simulated=True):
    """Write the files of a finished run of which epoch `kept` was kept."""
    about = {"dataset": "made-up", "subject": "sim01", "simulated": simulated, "n_voxels": 12, "n_target": 12}
    data = about | {"control": {"kind": "none", "n_targets": 12, "voxels": True}}
    splits = {"train": ["bees"], "validation": ["chess"], "test": ["museum"]}
    manifest = {"format": FORMAT, "config": config.model_dump(mode="json"), "splits": splits, "data": data}
    write_json(folder / "run.json", manifest | {"backbone": {}, "versions": {}})
    (best,) = ({**row, "checkpoint": f"{kept:05}-00000050"} for row in history if row["epoch"] == kept)
    write_json(folder / "result.json", {"best": best, "history": history})
    return folder
