"""Regions drawn on a subject's flatmap, read through pycortex (extra `flatmaps`), which alone knows the drawings."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from brainwavlm.datasets.surfaces import HEMISPHERES, SurfaceFiles, VoxelPlaces, read_points, read_triangles
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.files import is_listed, require_content

_LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
_GROUP = "{http://www.w3.org/2000/svg}g"


class DrawnRegions(Mapping[str, np.ndarray]):
    """Masks (n_voxels,) bool of the regions in a subject's overlays.svg, each made when it is asked for.

    A voxel is in a region where its nearest vertex is, as for labels. The names are read without pycortex.
    """

    def __init__(self, files: SurfaceFiles, places: VoxelPlaces) -> None:
        self._files = files
        self._places = places

    @cached_property
    def _names(self) -> tuple[str, ...]:
        file = self._files.folder / "overlays.svg"
        return drawn_names(file) if is_listed(file) else ()

    def __getitem__(self, name: str) -> np.ndarray:
        """The mask of a region.

        Raises
        ------
        KeyError
            No such drawing.
        ConfigError
            pycortex is not installed.
        DatasetError
            overlays.svg or the flat surfaces cannot be used.
        """
        if name not in self._names:
            raise KeyError(name)
        inside = drawn_vertices(self._files, name)
        n_left, n_right = self._places.n_vertices
        if len(inside) != n_left + n_right:
            raise DatasetError(
                self._files.surface("flat", "lh"),
                f"{len(inside)} vertices on both flat surfaces.",
                f"{n_left + n_right}, as on the pial surfaces.",
                "Take all surfaces from one version of the data set.",
            )
        return self._places.columns_of((inside[:n_left], inside[n_left:])) & self._places.within_reach

    def __iter__(self) -> Iterator[str]:
        """Names, in the order of the file."""
        return iter(self._names)

    def __len__(self) -> int:
        """Number of drawn regions."""
        return len(self._names)


def drawn_names(file: Path) -> tuple[str, ...]:
    """Names of the regions in a pycortex overlays.svg: groups in the layer rois, sub-layer shapes.

    Raises
    ------
    DatasetError
        Not here, or not XML.
    """
    require_content(file)
    names, layers = [], []
    try:
        for event, element in ElementTree.iterparse(file, events=("start", "end")):
            if event == "start":
                layers.append(element.get(_LABEL) if element.tag == _GROUP else None)
                if layers[1:-1] == ["rois", "shapes"] and layers[-1] is not None:
                    names.append(layers[-1])
            else:
                layers.pop()
                element.clear()  # these files hold images of many megabytes
    except ElementTree.ParseError as error:
        raise DatasetError(
            file, f"not SVG: {error}.", "a drawing of pycortex.", "Download it again."
        ) from None
    return tuple(names)


def drawn_vertices(files: SurfaceFiles, name: str) -> np.ndarray:
    """Whether each vertex lies in a drawn region, (n_left + n_right,) bool.

    On the flatmap, vertices inside the drawing; and vertices that flattening cut away, where they share a triangle
    with one inside.

    Parameters
    ----------
    files : SurfaceFiles
        With overlays.svg and the surfaces flat and pia.
    name : str
        One of `drawn_names`.

    Raises
    ------
    ConfigError
        pycortex is not installed.
    DatasetError
        A surface that is not here.
    """
    corners = [read_triangles(files.surface("flat", hemisphere)) for hemisphere in HEMISPHERES]
    whole = [read_triangles(files.surface("pia", hemisphere)) for hemisphere in HEMISPHERES]
    flat = [read_points(files.surface("flat", hemisphere))[:, :2] for hemisphere in HEMISPHERES]
    n_left = len(flat[0])
    n_vertices = n_left + len(flat[1])
    for triangles, n, hemisphere in zip(whole, (n_left, n_vertices - n_left), HEMISPHERES, strict=True):
        if triangles.max() >= n:
            raise DatasetError(
                files.surface("flat", hemisphere),
                f"{n} vertices.",
                f"as many as on {files.surface('pia', hemisphere).name}, {triangles.max() + 1} or more.",
                "Take all surfaces from one version of the data set.",
            )
    flattened = np.zeros(n_vertices, dtype=bool)
    flattened[np.concatenate([corners[0].ravel(), corners[1].ravel() + n_left])] = True
    # pycortex's drawings lie over both flatmaps side by side: the left ends where the right begins.
    flat[0][:, 0] -= flat[0][:, 0].max()
    flat[1][:, 0] -= flat[1][:, 0].min()
    inside = np.zeros(n_vertices, dtype=bool)
    inside[_vertices_in_drawing(files.folder / "overlays.svg", name, np.concatenate(flat))] = True
    inside &= flattened
    triangles = np.concatenate([whole[0], whole[1] + n_left])
    beside = np.unique(triangles[inside[triangles].any(axis=1)])
    inside[beside[~flattened[beside]]] = True
    return inside


def _vertices_in_drawing(file: Path, name: str, flat: np.ndarray) -> np.ndarray:
    """Numbers of the vertices inside a drawn region, by pycortex; flat: (n_vertices, 2)."""
    # pycortex prints on import; what machines read on stdout must stay theirs.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pycortex and what it imports; none is about these files
        try:
            from cortex.svgoverlay import SVGOverlay
        except ImportError as error:
            raise ConfigError(
                "target",
                f"overlay:{name} is a drawing that only pycortex can read, which cannot be imported ({error}).",
                "the extra flatmaps.",
                "Install it:  pip install 'brainwavlm[flatmaps]'      or name labels in its place, which "
                "brainwavlm targets DATASET lists.",
            ) from None
        # Not through pycortex's database, which makes folders in the user's data set.
        return np.asarray(SVGOverlay(str(file), coords=flat).rois.get_mask(name), dtype=int)
