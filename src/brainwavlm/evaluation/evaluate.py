"""What tuning changed: fresh ridge on frozen and on tuned features, on the same rows, folds and voxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.prepared_stories import recording_clock
from brainwavlm.encoding.run_data import RunData
from brainwavlm.encoding.run_model import tuned_model
from brainwavlm.evaluation.contrasts import contrast_rows, run_summary, voxel_rows
from brainwavlm.evaluation.downstream import Downstream
from brainwavlm.evaluation.encoding_score import EncodingScore, kept_masks, score_features
from brainwavlm.evaluation.evaluator import (
    Evaluator,
    device_of,
    require_distinct,
    run_names,
    sides,
    untuned_model_key,
    with_whole_cortex,
)
from brainwavlm.evaluation.layers import Layers, chosen_layers, layer_predictions, layer_rows, read_states
from brainwavlm.evaluation.notes import summary
from brainwavlm.evaluation.ridge_predictions import held_out_fits, responses_of, rows_by_story
from brainwavlm.evaluation.scores import Scores, correlation
from brainwavlm.evaluation.statistics.tests import listener_rows, require_null
from brainwavlm.evaluation.time_baseline import score_time
from brainwavlm.evaluation.transfer_cells import tuned_backbone
from brainwavlm.progress import Progress
from brainwavlm.results.grouping import LISTENER, grouped
from brainwavlm.results.resamples import gathered, resample_rows
from brainwavlm.runs.environment import versions
from brainwavlm.runs.run import Run
from brainwavlm.speech.features import StoryFeatures


def score_backbone(
    config: RunConfig,
    leave_one_out: bool = False,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> EncodingScore:
    """Score a speech model as it is: closed-form ridge, correlation on held-out stories.

    Parameters
    ----------
    config : RunConfig
        Voxels outside config.target are left out.
    leave_one_out : bool
        Predict every story from a fit on all others instead of the test stories.
    cache : str, Path or None
        Folder of features to read and add to; None: computed and not kept.
    progress : Progress or None

    Returns
    -------
    EncodingScore
    """
    evaluator = Evaluator(cache, progress)
    setting = evaluator.setting(config)
    evaluator.require_design(setting, config, leave_one_out)
    _require_null(setting, config, leave_one_out)
    score, _ = _frozen(config, setting, evaluator, leave_one_out)
    return score.with_intervals(config.evaluation.bootstraps)


def evaluate(
    runs: Run | Sequence[Run],
    cache: str | Path | None = None,
    progress: Progress | None = None,
    memory_gb: float | None = None,
    layers: Layers = None,
    downstream: Sequence[str] = (),
) -> Scores:
    """Score runs on held-out stories against the model they started from.

    For each run: ridge on the frozen and on the tuned features, both fitted on training and validation
    stories with the same folds, r over all rows of the test stories. The difference of the means over a target
    has a bootstrap interval over test stories (blocks if there are fewer than 5), paired; each voxel and each mean a
    paired test by swaps of blocks. Beside both stands what ridge on time alone predicts. Where runs of one kind come
    from 5 listeners or more, a sign-flip test over listeners is added.

    Parameters
    ----------
    runs : Run, or sequence of Run
    cache : str, Path or None
        Folder of features to read and add to.
    progress : Progress or None
    memory_gb : float or None
        What ridge may use; None: as each run was configured.
    layers : sequence of int, "all" or None
        Hidden states to score besides, of both models, each with a ridge of its own: `Scores.layers`. A story goes
        through each model once whatever their number. States above a run's own come from its tuned blocks and then
        from blocks that were never tuned.
    downstream : sequence of str
        Tasks that both models are also asked, `phones` or `words`: what is said in a clip, read off the run's state and
        those of `layers`: `Scores.downstream`.

    Returns
    -------
    Scores

    Raises
    ------
    RunError
        A run without a finished epoch.
    ConfigError
        No test story, no such hidden state, or a task that the transcripts do not allow.
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    require_distinct(runs)
    runs = sides(runs)
    evaluator = Evaluator(cache, progress)
    asked = Downstream(evaluator, downstream)
    tuned_on = tuple(run.config.target for run in runs)
    configs = [with_whole_cortex(run.config, tuned_on, memory_gb) for run in runs]
    for run, config in zip(runs, configs, strict=True):
        evaluator.require_scorable(run, config)
        _require_null(evaluator.setting(config), config)
        asked.tasks(config)
    states = [chosen_layers(layers, evaluator.untuned(config).n_blocks) for config in configs]
    names = run_names(runs)
    frozen_scores: dict[str, EncodingScore] = {}
    frozen_states: dict[str, dict[int, np.ndarray]] = {}
    table, voxels, entries, by_layer, by_task, resamples = [], [], [], [], [], []
    for run, name, config, some in zip(runs, names, configs, states, strict=True):
        setting, key = evaluator.setting(config), untuned_model_key(config)
        backbone, readout = tuned_model(run)
        if some:
            backbone = tuned_backbone(run, some)
        if key not in frozen_scores:
            frozen_scores[key], frozen_states[key] = _frozen(config, setting, evaluator, False, some)
        frozen = frozen_scores[key]
        features, state_rows = read_states(
            evaluator, backbone, config, setting, f"Reading stories, {name}", some
        )
        tuned = _scored(features, config, setting, like=frozen)
        if some:
            predictions = layer_predictions(state_rows, tuned, config, setting)
            layer_table, layer_resamples = layer_rows(name, config, tuned, frozen_states[key], predictions)
            by_layer += layer_table
            resamples += layer_resamples
        task_table, task_resamples = asked.rows(name, config, backbone, some or (config.backbone.layer,))
        by_task += task_table
        resamples += task_resamples
        r_readout = _readout_r(readout, run, features, setting)[frozen.voxel]
        rows, difference, means, unit = contrast_rows(name, config, frozen, tuned, r_readout)
        table += rows
        draws = {target: found.draws for target, found in means.items()}
        resamples += resample_rows(name, config.subject, draws, unit, frozen.story_of_row)
        voxels.append(voxel_rows(name, frozen, tuned, r_readout, difference))
        entries.append(run_summary(name, run, frozen, tuned, means, unit))
    kinds = {
        kind: [names[position] for position in members]
        for kind, members in grouped([run.config for run in runs], {*LISTENER, "seed"}).items()
    }
    listeners = listener_rows(kinds, table, runs[0].config.evaluation)
    return Scores(
        pd.DataFrame(table),
        pd.concat(voxels, ignore_index=True),
        summary(entries, frozen_scores, listeners),
        pd.DataFrame(by_layer),
        gathered(resamples),
        pd.DataFrame(by_task),
    )


