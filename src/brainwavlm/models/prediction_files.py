"""Predictions of sounds of any length as files: HDF5, NIfTI, GIFTI, NumPy."""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

import h5py
import nibabel
import numpy as np

from brainwavlm import __version__
from brainwavlm.datasets.base import Subject
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import replacing
from brainwavlm.models.brain_model import BrainModel, Readout, SubjectModel
from brainwavlm.models.sound_rows import SoundRows
from brainwavlm.progress import Progress
from brainwavlm.reporting.maps.voxel_maps import Grid, VoxelMap, mask_grid, volume_image
from brainwavlm.reporting.maps.writer import HEMI, map_file
from brainwavlm.reporting.meshes import Mesh, mesh_of
from brainwavlm.reporting.surface_maps import values_at_vertices
from brainwavlm.runs.output_paths import require_writable
from brainwavlm.speech.features import state_facts

KINDS = (".h5", ".npy", ".nii.gz", ".func.gii")
_Blocks = Iterator[tuple[slice, np.ndarray]]


def predict_files(
    model: BrainModel,
    sounds: Sequence[str | Path],
    output: str | Path,
    subject: str | None = None,
    tr: float | None = None,
    readout: Readout = "ridge",
    progress: Progress | None = None,
) -> list[Path]:
    """Predict the responses to sounds, a file each; memory does not grow with a sound's length (.h5 and .npy).

    A sound that was broken off goes on where it was: what was read of it stays beside the output until it is whole.

    Parameters
    ----------
    model : BrainModel
    sounds : sequence of path
    output : path
        OUT.h5 (data (n_trs, n_voxels), tr_times, voxel, and position of electrodes), OUT.npy (data alone), OUT.nii.gz
        (a volume a TR), OUT.func.gii (a file a hemisphere, a map a TR). Of several sounds each file has its sound's
        name too: OUT_<sound>.h5.
    subject, tr, readout
        As in `BrainModel.predict`.
    progress : Progress or None

    Returns
    -------
    list of Path

    Raises
    ------
    ConfigError, DatasetError, AlignmentError
        As `BrainModel.predict`, of every sound before the first is read; an output of no such kind, or one that is
        there.
    RunError
        The subject's voxels are in no volume, or on no surface, that is known.
    """
    kind = next((kind for kind in KINDS if str(output).endswith(kind)), None)
    if kind is None or Path(output).name == kind:
        expected = f"a name that ends in {', '.join(KINDS)}."
        raise ConfigError("output", str(output), expected, "Choose one of them.")
    stem, files = Path(str(output).removesuffix(kind)), [Path(sound) for sound in sounds]
    ends = [f"_{half}{kind}" for half in HEMI.values()] if kind == ".func.gii" else [kind]
    stems = [stem.name + (f"_{one.stem}" if len(files) > 1 else "") for one in files]
    outputs = [[stem.with_name(name + end) for end in ends] for name in stems]
    written = [path for paths in outputs for path in paths]
    there = [path for path in written if os.path.lexists(path)]
    if there or len(set(written)) < len(written):
        told = f"{there[0]} is there already." if there else "two sounds of one name."
        raise ConfigError("output", told, "new files, one a sound.", "Choose another name, or remove it.")
    require_writable(stem.absolute().parent, "output")
    # What is wrong with sounds is told before ridge is fitted.
    features, who = [model.sound_features(one) for one in sounds], model.subject(subject)
    voxel, function = who.readout(readout)
    where = _place(who, kind)
    rows = [model.rows(one, who, tr, readout) for one in features]
    stem.parent.mkdir(parents=True, exist_ok=True)
    for sound, name, paths, some in zip(files, stems, outputs, rows, strict=True):
        with _kept(stem.with_name(f".{name}.reading.h5"), _facts(model, sound, some), some, progress) as file:
            blocks = some.predicted(file["rows"], file["mass"], function)
            if where is None:
                _write_stream(paths[0], blocks, some, voxel, model, who.position)
            else:
                _write_maps(paths, blocks, some, voxel, model, where)
    return written


def _facts(model: BrainModel, sound: Path, rows: SoundRows) -> str:
    """All that the rows of a sound depend on."""
    facts = {
        **state_facts(model.backbone, sound, model.windows, "mean"),
        "alignment": model.alignment.model_dump(mode="json"),
        "times": [len(rows.times), *rows.times[[0, -1]].tolist()],
        "clipped": rows.clipped,
    }
    return json.dumps(facts, sort_keys=True)


