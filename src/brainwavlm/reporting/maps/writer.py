"""Maps in a folder: a subfolder a run, with NIfTI, GIFTI and the sidecar maps.json.

RUN/r_tuned.nii.gz                 one file a map, where the data set is a volume
RUN/scores_hemi-L.func.gii         all numbers of a hemisphere, where voxels lie on a surface
RUN/targets_hemi-L.func.gii        masks
RUN/inflated_hemi-L.surf.gii ...   if surfaces are asked for, and maps.spec for Connectome Workbench
RUN/maps.json                      what they are and where they come from
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import nibabel
import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

from brainwavlm import __version__
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import replacing_folder, write_json
from brainwavlm.reporting.maps import Maps, RunMaps
from brainwavlm.reporting.maps.flatmaps import flatmap_figure
from brainwavlm.reporting.maps.voxel_maps import Space, VoxelMap, affine_of
from brainwavlm.reporting.meshes import SIDES, Hemisphere, Mesh
from brainwavlm.results.evaluation import UNTUNED
from brainwavlm.runs.output_paths import require_apart

SIDECAR = "maps.json"
HEMI = {"left": "hemi-L", "right": "hemi-R"}
_LONGEST_NAME = 120
_STRUCTURES = {"left": "CortexLeft", "right": "CortexRight"}
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHAPES = {"inflated": "Inflated", "pial": "Anatomical", "flat": "Flat"}
_AT_VERTICES = {
    "value": "mean over the voxels at a vertex",
    "chance": "largest of the voxels at a vertex",
    "mask": "1 where any voxel at a vertex is in it",
}


def write_maps(maps: Maps, folder: Path, space: Space, surfaces: bool, flatmaps: bool) -> Path:
    """Write the folder of `Maps.save` under another name until it is whole."""
    require_new(folder)
    table, shown = maps.results.voxels_path, [run for run in maps.values() if run.grid or run.source.mesh]
    if not shown:
        found = " ".join(dict.fromkeys(note for run in maps.values() for note in run.notes))
        expected = "a data set that says in which volume or on which surface its columns lie."
        raise RunError(table.parent, found, expected, "docs/how-to/maps.md says which do.")
    checksum = hashlib.sha256(table.read_bytes()).hexdigest()
    source = {"folder": table.parent.resolve().name, "file": table.name, "sha256": checksum}
    with replacing_folder(folder) as partial:
        for run, name in zip(shown, file_names(run.name for run in shown), strict=True):
            _write_run(run, partial / name, space, surfaces, source)
            for shown_map, scale in run.shown_scales().items() if flatmaps else ():
                flatmap_figure(run, shown_map, scale).savefig(partial / name / f"flat_{shown_map}.png")
    return folder


def file_names(names: Iterable[str]) -> list[str]:
    """Names that every file system takes, each once: letters, digits and . _ + - stay, a colon becomes a hyphen."""
    safe: dict[str, str] = {}  # by lower case
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9._+-]", "_", name.replace(":", "-")).lstrip(".")[:_LONGEST_NAME] or "_"
        numbered = (stem if n == 1 else f"{stem}-{n}" for n in count(1))
        free = next(one for one in numbered if one.lower() not in safe)
        safe[free.lower()] = free
    return list(safe.values())


def require_new(folder: Path) -> None:
    """ConfigError unless the folder is new or empty, and neither in a data set nor in a run."""
    require_apart(folder, in_run=True)
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        found = f"{folder} {'is a folder with files' if folder.is_dir() else 'is there already'}."
        raise ConfigError("output", found, "a new or empty folder.", "Choose another place, or remove it.")


def _write_run(run: RunMaps, folder: Path, space: Space, surfaces: bool, source: Mapping[str, Any]) -> None:
    folder.mkdir()
    entries = {name: _entry(one) for name, one in run.maps.items()}
    content: dict[str, Any] = _about(run, source)
    if run.grid is not None:
        for (name, entry), stem in zip(entries.items(), file_names(run.maps), strict=True):
            entry["volume"] = f"{stem}.nii.gz"
            nibabel.save(run.volume(name, space), folder / entry["volume"])
        shape, affine = list(run.grid.image.shape), affine_of(run.grid, space).tolist()
        about = {"space": f"{space}, {run.entry['subject']}", "shape": shape, "affine": affine}
        content["volume"] = about | {"mask": run.grid.path.name, "outside": "NaN; 0 in masks"}
    mesh = run.source.mesh
    if mesh is not None:
        _write_surfaces(run, mesh, folder, surfaces, entries)
        n_vertices = {side: len(half.sulcal) for side, half in mesh.halves.items()}
        content["surface"] = {"space": mesh.name, "n_vertices": n_vertices}
        content["surface"] |= {"without_voxel": "NaN; 0 in masks"}
    write_json(folder / SIDECAR, content | {"maps": list(entries.values()), "notes": list(run.notes)})


def _about(run: RunMaps, source: Mapping[str, Any]) -> dict[str, Any]:
    entry, backbone = run.entry, run.source.config.backbone
    frozen, about = entry["frozen"], {"method": entry["method"], "seed": entry["seed"]}
    return {
        "simulated": run.simulated,
        "run": run.name,
        "subject": entry["subject"],
        "tuned_on": None if entry["method"] == UNTUNED else entry["target"],
        "control": entry["control"],
        "model": {"name": backbone.name, "layer": backbone.layer, **about},
        "dataset": {"name": frozen["dataset"], "licence": frozen["licence"]},
        "test_stories": entry["splits"].get("test", []),
        "noise_ceiling": frozen["normalised_by"],
        "source": dict(source),
        "made_by": f"brainwavlm {__version__}",
    }


def _entry(one: VoxelMap) -> dict[str, Any]:
    finite = np.isfinite(one.values)
    return {
        "name": one.name,
        "unit": one.unit,
        "meaning": one.meaning,
        "n_voxels": int((finite & (one.values != 0)).sum() if one.kind == "mask" else finite.sum()),
        "at_vertices": _AT_VERTICES[one.kind],
    }


def _write_surfaces(
    run: RunMaps, mesh: Mesh, folder: Path, surfaces: bool, entries: Mapping[str, dict[str, Any]]
) -> None:
    about = f"Run {run.name}, subject {run.entry['subject']}."
    made = {name: run.surface(name) for name in run.maps}
    listed: list[tuple[str, str]] = []
    for group in ("scores", "targets"):
        some = [one for one in run.maps.values() if (one.kind == "mask") == (group == "targets")]
        for side in SIDES:
            file = f"{group}_{HEMI[side]}.func.gii"
            image = map_file([(one, made[one.name][side]) for one in some], side, about, run.simulated)
            nibabel.save(image, folder / file)
            listed.append((side, file))
            for number, one in enumerate(some):
                entries[one.name].setdefault("surface", {})[side] = {"file": file, "map": number}
    if surfaces and any(half.shapes for half in mesh.halves.values()):
        for side, half in mesh.halves.items():
            for kind, image in _shape_files(half, side).items():
                file = f"{kind}_{HEMI[side]}.surf.gii"
                nibabel.save(image, folder / file)
                listed.append((side, file))
        (folder / "maps.spec").write_text(_specification(listed), encoding="utf-8")


def _specification(listed: Iterable[tuple[str, str]]) -> str:
    """Connectome Workbench's list of files to open together."""
    rows = "".join(
        f'   <DataFile Structure="{_STRUCTURES[side]}" '
        f'DataFileType="{"SURFACE" if file.endswith(".surf.gii") else "METRIC"}" Selected="true">\n'
        f"      {escape(file)}\n   </DataFile>\n"
        for side, file in listed
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<CaretSpecFile Version="1.0">\n   <MetaData/>\n'
    return f"{head}{rows}</CaretSpecFile>\n"


def map_file(
    maps: Sequence[tuple[VoxelMap, np.ndarray]], side: str, about: str, simulated: bool
) -> GiftiImage:
    """One hemisphere's maps under their names, float32 (n_vertices,); the file and each map say `simulated`."""
    mark = "SIMULATED responses. " if simulated else ""
    arrays = []
    for one, values in maps:
        texts = {"Name": one.name, "Unit": one.unit, "Description": mark + one.meaning}
        arrays.append(_array(values, "NONE", "FLOAT32", texts))
    return _image(arrays, side, Description=mark + about)


def _shape_files(half: Hemisphere, side: str) -> dict[str, GiftiImage]:
    """The shapes of a hemisphere as surface files, by kind: inflated, pial, flat."""
    files = {}
    for kind, shape in half.shapes.items():
        about = {"AnatomicalStructurePrimary": _STRUCTURES[side], "GeometricType": _SHAPES[kind]}
        if kind == "pial":
            about["AnatomicalStructureSecondary"] = "Pial"
        topology = {"TopologicalType": "Cut" if kind == "flat" else "Closed"}
        points = _array(shape.coordinates, "POINTSET", "FLOAT32", about)
        triangles = _array(shape.faces.astype(np.int32), "TRIANGLE", "INT32", topology)
        files[kind] = _image([points, triangles], side)
    return files


def _image(arrays: list[GiftiDataArray], side: str, **more: str) -> GiftiImage:
    program = {"ProvenanceProgram": f"brainwavlm {__version__}"}
    meta = {"AnatomicalStructurePrimary": _STRUCTURES[side], **more, **program}
    return GiftiImage(meta=_texts(meta), darrays=arrays)


def _array(values: np.ndarray, intent: str, kind: str, meta: dict[str, str]) -> GiftiDataArray:
    about = {"intent": f"NIFTI_INTENT_{intent}", "datatype": f"NIFTI_TYPE_{kind}", "meta": _texts(meta)}
    return GiftiDataArray(np.ascontiguousarray(values), **about)


def _texts(meta: dict[str, str]) -> GiftiMetaData:
    """Metadata, with a question mark for signs that XML has no way to write."""
    return GiftiMetaData({name: _UNWRITABLE.sub("?", text) for name, text in meta.items()})
