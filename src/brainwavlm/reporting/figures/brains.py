"""Brains as they are drawn: both hemispheres with values on their vertices, beside and below each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from nilearn.plotting import plot_surf
from nilearn.surface import InMemoryMesh

from brainwavlm.errors import ConfigError
from brainwavlm.reporting.figures.canvas import Canvas, page_canvas
from brainwavlm.reporting.figures.style import MILLIMETRES, Style, shortened
from brainwavlm.reporting.surface_maps import HEMISPHERES, Scale

_GYRUS, _SULCUS = 0.16, 0.30
_TALL, _FLAT_TALL = 0.72, 0.9  # of a hemisphere's width
_ZOOM, _FLAT_ZOOM = 1.43, 1.35
_FROM_ABOVE = (90, 270)
_ENDS = np.array([-1, 1])


@dataclass(frozen=True)
class Shape:
    """One hemisphere as it is drawn.

    Attributes
    ----------
    points : array (n_vertices, 3)
    triangles : array (n_triangles, 3)
    sulcal : array (n_vertices,) bool
        Drawn darker.
    """

    points: np.ndarray
    triangles: np.ndarray
    sulcal: np.ndarray


@dataclass(frozen=True)
class Panel:
    """Both hemispheres with values, and a colour bar.

    Attributes
    ----------
    name : str
        Above it; may be empty.
    maps : dict from left and right to array (n_vertices,)
    scale : Scale
    shapes : dict from left and right to Shape
    views : tuple of str
        One row each: lateral, medial, or flat.
    """

    name: str
    maps: dict[str, np.ndarray]
    scale: Scale
    shapes: dict[str, Shape]
    views: tuple[str, ...] = ("lateral",)


def nilearn_shapes(surface: str, kind: str = "inflated") -> dict[str, Shape]:
    """The hemispheres of a surface that nilearn carries."""
    mesh, sulcal = load_fsaverage(surface)[kind], load_fsaverage_data(mesh=surface, data_type="sulcal").data
    return {
        side: Shape(mesh.parts[side].coordinates, mesh.parts[side].faces, np.asarray(sulcal.parts[side]) > 0)
        for side in HEMISPHERES
    }


def brain_figure(
    maps: dict[str, np.ndarray],
    scale: Scale,
    title: str,
    simulated: bool,
    surface: str = "fsaverage5",
    views: tuple[str, ...] = ("lateral",),
) -> Figure:
    """Both inflated hemispheres with a colour bar, as one small picture of the page.

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
    panel = Panel("", maps, scale, nilearn_shapes(surface), views)
    return brain_panels([panel], 1, title, simulated, page_canvas(3.9))