@contextmanager
def _kept(path: Path, facts: str, rows: SoundRows, progress: Progress | None) -> Iterator[h5py.File]:
    """The rows of a sound in a file, which a later call goes on with, and which goes once they are used."""
    if path.exists() and not h5py.is_hdf5(path):  # killed before its first block
        path.unlink()
    with h5py.File(path, "a") as file:
        if file.attrs.get("facts") != facts:
            file.clear()
            _require_room(path, rows.n_rows * (rows.n_dims + 1))
            file.create_dataset("rows", (rows.n_rows, rows.n_dims), "f4")
            file.create_dataset("mass", (rows.n_rows, 1), "f4")
            file.attrs.update({"facts": facts, "done": 0})
        for block in (progress or Progress()).over(rows.blocks(int(file.attrs["done"])), "Reading the sound"):
            file["rows"][block], file["mass"][block] = rows.read(block)
            file.attrs["done"] = block.stop
            file.flush()
        yield file
    path.unlink()


def _require_room(path: Path, n_values: int) -> None:
    """OSError where the disk has no room for so many float32: HDF5 itself breaks down when it finds out."""
    if disk_usage(path.parent).free < 4 * n_values + 2**16:  # and what is beside them
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _write_stream(
    path: Path,
    blocks: _Blocks,
    rows: SoundRows,
    voxel: np.ndarray,
    model: BrainModel,
    position: np.ndarray | None,
) -> None:
    """One file to which blocks are appended."""
    shape = (len(rows.times), len(voxel))
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            with temporary.open("wb") as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for _, values in blocks:
                    file.write(np.ascontiguousarray(values, "<f4").tobytes())
            return
        _require_room(path, shape[0] * shape[1])
        with h5py.File(temporary, "w") as hdf5:
            data = hdf5.create_dataset("data", shape, "f4")
            for some, values in blocks:
                data[some] = values
            hdf5["tr_times"], hdf5["voxel"] = rows.times, voxel
            if position is not None:
                hdf5["position"] = position[voxel]
            made_by = f"brainwavlm {__version__}"
            hdf5.attrs.update({"model": model.name, "simulated": model.simulated, "made_by": made_by})


def _write_maps(
    paths: Sequence[Path],
    blocks: _Blocks,
    rows: SoundRows,
    voxel: np.ndarray,
    model: BrainModel,
    place: Grid | Mesh,
) -> None:
    """A map a TR, as `maps` writes one: all of them in memory, as these formats want it."""
    maps = [
        VoxelMap(f"predicted, {time:g} s", "value", "deviations", "predicted response", one.astype(float))
        for some, values in blocks
        for time, one in zip(rows.times[some], values, strict=True)
    ]
    if isinstance(place, Grid):
        volumes = [volume_image(one, voxel, place, simulated=model.simulated) for one in maps]
        series = nibabel.concat_images(volumes)
        series.header.set_zooms((*series.header.get_zooms()[:3], rows.tr))
        series.header.set_xyzt_units("mm", "sec")
        images = [series]
    else:
        at = [values_at_vertices(place, voxel, one.values) for one in maps]
        about = f"Predicted by {model.name}."
        images = [
            map_file([(m, a[side]) for m, a in zip(maps, at, strict=True)], side, about, model.simulated)
            for side in HEMI
        ]
    with TemporaryDirectory(dir=paths[0].absolute().parent) as folder:
        for image, path in zip(images, paths, strict=True):
            nibabel.save(image, Path(folder) / path.name)
            os.replace(Path(folder) / path.name, path)


def _place(who: SubjectModel, kind: str) -> Grid | Mesh | None:
    """Where a kind of file has its values; RunError where that is not known."""
    place: Grid | Mesh | None = None
    what, reason = "volume", ""
    if kind in (".h5", ".npy"):
        return None
    if kind == ".func.gii":
        what = "surface"
        subject = Subject(who.name, {}, hemisphere=who.hemisphere, surface=who.surface, vertex=who.vertex)
        try:
            place = mesh_of(subject, None)
        except ValueError as error:
            reason = f"{error}."
    elif who.mask is not None:
        place, reason = mask_grid(who.mask, who.n_voxels)
    if place is None:
        told = f"{who.name}: no {what} for the columns of the responses. {reason}".strip()
        raise RunError("output", told, f"a model whose voxels lie in a known {what}.", "Write .h5 or .npy.")
    return place
