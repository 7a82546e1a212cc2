"""A subject of ds003020 whose anatomy is geometry: two spheres, so that every label's voxels are known by formula."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import nibabel
import numpy as np

AC = (
    "G_temp_sup-G_T_transv",
    "S_temporal_transverse",
    "G_temp_sup-Plan_tempo",
    "G_temp_sup-Plan_polar",
    "G_temp_sup-Lateral",
)
BANDS = ("Unknown", AC[0], "S_temporal_sup", *AC[1:4], "G_oc-temp_lat-fusifor", AC[4])
SECTORS = ("superiortemporal", "bankssts", "precentral", "insula", "unknown")
UNUSED = "corpuscallosum"  # in the colour table, on no vertex
RADIUS = 30.0  # mm, middle surface
CENTRE = np.array([-32.0, 5.0, -3.0])  # of the left sphere; the right one is its mirror image in x
STEP = 3.0  # degrees between vertices
LONGITUDES = np.arange(0, 360, STEP)
LATITUDES = np.arange(-87, 87 + STEP, STEP)
# Pial and white surface lie this far from the middle one: unlike in the two hemispheres, so that hemispheres come out
# right only with the middle one.
HALF_THICKNESS = (1.0, 3.0)


@dataclass(frozen=True)
class Brain:
    """What is true of the subject, over its columns.

    Attributes
    ----------
    right : array (n_voxels,) bool
    longitude, latitude : arrays (n_voxels,)
        Of the voxel on its sphere, degrees; the right sphere is mirrored.
    masks : dict of str to array (n_voxels,) bool
        By target: aparc:<sector of longitude>, a2009s:<band of latitude>.
    """

    right: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray
    masks: dict[str, np.ndarray]


def write_brain(root: Path, subject: str = "UTS03", old_names: bool = False) -> Brain:
    """Write one subject of ds003020: two stories, mask, transform, surfaces and labels.

    Truth is computed from where each voxel lies between the spheres, in the order of the columns (z slowest, x
    fastest): nothing is looked up among vertices.
    """
    derived = root / "derivative"
    mask, right, longitude, latitude = _columns()
    sides = right.astype(int)
    sector, band = _sector(longitude, sides), _band(latitude, sides)
    write_responses(derived, subject, len(right))
    pia, wm = ([_sphere(side, RADIUS + way * HALF_THICKNESS[side]) for side in (0, 1)] for way in (1, -1))
    write_anatomy_files(derived, subject, mask, np.linalg.inv(_voxel_to_surface()), pia, wm)
    around, up = np.meshgrid(LONGITUDES, LATITUDES)
    sectors = [_sector(around.ravel(), side) for side in (0, 1)]
    bands = [_band(up.ravel(), side) for side in (0, 1)]
    areas = [codes // 3 - 1 for codes in bands]  # bands below 3 carry no Brodmann area
    for name, labels, codes in (
        ("aparc", SECTORS, sectors),
        ("aparc.a2009s", BANDS, bands),
        ("aparc.DKTatlas40" if old_names else "aparc.DKTatlas", SECTORS, sectors),
        ("BA" if old_names else "BA_exvivo", ("V1", "BA44"), areas),
        ("BA.thresh" if old_names else "BA_exvivo.thresh", ("V1", "BA44"), areas),
    ):
        write_labels(derived, subject, name, labels, codes)
    masks = {f"aparc:{name}": sector == code for code, name in enumerate(SECTORS)}
    masks |= {f"DKT:{name}": sector == code for code, name in enumerate(SECTORS)}
    masks |= {f"a2009s:{name}": band == code for code, name in enumerate(BANDS)}
    masks |= {f"{atlas}:V1": (band >= 3) & (band < 6) for atlas in ("BA", "BA.thresh")}
    masks |= {f"{atlas}:BA44": band >= 6 for atlas in ("BA", "BA.thresh")}
    return Brain(right, longitude, latitude, masks)


@cache
def _columns() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The mask; right, longitude and latitude of its columns."""
    mask = np.zeros((46, 33, 24), np.uint8)
    z, y, x = np.indices(mask.shape[::-1]).reshape(3, -1)
    points = np.column_stack([x, y, z, np.ones_like(x)]) @ _voxel_to_surface()[:3].T
    right = points[:, 0] > 0
    offset = points * np.where(right[:, None], [-1, 1, 1], 1) - CENTRE
    distance = np.linalg.norm(offset, axis=1)
    around = np.degrees(np.arctan2(offset[:, 1], offset[:, 0])) % 360
    up = np.degrees(np.arcsin(offset[:, 2] / distance))
    taken = np.flatnonzero((abs(distance - RADIUS) < 6) & _unambiguous(points, around, up))
    taken = taken[np.random.default_rng(5).random(len(taken)) < 0.8]
    mask[x[taken], y[taken], z[taken]] = 1 + (x + y)[taken] % 2  # pycortex takes whatever is not 0
    return mask, right[taken], around[taken], up[taken]


