"""Flatmaps drawn by pycortex (extra `flatmaps`), pixel by pixel through the depth of cortex.

Without pycortex the subject's flat surfaces are shown by the report page, and written by `Maps.save(surfaces=True)`.
"""

import contextlib
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from brainwavlm.datasets.drawn_regions import drawn_names
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.datasets.surfaces import HEMISPHERES, SurfaceFiles
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.files import is_listed
from brainwavlm.reporting.maps import RunMaps
from brainwavlm.reporting.surface_maps import Scale

_NEEDED = ("pia", "wm", "flat")
_HEAD = 0.8  # inches


def flatmap_figure(run: RunMaps, name: str, scale: Scale) -> Figure:
    """A map of a run on the subject's flatmap, by pycortex.

    Each pixel takes the mean of the voxels between white and pial surface there, those without a value left out.
    Drawn regions are on it where the subject has some and Inkscape, which pycortex draws them with, is installed.

    `name` is one of `run.maps`. ConfigError where pycortex is not installed, RunError where the data set has no flat
    surfaces for it.
    """
    files = flat_files(run)
    image = run.volume(name)
    with _pycortex() as cortex, _database(cortex, files):
        data = np.asarray(image.dataobj, dtype=np.float64).T  # pycortex's axes are z, y, x
        colours = {"cmap": scale.colours, "vmin": scale.low, "vmax": scale.high}
        volume = cortex.Volume(data, files.folder.name, files.transform.name, **colours)
        drawn = _has_drawing(files) and shutil.which("inkscape") is not None
        figure = cortex.quickflat.make_figure(volume, with_rois=drawn, with_labels=drawn, with_colorbar=True)
    one = run.maps[name]
    mark = "   SIMULATED responses" if run.simulated else ""
    return _titled(figure, f"{run.entry['subject']}: {one.name}, {one.unit}{mark}")


def _titled(figure: Figure, title: str) -> Figure:
    """Room above what pycortex drew, which fills the whole figure, and the title in it."""
    width, height = figure.get_size_inches()
    share = height / (height + _HEAD)
    for axes in figure.axes:
        left, bottom, across, tall = axes.get_position().bounds
        axes.set_position((left, bottom * share, across, tall * share))
    figure.set_size_inches(width, height + _HEAD)
    about: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 24, "parse_math": False}
    figure.text(0.5, 1 - 0.5 * _HEAD / (height + _HEAD), title, **about)
    return figure


def flat_files(run: RunMaps) -> SurfaceFiles:
    """The files that pycortex needs. RunError where they are not all here."""
    dataset = run.source.dataset
    if not isinstance(dataset, Lebel2023) or run.grid is None:
        found = " ".join(["no volume with pycortex's files.", *run.notes])
        remedy = "Leave flatmaps out; docs/how-to/maps.md says what else shows flat surfaces."
        raise RunError(run.name, found, "a data set with a folder pycortex-db, as ds003020 has.", remedy)
    files = dataset.surface_files(run.entry["subject"])
    for file in (files.surface(kind, side) for kind in _NEEDED for side in HEMISPHERES):
        if not is_listed(file):
            expected = f"the surfaces {', '.join(_NEEDED)} of both hemispheres."
            raise RunError(file, "no such file.", expected, "Download it, or leave flatmaps out.")
    return files


def _has_drawing(files: SurfaceFiles) -> bool:
    file = files.folder / "overlays.svg"
    return is_listed(file) and bool(drawn_names(file))


@contextlib.contextmanager
def _pycortex() -> Iterator[Any]:
    # pycortex prints, and warns of what it imports; what machines read on stdout must stay theirs.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import cortex
        except ImportError as error:
            found = f"pycortex, which draws them, cannot be imported ({error})."
            remedy = "pip install 'brainwavlm[flatmaps]'      or see the flat surfaces on the report page."
            raise ConfigError("flatmaps", found, "the extra flatmaps.", f"Install it:  {remedy}") from None
        yield cortex


@contextlib.contextmanager
def _database(cortex: Any, files: SurfaceFiles) -> Iterator[None]:
    """Let pycortex see this subject alone, linked into a temporary folder: its caches stay out of the data set."""
    kept = cortex.db.filestore, cortex.db._subjects
    with tempfile.TemporaryDirectory() as folder:
        subject = Path(folder) / files.folder.name
        transform = subject / "transforms" / files.transform.name
        for made in (subject / "surfaces", transform, subject / "cache", subject / "surface-info"):
            made.mkdir(parents=True)
        for file in (files.surface(kind, side) for kind in (*_NEEDED, "inflated") for side in HEMISPHERES):
            if is_listed(file):
                (subject / "surfaces" / file.name).symlink_to(file.resolve())
        for file in files.transform.iterdir():
            (transform / file.name).symlink_to(file.resolve())
        if _has_drawing(files):
            shutil.copyfile(files.folder / "overlays.svg", subject / "overlays.svg")
        cortex.db.filestore, cortex.db._subjects = folder, None
        try:
            yield
        finally:
            cortex.db.filestore, cortex.db._subjects = kept
