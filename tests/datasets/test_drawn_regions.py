"""Regions drawn on a flatmap. Their names need no pycortex; their vertices do, which few machines have."""

import importlib.util
import shutil
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.drawn_regions import drawn_names
from brainwavlm.encoding.targets import target_counts, target_mask, target_masks
from brainwavlm.errors import ConfigError, DatasetError
from tests.brains import LATITUDES, STEP, write_brain, write_drawing

needs_pycortex = pytest.mark.skipif(
    importlib.util.find_spec("cortex") is None,
    reason="pycortex is not installed (extra flatmaps): drawn regions are NOT tested here",
)
# Of longitude and latitude. Of Broca, flattening cut away columns 0 to 2.
DRAWN = {
    "AC": [(0, 90.5, 150.2, -20.4, 33.1), (1, 31, 100, -31, 40)],
    "Broca": [(1, 0.5, 19, 10, 22)],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    brain = write_brain(root)
    write_drawing(root, "UTS03", DRAWN)
    return root, brain


@pytest.fixture
def subject(built):
    return load_dataset(built[0]).subject("UTS03")


def nearest_column(brain):
    return np.floor(brain.longitude / STEP + 0.5).astype(int) % 120


def nearest_row(brain):
    return np.clip(np.floor((brain.latitude - LATITUDES[0]) / STEP + 0.5), 0, len(LATITUDES) - 1)


def in_box(brain, side, west, east, south, north):
    longitude, latitude = nearest_column(brain) * STEP, nearest_row(brain) * STEP + LATITUDES[0]
    inside = (longitude > west) & (longitude < east) & (latitude > south) & (latitude < north)
    return inside & (brain.right == bool(side))


def test_names_are_those_of_the_layer_rois(subject):
    assert list(subject.drawn) == ["AC", "Broca"]
    with pytest.raises(ConfigError, match="'overlay:FFA' is no target of UTS03"):
        target_mask("overlay:FFA", subject)


def test_a_drawing_that_is_no_svg_is_named(tmp_path):
    (tmp_path / "overlays.svg").write_text("<svg")
    with pytest.raises(DatasetError, match=r"overlays\.svg: not SVG"):
        drawn_names(tmp_path / "overlays.svg")


def test_without_pycortex_the_error_says_what_to_install(subject, monkeypatch):
    monkeypatch.setitem(sys.modules, "cortex", None)  # as if it were not there
    monkeypatch.setitem(sys.modules, "cortex.svgoverlay", None)
    with pytest.raises(ConfigError, match=r"pip install 'brainwavlm\[flatmaps\]'"):
        target_mask("overlay:AC", subject)
    masks, missing = target_masks(["AC", "overlay:AC"], subject)
    assert list(masks) == ["AC"]
    assert "pycortex" in missing["overlay:AC"]


@needs_pycortex
def test_drawn_regions_are_the_truth_voxel_for_voxel(built, subject):
    _, brain = built
    truth = in_box(brain, *DRAWN["AC"][0]) | in_box(brain, *DRAWN["AC"][1])
    assert truth.sum() > 100
    assert_array_equal(target_mask("overlay:AC", subject), truth)
    assert_array_equal(target_mask("overlay:AC-LH", subject), truth & brain.right)


@needs_pycortex
def test_vertices_cut_away_beside_a_drawing_belong_to_it(built, subject):
    _, brain = built
    column, row = nearest_column(brain), nearest_row(brain)
    drawn = in_box(brain, *DRAWN["Broca"][0])
    rows = row[drawn & (column > 2)]
    # Triangles join (row, 3) with (row, 2) and (row + 1, 2).
    beside = (column == 2) & (row >= rows.min()) & (row <= rows.max() + 1) & brain.right
    assert beside.any()
    assert_array_equal(target_mask("overlay:Broca", subject), drawn & (column > 2) | beside)


@pytest.fixture
def cortex(built, monkeypatch):
    """pycortex, whose database is that of the data set, and the mask of the subject."""
    cortex = importlib.import_module("cortex")
    monkeypatch.setattr(cortex.db, "filestore", str(built[0] / "derivative/pycortex-db"))
    monkeypatch.setattr(cortex.db, "_subjects", None)
    return cortex, cortex.db.get_mask("UTS03", "UTS03_auto", "thick")


@needs_pycortex
def test_drawn_regions_are_those_of_pycortex(subject, cortex):
    cortex, volume = cortex
    theirs = cortex.utils.get_roi_masks(
        "UTS03", "UTS03_auto", ["AC", "Broca"], gm_sampler="thick", allow_overlap=True
    )
    for name in ("AC", "Broca"):
        assert_array_equal(target_mask(f"overlay:{name}", subject), theirs[name][volume] > 0)


@needs_pycortex
def test_hemispheres_and_distances_are_those_of_pycortex(built, cortex):
    (root, brain), (cortex, volume) = built, cortex
    distance, vertex = cortex.utils.get_vox_dist("UTS03", "UTS03_auto")
    places = load_dataset(root).surface_files("UTS03").places(len(brain.right))
    assert_array_equal(places.vertex + places.n_vertices[0] * places.hemisphere.astype(int), vertex[volume])
    np.testing.assert_allclose(places.distance, distance[volume], atol=1e-3)


def test_a_drawing_that_is_not_here_leaves_the_other_targets(built, tmp_path, monkeypatch):
    root = shutil.copytree(built[0], tmp_path / "copy")
    (root / "derivative/pycortex-db/UTS03/overlays.svg").write_text("/annex/objects/MD5E-s27597574--76ab.svg")
    monkeypatch.setattr("brainwavlm.encoding.target_expressions.importlib.util.find_spec", lambda name: True)
    subject = load_dataset(root).subject("UTS03")
    counts, missing = target_counts(subject)
    assert "AC" in counts
    assert "datalad get overlays.svg" in missing["overlay"]
    with pytest.raises(DatasetError, match="git-annex pointer"):
        target_mask("overlay:AC", subject)