def write_responses(derived: Path, subject: str, n_voxels: int) -> None:
    """Two rows of noise of a training and of the test story."""
    folder = derived / "preprocessed_data" / subject
    folder.mkdir(parents=True, exist_ok=True)
    for number, story in enumerate(("souls", "wheretheressmoke")):
        with h5py.File(folder / f"{story}.hf5", "w") as file:
            file["data"] = np.random.default_rng(number).standard_normal((2, n_voxels))


def write_anatomy_files(
    derived: Path,
    subject: str,
    mask: np.ndarray,
    surface_to_voxel: np.ndarray,
    pia: list[np.ndarray],
    wm: list[np.ndarray],
) -> None:
    """Mask, transform and surfaces of a pycortex database; pia and wm are vertices (n, 3) of left and right."""
    folder = derived / "pycortex-db" / subject
    transform = folder / "transforms" / f"{subject}_auto"
    transform.mkdir(parents=True, exist_ok=True)
    scanner = np.array([[-2.5, 0.1, 0, 30], [0, 2.5, 0.3, -40], [0.2, 0, 2.5, 7], [0, 0, 0, 1]])
    volume = nibabel.Nifti1Image(mask, scanner)
    nibabel.save(volume, transform / "mask_thick.nii.gz")
    nibabel.save(volume, transform / "reference.nii.gz")
    matrices = {"coord": surface_to_voxel.tolist(), "magnet": (scanner @ surface_to_voxel).tolist()}
    (transform / "matrices.xfm").write_text(json.dumps(matrices, indent=4))
    for kind, surfaces in (("pia", pia), ("wm", wm)):
        for side, points in zip(("lh", "rh"), surfaces, strict=True):
            write_surface(folder / "surfaces" / f"{kind}_{side}.gii", points, sphere_triangles(len(points)))


def write_small_anatomy(derived: Path, subject: str, mask: np.ndarray, labelled: bool) -> None:
    """Surfaces with one vertex in each voxel of a mask, the first half of them left, and two labels in turn."""
    points = np.argwhere(mask).astype(float)
    halves = [points[: len(points) // 2], points[len(points) // 2 :]]
    write_anatomy_files(derived, subject, mask, np.eye(4), halves, halves)
    for name in ("aparc", "aparc.a2009s", "aparc.DKTatlas", "BA_exvivo", "BA_exvivo.thresh"):
        if labelled:
            write_labels(derived, subject, name, AC[:2], [np.arange(len(half)) % 2 for half in halves])


def write_subject(root: Path) -> Brain:
    """`write_brain` with what a data set has besides: stories, and a drawing without regions."""
    brain = write_brain(root)
    (root / "stimuli").mkdir()
    write_drawing(root, "UTS03", {})
    return brain


def write_drawing(
    root: Path, subject: str, drawn: dict[str, list[tuple[int, float, float, float, float]]]
) -> Path:
    """Flat surfaces of the spheres and an overlays.svg with boxes drawn on them, by region.

    A box is side (0 left, 1 right), longitude from and to, latitude from and to. The flatmap is longitude and latitude;
    flattening cut the columns of vertices 0 to 2 away, and all triangles across.
    """
    folder = root / "derivative/pycortex-db" / subject
    around, up = (grid.ravel() for grid in np.meshgrid(LONGITUDES, LATITUDES))
    points = np.column_stack([around, up, np.zeros_like(up)])
    triangles = sphere_triangles(len(points))
    columns = triangles % len(LONGITUDES)
    kept = triangles[(columns.min(1) > 2) & (np.ptp(columns, axis=1) <= 1)]
    for side in ("lh", "rh"):
        write_surface(folder / "surfaces" / f"flat_{side}.gii", points, kept)
    # pycortex lays the hemispheres beside each other and turns y over.
    width, top = around.max(), up.max()
    groups = ""
    for name, boxes in drawn.items():
        paths = ""
        for side, west, east, south, north in boxes:
            corners = [(west, north), (east, north), (east, south), (west, south)]
            line = " L ".join(f"{x + side * width},{top - y}" for x, y in corners)
            paths += f'<path d="M {line} Z" style="fill:none"/>'
        groups += f'<g inkscape:label="{name}" inkscape:groupmode="layer">{paths}</g>'
    file = folder / "overlays.svg"
    file.write_text(
        f'''<svg xmlns="http://www.w3.org/2000/svg" width="{2 * width}" height="{2 * top}"
 xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape">
<g inkscape:label="data"><g inkscape:label="shapes"><g inkscape:label="image"/></g></g>
<g inkscape:label="sulci"><g inkscape:label="shapes"><g inkscape:label="STS"><path d="M 0,0 L 1,1 Z"/></g></g>
<g inkscape:label="labels"/></g>
<g inkscape:label="rois"><g inkscape:label="shapes">{groups}</g><g inkscape:label="labels"/></g>
</svg>'''
    )
    return file


def write_surface(path: Path, points: np.ndarray, triangles: np.ndarray) -> None:
    """A GIFTI surface."""
    arrays = [
        nibabel.gifti.GiftiDataArray(points.astype(np.float32), "pointset"),
        nibabel.gifti.GiftiDataArray(triangles.astype(np.int32), "triangle"),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.GiftiImage(darrays=arrays), path)


def write_labels(
    derived: Path, subject: str, name: str, labels: tuple[str, ...], codes: list[np.ndarray]
) -> None:
    """Annot files of both hemispheres; a code outside the labels is a vertex without label.

    The right file lists its labels in the opposite order: only their names join the hemispheres.
    """
    folder = derived / "freesurfer_subjdir" / subject / "label"
    folder.mkdir(parents=True, exist_ok=True)
    names = [*labels, UNUSED]
    for side, own in zip(("lh", "rh"), codes, strict=True):
        index = np.where((own >= 0) & (own < len(labels)), own, -1)
        listed = names if side == "lh" else names[::-1]
        if side == "rh":
            index = np.where(index >= 0, len(names) - 1 - index, -1)
        colours = np.zeros((len(names), 5), np.int32)
        colours[:, :3] = 10 + 20 * np.arange(len(names))[:, None] + [0, 1, 2]
        nibabel.freesurfer.write_annot(
            folder / f"{side}.{name}.annot", index, colours, listed, fill_ctab=True
        )


def sphere_triangles(n_points: int) -> np.ndarray:
    """Triangles of the lattice of a sphere, or a strip over any other number of points."""
    rows, columns = len(LATITUDES), len(LONGITUDES)
    if n_points != rows * columns:
        return np.arange(n_points - 2)[:, None] + [0, 1, 2]
    row, column = (grid.ravel() for grid in np.mgrid[: rows - 1, :columns])
    beside = (column + 1) % columns
    here, there = row * columns, (row + 1) * columns
    one = np.column_stack([here + column, here + beside, there + column])
    other = np.column_stack([here + beside, there + beside, there + column])
    return np.concatenate([one, other])


def _voxel_to_surface() -> np.ndarray:
    turn, tilt = np.radians(17), np.radians(-8)
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_x @ about_z @ np.diag([-3.1, 2.9, 3.7])  # left and right are exchanged
    matrix[:3, 3] = -matrix[:3, :3] @ [22.6, 16.2, 11.7] + [0, CENTRE[1], CENTRE[2]]
    return matrix


def _sphere(side: int, radius: float) -> np.ndarray:
    around, up = (np.radians(grid.ravel()) for grid in np.meshgrid(LONGITUDES, LATITUDES))
    direction = np.column_stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    return (CENTRE + radius * direction) * ([-1, 1, 1] if side else [1, 1, 1])


def _sector(longitude: np.ndarray, right: np.ndarray | int) -> np.ndarray:
    # The border lies halfway between two columns of vertices; on the right all is turned by 90 degrees.
    turned = (longitude + STEP / 2 + 90 * np.asarray(right)) % 360
    return (turned // (360 / len(SECTORS))).astype(int)


def _band(latitude: np.ndarray, right: np.ndarray | int) -> np.ndarray:
    # Borders halfway between two rows; rows 0 to 58 in eight bands of seven, the last with two more. On the right the
    # order is turned over.
    row = np.floor((latitude - LATITUDES[0]) / STEP + 0.5)
    band = np.clip(row // 7, 0, len(BANDS) - 1).astype(int)
    return np.where(right, len(BANDS) - 1 - band, band)


def _unambiguous(points: np.ndarray, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Whether the formula must hold: not within .001 mm of the mirror, nor .01 degrees of where rows or columns change.

    Of a point at longitude distance d from the nearest column of vertices, the nearest row is that nearest to
    atan(tan(latitude) / cos(d)), which is off by at most .0098 degrees for d up to 1.5. Files hold float32.
    """
    steps = np.array([(latitude - LATITUDES[0]) / STEP + 0.5, longitude / STEP + 0.5])
    return (abs(points[:, 0]) > 1e-3) & (np.abs(steps - np.round(steps)) * STEP > 0.01).all(0)
