"""Folders of studies with numbers that were made up, in the layout that `study run` leaves."""

import json
from functools import partial
from types import SimpleNamespace

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
from tests.made_up import ABOUT, filled, probes_summary, small_evaluation

N_PIECES = 7
# What leaving out a block does to every model alike: shared by all cells, so it leaves differences alone.
LUCK = 0.05 * np.random.default_rng(0).standard_normal(N_PIECES)
# What it does to a gain: its interval ends .002 from it.
_SHAPE = np.linspace(-1, 1, N_PIECES)
WIDTH = 0.002 * _SHAPE / (stats.t.ppf(0.975, N_PIECES - 1) * np.sqrt((1 - 1 / N_PIECES) * (_SHAPE**2).sum()))
# `score` gives frozen and tuned r of a cell. `shared` is what a gain is less by under the shared readout; None: that
# readout was not scored. `probed` are features with their kinds, each scored with and without the control
# beyond-low-level.
OPTIONS = {"score": lambda config, listener, target: (0.3, 0.3 + 0.02 + 0.001 * config.seed)}
OPTIONS |= {"targets": ("cortex", "AC"), "simulated": True, "layers": (), "tasks": (), "probed": ()}
OPTIONS |= {"stories": np.repeat(["flood", "museum"], [40, 30]), "unit": "5 test stories"}
OPTIONS |= {"shared": None, "needed": None}

# An experiment of models tuned on words and on responses, whose probes are of meaning.
SUPERVISION = {"claim": 9, "set": {"control.embeddings": "demo"}, "contrast": "control.kind"}
SUPERVISION |= {"grid": {"control.kind": ["none", "words"], "seed": [0, 1, 2]}}
SUPERVISION |= {"probe": {"features": ["meaning=demo"]}}


def fake_study(folder, experiments, failed=(), waiting=(), title="Made up", name="made-up", **options):
    """Write a study whose cells are done, but for those named in `failed` and `waiting`; returns its folder."""
    asked = SimpleNamespace(**OPTIONS | options)
    asked.kept = partial(replicate_rows, unit=asked.unit, story_of_row=asked.stories)
    content = {"format": 1, "name": name, "title": title, "preset": "demo", "base": {"target": "cortex"}}
    study = study_from(content | {"experiments": experiments}, "fake")
    (folder / "records").mkdir(parents=True)
    entries = []
    for number, cell in enumerate(cells_of(study)):
        where, identity = f"{number:03}-{cell.name[:40]}", f"{number:064x}"
        entries.append({**cell.model_dump(mode="json"), "folder": where, "identity": identity})
        if cell.name in waiting:
            continue
        state, error = ("failed", f"{cell.name}: broke") if cell.name in failed else ("done", None)
        record = CellState(
            folder=where, identity=identity, state=state, attempts=1, error=error, seconds=60.0
        )
        write_state(folder, record)
        if state == "done":
            path = folder / "cells" / where
            path.mkdir(parents=True)
            for file in ("run.json", "result.json"):
                (path / file).write_text("{}")
            _evaluation(path, cell, asked)
            if cell.transfer is not None:
                _transfer(path, cell, asked)
            if cell.probe is not None:
                _probes(path, cell, asked)
    code = {"version": "0.1.0", "source": "abc", "revision": None}
    document = {"format": 1, "study": study.model_dump(mode="json"), "cells": entries, "code": code}
    (folder / "study.json").write_text(json.dumps(document))
    (folder / "study.yaml").write_text("name: made-up\n")
    return folder


def _without(frozen, tuned):
    return frozen + LUCK, frozen + LUCK + (tuned - frozen) + WIDTH


def _who(dataset, listener):
    return listener if dataset == "demo" else f"{dataset}:{listener}"