def _require_null(setting: RunData, config: RunConfig, leave_one_out: bool = False) -> None:
    scored = [one for _, held in held_out_fits(setting.splits, leave_one_out) for one in held]
    require_null(np.repeat(*rows_by_story(scored)), config.evaluation)


def _frozen(
    config: RunConfig,
    setting: RunData,
    evaluator: Evaluator,
    leave_one_out: bool = False,
    layers: Sequence[int] = (),
) -> tuple[EncodingScore, dict[int, np.ndarray]]:
    """The score of the untuned model, and its predictions from further states."""
    backbone, title = evaluator.untuned(config, layers), "Reading stories, model as it is"
    features, rows = read_states(evaluator, backbone, config, setting, title, layers)
    score = _scored(features, config, setting, leave_one_out)
    return score, layer_predictions(rows, score, config, setting)


def _scored(
    features: Mapping[str, StoryFeatures],
    config: RunConfig,
    setting: RunData,
    leave_one_out: bool = False,
    like: EncodingScore | None = None,
) -> EncodingScore:
    """Score features; what time alone predicts is taken from a score of the same rows and voxels where there is one."""
    device = device_of(config).type
    if like is not None:
        time_only, shared = like.time_only, like.summary["sounds_on_both_sides"]
    else:
        columns = np.flatnonzero(setting.voxels)
        masks, _ = kept_masks(config, setting.subject, setting.ceiling, columns)
        time_only, shared = score_time(setting.splits, config, columns, masks, leave_one_out, device)
    score = score_features(
        features,
        setting.subject,
        setting.splits,
        config,
        setting.voxels,
        leave_one_out,
        setting.ceiling,
        device,
        time_only,
    )
    score.summary.update(
        simulated=setting.dataset.simulated,
        dataset=setting.dataset.name,
        licence=setting.dataset.licence,
        facts=list(setting.dataset.facts),
        unusable_voxels=setting.unusable,
        sounds_on_both_sides=shared,
        backbone=config.backbone.model_dump(mode="json"),
        windows=config.windows.model_dump(mode="json"),
        ridge=config.ridge.model_dump(mode="json"),
        versions=versions(),
    )
    return score


def _readout_r(
    readout: torch.nn.Module, run: Run, features: Mapping[str, StoryFeatures], setting: RunData
) -> np.ndarray:
    """Test correlation of the run's own readout, (n_voxels,); NaN outside the run's voxels, or where it has none."""
    config, test = run.config, setting.splits["test"]
    if not config.control.has_voxels:
        return np.full(setting.subject.n_voxels, np.nan)
    readout.eval().cpu()
    predicted = [_read_out(readout, recording, features[recording.story.name], config) for recording in test]
    r = np.full(setting.subject.n_voxels, np.nan)
    columns = np.flatnonzero(run.voxels)
    r[columns] = correlation(responses_of(test, columns), np.concatenate(predicted))
    return r


def _read_out(
    readout: torch.nn.Module, recording: Recording, features: StoryFeatures, config: RunConfig
) -> np.ndarray:
    clock = recording_clock(recording, features.times, config.alignment, config.quirks)
    design = torch.from_numpy(clock.design(features.layers[config.backbone.layer]))
    with torch.no_grad():
        return readout(design).numpy()
