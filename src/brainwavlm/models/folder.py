"""The part of an exported folder that is ours: DIR/brainwavlm, with a manifest and a file of readouts a subject.

manifest.json           what the model is, how it is read, whose readouts there are, scores
<subject>.safetensors   ridge.*, trained.*, and where the voxels lie
<subject>_mask.nii.gz   where they are voxels of a volume
example.flac            a sound, and
example.safetensors     what was predicted of it, by subject, for `verify`
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.numpy import load_file, save_file

from brainwavlm.config import AdapterConfig, AlignmentConfig, ReadoutConfig, WindowConfig
from brainwavlm.encoding.readout import build_readout
from brainwavlm.errors import RunError
from brainwavlm.files import Part, read_json
from brainwavlm.models.brain_model import BrainModel
from brainwavlm.models.subject_model import SubjectModel
from brainwavlm.models.weights import load_adapter
from brainwavlm.reporting.maps.writer import file_names
from brainwavlm.runs.run import Run
from brainwavlm.runs.sums import require_sums
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.hidden_states import Backbone

FORMAT = 1
OURS, MANIFEST = "brainwavlm", "manifest.json"
AGAIN = "Export the model again, or fetch the whole folder."
_ARRAYS = ("hemisphere", "vertex", "ceiling")


class Base(Part):
    """The speech model that was tuned."""

    name: str
    family: str
    checksum: str
    layer: int = Field(ge=0)
    batch_windows: int | None = None
    adapter: dict[str, Any]
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
    readout: dict[str, Any]
    splits: dict[str, list[str]]


class ModelManifest(Part):
    """manifest.json."""

    format: Literal[1]
    kind: Literal["merged", "adapter"]
    simulated: bool
    backbone: Base
    windows: dict[str, Any]
    alignment: dict[str, Any]
    clipped_kernel: bool
    subjects: list[OneSubject] = Field(min_length=1)
    scores: list[dict[str, Any]]


def save_subjects(model: BrainModel, datasets: list[str], run: Run, folder: Path) -> list[dict[str, Any]]:
    """Write the readouts of each subject; their entries for the manifest."""
    entries = []
    files = file_names(model.subjects)
    for name, file, dataset in zip(model.subjects, files, datasets, strict=True):
        one = model.subject(name)
        tensors = {
            "ridge.voxel": one.ridge_voxel,
            "ridge.weights": one.weights,
            "ridge.alphas": one.alphas,
            "trained.voxel": one.trained_voxel,
            **{f"trained.{key}": value.numpy() for key, value in one.trained.state_dict().items()},
            **{key: np.asarray(value) for key in _ARRAYS if (value := getattr(one, key)) is not None},
        }
        save_file(
            {key: np.ascontiguousarray(value) for key, value in tensors.items()},
            folder / f"{file}.safetensors",
        )
        if one.mask is not None:
            shutil.copy(one.mask, folder / f"{file}_mask.nii.gz")
        entries.append(
            {
                "name": name,
                "dataset": dataset,
                "file": f"{file}.safetensors",
                "mask": None if one.mask is None else f"{file}_mask.nii.gz",
                "tr": one.tr,
                "n_voxels": one.n_voxels,
                "surface": one.surface,
                "readout": run.config.readout.model_dump(mode="json"),
                "splits": one.splits,
            }
        )
    return entries


def open_folder(folder: Path, name: str = "") -> BrainModel:
    """The model that `export` wrote into a folder.

    Raises
    ------
    RunError
        Not such a folder, one of another format, or a file that is not as it was written.
    BackboneError
        An adapter whose base model is not the one that was tuned.
    """
    require_sums(folder, AGAIN, "README.md")  # people write on in a model card; `verify` compares it too
    path = folder / OURS / MANIFEST
    version = read_json(path).get("format")
    if version != FORMAT:
        raise RunError(path, f"format {version}.", f"format {FORMAT}.", "Use the version that wrote it.")
    manifest = read_json(path, kind=ModelManifest)
    alignment = AlignmentConfig.model_validate(manifest["alignment"])
    backbone = _backbone(folder, manifest)
    n_columns = backbone.n_dims * len(alignment.delays)
    readouts = {
        entry["name"]: partial(_subject, folder / OURS, entry, n_columns) for entry in manifest["subjects"]
    }
    return BrainModel(
        name or folder.resolve().name,
        backbone,
        manifest["backbone"]["layer"],
        WindowConfig.model_validate(manifest["windows"]),
        alignment,
        manifest["backbone"].get("batch_windows"),
        manifest["clipped_kernel"],
        readouts,
        manifest["simulated"],
        manifest["scores"],
        manifest,
    )


def _backbone(folder: Path, manifest: dict[str, Any]) -> Backbone:
    base = manifest["backbone"]
    if manifest["kind"] == "merged":
        return load_backbone(folder, base["layer"])
    now = load_backbone(base["name"], base["layer"]).weights_checksum()
    if now != base["checksum"]:
        raise RunError(
            folder,
            f"an adapter of another {base['name']} than is there: checksum {now[:12]}.",
            f"the weights that were tuned, {base['checksum'][:12]}.",
            "Get the base model as it was, or export merged weights.",
        )
    adapter = AdapterConfig.model_validate(base["adapter"])
    backbone = load_backbone(
        base["name"], base["layer"], adapter, run_unused_blocks=base["run_unused_blocks"]
    )
    load_adapter(backbone, folder)
    return backbone.eval()


def _subject(folder: Path, entry: dict[str, Any], n_columns: int) -> SubjectModel:
    tensors = load_file(folder / entry["file"])
    trained = {
        key.removeprefix("trained."): torch.from_numpy(value)
        for key, value in tensors.items()
        if key.startswith("trained.") and key != "trained.voxel"
    }
    config = ReadoutConfig.model_validate(entry["readout"])
    width = next(iter(v for k, v in trained.items() if k in ("expand.bias", "offset")))
    module = build_readout(config, n_columns, len(width))
    module.load_state_dict(trained)
    return SubjectModel(
        name=entry["name"],
        tr=entry["tr"],
        n_voxels=entry["n_voxels"],
        ridge_voxel=tensors["ridge.voxel"],
        weights=tensors["ridge.weights"],
        alphas=tensors["ridge.alphas"],
        trained_voxel=tensors["trained.voxel"],
        trained=module.eval(),
        surface=entry["surface"],
        mask=None if entry["mask"] is None else folder / entry["mask"],
        splits=entry["splits"],
        **{key: tensors.get(key) for key in _ARRAYS},
    )
