"""Folders of studies with numbers that were made up, in the layout that `study run` leaves."""

import json

import numpy as np
import pandas as pd
from scipy import stats

from brainwavlm.results.probes import Probes
from brainwavlm.results.replicates import gathered, replicate_rows
from brainwavlm.results.transfer import Transfer
from brainwavlm.study import cells_of
from brainwavlm.study.cells import tuners
from brainwavlm.study.description import study_from
from brainwavlm.study.records import CellState, write_state
from tests.results.made_up import VERSIONS, filled, small_evaluation

STORIES = np.repeat(["flood", "museum"], [40, 30])
N_PIECES = 7
# What leaving out a block does to every model alike: shared by all cells, so it leaves differences alone.
LUCK = 0.05 * np.random.default_rng(0).standard_normal(N_PIECES)
# What it does to a gain: its interval ends .002 from it.
_SHAPE = np.linspace(-1, 1, N_PIECES)
WIDTH = 0.002 * _SHAPE / (stats.t.ppf(0.975, N_PIECES - 1) * np.sqrt((1 - 1 / N_PIECES) * (_SHAPE**2).sum()))


def scored(config, listener, target):
    """Frozen and tuned r of a cell; tests give their own."""
    return 0.3, 0.3 + 0.02 + 0.001 * config.seed


def fake_study(
    folder,
    experiments,
    score=scored,
    targets=("cortex", "AC"),
    failed=(),
    waiting=(),
    simulated=True,
    layers=(),
    tasks=(),
    stories=STORIES,
    needed=None,
    title="Made up",
    name="made-up",
    shared=None,
    probed=(),
    unit="5 test stories",
):
    """Write a study whose cells are done, but for those named in `failed` and `waiting`; returns its folder.

    `shared` is what a gain is less by under the shared readout; None: that readout was not scored. `probed` are
    features with their kinds, each scored with and without the control beyond-low-level.
    """
    content = {
        "format": 1,
        "name": name,
        "title": title,
        "preset": "demo",
        "base": {"target": "cortex"},
        "experiments": experiments,
    }
    study = study_from(content, "fake")
    (folder / "records").mkdir(parents=True)
    entries = []
    for number, cell in enumerate(cells_of(study)):
        where, identity = f"{number:03}-{cell.name[:40]}", f"{number:064x}"
        entries.append({**cell.model_dump(mode="json"), "folder": where, "identity": identity})
        if cell.name in waiting:
            continue
        state, error = ("failed", f"{cell.name}: broke") if cell.name in failed else ("done", None)
        write_state(
            folder,
            CellState(folder=where, identity=identity, state=state, attempts=1, error=error, seconds=60.0),
        )
        if state == "done":
            (folder / "cells" / where).mkdir(parents=True)
            for name in ("run.json", "result.json"):
                (folder / "cells" / where / name).write_text("{}")
            about = (targets, simulated, layers, tasks, stories, shared, unit)
            _evaluation(folder / "cells" / where, cell, score, *about)
            if cell.transfer is not None:
                _transfer(folder / "cells" / where, cell, score, targets, simulated, stories, needed, unit)
            if cell.probe is not None:
                _probes(folder / "cells" / where, cell, score, probed, simulated, stories, unit)
    code = {"version": "0.1.0", "source": "abc", "revision": None}
    document = {"format": 1, "study": study.model_dump(mode="json"), "cells": entries, "code": code}
    (folder / "study.json").write_text(json.dumps(document))
    (folder / "study.yaml").write_text("name: made-up\n")
    return folder


def _without(frozen, tuned):
    return frozen + LUCK, frozen + LUCK + (tuned - frozen) + WIDTH