def brain_panels(
    panels: Sequence[Panel], columns: int, title: str, simulated: bool, canvas: Canvas
) -> Figure:
    """Brains beside and below each other, each with its colour bar.

    Parameters
    ----------
    panels : sequence of Panel
    columns : int
        Panels in a row.
    title : str
    simulated : bool
    canvas : Canvas
    """
    style = canvas.style
    line = 1.35 * style.small / 72  # inches of a line of small text
    wide = canvas.width / columns
    rows = -(-len(panels) // columns)
    views = max(len(panel.views) for panel in panels)
    named = 1.5 * style.text / 72 if any(panel.name for panel in panels) else 0.0
    tall = wide / 2 * (_FLAT_TALL if panels[0].views == ("flat",) else _TALL)
    foot = 2 * line + 0.17
    block = named + views * (tall + line) + foot
    figure = canvas.figure(rows * block + _heading_room(title, simulated, style), title, simulated)
    figure.set_layout_engine(None)
    height = figure.get_size_inches()[1]
    shrunk = min(
        (height - _heading_room(title, simulated, style) - rows * (block - views * tall))
        / (rows * views * tall),
        1.0,
    )
    tall *= shrunk
    block = named + views * (tall + line) + foot
    if shrunk <= 0.2:
        raise ConfigError(
            "--height",
            f"{MILLIMETRES * height:.0f} mm for {rows} rows of brains.",
            "room for the brains beside their names and scales.",
            "Leave --height out: it is then as high as needed.",
        )
    for n, panel in enumerate(panels):
        row, column = divmod(n, columns)
        left = column * wide / canvas.width
        top = height - _heading_room(title, simulated, style) - row * block
        figure.text(
            left + 0.5 * wide / canvas.width,
            (top - 0.1 * style.text / 72) / height,
            shortened(panel.name, canvas.letters(0.95 / columns)),
            ha="center",
            va="top",
            fontsize=style.text,
            color=style.colours.ink,
            parse_math=False,
            gid=f"panel:{n}",
        )
        for at, view in enumerate(panel.views):
            bottom = top - named - (at + 1) * (tall + line) + line
            for side, hemisphere in enumerate(HEMISPHERES):
                centre = (left + (0.25 + 0.5 * side) * wide / canvas.width, (bottom + tall / 2) / height)
                # Square and higher than its row, since a 3-D plot fills the shorter side and a brain is wide.
                across = shrunk * wide / 2
                box = (
                    centre[0] - across / 2 / canvas.width,
                    centre[1] - across / 2 / height,
                    across / canvas.width,
                    across / height,
                )
                draw_hemisphere(
                    figure,
                    box,
                    panel.shapes[hemisphere],
                    panel.maps[hemisphere],
                    hemisphere,
                    view,
                    panel.scale,
                ).set_gid(f"brain:{n}:{hemisphere}:{view}")
                name = f"{hemisphere}, {view}" if view == "medial" else hemisphere
                figure.text(
                    centre[0],
                    (bottom - 0.1 * line) / height,
                    name,
                    ha="center",
                    va="top",
                    fontsize=style.small,
                    color=style.colours.muted,
                )
        bar = (
            left + 0.25 * wide / canvas.width,
            (top - block + 2 * line + 0.07) / height,
            0.5 * wide / canvas.width,
            0.07 / height,
        )
        colour_bar(figure, bar, panel.scale, style)
    return figure


def draw_hemisphere(
    figure: Figure,
    box: tuple[float, float, float, float],
    shape: Shape,
    values: np.ndarray,
    hemisphere: str,
    view: str,
    scale: Scale,
) -> Axes3D:
    """One hemisphere in a box (left, bottom, width, height) of a figure; values (n_vertices,)."""
    axes = Axes3D(figure, rect=box)
    figure.add_axes(axes)
    points = np.array(shape.points, np.float64)
    points -= points.mean(axis=0)  # as plot_surf does with them, in place
    plot_surf(
        surf_mesh=InMemoryMesh(points, np.asarray(shape.triangles, np.int64)),
        surf_map=values,
        bg_map=np.where(shape.sulcal, _SULCUS, _GYRUS),
        hemi=hemisphere,
        view=_FROM_ABOVE if view == "flat" else view,
        engine="matplotlib",
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        avg_method=_mean_of_known,
        colorbar=False,
        axes=axes,
        figure=figure,
    )
    if view == "flat":
        # Equal units on both axes, around the vertices that are part of a triangle.
        drawn = points[np.unique(shape.triangles), :2]
        centre, reach = (drawn.max(axis=0) + drawn.min(axis=0)) / 2, np.ptp(drawn, axis=0).max() / 2
        axes.set(xlim=centre[0] + reach * _ENDS, ylim=centre[1] + reach * _ENDS, zlim=(-1, 1))
        axes.set_proj_type("ortho")
    axes.set_box_aspect(None, zoom=_FLAT_ZOOM if view == "flat" else _ZOOM)
    axes.patch.set_alpha(0.0)  # boxes overlap
    for surface in axes.collections:
        surface.set_rasterized(True)  # in PDF and SVG: a picture, not tens of thousands of triangles
    return axes


def colour_bar(figure: Figure, box: tuple[float, float, float, float], scale: Scale, style: Style) -> None:
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
    colour = style.colours.muted
    axes.tick_params(length=2, width=style.thin, labelsize=style.small, colors=colour, pad=1.5)
    bar.set_label(scale.label, fontsize=style.small, color=colour, labelpad=1.5)


def _heading_room(title: str, simulated: bool, style: Style) -> float:
    return 0.16 + 1.1 * style.title / 72 if title or simulated else 0.04


def _mean_of_known(corners: np.ndarray) -> float:
    # A face takes the mean of its corners that have a value; nilearn's own mean would drop lone vertices.
    known = corners[np.isfinite(corners)]
    return float(known.mean()) if known.size else np.nan
