"""A listener as large as those of ds003020 on surfaces of 163,842 vertices: the page stays small and opens soon."""

import time

import numpy as np
import pytest
from nilearn.datasets import load_fsaverage
from scipy.spatial import cKDTree

from brainwavlm.datasets.surfaces import mask_voxels
from brainwavlm.reporting import write_report
from tests.brains import write_anatomy_files, write_responses, write_surface
from tests.made_up import native_evaluation
from tests.reporting.test_browser import opened
from tests.reporting.test_browser_state import VIEW, choose, pixels

N_VOXELS, STEP = 95_556, 2.3


def divided(shapes, triangles):
    """Every triangle in four: corners and middles of the edges."""
    edges = np.sort(np.concatenate([triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), 1)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    n_points, n = len(next(iter(shapes.values()))), len(triangles)
    a, b, c = (index.ravel()[k * n : (k + 1) * n] + n_points for k in range(3))
    corners = [(triangles[:, 0], a, c), (triangles[:, 1], b, a), (triangles[:, 2], c, b), (a, b, c)]
    middles = {kind: (points[unique[:, 0]] + points[unique[:, 1]]) / 2 for kind, points in shapes.items()}
    return (
        {kind: np.concatenate([points, middles[kind]]) for kind, points in shapes.items()},
        np.concatenate([np.column_stack(three) for three in corners]),
    )


@pytest.fixture(scope="module")
def large_page(tmp_path_factory):
    root = tmp_path_factory.mktemp("large")
    derived, sides = root / "derivative", {}
    for side, name in (("lh", "left"), ("rh", "right")):
        meshes = load_fsaverage("fsaverage5")
        kinds = {"pia": "pial", "wm": "white_matter", "inflated": "inflated", "flat": "flat"}
        shapes = {kind: meshes[own].parts[name].coordinates.astype(float) for kind, own in kinds.items()}
        triangles = meshes["pial"].parts[name].faces.astype(int)
        for _ in range(2):
            shapes, triangles = divided(shapes, triangles)
        sides[side] = shapes, triangles
    middle = np.concatenate([(shapes["pia"] + shapes["wm"]) / 2 for shapes, _ in sides.values()])
    low = middle.min(0) - 12
    size = np.ceil((middle.max(0) + 12 - low) / STEP).astype(int)
    grid = np.indices(size).reshape(3, -1).T
    nearest, _ = cKDTree(middle).query(grid * STEP + low, distance_upper_bound=8)
    mask = np.zeros(size, np.uint8)
    mask[tuple(grid[np.argsort(nearest)[:N_VOXELS]].T)] = 1
    to_voxel = np.diag([1 / STEP] * 3 + [1])
    to_voxel[:3, 3] = -low / STEP
    write_responses(derived, "UTS03", N_VOXELS)
    both = [sides[side][0] for side in ("lh", "rh")]
    write_anatomy_files(derived, "UTS03", mask, to_voxel, [s["pia"] for s in both], [s["wm"] for s in both])
    for side, (shapes, triangles) in sides.items():
        for kind, points in shapes.items():
            write_surface(derived / "pycortex-db/UTS03/surfaces" / f"{kind}_{side}.gii", points, triangles)
    (root / "stimuli").mkdir()
    where = mask_voxels(mask) * STEP + low
    values = 0.3 + 0.25 * np.sin(where[:, 1] / 9) * np.cos(where[:, 2] / 7)
    folder = native_evaluation(root / "evaluation", root, {"RH": where[:, 0] >= 0}, values)
    return write_report(folder, root / "page.html")


def soonest(act):
    """Seconds of the quickest of three times, since other work on the machine only delays; and what it gave last."""
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        found = act()
        seconds.append(time.monotonic() - began)
    return min(seconds), found


@pytest.mark.slow
def test_a_large_listener_fits_in_60_megabytes_and_is_drawn_in_10_seconds(browser, large_page):
    assert large_page.stat().st_size < 60e6
    seconds, (first,) = soonest(lambda: pixels(opened(browser, large_page, 1440)))
    assert seconds < 10
    assert first[0] > 50_000

    def raised():
        choose(browser, "threshold", 0.3)
        return pixels(browser)

    seconds, (second,) = soonest(raised)
    assert seconds < 2
    assert 0 < second[0] < first[0]
    assert browser.execute_script(VIEW)["threshold"] == "0.3"