def _evaluation(path, cell, score, targets, simulated, layers, tasks, stories, shared, unit):
    listeners = tuners(cell.config)
    table, by_layer, by_task, rows = [], [], [], []
    for dataset, listener in listeners:
        run = path.name if len(listeners) == 1 else f"{path.name} ({dataset}:{listener})"
        who = listener if dataset == "demo" else f"{dataset}:{listener}"
        for target in targets:
            frozen, tuned = score(cell.config, who, target)
            about = {"run": run, "subject": listener, "seed": cell.config.seed, "target": target}
            table.append(about | {"r_frozen": frozen, "r_tuned": tuned})
            rows += replicate_rows(run, listener, {target: _without(frozen, tuned)}, unit, stories)
            if shared is not None:
                ends = frozen + 0.05, tuned + 0.05 - shared
                table[-1] |= {"shared_frozen": ends[0], "shared_tuned": ends[1]}
                pairs = {target: _without(*ends)}
                rows += replicate_rows(run, listener, pairs, unit, stories, readout="shared")
            for layer in layers:
                by_layer.append(
                    about | {"layer": layer, "r_frozen": frozen, "r_tuned": tuned + 0.001 * layer}
                )
                pairs = {target: _without(frozen, tuned + 0.001 * layer)}
                rows += replicate_rows(run, listener, pairs, unit, stories, layer)
        for task, layer in tasks:
            frozen, tuned = score(cell.config, who, task)
            about = {"run": run, "subject": listener, "seed": cell.config.seed, "task": task, "layer": layer}
            by_task.append(about | {"auc_frozen": frozen, "auc_tuned": tuned})
            pairs = {task: _without(frozen, tuned)}
            rows += replicate_rows(run, listener, pairs, unit, stories, layer, "clips")
    small_evaluation(table, simulated, by_layer, by_task, gathered(rows)).save(path / "evaluation")


def _probes(path, cell, score, probed, simulated, stories, unit):
    """At the run's own hidden state and at 0, by r and by r2; the control takes .01 off what the tuned model has."""
    table, rows = [], []
    run, listener, layers = path.name, cell.config.subject, (0, cell.config.backbone.layer)
    asked = [
        (feature, layer, control)
        for feature in probed
        for layer in layers
        for control in ("none", "beyond-low-level")
    ]
    for (feature, kind), layer, control in asked:
        frozen, tuned = score(cell.config, listener, feature)
        tuned -= 0.01 * (control != "none")
        for measure in ("r", "r2"):
            about = {
                "run": run,
                "subject": listener,
                "seed": cell.config.seed,
                "layer": layer,
                "feature": feature,
            }
            about |= {"kind": kind, "control": control, "score": measure}
            table.append(about | {"score_frozen": frozen, "score_tuned": tuned, "difference": tuned - frozen})
            pairs = {feature: _without(frozen, tuned)}
            rows += replicate_rows(run, listener, pairs, unit, stories, layer, control, measure)
    about = {"name": run, "path": run, "subject": listener, "seed": cell.config.seed, "splits": {}}
    about |= {"layers": list(layers), "config": {"backbone": {"layer": cell.config.backbone.layer}}}
    features = [
        {"name": name, "kind": kind, "unit": "words", "columns": ["0"], "n_fitted": 60, "n_tested": 60}
        for name, kind in probed
    ]
    summary = {
        "simulated": simulated,
        "runs": [about],
        "features": features,
        "notes": [],
        "versions": VERSIONS,
    }
    summary["controls"] = ["beyond-low-level"]
    Probes(filled("probes.csv", table), pd.DataFrame(), summary, gathered(rows)).save(path / "probes")


def _transfer(path, cell, score, targets, simulated, stories, needed, unit):
    table, rows, minutes = [], [], []
    datasets = dict.fromkeys(dataset for dataset, _ in tuners(cell.config))
    everyone = [(dataset, listener) for dataset in datasets for listener in ("sim01", "sim02")]
    for dataset, listener in everyone:
        who = listener if dataset == "demo" else f"{dataset}:{listener}"
        for target in targets:
            frozen, tuned = score(cell.config, who, target)
            about = {"run": path.name, "scored_on": listener, "seed": cell.config.seed, "target": target}
            own = {"layer": cell.config.backbone.layer, "stories": "all"}
            table.append(about | own | {"r_frozen": frozen, "r_tuned": tuned})
            rows += replicate_rows(
                path.name, listener, {target: _without(frozen, tuned)}, unit, stories, own["layer"]
            )
            if needed is not None:
                minutes.append(about | {"full_minutes": 17.0, "minutes_needed": needed(cell.config)})
    cells = [
        {"run": path.name, "scored_on": listener, "dataset": dataset, "target": "cortex"}
        for dataset, listener in everyone
    ]
    summary = {"simulated": simulated, "cells": cells, "notes": [], "versions": VERSIONS}
    matrix, curve, needed_of = filled("matrix.csv", table), pd.DataFrame(), filled("needed.csv", minutes)
    Transfer(matrix, curve, needed_of, summary, gathered(rows)).save(path / "transfer")
