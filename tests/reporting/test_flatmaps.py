"""Flat surfaces: the subject's own files without pycortex, and pictures by pycortex where it is installed."""

import importlib.util
import shutil
import sys

import matplotlib
import nibabel
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.testing import assert_array_equal

from brainwavlm import open_maps
from brainwavlm.datasets import load_dataset
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.maps.flatmaps import flatmap_figure
from brainwavlm.reporting.meshes import mesh_of
from tests.brains import LATITUDES, LONGITUDES, write_drawing, write_subject
from tests.made_up import fake_evaluation, native_evaluation

needs_pycortex = pytest.mark.skipif(
    importlib.util.find_spec("cortex") is None,
    reason="pycortex is not installed (extra flatmaps): ITS FLATMAPS ARE NOT TESTED here",
)
FOLDED = (500.0, -900.0, 70.0)  # where vertices that flattening cut away may still be


def scored(root, truth, folder):
    """r .1 in the left and .4 in the right hemisphere, .7 in the upper part of both."""
    values = np.where(truth.latitude > 30, 0.7, np.where(truth.right, 0.4, 0.1))
    return open_maps(native_evaluation(folder, root, {}, values))


@pytest.fixture(scope="module")
def brain(tmp_path_factory):
    """Flat surfaces as pycortex imports them: vertices outside the patch stay on the folded surface."""
    root = tmp_path_factory.mktemp("flat")
    truth = write_subject(root)
    for side in ("lh", "rh"):
        file = root / f"derivative/pycortex-db/UTS03/surfaces/flat_{side}.gii"
        image = nibabel.load(file)
        points, triangles = (array.data for array in image.darrays)
        image.darrays[0].data[np.setdiff1d(np.arange(len(points)), triangles)] = FOLDED
        nibabel.save(image, file)
    return root, truth


@pytest.fixture(scope="module")
def opened(brain, tmp_path_factory):
    return scored(*brain, tmp_path_factory.mktemp("scored") / "evaluation")


def test_vertices_cut_away_are_in_the_middle_of_the_flatmap_and_of_its_file(opened, brain, tmp_path):
    out = opened.save(tmp_path / "out", surfaces=True)
    dataset = load_dataset(brain[0])
    mesh = mesh_of(dataset.subject("UTS03"), dataset)
    around, up = (grid.ravel() for grid in np.meshgrid(LONGITUDES, LATITUDES))
    for side, half in zip("LR", mesh.halves.values(), strict=True):
        points, drawn = half.shapes["flat"].coordinates, np.unique(half.shapes["flat"].faces)
        assert_array_equal(points[drawn], np.column_stack([around, up, 0 * up])[drawn].astype(np.float32))
        assert len(drawn) < len(points)
        assert_array_equal(points.min(axis=0), points[drawn].min(axis=0))
        assert_array_equal(points.max(axis=0), points[drawn].max(axis=0))
        arrays = nibabel.load(out / "one" / f"flat_hemi-{side}.surf.gii").darrays
        assert_array_equal(arrays[0].data, points)
        assert_array_equal(arrays[1].data, half.shapes["flat"].faces)


def test_without_pycortex_or_files_of_it_the_error_says_so(opened, tmp_path, monkeypatch):
    other = open_maps(fake_evaluation(tmp_path, n_voxels=20))["on-AC"]
    with pytest.raises(RunError, match="no volume with pycortex's files"):
        flatmap_figure(other, "r_tuned", other.shown_scales()["r_tuned"])
    monkeypatch.setitem(sys.modules, "cortex", None)  # as if it were not there
    maps = opened["one"]
    with pytest.raises(ConfigError, match=r"pip install 'brainwavlm\[flatmaps\]'"):
        flatmap_figure(maps, "r_tuned", maps.shown_scales()["r_tuned"])


def drawn(figure):
    """Its pixels (height, width, 3), and the box of the flatmap in it."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = max(figure.axes, key=lambda one: one.get_position().width * one.get_position().height)
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int), axes.get_position()


@needs_pycortex
@pytest.mark.skipif(shutil.which("inkscape") is None, reason="no inkscape: DRAWN REGIONS ARE NOT TESTED here")
def test_regions_are_drawn_around_their_vertices(tmp_path, monkeypatch):
    root = tmp_path / "data"
    truth = write_subject(root)
    west, east, south, north = 60.0, 150.0, -20.0, 40.0
    write_drawing(root, "UTS03", {"AC": [(0, west, east, south, north)]})
    maps = scored(root, truth, tmp_path / "evaluation")["one"]
    scale = maps.shown_scales()["r_frozen"]
    with_region, box = drawn(flatmap_figure(maps, "r_frozen", scale))
    monkeypatch.setattr("brainwavlm.reporting.maps.flatmaps.shutil.which", lambda name: None)
    without, _ = drawn(flatmap_figure(maps, "r_frozen", scale))
    rows, columns = np.nonzero((with_region != without).any(axis=2))
    height, width = without.shape[:2]
    # Both flatmaps lie side by side, each as wide as the drawing's half, 357 degrees, and 174 high.
    x = (columns / width - box.x0) / box.width * 2 * LONGITUDES[-1]
    y = (1 - rows / height - box.y0) / box.height * np.ptp(LATITUDES) + LATITUDES[0]
    assert np.abs(np.array([x.min(), x.max(), y.min(), y.max()]) - [west, east, south, north]).max() < 6


@needs_pycortex
def test_pycortex_draws_each_value_where_its_voxel_is(tmp_path):
    root = tmp_path / "data"
    maps = scored(root, write_subject(root), tmp_path / "evaluation")["one"]
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    scale = maps.shown_scales()["r_frozen"]
    figure = flatmap_figure(maps, "r_frozen", scale)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert any("SIMULATED" in text.get_text() for text in figure.texts)
    picture, box = drawn(figure)
    height, width = picture.shape[:2]

    def colour(x, y):
        """The commonest colour around a place of the flatmap, 0 to 1 from lower left."""
        column = round((box.x0 + x * box.width) * width)
        row = round((1 - box.y0 - y * box.height) * height)
        patch = picture[row - 30 : row + 30, column - 30 : column + 30].reshape(-1, 3)
        known = patch[(patch < 255).any(axis=1)]  # white where no voxel has a value
        colours, counts = np.unique(known, axis=0, return_counts=True)
        return colours[counts.argmax()]

    def expected(value):
        at = (value - scale.low) / (scale.high - scale.low)
        return 255 * np.array(matplotlib.colormaps[scale.colours](at)[:3])

    for x in (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9):
        assert np.abs(colour(x, 0.3) - expected(0.1 if x < 0.5 else 0.4)).max() < 12
        assert np.abs(colour(x, 0.85) - expected(0.7)).max() < 12
