"""The model of a run: its best epoch, and for each subject the readout of tuning and a ridge as `evaluate` fits it."""

from functools import cache, partial
from pathlib import Path

import numpy as np

from brainwavlm.encoding.run_model import tuned_backbone, tuned_readout
from brainwavlm.errors import RunError
from brainwavlm.evaluation.evaluator import Evaluator, with_whole_cortex
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.models.brain_model import BrainModel, SubjectModel
from brainwavlm.progress import Progress
from brainwavlm.runs.run import Run, open_run
from brainwavlm.runs.sums import require_sums
from brainwavlm.speech.hidden_states import Backbone


def finished_run(path: str | Path) -> Run:
    """The finished run in a folder, each of whose files has the content that it was written with; else RunError."""
    run = open_run(path)
    again = f"brainwavlm tune --resume --output {path}"
    if run.result is None:
        raise RunError(run.path, "a run that is not finished.", "a finished run.", f"Resume it:  {again}")
    require_sums(run.path, f"Earlier versions wrote none. Record what is there now:  {again}")
    run.require_whole()
    return run


def model_of_run(
    run: Run, features: str | Path | None = None, progress: Progress | None = None
) -> tuple[BrainModel, list[ScoringPlan]]:
    """The model of a run whose data are here, and how each subject is scored; see `load`. Raises as `evaluate`."""
    evaluator, config = Evaluator(features, progress), run.config
    plans = [
        evaluator.plan_of(side, with_whole_cortex(side.config, (side.config.target,), None), tested=False)
        for side in run.sides
    ]
    backbone = tuned_backbone(run)
    readouts = {
        name: cache(partial(_fitted, evaluator, side, plan, backbone))
        for name, side, plan in zip(run.listeners, run.sides, plans, strict=True)
    }
    model = BrainModel(
        run.path.resolve().name,
        backbone,
        config.backbone.layer,
        config.windows,
        config.alignment,
        config.quirks.clip_kernel,
        readouts,
        any(plan.data.dataset.simulated for plan in plans),
    )
    return model, plans


def _fitted(evaluator: Evaluator, side: Run, plan: ScoringPlan, backbone: Backbone) -> SubjectModel:
    fitted, config, subject = plan.fits[0].fitted, plan.config, plan.data.subject
    features = evaluator.features(backbone, config, fitted, f"Reading stories, {subject.name}")
    designs, columns = plan.designs(features, fitted), plan.columns
    n_columns = backbone.n_dims * len(config.alignment.delays)
    weights, alphas = np.empty((n_columns, len(columns)), np.float32), np.empty(len(columns))
    for batch in plan.batches(plan.fits[0], designs):
        weights[:, batch.columns], alphas[batch.columns] = batch.weights, batch.alphas
    has_voxels = side.config.control.has_voxels
    return SubjectModel(
        name=subject.name,
        tr=fitted[0].tr,
        n_voxels=subject.n_voxels,
        ridge_voxel=columns,
        weights=weights,
        alphas=alphas,
        trained_voxel=np.flatnonzero(side.voxels) if has_voxels else columns[:0],
        trained=tuned_readout(side, backbone.n_dims),
        hemisphere=subject.hemisphere,
        vertex=subject.vertex,
        position=subject.position,
        ceiling=plan.data.ceiling,
        surface=subject.surface,
        mask=plan.data.dataset.voxel_mask(subject.name),
        splits=side.manifest["splits"],
    )
