"""Regions of cortex by name: FreeSurfer's annot files as masks over the columns of the responses."""

from pathlib import Path

import nibabel
import numpy as np

from brainwavlm.datasets.surfaces import HEMISPHERES, VoxelPlaces
from brainwavlm.errors import DatasetError
from brainwavlm.files import require_content

# Auditory cortex as a union of the Destrieux parcellation: Heschl's gyrus and sulcus, planum temporale, planum polare
# and the lateral face of the superior temporal gyrus (Destrieux et al. 2010, NeuroImage 53:1-15, table 1).
# The superior temporal sulcus, S_temporal_sup, runs far beyond auditory cortex and is left out.
AUDITORY_CORTEX = (
    "a2009s:G_temp_sup-G_T_transv",
    "a2009s:S_temporal_transverse",
    "a2009s:G_temp_sup-Plan_tempo",
    "a2009s:G_temp_sup-Plan_polar",
    "a2009s:G_temp_sup-Lateral",
)
# Name in targets, and the middle of the file names that carry it: the second is that of older FreeSurfer (UTS02).
ATLASES = {
    "aparc": ("aparc",),
    "a2009s": ("aparc.a2009s",),
    "DKT": ("aparc.DKTatlas", "aparc.DKTatlas40"),
    "BA": ("BA_exvivo", "BA"),
    "BA.thresh": ("BA_exvivo.thresh", "BA.thresh"),
}


def label_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Left and right annot file of each atlas in a FreeSurfer `label` folder, whether here or not.

    Parameters
    ----------
    folder : Path
        With files such as lh.aparc.annot. Atlases that `ATLASES` does not know keep the name of their file.

    Returns
    -------
    dict of str to pair of Path
        Every atlas of `ATLASES`, then others.
    """
    listed = {
        file.name[3 : -len(".annot")] for side in HEMISPHERES for file in folder.glob(f"{side}.*.annot")
    }
    known = {middle for names in ATLASES.values() for middle in names}
    chosen = {
        atlas: next((middle for middle in names if middle in listed), names[0])
        for atlas, names in ATLASES.items()
    }
    chosen |= {middle: middle for middle in sorted(listed - known)}
    return {
        atlas: (folder / f"lh.{middle}.annot", folder / f"rh.{middle}.annot")
        for atlas, middle in chosen.items()
    }


def read_labels(folder: Path, places: VoxelPlaces) -> tuple[dict[str, np.ndarray], dict[str, DatasetError]]:
    """Masks of all labels in a FreeSurfer `label` folder, and what is wrong with atlases that cannot be used.

    A voxel carries the label of its nearest vertex, in either hemisphere; one beyond the reach of both surfaces, or
    nearest to a vertex without label, carries none. Surfaces of pycortex and annot files of FreeSurfer are joined by
    vertex number: pycortex's import from FreeSurfer moves the vertices and keeps their order.

    Returns
    -------
    masks : dict of str to bool array (n_voxels,)
        By `atlas:label`.
    problems : dict of str to DatasetError
        By atlas.
    """
    masks: dict[str, np.ndarray] = {}
    problems: dict[str, DatasetError] = {}
    for atlas, files in label_files(folder).items():
        try:
            sides = [_annotation(*of_side) for of_side in zip(files, places.n_vertices, strict=True)]
        except DatasetError as error:
            problems[atlas] = error
            continue
        # Colour tables also list labels that no vertex has, e.g. corpuscallosum of aparc.
        used = [name for codes, own in sides for name in own[np.unique(codes[codes >= 0])]]
        number = {name: n for n, name in enumerate(dict.fromkeys(used))}
        left, right = (np.array([*(number.get(name, -1) for name in own), -1])[codes] for codes, own in sides)
        labels = np.where(places.within_reach, places.columns_of((left, right)), -1)
        masks |= {f"{atlas}:{name}": labels == n for name, n in number.items()}
    return masks, problems


def _annotation(file: Path, n_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Index of each vertex into the names, -1 for none; and the names, (n_labels,) text."""
    require_content(file)
    try:
        codes, _, names = nibabel.freesurfer.read_annot(file)
        decoded = np.array([name.decode("utf-8") for name in names], dtype=object)
    except Exception as error:  # nibabel has no error of its own for this format: index, value, memory, ...
        raise DatasetError(
            file,
            f"cannot be read: {type(error).__name__}: {error}",
            "a FreeSurfer annot file.",
            "Download it again.",
        ) from None
    if len(codes) != n_vertices:
        raise DatasetError(
            file,
            f"{len(codes)} vertices.",
            f"{n_vertices}, as on the surface of this hemisphere in pycortex-db.",
            "Labels and surfaces are joined by vertex number: take both from one version of the data set.",
        )
    return codes, decoded
