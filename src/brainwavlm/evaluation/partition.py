"""Which information explains a region's score, and its gain: features of the stimulus beside those of the model.

The measures are those of `variance_shares`, for the frozen and for the tuned model. Their difference in `alone` of the
model is its gain, in `shared` the part of the gain that a space explains, in `unique` of the model the part that no
feature does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.encoding.banded_ridge import require_memory
from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.evaluator import Evaluator, untuned_key
from brainwavlm.evaluation.notes import SIMULATED, result_summary, run_notes
from brainwavlm.evaluation.probes.question import stimuli_of
from brainwavlm.evaluation.probes.tasks import valued_units, varying_columns, without_value
from brainwavlm.evaluation.scoring_plan import Designs, ScoringPlan
from brainwavlm.evaluation.variance_shares import MODEL, Measures, VarianceShares
from brainwavlm.progress import Progress
from brainwavlm.results.estimates import of_both_models
from brainwavlm.results.partition import Partition
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import run_names, subject_runs
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.features.stimuli import Stimuli
from brainwavlm.stimulus.features.table import STRETCHES, Feature, Values, features_named
from brainwavlm.stimulus.features.units import occupancy


def partition(
    runs: Run | Sequence[Run],
    features: Sequence[str],
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
    candidates: int = 30,
) -> Partition:
    """Split what frozen and tuned models predict between features of the stimulus and what only the model has.

    Ridge is fitted on training and validation stories, everything is scored on test stories; the intervals are those of
    `evaluate`.

    Parameters
    ----------
    runs : Run, or sequence of Run
    features : sequence of str
        Of `stimulus.features.table.FEATURES`, or NAME=FILE.
    cache : str, Path or None
        Folder of features to read and add to.
    progress : Progress or None
    memory_gb : float or None
        What banded ridge may use; None: as each run was configured.
    candidates : int
        Weights of the spaces to try for each fit.

    Returns
    -------
    Partition

    Raises
    ------
    ConfigError
        A feature that there is not, or that needs a transcript or a package; too little memory.
    DatasetError
        A file that cannot be used, or a story in which a feature has no value.
    """
    if candidates < 1:
        raise ConfigError("candidates", f"{candidates}.", "one or more.", "Leave it out, or give 30.")
    runs, evaluator = subject_runs(runs), Evaluator(cache, progress)
    table = features_named(features)
    plans = evaluator.plans_of(runs, memory_gb, tested=False)
    spaces: dict[str, Spaces] = {}
    for plan in plans:  # what is wrong with files goes wrong here, before any model is run
        if untuned_key(plan) not in spaces:
            spaces[untuned_key(plan)] = feature_spaces(table, plan, evaluator.untuned(plan.config))
    rows: list[dict[str, Any]] = []
    voxels, entries = [], []
    known = ""
    for run, name, plan in zip(runs, run_names(runs), plans, strict=True):
        config = plan.config
        about = {"run": name, "subject": config.subject, "seed": config.seed}
        if untuned_key(plan) != known:  # of one data set at a time: all its responses are in memory
            known, untuned = untuned_key(plan), evaluator.untuned(config)
            scores = VarianceShares(plan, feature_designs(spaces[known], plan), candidates)
            frozen = _measures(scores, evaluator, plan, untuned, "model as it is")
        models = {"frozen": frozen, "tuned": _measures(scores, evaluator, plan, tuned_backbone(run), name)}
        rows += list(_rows(about, plan, models))
        voxels.append(_voxel_rows(name, plan, models))
        entries.append(
            {
                **about,
                **_about_run(run, plan),
                "name": name,
                "intervals": scores.unit,
                "fitted": [one.story.name for one in plan.fits[0].fitted],
                "held_out": [one.story.name for one in plan.held_out],
                "columns": spaces[known].n_columns,
            }
        )
    simulated = any(plan.data.dataset.simulated for plan in plans)
    notes = [SIMULATED] * simulated
    notes += [note for run, name in zip(runs, run_names(runs), strict=True) for note in run_notes(run, name)]
    notes += [note for one in spaces.values() for note in one.notes]
    notes += [f"{entry['name']}: intervals over {entry['intervals']}." for entry in entries]
    summary = result_summary(
        simulated,
        notes,
        runs=entries,
        features=[{"name": one.name, "kind": one.kind, "source": one.source} for one in table],
        candidates=candidates,
    )
    return Partition(pd.DataFrame(rows), pd.concat(voxels, ignore_index=True), summary)


def _about_run(run: Run, plan: ScoringPlan) -> dict[str, Any]:
    config, data = run.config, plan.data.dataset
    about = {"dataset": data.name, "licence": data.licence, "n_voxels": len(plan.columns)}
    about |= {"unusable_voxels": plan.data.unusable, "normalised_by": "not divided by a ceiling"}
    kinds = {"target": config.target, "method": config.adapter.method, "control": config.control.kind}
    whole = {"path": str(run.path), "config": plan.config.model_dump(mode="json"), **kinds}
    return whole | {"simulated": data.simulated, "splits": run.manifest["splits"], "frozen": about}


def _measures(
    scores: VarianceShares, evaluator: Evaluator, plan: ScoringPlan, backbone: Backbone, which: str
) -> Measures:
    """All measures with one model's features."""
    recordings = plan.data.recordings.values()
    stories = evaluator.features(backbone, plan.config, recordings, f"Reading stories, {which}")
    return scores.measures(plan.designs(stories), evaluator.progress, f"Fitting spaces, {which}")


