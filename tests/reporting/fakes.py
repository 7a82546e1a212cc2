"""Evaluation folders made up for the reporting tests, in the layout that `evaluate` writes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn.datasets import load_fsaverage

from brainwavlm.config import load_config
from brainwavlm.datasets.description import Description
from brainwavlm.datasets.folder import Responses, write_folder

STORIES = {"bees": "train", "chess": "train", "ferry": "validation", "museum": "test"}
TEMPORAL = {0: (-55, -15, 8), 1: (55, -12, 8)}  # pial coordinates in mm: around Heschl's gyrus
BROCA = {0: (-48, 20, 15), 1: (48, 20, 15)}


def patches(n_voxels):
    """Contiguous patches of fsaverage5 vertices: hemisphere, vertex, AC, language."""
    hemisphere = np.repeat([0, 1], [n_voxels - n_voxels // 2, n_voxels // 2]).astype(np.int8)
    vertex = np.empty(n_voxels, dtype=np.int32)
    distance = np.empty(n_voxels)
    for code, name in enumerate(("left", "right")):
        pial = load_fsaverage("fsaverage5")["pial"].parts[name].coordinates
        to_temporal = np.linalg.norm(pial - TEMPORAL[code], axis=1)
        nearest = np.minimum(to_temporal, np.linalg.norm(pial - BROCA[code], axis=1) + 6)
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
    gain=0.03,
    intervals=None,
    region_names=None,
):
    """Write a data set and an evaluation below a folder; returns the evaluation's folder."""
    folder = Path(folder)
    rng = np.random.default_rng(0)
    hemisphere, vertex, distance = patches(n_voxels)
    order = np.argsort(np.argsort(distance))
    ac, language = order < n_voxels // 4, (order >= n_voxels // 4) & (order < 3 * n_voxels // 4)
    anatomy = {"hemisphere": hemisphere, "rois": {"AC": ac, "language": language}}
    if surface:
        anatomy |= {"surface": surface, "vertex": vertex}
    if region_names:
        anatomy = {"rois": {name: np.arange(n_voxels) == n for n, name in enumerate(region_names)}}
    dataset = write_folder(
        folder / "data",
        Description(
            format=1,
            name="made-up",
            licence="CC0",
            citation="Nobody et al., 2026",
            tr=2.0,
            simulated=simulated,
            stories={
                name: {"audio": f"stimuli/{name}.wav", "split": split} for name, split in STORIES.items()
            },
            subjects={"sim01": {"responses": "responses/sim01", "anatomy": "subjects/sim01.h5"}},
        ),
        {"sim01": {name: Responses(np.zeros((3, n_voxels), np.float32)) for name in STORIES}},
        {"sim01": anatomy},
    )
    masks = {"cortex": np.ones(n_voxels, bool)}
    if not region_names:
        masks |= {
            "AC": ac,
            "cortex-AC": ~ac,
            "LH": hemisphere == 0,
            "RH": hemisphere == 1,
            "language": language,
        }
    ceiling = 0.3 + 0.5 * np.exp(-distance / 30)
    frozen = 0.55 * np.exp(-distance / 22) + rng.normal(0, 0.03, n_voxels)
    table, voxels, entries = [], [], []
    for name, target in runs:
        change = gain * (np.where(ac, -0.2, 1.2) if target == "cortex" else np.where(ac, 1.4, 0.5))
        tuned = frozen + change * np.exp(-distance / 60) + rng.normal(0, 0.012, n_voxels)
        frame = pd.DataFrame({"run": name, "subject": "sim01", "voxel": np.arange(n_voxels)})
        frame["r_frozen"], frame["r_tuned"], frame["r_readout"] = frozen, tuned, tuned - 0.01
        for key, mask in masks.items():
            frame[key] = mask
            difference = (tuned - frozen)[mask].mean()
            low, high = (intervals or {}).get((name, key), (difference - 0.008, difference + 0.009))
            table.append(
                {
                    "run": name,
                    "subject": "sim01",
                    "seed": 0,
                    "target": key,
                    "n_voxels": int(mask.sum()),
                    "r_frozen": frozen[mask].mean(),
                    "r_tuned": tuned[mask].mean(),
                    "difference": difference,
                    "low": low,
                    "high": high,
                    "relative_gain": difference / frozen[mask].mean(),
                    "r_readout": tuned[mask].mean() - 0.01
                    if not (mask & ~masks.get(target, mask)).any()
                    else np.nan,
                    "n_normalised": int(mask.sum()),
                    "normalised_frozen": (frozen / ceiling)[mask].mean(),
                    "normalised_tuned": (tuned / ceiling)[mask].mean(),
                }
            )
        voxels.append(frame)
        config = load_config(
            preset="demo", overrides={"dataset": str(dataset.path), "subject": "sim01", "target": target}
        )
        entries.append(run_entry(name, target, config, n_voxels, simulated))
    out = folder / "evaluation"
    out.mkdir()
    pd.DataFrame(table).to_csv(out / "table.csv", index=False, float_format="%.6g")
    pd.concat(voxels).to_csv(out / "voxels.csv", index=False, float_format="%.6g")
    notes = ["sim01: no target Broca (not a region)"]
    summary = {
        "simulated": simulated,
        "runs": entries,
        "notes": notes,
        "versions": {"brainwavlm": "0.1.0", "torch": "2.13.0"},
    }
    (out / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return out


def run_entry(name, target, config, n_voxels, simulated):
    history = [
        {
            "epoch": k,
            "loss": None if k == 0 else -0.08 - 0.03 * k**0.5,
            "validation_r": 0.2 + 0.0126 * k - 0.0009 * k * k,
        }
        for k in range(11)
    ]
    frozen = {
        "dataset": "made-up",
        "licence": "CC0",
        "facts": ["Made up for tests."],
        "unusable_voxels": {},
        "n_voxels": n_voxels,
        "voxels_without_r": 0,
        "tr": 2.0,
        "tr_reference": "onset",
        "rows": {"held_out": 70, "fitted": 460},
        "folds": "5 folds of whole stories",
        "normalised_by": "CC_norm on the repeats of museum",
    }
    return {
        "name": name,
        "path": f"runs/{name}",
        "subject": "sim01",
        "target": target,
        "seed": 0,
        "method": "lora",
        "simulated": simulated,
        "control": "none",
        "finished": True,
        "best": {"epoch": 7, "validation_r": 0.2441, "checkpoint": "7-70"},
        "history": history,
        "splits": {s: [n for n, at in STORIES.items() if at == s] for s in ("train", "validation", "test")},
        "bootstrap": "2000 resamples of blocks of 10 rows",
        "config": config.model_dump(mode="json"),
        "frozen": frozen,
    }
