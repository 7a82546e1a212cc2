"""Cortical maps: voxels put at their vertices and drawn on the inflated surface.

A vertex without a voxel stays NaN and is drawn as bare cortex (grey, darker in sulci), never as zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from nilearn.plotting import plot_surf

from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.style import MUTED, heading, new_figure

HEMISPHERES = ("left", "right")
MESHES = ("fsaverage5",)  # the one that nilearn carries; every other would need the network
_CORRELATION_COLOURS = "viridis"
_DIFFERENCE_COLOURS = "RdBu_r"
_GYRUS, _SULCUS = 0.16, 0.30
_MEDIAL_SHARE = 0.1


@dataclass(frozen=True)
class Scale:
    """Colours and their range.

    Attributes
    ----------
    label : str
        What the colours stand for.
    colours : str
        Name of a matplotlib colour map.
    low, high : float
        Values beyond are drawn in the end colours.
    """

    label: str
    colours: str
    low: float
    high: float


def correlation_scale(values: Iterable[np.ndarray], label: str = "test correlation r") -> Scale:
    """From 0 to the 99th percentile of all the values, rounded up: one scale for frozen and tuned of every run.

    Parameters
    ----------
    values : iterable of arrays
        NaN is left out.
    label : str
    """
    return Scale(label, _CORRELATION_COLOURS, 0.0, _rounded_up(_percentile(values)))


def difference_scale(values: Iterable[np.ndarray], label: str = "difference in r (tuned − frozen)") -> Scale:
    """Symmetric around 0, up to the 99th percentile of |values|, rounded up.

    Parameters
    ----------
    values : iterable of arrays
        NaN is left out.
    label : str
    """
    high = _rounded_up(_percentile(np.abs(v) for v in values))
    return Scale(label, _DIFFERENCE_COLOURS, -high, high)


def unmappable(subject: Subject) -> str | None:
    """Why there is no map of this subject, as part of a sentence; None where there can be one."""
    if subject.surface is None or subject.vertex is None or subject.hemisphere is None:
        return "its data say no vertices of a surface for the columns of the responses"
    if subject.surface not in MESHES:
        return f"its voxels lie on the mesh {subject.surface!r}; maps are drawn on {', '.join(MESHES)}"
    n_vertices = mesh_size(subject.surface)
    if subject.vertex.min() < 0 or subject.vertex.max() >= n_vertices:
        return f"it has vertices outside {subject.surface}, which counts 0 to {n_vertices - 1}"
    return None


def location(subject: Subject) -> tuple[np.ndarray, np.ndarray, str]:
    """Hemisphere and vertex of each voxel, and the mesh, of a subject for which `unmappable` is None."""
    if subject.hemisphere is None or subject.vertex is None or subject.surface is None:
        raise ValueError(f"{subject.name} lies on no surface")
    return subject.hemisphere, subject.vertex, subject.surface


def mesh_size(surface: str) -> int:
    """Vertices of one hemisphere."""
    return len(load_fsaverage(surface)["inflated"].parts["left"].coordinates)


def at_vertices(
    values: np.ndarray, hemisphere: np.ndarray, vertex: np.ndarray, n_vertices: int
) -> dict[str, np.ndarray]:
    """m[h][i] = mean of values[v] over the voxels v with a value, in hemisphere h, at vertex i; NaN where none.

    Parameters
    ----------
    values : array (n_voxels,)
        NaN: a voxel without a score, left out.
    hemisphere : array (n_voxels,)
        0 left, 1 right.
    vertex : array (n_voxels,)
        Vertex within the hemisphere.
    n_vertices : int
        Vertices of one hemisphere.

    Returns
    -------
    dict from left and right to array (n_vertices,), float64
    """
    maps = {}
    for code, name in enumerate(HEMISPHERES):
        here = (np.asarray(hemisphere) == code) & np.isfinite(values)
        at = np.asarray(vertex)[here]
        count = np.bincount(at, minlength=n_vertices)
        total = np.bincount(at, weights=np.asarray(values, dtype=np.float64)[here], minlength=n_vertices)
        maps[name] = np.full(n_vertices, np.nan)
        np.divide(total, count, out=maps[name], where=count > 0)
    return maps


def useful_views(subject: Subject) -> tuple[str, ...]:
    """Lateral, and medial too where at least a tenth of the voxels faces the midline.

    Parameters
    ----------
    subject : Subject
        One for which `unmappable` is None.
    """
    hemispheres, vertex, surface = location(subject)
    meshes = load_fsaverage(surface)["inflated"].parts
    medial = 0
    for code, (name, outward) in enumerate(zip(HEMISPHERES, (-1, 1), strict=True)):
        x = meshes[name].coordinates[:, 0]
        at = vertex[hemispheres == code]
        medial += int((outward * (x[at] - (x.min() + x.max()) / 2) < 0).sum())
    return ("lateral", "medial") if medial >= _MEDIAL_SHARE * len(vertex) else ("lateral",)


def brain_figure(
    maps: dict[str, np.ndarray],
    scale: Scale,
    title: str,
    simulated: bool,
    surface: str = "fsaverage5",
    views: tuple[str, ...] = ("lateral",),
) -> Figure:
    """Both inflated hemispheres with a colour bar, as one small picture that can stand alone.

    Parameters
    ----------
    maps : dict from left and right to array (n_vertices,)
    scale : Scale
    title : str
    simulated : bool
        Say so in the picture.
    surface : str
    views : tuple of str
        One row each.
    """
    head, foot, row = 0.32, 0.5, 1.42
    width, height = 3.9, head + foot + row * len(views)
    figure = new_figure(width, height)
    heading(figure, title, simulated)
    for n, view in enumerate(views):
        bottom = (foot + row * (len(views) - 1 - n)) / height
        for left, hemisphere in zip((0.0, 0.5), HEMISPHERES, strict=True):
            # Square and higher than its row, since a 3-D plot fills the shorter side and a brain is wide.
            excess = (width / 2 - row) / height
            box = (left, bottom - excess / 2 + 0.05, 0.5, width / 2 / height)
            draw_hemisphere(figure, box, maps[hemisphere], hemisphere, view, scale, surface)
            name = hemisphere if view == "lateral" else f"{hemisphere}, {view}"
            figure.text(left + 0.25, bottom, name, ha="center", va="bottom", fontsize=7.5, color=MUTED)
    colour_bar(figure, (0.25, 0.36 / height, 0.5, 0.085 / height), scale)
    return figure


def draw_hemisphere(
    figure: Figure,
    box: tuple[float, float, float, float],
    values: np.ndarray,
    hemisphere: str,
    view: str,
    scale: Scale,
    surface: str,
) -> None:
    """One hemisphere in a box (left, bottom, width, height) of a figure; values (n_vertices,)."""
    axes = Axes3D(figure, rect=box)
    figure.add_axes(axes)
    sulcal = load_fsaverage_data(mesh=surface, data_type="sulcal").data.parts[hemisphere]
    plot_surf(
        surf_mesh=load_fsaverage(surface)["inflated"].parts[hemisphere],
        surf_map=values,
        bg_map=np.where(sulcal > 0, _SULCUS, _GYRUS),
        hemi=hemisphere,
        view=view,
        engine="matplotlib",
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        avg_method=_mean_of_known,
        colorbar=False,
        axes=axes,
        figure=figure,
    )
    axes.set_box_aspect(None, zoom=1.5)
    axes.patch.set_alpha(0.0)  # boxes overlap


def colour_bar(figure: Figure, box: tuple[float, float, float, float], scale: Scale) -> None:
    """A horizontal colour bar with the scale's label in a box of a figure."""
    axes = figure.add_axes(box)
    bar = figure.colorbar(
        ScalarMappable(Normalize(scale.low, scale.high), scale.colours), cax=axes, orientation="horizontal"
    )
    bar.outline.set_visible(False)
    middle = (scale.low + scale.high) / 2
    bar.set_ticks([scale.low, middle, scale.high])
    signed = "+" if scale.low < 0 else ""
    labels = [f"{value:{signed if value else ''}.3g}" for value in (scale.low, middle, scale.high)]
    bar.set_ticklabels([label.replace("-", "−") for label in labels])
    axes.tick_params(length=2, width=0.6, labelsize=7.5, colors=MUTED, pad=1.5)
    bar.set_label(scale.label, fontsize=7.5, color=MUTED, labelpad=1.5)


def _mean_of_known(corners: np.ndarray) -> float:
    # A face takes the mean of its corners that have a value; nilearn's own mean would drop lone vertices.
    known = corners[np.isfinite(corners)]
    return float(known.mean()) if known.size else np.nan


def _percentile(values: Iterable[np.ndarray]) -> float:
    pooled = np.concatenate([np.ravel(v) for v in values])
    pooled = pooled[np.isfinite(pooled)]
    return float(np.percentile(pooled, 99)) if pooled.size else 0.0


def _rounded_up(value: float) -> float:
    """The next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten; at least 0.01."""
    value = max(value, 0.01)
    power = 10.0 ** np.floor(np.log10(value) + 1e-9)
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(power * steps[np.searchsorted(steps, value / power - 1e-9)], 10))