def _evaluation(path, cell, asked):
    listeners = tuners(cell.config)
    table, by_layer, by_task, rows = [], [], [], []
    for dataset, listener in listeners:
        run = path.name if len(listeners) == 1 else f"{path.name} ({dataset}:{listener})"
        about = {"run": run, "subject": listener, "seed": cell.config.seed}
        kept = partial(asked.kept, run, listener)
        for target in asked.targets:
            frozen, tuned = asked.score(cell.config, _who(dataset, listener), target)
            table.append(about | {"target": target, "r_frozen": frozen, "r_tuned": tuned})
            rows += kept({target: _without(frozen, tuned)})
            if asked.shared is not None:
                ends = frozen + 0.05, tuned + 0.05 - asked.shared
                table[-1] |= {"shared_frozen": ends[0], "shared_tuned": ends[1]}
                rows += kept({target: _without(*ends)}, readout="shared")
            for layer in asked.layers:
                deeper = tuned + 0.001 * layer
                by_layer.append(
                    about | {"target": target, "layer": layer, "r_frozen": frozen, "r_tuned": deeper}
                )
                rows += kept({target: _without(frozen, deeper)}, layer=layer)
        for task, layer in asked.tasks:
            frozen, tuned = asked.score(cell.config, _who(dataset, listener), task)
            by_task.append(about | {"task": task, "layer": layer, "auc_frozen": frozen, "auc_tuned": tuned})
            rows += kept({task: _without(frozen, tuned)}, layer=layer, stories="clips")
    small_evaluation(table, asked.simulated, by_layer, by_task, gathered(rows)).save(path / "evaluation")


def _probes(path, cell, asked):
    """At the run's own hidden state and at 0, by r and by r2; the control takes .01 off what the tuned model has."""
    table, rows = [], []
    run, listener, layers = path.name, cell.config.subject, (0, cell.config.backbone.layer)
    for feature, kind in asked.probed:
        frozen, plain = asked.score(cell.config, listener, feature)
        for layer in layers:
            for control, tuned in (("none", plain), ("beyond-low-level", plain - 0.01)):
                for measure in ("r", "r2"):
                    row = {"run": run, "subject": listener, "seed": cell.config.seed, "layer": layer}
                    row |= {"feature": feature, "kind": kind, "control": control, "score": measure}
                    row |= {"score_frozen": frozen, "score_tuned": tuned, "difference": tuned - frozen}
                    table.append(row)
                    pairs = {feature: _without(frozen, tuned)}
                    rows += asked.kept(run, listener, pairs, layer=layer, stories=control, readout=measure)
    summary = probes_summary(run, asked.probed, ["beyond-low-level"], layers, layers[1], asked.simulated)
    summary["runs"][0] |= {"subject": listener, "seed": cell.config.seed}
    Probes(filled("probes.csv", table), pd.DataFrame(), summary, gathered(rows)).save(path / "probes")


def _transfer(path, cell, asked):
    table, rows, minutes, cells = [], [], [], []
    own = cell.config.backbone.layer
    for dataset in dict.fromkeys(dataset for dataset, _ in tuners(cell.config)):
        for listener in ("sim01", "sim02"):
            cells.append({"run": path.name, "scored_on": listener, "dataset": dataset, "target": "cortex"})
            for target in asked.targets:
                frozen, tuned = asked.score(cell.config, _who(dataset, listener), target)
                about = {"run": path.name, "scored_on": listener, "seed": cell.config.seed, "target": target}
                table.append(about | {"layer": own, "stories": "all", "r_frozen": frozen, "r_tuned": tuned})
                rows += asked.kept(path.name, listener, {target: _without(frozen, tuned)}, layer=own)
                if asked.needed is not None:
                    needed = asked.needed(cell.config)
                    minutes.append(about | {"full_minutes": 17.0, "minutes_needed": needed})
    summary = {**ABOUT, "simulated": asked.simulated, "cells": cells}
    matrix, curve, needed_of = filled("matrix.csv", table), pd.DataFrame(), filled("needed.csv", minutes)
    Transfer(matrix, curve, needed_of, summary, gathered(rows)).save(path / "transfer")
