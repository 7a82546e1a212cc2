"""Brains as they are drawn: both hemispheres with values on their vertices, beside and below each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from mpl_toolkits.mplot3d import Axes3D
from nilearn.plotting import plot_surf
from nilearn.surface import InMemoryMesh

from brainwavlm.errors import ConfigError
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.style import MILLIMETRES, Canvas, Picture, page_canvas, shortened
from brainwavlm.reporting.meshes import SIDES, Mesh
from brainwavlm.reporting.surface_maps import Scale, values_at_vertices
from brainwavlm.results.run_voxels import RunVoxels

_GYRUS, _SULCUS = 0.16, 0.30
_TALL, _FLAT_TALL = 0.72, 0.9  # of a hemisphere's width
_ZOOM, _FLAT_ZOOM = 1.43, 1.35
_FROM_ABOVE = (90, 270)
_ENDS = np.array([-1, 1])
_PAGE_WIDTH = 3.9  # inches
_MEDIAL_SHARE = 0.1


@dataclass(frozen=True)
class Panel:
    """Both hemispheres with values at their vertices, in a shape that the mesh has, and a colour bar."""

    name: str
    maps: Mapping[str, np.ndarray]
    scale: Scale
    mesh: Mesh
    kind: str = "inflated"

    @property
    def views(self) -> tuple[str, ...]:
        """Flat of a flat surface; else lateral, and medial too where a tenth of columns or more faces the midline."""
        if self.kind == "flat":
            return ("flat",)
        medial = n_columns = 0
        for half, outward in zip(self.mesh.halves.values(), (-1, 1), strict=True):
            x = half.shapes.get("inflated", half.shapes[self.kind]).coordinates[:, 0]
            medial += int((outward * (x[half.vertex] - (x.min() + x.max()) / 2) < 0).sum())
            n_columns += len(half.column)
        return ("lateral", "medial") if medial >= _MEDIAL_SHARE * n_columns else ("lateral",)


def run_maps(
    scores: RunVoxels, mesh: Mesh, scales: Mapping[str, Scale], label: str, simulated: bool
) -> list[Picture]:
    """Those of frozen r, tuned r and their difference that have scales, with text alternatives, for the page."""
    pictures, words_of = [], {"r_frozen": ("Frozen", "test correlation of the frozen model")}
    words_of["r_tuned"] = (capitalised(label), "test correlation after tuning")
    words_of["difference"] = ("Tuned − frozen", "difference tuned minus frozen")
    for key, values in scores.shown().items():
        title, words = words_of[key]
        maps = values_at_vertices(mesh, scores.voxel, values)
        means = "; ".join(f"{side} hemisphere {mean_of_finite(one):.3f}" for side, one in maps.items())
        figure = page_figure([Panel("", maps, scales[key], mesh)], _PAGE_WIDTH, title, simulated)
        pictures.append((figure, f"Cortical map, {label}: {words}. Mean over vertices with voxels: {means}."))
    return pictures


def page_figure(panels: Sequence[Panel], width: float, title: str = "", simulated: bool = False) -> Figure:
    """Panels in a row as pages show them, `width` in inches."""
    canvas = page_canvas(width, title, simulated)
    with canvas.style.applied():
        return brain_panels(panels, len(panels), canvas)


def brain_panels(panels: Sequence[Panel], columns: int, canvas: Canvas) -> Figure:
    """Brains beside and below each other, each with its colour bar; `columns` in a row.

    ConfigError where the height leaves no room for brains.
    """
    line = 1.35 * rcParams["legend.fontsize"] / 72  # inches of a line of small text
    wide = canvas.width / columns
    rows = -(-len(panels) // columns)
    views = max(len(panel.views) for panel in panels)
    head = canvas.head + 0.04
    named = 1.5 * rcParams["font.size"] / 72 if any(panel.name for panel in panels) else 0.0
    foot = 2 * line + 0.17
    words = named + views * line + foot
    tall = wide / 2 * (_FLAT_TALL if panels[0].views == ("flat",) else _TALL)
    figure = canvas.figure(head + rows * (words + views * tall))
    figure.set_layout_engine(None)
    height = figure.get_size_inches()[1]
    shrunk = min(((height - head) / rows - words) / (views * tall), 1.0)
    if shrunk <= 0.2:
        found = f"{MILLIMETRES * height:.0f} mm for {rows} rows of brains."
        remedy = "Leave it out: it is then as high as needed."
        raise ConfigError("height", found, "room for the brains beside their names and scales.", remedy)
    tall *= shrunk
    block = words + views * tall
    ratios = [head, *[block] * rows, max(height - head - rows * block, 1e-9)]
    grid = figure.subfigures(rows + 2, columns, squeeze=False, wspace=0, hspace=0, height_ratios=ratios)
    for number, (panel, part) in enumerate(zip(panels, grid[1:-1].ravel(), strict=False)):
        place = {"ha": "center", "va": "top"}
        name = shortened(panel.name, canvas.letters(0.95 / columns))
        part.text(0.5, 1 - 0.1 * line / block, name, gid=f"panel:{number}", **place)
        for row, view in enumerate(panel.views):
            bottom = block - named - (row + 1) * (tall + line) + line
            for column, side in enumerate(SIDES):
                centre = 0.25 + 0.5 * column
                # Square and higher than its row, since a 3-D plot fills the shorter side and a brain is wide.
                across = shrunk * wide / 2
                left, low = centre - across / 2 / wide, (bottom + tall / 2 - across / 2) / block
                axes = draw_hemisphere(part, (left, low, across / wide, across / block), panel, side, view)
                axes.set_gid(f"brain:{number}:{side}:{view}")
                text = f"{side}, {view}" if view == "medial" else side
                small = {"fontsize": rcParams["legend.fontsize"], "color": rcParams["axes.labelcolor"]}
                part.text(centre, (bottom - 0.1 * line) / block, text, **place, **small)
        colour_bar(part, (0.25, (2 * line + 0.07) / block, 0.5, 0.07 / block), panel.scale)
    return figure


def draw_hemisphere(
    figure: FigureBase, box: tuple[float, float, float, float], panel: Panel, hemisphere: str, view: str
) -> Axes3D:
    """One hemisphere of a panel in a box (left, bottom, width, height) of a figure."""
    half, scale = panel.mesh.halves[hemisphere], panel.scale
    shape = half.shapes[panel.kind]
    axes: Any = figure.add_axes(box, projection="3d")
    points = np.array(shape.coordinates, np.float64)
    points -= points.mean(axis=0)  # as plot_surf does with them, in place
    plot_surf(
        surf_mesh=InMemoryMesh(points, np.asarray(shape.faces, np.int64)),
        surf_map=panel.maps[hemisphere],
        bg_map=np.where(half.sulcal, _SULCUS, _GYRUS),
        hemi=hemisphere,
        view=_FROM_ABOVE if view == "flat" else view,
        engine="matplotlib",
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        # A face takes the mean of its corners that have a value; nilearn's own mean would drop lone vertices.
        avg_method=mean_of_finite,
        colorbar=False,
        axes=axes,
        figure=figure,
    )
    if view == "flat":
        # Equal units on both axes, around the vertices that are part of a triangle.
        drawn = points[np.unique(shape.faces), :2]
        centre, reach = (drawn.max(axis=0) + drawn.min(axis=0)) / 2, np.ptp(drawn, axis=0).max() / 2
        axes.set(xlim=centre[0] + reach * _ENDS, ylim=centre[1] + reach * _ENDS, zlim=(-1, 1))
        axes.set_proj_type("ortho")
    axes.set_box_aspect(None, zoom=_FLAT_ZOOM if view == "flat" else _ZOOM)
    axes.patch.set_alpha(0.0)  # boxes overlap
    for surface in axes.collections:
        surface.set_rasterized(True)  # in PDF and SVG: a picture, not tens of thousands of triangles
    return axes


def colour_bar(figure: FigureBase, box: tuple[float, float, float, float], scale: Scale) -> None:
    """A horizontal colour bar with the scale's label in a box of a figure."""
    axes = figure.add_axes(box)
    values = ScalarMappable(Normalize(scale.low, scale.high), scale.colours)
    bar = figure.colorbar(values, cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    ends = (scale.low, (scale.low + scale.high) / 2, scale.high)
    signed = "+" if scale.low < 0 else ""
    bar.set_ticks(ends, labels=[f"{end:{signed if end else ''}.3g}".replace("-", "−") for end in ends])
    axes.tick_params(length=2, pad=1.5, color=rcParams["axes.labelcolor"])
    bar.set_label(scale.label, fontsize=rcParams["legend.fontsize"], labelpad=1.5)


def mean_of_finite(values: np.ndarray) -> float:
    """Mean of the values that are numbers; NaN where none is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan
