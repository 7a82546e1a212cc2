"""Which columns of a table of voxels are maps, with their units; and as NIfTI volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
import pandas as pd

from brainwavlm import __version__
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.datasets.surfaces import mask_voxels, read_transform, read_volume
from brainwavlm.encoding.targets import target_mask, with_regions
from brainwavlm.errors import ConfigError, DatasetError, RunError
from brainwavlm.reporting.surface_maps import OfVoxels, Source
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.partition import Partition
from brainwavlm.results.schemas import AGAIN

Kind = Literal["value", "chance", "mask"]

_NO_MAP = ("run", "subject", "voxel")
_ALWAYS = ("r_frozen", "r_tuned")
_WHO = {"frozen": "the model as it was", "tuned": "the tuned model"}
_TESTED = {**_WHO, "difference": "tuned against frozen"}
_R, _R2, _CHANCE, _TRUTH = "correlation r", "share of variance (R2)", "probability", "0 or 1"
_CLEAN = "correlation with the SIMULATED signal, without noise"
_DIFFERENCE = ("difference in correlation r", "r_tuned - r_frozen")
_FIXED: dict[str, tuple[Kind, str, str]] = {
    "r_readout": ("value", _R, "test correlation of the run's own readout"),
    "r_time_only": ("value", _R, "test correlation of ridge on time alone"),
}
# Column = prefix + whose: kind, unit, meaning.
_PREFIXES: dict[str, tuple[Mapping[str, str], Kind, str, str]] = {
    "r_": (_WHO, "value", _R, "test correlation of ridge on features of"),
    "shared_": (_WHO, "value", _R, "test correlation of the linear map that voxels share, on features of"),
    "clean_r_": (_WHO, "value", _R, f"{_CLEAN}, of ridge on features of"),
    "clean_shared_r_": (_WHO, "value", _R, "the same of the linear map that voxels share, on features of"),
    "normalised_": (_WHO, "value", "share of the noise ceiling", "test correlation over noise ceiling of"),
    "alpha_": (_WHO, "value", "ridge penalty alpha", "penalty that ridge chose for"),
    "p_": (_TESTED, "chance", _CHANCE, "p, uncorrected, of"),
    "q_": (_TESTED, "chance", _CHANCE, "false discovery rate over voxels of"),
    "p_max_": (_TESTED, "chance", _CHANCE, "p, family-wise over voxels, of"),
}
KNOWN: dict[str, tuple[Kind, str, str]] = _FIXED | {
    prefix + whose: (kind, unit, f"{meaning} {words}")
    for prefix, (parts, kind, unit, meaning) in _PREFIXES.items()
    for whose, words in parts.items()
}


@dataclass(frozen=True)
class VoxelMap:
    """One value a scored voxel: `values` (n_voxels,) float64, NaN where a voxel has none.

    `name` is a column of the file of voxels, `target:` and the column of a target, or `difference`, `ceiling`,
    `scored`; `kind` is value, chance (p and q), or mask (0 and 1).
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    values: np.ndarray


def voxel_maps(
    results: OfVoxels, run: Mapping[str, Any], source: Source, targets: Sequence[str] = ()
) -> tuple[dict[str, VoxelMap], list[str]]:
    """Every column of a run that holds a number a voxel, its targets, and what follows from them.

    difference[v] = r_tuned[v] - r_frozen[v];  scored[v] = 1;  ceiling[v]: the data set's own, if it has one.

    `run` is one of `results.runs`; `targets` are masks to add to the scored ones: anything that `--target` takes.
    Columns without any number in this run are left out, but for frozen and tuned r. Returns the maps, and notes: on
    columns of text, which are left out, and on tests that can find nothing. RunError where a column of this program
    holds text, ConfigError where the subject has no such target.
    """
    rows = results.voxels[results.voxels["run"] == run["name"]]
    scores = results.of_run(run["name"])
    maps: dict[str, VoxelMap] = {}
    notes = [f"{name}: below .05 cannot be tested, whatever the map shows." for name in scores.untestable]
    for name in (name for name in rows if name not in (*_NO_MAP, *results.target_names)):
        kind, unit, meaning = _described(name, results)
        values = pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float64)
        written = (rows[name].notna() & (rows[name] != "")).to_numpy(bool)
        is_text = not np.isfinite(values[written]).all()
        if is_text and name in KNOWN:
            path = results.voxels_path
            found = f"column {name} holds text."
            raise RunError(path, found, "numbers, or nothing where there is none.", AGAIN)
        if is_text:
            notes.append(f"Column {name} of {results.voxels_path.name} holds text and is no map.")
        elif name in _ALWAYS or np.isfinite(values).any():
            maps[name] = VoxelMap(name, kind, unit, meaning, values)
    derived = []
    if isinstance(results, Partition):
        for name in [name.removesuffix("_tuned") for name in maps if name.endswith("_tuned")]:
            values = maps[f"{name}_tuned"].values - maps[f"{name}_frozen"].values
            meaning = f"{name}_tuned - {name}_frozen"
            derived.append(VoxelMap(f"{name}_difference", "value", f"difference in {_R2}", meaning, values))
    elif results.tuned:
        derived.append(VoxelMap("difference", "value", *_DIFFERENCE, scores.tuned - scores.frozen))
    subject = source.subject
    if subject is not None and subject.ceiling is not None:
        given = np.asarray(subject.ceiling, np.float64)[scores.voxel]
        derived.append(VoxelMap("ceiling", "value", _R, "noise ceiling that comes with the data set", given))
    everywhere = np.ones(len(scores.voxel))
    derived.append(VoxelMap("scored", "mask", _TRUTH, "voxels that were scored", everywhere))
    derived += [
        VoxelMap(f"target:{name}", "mask", _TRUTH, f"voxels of the target {name}", mask.astype(np.float64))
        for name, mask in scores.masks.items()
    ]
    for name in (name for name in targets if name not in scores.masks):
        if subject is None:
            found = f"{name}: {source.no_map}."
            raise ConfigError("target", found, "a data set that is here.", "Leave it out.")
        mask = target_mask(name, with_regions(subject, source.config.regions), subject.ceiling)
        values = mask[scores.voxel].astype(np.float64)
        derived.append(VoxelMap(f"target:{name}", "mask", _TRUTH, f"scored voxels of {name}", values))
    return maps | {one.name: one for one in derived}, notes


def _described(name: str, results: OfVoxels) -> tuple[Kind, str, str]:
    """Kind, unit and meaning of a column."""
    if isinstance(results, Evaluation):
        return KNOWN.get(name, ("value", "", f"column {name} of {results.voxels_path.name}"))
    measure, _, rest = name.partition("_")
    space, _, model = rest.rpartition("_")
    return "value", _R2, f"{measure}, {space}, beside {_WHO[model]}: docs/how-to/partition.md"


Space = Literal["scanner", "surfaces"]
_LONGEST = 79  # bytes of a NIfTI description


@dataclass(frozen=True)
class Grid:
    """The volume whose voxels are the columns of the responses, by the mask at `path`, an `image` of nibabel.

    `voxels` (n_columns, 3) is the index of each column in it; `transform` a file that leads there from surface
    coordinates, or None.
    """

    path: Path
    image: Any
    voxels: np.ndarray
    transform: Path | None


def grid_of(source: Source) -> tuple[Grid | None, str]:
    """The volume of a run's data set, or why there is none; no reason for a data set that has no volumes."""
    dataset, subject = source.dataset, source.subject
    if dataset is None or subject is None:
        return None, f"No volume: {source.no_map}." if source.no_map else ""
    files = dataset.surface_files(subject.name) if isinstance(dataset, Lebel2023) else None
    path = files.mask if files else dataset.voxel_mask(subject.name)
    transform = files.transform / "matrices.xfm" if files else None
    return (None, "") if path is None else mask_grid(path, subject.n_voxels, transform)


def mask_grid(path: Path, n_voxels: int, transform: Path | None = None) -> tuple[Grid | None, str]:
    """The volume whose voxels above zero are the `n_voxels` columns of the responses, or why it is not."""
    try:
        image = read_volume(path)
    except DatasetError as error:
        return None, f"No volume: {error.path}: {error.found}"
    voxels = mask_voxels(image.dataobj)
    if len(voxels) != n_voxels:
        found = f"{path} has {len(voxels)} voxels, the responses have {n_voxels} columns."
        return None, f"No volume: {found}"
    return Grid(path, image, voxels, transform), ""


def affine_of(grid: Grid, space: Space) -> np.ndarray:
    """Indices to mm, (4, 4): that of the mask; or the inverse of `coord` in matrices.xfm, mm of the surfaces.

    DatasetError where no file that can be read ties the data set's surfaces to its volume.
    """
    if space == "scanner":
        return np.asarray(grid.image.affine, dtype=np.float64)
    if grid.transform is None:
        found = "no transform to surfaces beside it."
        raise DatasetError(grid.path, found, "matrices.xfm.", "Choose the space scanner.")
    return np.linalg.inv(read_transform(grid.transform))


def volume_image(
    one: VoxelMap, voxel: np.ndarray, grid: Grid, space: Space = "scanner", simulated: bool = False
) -> nibabel.Nifti1Image:
    """volume[x_c, y_c, z_c] = value of the row whose voxel is c; float32 and NaN elsewhere, a mask uint8 and 0.

    Not 0: that is a correlation, and the most significant of all p.

    `voxel` (n_voxels,) is the column of each value, `space` that of `affine_of`; the header says `simulated`.
    """
    is_mask = one.kind == "mask"
    kind = np.dtype(np.uint8 if is_mask else np.float32)
    data = np.full(grid.image.shape, 0 if is_mask else np.nan, dtype=kind)
    data[tuple(grid.voxels[voxel].T)] = one.values.astype(kind)
    # The mask's own header says how its affine is coded; for another affine a new one is written.
    kept = nibabel.Nifti1Header.from_header(grid.image.header) if space == "scanner" else None
    image = nibabel.Nifti1Image(data, affine_of(grid, space), kept)
    header = image.header
    header.set_data_dtype(kind)
    header.set_slope_inter(1, 0)
    header.set_intent("none")
    header["cal_min"] = header["cal_max"] = 0
    header.set_xyzt_units("mm")
    label = f"{'SIMULATED ' if simulated else ''}{one.name}; brainwavlm {__version__}"
    header["descrip"] = label.encode("ascii", "replace")[:_LONGEST]
    return image
