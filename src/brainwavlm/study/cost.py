"""What a study would cost, from a few timed steps for each kind of cell. Nothing is written."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Subject, split_recordings
from brainwavlm.encoding.targets import target_mask, uses_ceiling, with_regions
from brainwavlm.progress import Progress
from brainwavlm.runs.checksums import Checksums
from brainwavlm.runs.environment import code_version
from brainwavlm.runs.subject_views import subject_views
from brainwavlm.study.cells import Cell, cells_of
from brainwavlm.study.checks import require_runnable
from brainwavlm.study.description import Study
from brainwavlm.study.preparation import prepare, require_place
from brainwavlm.study.records import read_state
from brainwavlm.study.run import chosen_by
from brainwavlm.study.work import steps_done

# They change neither a step's work nor its memory, or only in proportion to rows and epochs.
_FREE = {
    *("subject", "joint", "target", "regions", "train", "validation", "test", "seed", "tracking", "loss"),
    *("control", "quirks", "ridge", "evaluation"),
}
_FREE_OF_TRAINING = {
    *("epochs", "patience", "lr_backbone", "lr_readout", "weight_decay", "schedule", "warmup", "clip"),
    *("checkpoint_steps", "keep_epochs", "frontend_folder"),
}

# Next to nothing beside a speech model: bytes of responses, directions of adapters.
_FEW_BYTES, _LOW_RANK = 64e6, 32


@dataclass(frozen=True)
class Estimate:
    """The cells of a study with what tuning each would take. Scoring comes on top.

    Attributes
    ----------
    cells : list of dict
        name, experiments, state (`new` where the study has no folder yet), hours and memory_gb of tuning.
    hours, hours_on_workers : float
        Of all cells that are not done: one after the other, and with as many at once as asked for.
    memory_gb : float
        Of the largest cells that may be at work at once.
    calibrations : int
        Kinds of cells that were timed.
    timed_at : str
        When the first of them was, as 2026-05-31 09:30.
    """

    cells: list[dict[str, Any]]
    hours: float
    hours_on_workers: float
    workers: int
    memory_gb: float
    calibrations: int
    timed_at: str


def estimate(
    study: Study,
    output: Path,
    calibrated: Callable[..., dict[str, Any]],
    workers: int = 1,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> Estimate:
    """Time a few steps of one cell of each kind, and scale: hours by rows and epochs.

    `calibrated` is that of `calibrations`; `workers` are cells at once.
    """
    require_place(output, study)
    every = cells_of(study)
    cells = [cell for cell in every if chosen_by(cell, study, only)]
    progress = progress or Progress()
    require_runnable(study, progress.over(every, f"Looking for wrong values in {len(every)} cells"))
    states = _states(cells, output, progress)
    kinds: dict[str, list[Cell]] = {}
    for cell in cells:
        kinds.setdefault(_kind(cell.config), []).append(cell)
    amounts = {cell.name: _amount(cell.config) for cell in cells}
    costs: dict[str, tuple[float, float]] = {}
    timed_at: list[str] = []
    for same in kinds.values():
        largest = max(
            same, key=lambda cell: (amounts[cell.name], _n_voxels(cell.config), cell.config.adapter.rank)
        )
        plan = calibrated(largest, amounts[largest.name], _n_voxels(largest.config))
        timed_at.append(plan["timed_at"])
        for cell in same:
            share = amounts[cell.name] / max(amounts[largest.name], 1)
            costs[cell.name] = plan["hours_of_run"] * share, plan["memory_gb"]
    left = [costs[cell.name] for cell in cells if states[cell.name] != "done"]
    workers = max(min(workers, len(left)), 1)
    return Estimate(
        [
            {
                "name": cell.name,
                "experiments": list(cell.experiments),
                "state": states[cell.name],
                "hours": costs[cell.name][0],
                "memory_gb": costs[cell.name][1],
            }
            for cell in cells
        ],
        sum(hours for hours, _ in left),
        _span([hours for hours, _ in left], workers),
        workers,
        sum(sorted((memory for _, memory in left), reverse=True)[:workers]),
        len(kinds),
        min(timed_at),
    )


def _states(cells: Sequence[Cell], output: Path, progress: Progress) -> dict[str, str]:
    """How far each cell is; identities, which read all data once, only where there is something to compare with."""
    if not (output / "study.json").is_file():
        return {cell.name: "new" for cell in cells}
    states: dict[str, str] = {}
    shown = progress.over(cells, f"Computing identities of {len(cells)} cells")
    for name, place in prepare(shown, output, Checksums(output / "checksums.json"), code_version()).items():
        state = read_state(output, place.folder, place.identity)
        left = state.state == "done" and not steps_done(output, state, place.steps)
        states[name] = "waiting" if left else state.state
    return states


def _kind(config: RunConfig) -> str:
    """Cells with the same key take about the same time for each row; of these the largest is timed.

    Responses count in powers of two from 64 MB on, ranks from 32 on: rank 2 took 5 % less time than 32.
    """
    kept = config.model_dump(mode="json", exclude=_FREE)
    kept["training"] = {k: v for k, v in kept["training"].items() if k not in _FREE_OF_TRAINING}
    kept["adapter"] = {k: v for k, v in kept["adapter"].items() if k not in ("reinit_seed", "alpha")}
    kept["adapter"]["rank"] = max(config.adapter.rank, _LOW_RANK)
    n_bytes = 4 * _n_voxels(config) * _amount(config) / max(config.training.epochs, 1)
    return json.dumps([kept, round(math.log2(max(n_bytes, _FEW_BYTES)))])


def _n_voxels(config: RunConfig) -> int:
    return _size_of_target(config.dataset, config.subject, json.dumps(config.regions), config.target)


@cache
def _size_of_target(dataset: str, subject: str, regions: str, target: str) -> int:
    known = with_regions(_subject(dataset, subject), json.loads(regions))
    if uses_ceiling(target, known):
        return known.n_voxels  # an upper bound: the ceiling may have to be measured
    return max(int(target_mask(target, known, None).sum()), 1)


@cache
def _subject(dataset: str, subject: str) -> Subject:
    return load_dataset(dataset).subject(subject)


def _amount(config: RunConfig) -> int:
    """Training rows of all listeners times epochs."""
    views = subject_views(config)
    rows = (_rows(one.dataset, one.subject, one.train, one.validation, one.test) for one in views)
    return sum(rows) * config.training.epochs


@cache
def _rows(dataset: str, subject: str, *stories: tuple[str, ...] | None) -> int:
    return sum(one.shape[0] for one in split_recordings(_subject(dataset, subject), *stories)["train"])


def _span(hours: Sequence[float], workers: int) -> float:
    """Time until the last of some jobs is done, when each goes in order to the first worker that is free."""
    free = [0.0] * workers
    for each in hours:
        free.sort()
        free[0] += each
    return max(free)