@dataclass(frozen=True)
class Spaces:
    """Features of the stimulus on the stories of a plan.

    Attributes
    ----------
    stimuli : Stimuli
    values : dict of feature's name to its kind of unit and Values
    n_columns : dict of space to int
        Of their designs, and of the model's.
    notes : list of str
        Units without a value.
    """

    stimuli: Stimuli
    values: dict[str, tuple[str, Values]]
    n_columns: dict[str, int]
    notes: list[str]


def feature_spaces(features: Sequence[Feature], plan: ScoringPlan, model: Backbone) -> Spaces:
    """The values of features; raises what `partition` does of files and memory."""
    stimuli = stimuli_of(list(plan.data.recordings.values()), plan.config, model.min_samples)
    n_delays, fit = len(plan.config.alignment.delays), plan.fits[0]
    sides = [[one.story.name for one in some] for some in (fit.fitted, fit.held_out)]
    spaces = Spaces(stimuli, {}, {}, [])
    for feature in features:
        values = feature.values(stimuli)
        by_story = valued_units(feature, values, stimuli)
        if feature.unit == STRETCHES:
            varying_columns(feature, values, by_story, sides)
        valued = np.concatenate(list(by_story.values()))
        if n := int((~valued).sum()):
            share = without_value(n, len(valued), feature.unit)
            spaces.notes.append(f"{feature.name}: {share} have no value, and count as nothing.")
        spaces.values[feature.name] = feature.unit, values
        spaces.n_columns[feature.name] = len(values.columns) * n_delays
    spaces.n_columns[MODEL] = model.n_dims * n_delays
    n_rows = sum(one.shape[0] for one in fit.fitted)
    require_memory(n_rows, list(spaces.n_columns.values()), plan.config.ridge)
    return spaces


def feature_designs(spaces: Spaces, plan: ScoringPlan) -> dict[str, Designs]:
    """Design of each feature by story, on the clock of the responses and with the delays of the model's features.

    A feature of phones or words stands in each stretch between windows for the share of it in which it was said; where
    it has no value it is 0.
    """
    stimuli = spaces.stimuli
    designs: dict[str, Designs] = {}
    for feature, (unit, values) in spaces.values.items():
        of_stories = {}
        for name, recording in plan.data.recordings.items():
            numbers = values.values[name]
            if unit == STRETCHES:
                numbers = numbers - np.nanmean(numbers, axis=0)
                numbers = np.where(np.isnan(numbers), np.float32(0), numbers)
            else:
                numbers = occupancy(values.units[name], numbers, stimuli.stretches[name])
            of_stories[name] = plan.clock(recording, stimuli.ends[name]).design(numbers)
        designs[feature] = of_stories
    return designs


def _rows(
    about: Mapping[str, Any], plan: ScoringPlan, models: Mapping[str, Measures]
) -> Iterator[dict[str, Any]]:
    """A row a target, measure and space: means over voxels of both models, and the interval of their difference."""
    for target, mask in plan.masks.items():
        for (measure, space), frozen in models["frozen"].items():
            both = np.stack([frozen[:, mask], models["tuned"][measure, space][:, mask]])
            known = ~np.isnan(both[:, 0]).any(0)
            means = both[:, :, known].mean(2) if known.any() else np.full(both.shape[:2], np.nan)
            place = {"target": target, "measure": measure, "space": space, "n_voxels": int(known.sum())}
            yield {**about, **place, **of_both_models("r2", *means)}


def _voxel_rows(name: str, plan: ScoringPlan, models: Mapping[str, Measures]) -> pd.DataFrame:
    """A row a voxel: targets (0 or 1), and each measure of both models, `product_mel_tuned`."""
    columns: dict[str, Any] = {"run": name, "subject": plan.config.subject, "voxel": plan.columns}
    columns |= {target: mask.astype(np.int8) for target, mask in plan.masks.items()}
    for which, measures in models.items():
        columns |= {
            f"{measure}_{space}_{which}": values[0].astype(np.float32)
            for (measure, space), values in measures.items()
        }
    return pd.DataFrame(columns)
