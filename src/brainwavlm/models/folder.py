"""The part of an exported folder that is ours: DIR/brainwavlm, with a manifest and a file of readouts a subject.

manifest.json           what the model is, how it is read, whose readouts there are, scores
<subject>.safetensors   ridge.*, trained.*, and where the voxels lie
<subject>_mask.nii.gz   where they are voxels of a volume
example.flac            a sound, and
example.safetensors     what was predicted of it, by subject, for `verify`
"""

import shutil
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.numpy import load_file, save_file

from brainwavlm import __version__
from brainwavlm.config import AdapterConfig, AlignmentConfig, ReadoutConfig, WindowConfig
from brainwavlm.encoding.readout import build_readout
from brainwavlm.errors import RunError
from brainwavlm.files import Part, read_json, require_kind
from brainwavlm.models.brain_model import BrainModel, SubjectModel
from brainwavlm.models.weights import load_adapter
from brainwavlm.reporting.maps.writer import file_names
from brainwavlm.runs.sums import require_sums
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.hidden_states import Backbone

FORMAT: Literal[1] = 1
OURS, MANIFEST = "brainwavlm", "manifest.json"
AGAIN = "Export the model again, or fetch the whole folder."
_SAID = ("name", "tr", "n_voxels", "surface", "splits")  # of a subject, in the manifest
_ARRAYS = {  # in its file
    "ridge.voxel": "ridge_voxel",
    "ridge.weights": "weights",
    "ridge.alphas": "alphas",
    "trained.voxel": "trained_voxel",
    "hemisphere": "hemisphere",
    "vertex": "vertex",
    "ceiling": "ceiling",
    "position": "position",
}


class Base(Part):
    """The speech model that was tuned."""

    name: str
    family: str
    checksum: str
    layer: int = Field(ge=0)
    batch_windows: int | None = None
    adapter: AdapterConfig
    run_unused_blocks: bool


class OneSubject(Part):
    """Whose readouts a file holds."""

    name: str
    dataset: str
    file: str
    mask: str | None
    tr: float
    n_voxels: int
    surface: str | None
    readout: ReadoutConfig
    splits: dict[str, list[str]]


class ModelManifest(Part):
    """manifest.json."""

    format: Literal[1] = FORMAT
    kind: Literal["merged", "adapter"]
    made_by: str = f"brainwavlm {__version__}"
    simulated: bool
    backbone: Base
    windows: WindowConfig
    alignment: AlignmentConfig
    clipped_kernel: bool
    normalisation: str = "mean and deviation of the features over each sound itself"
    for_prediction: str = "ridge"
    subjects: list[OneSubject] = Field(min_length=1)
    scores: list[dict[str, Any]]
    controls: list[dict[str, Any]] = Field(default_factory=list)


def save_subjects(
    model: BrainModel, datasets: list[str], readout: ReadoutConfig, folder: Path
) -> list[OneSubject]:
    """Write the readouts of each subject; their entries for the manifest."""
    entries = []
    for name, stem, dataset in zip(model.subjects, file_names(model.subjects), datasets, strict=True):
        one, file, mask = model.subject(name), f"{stem}.safetensors", None
        tensors = {key: getattr(one, attribute) for key, attribute in _ARRAYS.items()}
        tensors |= {f"trained.{key}": value.numpy() for key, value in one.trained.state_dict().items()}
        kept = {key: np.ascontiguousarray(value) for key, value in tensors.items() if value is not None}
        save_file(kept, folder / file)
        if one.mask is not None:
            mask = f"{stem}_mask.nii.gz"
            shutil.copy(one.mask, folder / mask)
        said = {key: getattr(one, key) for key in _SAID}
        entries.append(OneSubject(dataset=dataset, file=file, mask=mask, readout=readout, **said))
    return entries


def open_folder(folder: Path, name: str = "") -> BrainModel:
    """The model that `export` wrote into a folder.

    RunError: not such a folder, one of another format, or a file that is not as it was written. BackboneError: an
    adapter whose base model is not the one that was tuned.
    """
    require_sums(folder, AGAIN, "README.md")  # people write on in a model card; `verify` compares it too
    path = folder / OURS / MANIFEST
    content = read_json(path)
    if content.get("format") != FORMAT:
        told = f"format {content.get('format')}."
        raise RunError(path, told, f"format {FORMAT}.", "Use the version that wrote it.")
    manifest = require_kind(path, content, ModelManifest)
    backbone = _backbone(folder, manifest)
    backbone.batch_windows = manifest.backbone.batch_windows
    n_columns = backbone.n_dims * len(manifest.alignment.delays)
    return BrainModel(
        name or folder.resolve().name,
        backbone,
        manifest.backbone.layer,
        manifest.windows,
        manifest.alignment,
        manifest.clipped_kernel,
        {one.name: cache(partial(_subject, folder / OURS, one, n_columns)) for one in manifest.subjects},
        manifest.simulated,
        manifest.scores,
        content,
    )


def _backbone(folder: Path, manifest: ModelManifest) -> Backbone:
    base = manifest.backbone
    if manifest.kind == "merged":
        return load_backbone(folder, base.layer)
    now = load_backbone(base.name, base.layer).weights_checksum()
    if now != base.checksum:
        raise RunError(
            folder,
            f"an adapter of another {base.name} than is there: checksum {now[:12]}.",
            f"the weights that were tuned, {base.checksum[:12]}.",
            "Get the base model as it was, or export merged weights.",
        )
    backbone = load_backbone(base.name, base.layer, base.adapter, run_unused_blocks=base.run_unused_blocks)
    load_adapter(backbone, folder)
    return backbone.eval()


def _subject(folder: Path, entry: OneSubject, n_columns: int) -> SubjectModel:
    tensors = load_file(folder / entry.file)
    arrays: dict[str, Any] = {attribute: tensors.pop(key, None) for key, attribute in _ARRAYS.items()}
    trained = {key.removeprefix("trained."): torch.from_numpy(value) for key, value in tensors.items()}
    width = next(value for key, value in trained.items() if key in ("expand.bias", "offset"))
    module = build_readout(entry.readout, n_columns, len(width))
    module.load_state_dict(trained)
    return SubjectModel(
        trained=module.eval(),
        mask=None if entry.mask is None else folder / entry.mask,
        **{key: getattr(entry, key) for key in _SAID},
        **arrays,
    )
