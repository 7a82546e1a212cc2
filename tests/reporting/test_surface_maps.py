import numpy as np
import pytest
from nilearn.datasets import load_fsaverage
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.figures.brains import Panel, brain_panels
from brainwavlm.reporting.figures.style import page_canvas, png
from brainwavlm.reporting.meshes import mesh_of
from brainwavlm.reporting.surface_maps import (
    Scale,
    correlation_scale,
    difference_scale,
    unmappable,
    values_at_vertices,
    vertex_means,
    views_of,
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


def test_voxels_at_one_vertex_are_averaged_and_those_without_a_score_left_out():
    means = vertex_means(np.array([0.2, 0.4, np.nan, np.nan]), np.array([3, 3, 3, 5]), 6)
    assert_allclose(means[3], 0.3)
    assert np.isnan(np.delete(means, 3)).all()


def test_a_vertex_with_the_value_zero_is_not_bare_cortex():
    means = vertex_means(np.array([0.0]), np.array([2]), 4)
    assert means[2] == 0
    assert np.isnan(means[[0, 1, 3]]).all()


def face_colours(figure, hemisphere):
    (axes,) = figure.findobj(lambda one: one.get_gid() == f"brain:0:{hemisphere}:lateral")
    return axes.collections[0]._facecolor3d


def drawn(vertices, value=1.0):
    maps = {side: np.full(10242, np.nan) for side in ("left", "right")}
    maps["left"][vertices] = value
    canvas = page_canvas(3.9, "title")
    with canvas.style.applied():
        return brain_panels([Panel("", maps, CORRELATION, mesh([0, 1], [0, 0]))], 1, canvas)


def test_a_lone_vertex_is_drawn_and_the_rest_stays_grey():
    colours = face_colours(drawn([5000]), "left")[:, :3]
    coloured = np.ptp(colours, axis=1) > 0.05
    at_vertex = (load_fsaverage("fsaverage5")["inflated"].parts["left"].faces == 5000).any(axis=1)
    assert_array_equal(coloured, at_vertex)
    assert not (np.ptp(face_colours(drawn([5000]), "right")[:, :3], axis=1) > 0.05).any()


def test_a_value_of_zero_is_coloured():
    colours = face_colours(drawn([5000], value=0.0), "left")[:, :3]
    assert (np.ptp(colours, axis=1) > 0.05).sum() == 6


def test_drawing_leaves_pyplot_as_it_was():
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams), plt.get_fignums()
    png(drawn([1]))
    assert (dict(matplotlib.rcParams), plt.get_fignums()) == before


def test_the_same_map_gives_the_same_bytes():
    assert png(drawn([5000])) == png(drawn([5000]))


def test_scales_are_shared_and_the_difference_is_symmetric():
    r = correlation_scale([np.array([0.1, 0.31]), np.array([np.nan, 0.2])])
    assert (r.low, r.high) == (0.0, 0.4)
    difference = difference_scale([np.array([-0.07, 0.01]), np.array([np.nan])])
    assert (difference.low, difference.high) == (-0.08, 0.08)


def test_scales_of_nothing_are_still_ranges():
    for scale in (correlation_scale([np.array([np.nan])]), difference_scale([np.zeros(3)])):
        assert scale.low < scale.high


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (subject(None, None, None), "no vertices"),
        (subject([0], [3], "native"), "'native'"),
        (subject([0], [10242]), "0 to 10241"),
        (subject([0], [-1]), "outside"),
    ],
)
def test_no_map_has_its_reason(who, reason):
    assert reason in unmappable(who)


def test_vertices_of_fsaverage5_can_be_mapped():
    assert unmappable(subject([0, 1], [0, 10241])) is None


def test_medial_views_come_when_voxels_face_the_midline():
    x = load_fsaverage("fsaverage5")["inflated"].parts["left"].coordinates[:, 0]
    lateral, medial = np.argsort(x)[:50], np.argsort(x)[-50:]
    assert views_of(mesh(np.zeros(50), lateral), "inflated") == ("lateral",)
    assert views_of(mesh(np.zeros(50), medial), "pial") == ("lateral", "medial")
    assert views_of(mesh(np.ones(50), lateral), "inflated") == ("lateral", "medial")
    assert views_of(mesh(np.ones(50), lateral), "flat") == ("flat",)
