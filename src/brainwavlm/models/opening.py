"""What users hand on: a model loaded from wherever it lies, and verified.

Of a run it is the best epoch, and for each subject the readout of tuning and a ridge as `evaluate` fits it.
"""

from functools import cache, partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from brainwavlm.compute import device_of
from brainwavlm.config import RunConfig
from brainwavlm.encoding.run_model import tuned_backbone, tuned_readout
from brainwavlm.errors import RunError
from brainwavlm.evaluation.evaluator import Evaluator, with_whole_cortex
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.models.brain_model import BrainModel, SubjectModel
from brainwavlm.models.folder import AGAIN, MANIFEST, OURS, open_folder
from brainwavlm.models.weights import fetched
from brainwavlm.progress import Progress
from brainwavlm.runs.run import Run, open_run
from brainwavlm.runs.sums import SUMS, require_sums
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.pretrained import is_hub_id


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


TOLERANCE = 1e-5  # deviations


def load(
    source: str | Path,
    *,
    device: str = "auto",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> BrainModel:
    """A tuned model, its readouts and scores: from a folder of `export`, the hub, or a run.

    Every file is compared with its checksum first.

    Parameters
    ----------
    source : path or str
        A folder of `export`; OWNER/NAME on the hub; or a finished run, whose data have to be here: ridge is fitted
        when a subject is first asked for.
    device : str
        Where the speech model computes: auto, cpu or cuda.
    cache : path or None
        Of a run: folder of features to read and add to.
    progress : Progress or None

    Returns
    -------
    BrainModel

    Raises
    ------
    RunError
        Nothing of that kind is there, a run that is not finished, or a file that is not as it was written.
    """
    folder = _folder(str(source))
    if (folder / "run.json").is_file():
        model = model_of_run(finished_run(folder), cache, progress)[0]
    else:
        model = open_folder(folder, "" if Path(source).expanduser().is_dir() else str(source))
    # Only the device is asked for; who the subject is does not matter.
    model.backbone.to(device_of(RunConfig(subject="any", device=device)))
    return model


def verify(source: str | Path) -> dict[str, float | int | None]:
    """Compare every file of an exported model or a run with its checksum, and predict the example again.

    Parameters
    ----------
    source : path or str
        As in `load`. A run has no example.

    Returns
    -------
    dict of files, how many were compared, and difference: the largest of the example's predictions, in deviations;
    None of a run

    Raises
    ------
    RunError
        Names the file; or the prediction differs by more than 1e-5 of a deviation.
    """
    folder = _folder(str(source))
    if (folder / "run.json").is_file():
        sums = finished_run(folder).path / SUMS
        return {"files": len(sums.read_text(encoding="utf-8").splitlines()), "difference": None}
    n_files = require_sums(folder, AGAIN)
    model, path = open_folder(folder), folder / OURS / "example.safetensors"
    recorded = load_file(path)
    difference = max(
        float(np.abs(model.predict(path.with_suffix(".flac"), name).values - recorded[name]).max())
        for name in model.subjects
    )
    if not difference <= TOLERANCE:
        raise RunError(
            path,
            f"a prediction that this machine makes otherwise, by up to {difference:.2g} deviations.",
            f"the same within {TOLERANCE:g}.",
            "Compare versions of torch and transformers with those in README.md, and report it.",
        )
    return {"files": n_files, "difference": difference}


def _folder(source: str) -> Path:
    """Of a run or an exported model; RunError where it is neither, nor a model on the hub."""
    folder = Path(source).expanduser()
    if not folder.is_dir() and is_hub_id(source):
        folder = fetched(source)
    if not any((folder / name).is_file() for name in ("run.json", f"{OURS}/{MANIFEST}")):
        without = f"a folder without {OURS}/{MANIFEST} and run.json."
        raise RunError(
            folder,
            without if folder.is_dir() else "no such folder.",
            "a folder that `brainwavlm export` wrote, a run, or OWNER/NAME on the hub.",
            "Export a run:  brainwavlm export RUN --output FOLDER",
        )
    return folder
