"""Transfer: speech models tuned on one listener, read out in others, against the model as it was.

Ridge is fitted anew in every listener, on that listener's own stories: what is carried over is the speech model.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.evaluation.contrasts import by_readout, contrast, kept_replicates
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.learning_curve import (
    learning_curve_rows,
    minutes_needed,
    require_minutes,
    require_whole_story,
)
from brainwavlm.evaluation.notes import SIMULATED, result_summary
from brainwavlm.evaluation.run_readout import readout_prediction
from brainwavlm.evaluation.scores import correlation, mean_over
from brainwavlm.evaluation.statistics.jackknife import Jackknife, jackknife_of_means
from brainwavlm.evaluation.transfer_cells import TransferCell, shared_note, transfer_cells
from brainwavlm.progress import Progress
from brainwavlm.results.replicates import gathered
from brainwavlm.results.transfer import Transfer
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import distinct_runs
from brainwavlm.speech.hidden_states import Backbone

_FROZEN = "the model as it was"


def transfer(
    runs: Run | Sequence[Run],
    subjects: Sequence[str] | None = None,
    layer: int | None = None,
    minutes: Sequence[float] = (),
    draws: int = 5,
    test: Sequence[str] | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
    keep_tuned: bool = True,
) -> Transfer:
    """Score tuned models in every listener: ridge on the listener's own stories, tuned features against untuned ones.

    Parameters
    ----------
    runs : Run, or sequence of Run
        Of whichever listeners.
    subjects : sequence of str or None
        Listeners to score; None: all of each run's data set.
    layer : int or None
        Hidden state to read; None: that at which each run was tuned.
    minutes : sequence of float
        Also fit on random subsets of whole stories of up to so many minutes of responses.
    draws : int
        Subsets of each amount; frozen and tuned features get the same.
    test : sequence of str or None
        Test stories of every listener; None: those of the data set, or that the run names. What of them tuning has
        heard is said.
    cache : str, Path or None
        Folder of features to read and add to; None: kept in a temporary folder meanwhile.
    progress : Progress or None
    memory_gb : float or None
        What ridge may use; None: as each run was configured.
    keep_tuned : bool
        Add features of tuned models to the cache; False: a temporary folder keeps them meanwhile.

    Returns
    -------
    Transfer

    Raises
    ------
    RunError
        A run without a finished epoch, or whose data or speech model changed.
    ConfigError
        No run, an unknown listener, amounts that are none, or no test story.
    """
    runs = distinct_runs(runs)
    require_minutes(minutes, draws)
    matrix, curve, units, replicates = [], [], [], []
    with TemporaryDirectory() as temporary:
        evaluator = Evaluator(cache, progress, keep_tuned, meanwhile=temporary)
        cells = transfer_cells(runs, subjects, layer, test, memory_gb, evaluator)
        for cell in cells:
            require_whole_story(cell.plan.data, minutes)
        for _, group in groupby(cells, key=lambda cell: cell.key):
            some = list(group)
            plan = some[0].plan
            title = f"Reading stories of {some[0].subject}, model as it is"
            frozen = _designs(evaluator, evaluator.untuned(plan.config), some[0], title)
            models, readouts = {_FROZEN: plan.ridge(frozen).predictions}, {}
            for cell in some:
                title = f"Reading stories of {cell.subject}, {cell.name}"
                backbone = tuned_backbone(cell.run, layers=() if layer is None else (layer,))
                tuned = _designs(evaluator, backbone, cell, title)
                models[cell.name] = cell.plan.ridge(tuned).predictions
                readouts[cell.name] = readout_prediction(cell, tuned, backbone.n_dims)
                if minutes:
                    pair, seed = {"r_frozen": frozen, "r_tuned": tuned}, cell.run.config.seed
                    rows = learning_curve_rows(pair, cell.plan, minutes, draws, seed)
                    curve += [{**cell.about(), **row} for row in rows]
            rows, what, means = _matrix(some, models, readouts)
            matrix += rows
            replicates += means
            units += what
    simulated = any(cell.plan.data.dataset.simulated for cell in cells)
    notes = [SIMULATED] * simulated
    notes += [f"Intervals over {unit}." for unit in dict.fromkeys(units)]
    notes += [shared_note(cell) for cell in cells]
    entries = [
        {
            **cell.about(),
            "dataset": cell.plan.config.dataset,
            "target": cell.run.config.target,
            "layer": cell.plan.config.backbone.layer,
            "test": [recording.story.name for recording in cell.plan.held_out],
            "shared": cell.shared,
        }
        for cell in cells
    ]
    return Transfer(
        pd.DataFrame(matrix),
        pd.DataFrame(curve),
        pd.DataFrame(minutes_needed(curve)),
        result_summary(simulated, notes, cells=entries, minutes=list(minutes), draws=draws),
        gathered(replicates),
    )


def _designs(
    evaluator: Evaluator, backbone: Backbone, cell: TransferCell, title: str
) -> dict[str, np.ndarray]:
    plan = cell.plan
    return plan.designs(evaluator.features(backbone, plan.config, plan.data.recordings.values(), title))


def _matrix(
    cells: list[TransferCell],
    models: Mapping[str, tuple[np.ndarray, np.ndarray]],
    readouts: Mapping[str, np.ndarray],
) -> tuple[list[dict[str, Any]], list[str], list[dict[str, Any]]]:
    """Rows of the matrix for one listener, what their intervals are over, and what they come from."""
    plan, predictions = cells[0].plan, by_readout(models)
    true, story_of_row, masks = plan.true(), plan.story_of_row, plan.masks
    jackknife: dict[tuple[str, ...], Jackknife] = {}
    rows, replicates = [], []
    for cell in cells:
        config = cell.plan.config
        test = tuple(recording.story.name for recording in cell.plan.held_out)
        choices = {"all": test}
        if unheard := tuple(story for story in test if story not in cell.shared):
            choices |= {"unheard": unheard} if cell.shared else {}
        for which, stories in choices.items():
            counted = np.isin(story_of_row, stories)
            heard = story_of_row[counted]
            if stories not in jackknife:
                of_rows = {model: values[counted] for model, values in predictions.items()}
                jackknife[stories] = jackknife_of_means(true[counted], of_rows, heard, masks)
            means = jackknife[stories]
            about = {"run": cell.name, "subject": cell.subject}
            layer, pair = config.backbone.layer, (_FROZEN, cell.name)
            replicates += kept_replicates(about, means, heard, layer, which, pair)
            r_readout = correlation(true[counted], readouts[cell.name][counted])
            for target in means.means:
                rows.append(
                    {
                        **cell.about(),
                        "seed": cell.run.config.seed,
                        "layer": layer,
                        "stories": which,
                        "target": target,
                        "n_voxels": means.n_voxels[target],
                        **contrast(means, target, frozen=_FROZEN, tuned=cell.name),
                        "r_readout": mean_over(r_readout, masks[target]),
                        "n_readout": int((masks[target] & ~np.isnan(r_readout)).sum()),
                        "shared": "+".join(cell.shared),
                    }
                )
    return rows, [means.unit for means in jackknife.values()], replicates
