import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from nilearn.surface import InMemoryMesh
from numpy.testing import assert_array_equal
from scipy.spatial import ConvexHull

from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.figures.brains import Panel, brain_panels
from brainwavlm.reporting.figures.style import page_canvas, png
from brainwavlm.reporting.meshes import Hemisphere, Mesh, mesh_of
from brainwavlm.reporting.surface_maps import (
    Scale,
    shown_scales,
    unmappable,
    values_at_vertices,
)

CORRELATION = Scale("r", "viridis", 0.0, 1.0)


def subject(hemisphere, vertex, surface="fsaverage5"):
    arrays = (None if a is None else np.asarray(a, dtype=np.int32) for a in (hemisphere, vertex))
    hemisphere, vertex = arrays
    return Subject("s", {}, hemisphere=hemisphere, surface=surface, vertex=vertex)


def mesh(hemisphere, vertex):
    return mesh_of(subject(hemisphere, vertex), None)


def test_a_value_lands_at_its_vertex_and_hemisphere_and_nowhere_else():
    maps = values_at_vertices(mesh([1, 0, 1], [9, 7, 7]), np.array([2, 1]), np.array([0.5, -0.25]))
    expected = {"left": np.full(10242, np.nan), "right": np.full(10242, np.nan)}
    expected["right"][7], expected["left"][7] = 0.5, -0.25
    assert_array_equal(maps["left"], expected["left"])
    assert_array_equal(maps["right"], expected["right"])


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("value", [8.0, 1.0, np.nan, 2.0], {2: 8, 5: 1.5}),  # the mean of those with a score
        ("value", [0.0, np.nan, np.nan, np.nan], {2: 0}),  # zero is not bare cortex
        ("chance", [0.8, 0.1, np.nan, 0.2], {2: 0.8, 5: 0.2}),  # the largest p
        ("mask", [0.0, 0, 0, 1], dict.fromkeys(range(10242), 0) | {5: 1}),
    ],
)
def test_a_vertex_with_several_voxels_takes_mean_largest_p_and_any_mask(kind, values, expected):
    where = mesh([0, 0, 0, 0, 1], [5, 5, 5, 2, 9])
    maps = values_at_vertices(where, np.array([3, 0, 1, 2]), np.array(values), kind)
    vertices = np.full(10242, np.nan)
    vertices[list(expected)] = list(expected.values())
    assert_array_equal(maps["left"], vertices)
    assert_array_equal(maps["right"], np.full(10242, 0.0 if kind == "mask" else np.nan))


@pytest.fixture(scope="module")
def ball():
    """Two small balls, so that drawing takes no time; voxels lie nowhere on them."""
    around, up = (grid.ravel() for grid in np.meshgrid(np.arange(0, 6, 0.5), np.linspace(-1.5, 1.5, 11)))
    points = np.column_stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    faces = ConvexHull(points).simplices
    nowhere = np.array([], int)
    half = Hemisphere(
        {"inflated": InMemoryMesh(points, faces)}, np.zeros(len(points), bool), nowhere, nowhere
    )
    return Mesh("ball", {"left": half, "right": half})


def drawn(ball, vertex=50, value=1.0):
    maps = {side: np.full(len(half.sulcal), np.nan) for side, half in ball.halves.items()}
    maps["left"][vertex] = value
    canvas = page_canvas(3.9, "title")
    with canvas.style.applied():
        return brain_panels([Panel("", maps, CORRELATION, ball)], 1, canvas)


def coloured(figure, hemisphere):
    """Which faces have a colour."""
    (axes,) = figure.findobj(lambda one: one.get_gid() == f"brain:0:{hemisphere}:lateral")
    return np.ptp(axes.collections[0]._facecolor3d[:, :3], axis=1) > 0.05


@pytest.mark.parametrize("value", [1.0, 0.0])
def test_a_lone_vertex_is_drawn_and_the_rest_stays_grey(ball, value):
    figure = drawn(ball, value=value)
    at_vertex = (ball.halves["left"].shapes["inflated"].faces == 50).any(axis=1)
    assert_array_equal(coloured(figure, "left"), at_vertex)
    assert at_vertex.any()
    assert not coloured(figure, "right").any()


def test_drawing_leaves_pyplot_as_it_was_and_the_same_map_gives_the_same_bytes(ball):
    before = dict(matplotlib.rcParams), plt.get_fignums()
    assert png(drawn(ball)) == png(drawn(ball))
    assert (dict(matplotlib.rcParams), plt.get_fignums()) == before


def test_scales_are_shared_and_the_difference_is_symmetric():
    first = {"r_frozen": np.array([0.1, 0.31]), "difference": np.array([-0.07, 0.01])}
    scales = shown_scales([first, {"r_tuned": np.array([np.nan, 0.2]), "difference": np.array([np.nan])}])
    assert (scales["r_frozen"].low, scales["r_frozen"].high) == (0.0, 0.4)
    assert scales["r_tuned"] == scales["r_frozen"]
    assert (scales["difference"].low, scales["difference"].high) == (-0.08, 0.08)


def test_scales_of_nothing_are_still_ranges():
    for scale in shown_scales([{"r_frozen": np.array([np.nan]), "difference": np.zeros(3)}]).values():
        assert scale.low < scale.high


def test_no_map_has_its_reason():
    cases = {
        "no vertices": subject(None, None, None),
        "'native'": subject([0], [3], "native"),
        "0 to 10241": subject([0], [10242]),
        "outside": subject([0], [-1]),
    }
    assert all(reason in unmappable(who) for reason, who in cases.items())
    assert unmappable(subject([0, 1], [0, 10241])) is None


def views(mesh, kind):
    return Panel("", {}, CORRELATION, mesh, kind).views


def test_medial_views_come_when_voxels_face_the_midline():
    x = mesh([0, 1], [0, 0]).halves["left"].shapes["inflated"].coordinates[:, 0]
    lateral, medial = np.argsort(x)[:50], np.argsort(x)[-50:]
    assert views(mesh(np.zeros(50), lateral), "inflated") == ("lateral",)
    assert views(mesh(np.zeros(50), medial), "pial") == ("lateral", "medial")
    assert views(mesh(np.ones(50), lateral), "inflated") == ("lateral", "medial")
    assert views(mesh(np.ones(50), lateral), "flat") == ("flat",)
