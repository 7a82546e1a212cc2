"""Step 5a. Where the simulated voxels lie: contiguous patches of fsaverage5 around anatomical seeds.

A patch is the n vertices that are nearest to its seed along the surface (Dijkstra over the edges of the mesh half-way
between white and pial surface), without the vertices that earlier patches took. Seeds are MNI coordinates, plus
N(0, 2 mm) for each subject; sizes are n times U(0.9, 1.1). `vertex` is the index within the mesh of the voxel's own
hemisphere, 0 to 10,241.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

KINDS = ("silent", "auditory", "language", "mixed")
# roi, kind, left seed and size, right seed and size (x mirrored where it is None). Language is larger on the left.
PATCHES = (
    ("AC", "auditory", (-44, -22, 8), 115, None, 115),
    ("mixed", "mixed", (-58, -26, 10), 95, None, 85),
    (
        "language",
        "language",
        (-56, -38, -2),
        190,
        (56, -34, -2),
        110,
    ),  # superior temporal sulcus and middle temporal gyrus
    ("language", "language", (-54, 0, -16), 60, (54, 0, -16), 35),  # anterior temporal lobe
    ("language", "language", (-50, 24, 10), 110, (50, 24, 10), 50),  # inferior frontal gyrus
    ("language", "language", (-46, -62, 30), 95, (48, -60, 30), 50),  # angular gyrus
    ("silent", "silent", (-14, -92, 2), 95, None, 95),  # occipital pole
    ("silent", "silent", (-26, -52, 60), 60, None, 60),  # superior parietal
    ("silent", "silent", (-26, 48, 22), 45, None, 45),  # frontal pole
)


@dataclass(frozen=True)
class Voxels:
    """One subject's voxels: hemisphere (n,) 0 left 1 right, vertex (n,), position (n, 3) mm, kind (n,) index in
    KINDS, roi (n,) names.
    """

    hemisphere: np.ndarray
    vertex: np.ndarray
    position: np.ndarray
    kind: np.ndarray
    roi: np.ndarray


def middle_mesh(side):
    """Vertices (10242, 3) in mm and triangles (20480, 3) of fsaverage5, as nilearn ships it."""
    from nilearn import datasets, surface

    files = datasets.fetch_surf_fsaverage("fsaverage5")
    white, pial = (surface.load_surf_mesh(files[f"{kind}_{side}"]) for kind in ("white", "pial"))
    return (white.coordinates + pial.coordinates) / 2, white.faces


def surface_distance(vertices, triangles, start):
    """Distance (n_vertices,) in mm from the vertex `start` along the edges."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = coo_matrix((length, edges.T), shape=(len(vertices),) * 2).tocsr()
    return dijkstra(graph.maximum(graph.T), indices=start)


def place_voxels(seed):
    """The voxels of one subject, sorted by hemisphere and vertex."""
    random_state = np.random.default_rng(seed)
    found = []
    for hemisphere, side in enumerate(("left", "right")):
        vertices, triangles = middle_mesh(side)
        free = np.ones(len(vertices), bool)
        for roi, kind, left, n_left, right, n_right in PATCHES:
            seed_point = np.array(
                left if hemisphere == 0 else right or (-left[0], left[1], left[2])
            ) + random_state.normal(0, 2, 3)
            size = round((n_left if hemisphere == 0 else n_right) * random_state.uniform(0.9, 1.1))
            start = np.argmin(np.linalg.norm(vertices - seed_point, axis=1) + 1e3 * ~free)
            distance = np.where(free, surface_distance(vertices, triangles, start), np.inf)
            chosen = np.argsort(distance)[:size]
            free[chosen] = False
            found += [(hemisphere, vertex, vertices[vertex], KINDS.index(kind), roi) for vertex in chosen]
    found.sort(key=lambda voxel: voxel[:2])
    columns = list(zip(*found, strict=True))
    return Voxels(
        np.array(columns[0], np.int8),
        np.array(columns[1], np.int32),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.int8),
        np.array(columns[4]),
    )


def smooth_field(position, n_dims, length, random_state, n_waves=200):
    """A Gaussian random field on the cortex for each source dimension: (n_voxels, n_dims), variance 1 everywhere.

    g_d(x) = sqrt(2 / F) sum_f cos(k_df . x + phase_df),  k ~ N(0, 1 / length^2),  phase ~ U(0, 2 pi),  F = 200
    so that voxels nearer than `length` mm are alike: the expected correlation is exp(-|x - x'|^2 / (2 length^2)).
    """
    waves = random_state.normal(0, 1 / length, (n_dims, n_waves, 3))
    phases = random_state.uniform(0, 2 * np.pi, (n_dims, n_waves))
    return np.sqrt(2 / n_waves) * np.cos(np.einsum("vx,dfx->vdf", position, waves) + phases).sum(2)
