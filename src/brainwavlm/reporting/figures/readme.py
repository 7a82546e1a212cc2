"""One wide picture of an evaluation: a row a run with frozen, tuned and difference maps, and the finding in words."""

from collections.abc import Mapping
from pathlib import Path

from brainwavlm.datasets.base import Subject
from brainwavlm.errors import DatasetError
from brainwavlm.files import replacing
from brainwavlm.formatting.numbers import capitalised
from brainwavlm.reporting.figures.brains import colour_bar, draw_hemisphere, nilearn_shapes
from brainwavlm.reporting.figures.canvas import page_canvas
from brainwavlm.reporting.figures.places import run_layers, shared_scales
from brainwavlm.reporting.figures.style import png, shortened
from brainwavlm.reporting.page.wording import answer, run_labels
from brainwavlm.reporting.sources import sources_of
from brainwavlm.reporting.surface_maps import HEMISPHERES
from brainwavlm.results.evaluation import read_results

_WIDTH, _ROW, _HEAD, _FOOT = 11.0, 1.3, 0.64, 0.55
_MAPS = 0.75  # of the width; the rest is for words


def readme_figure(
    evaluation_folder: str | Path, path: str | Path, subjects: Mapping[str, Subject] | None = None
) -> Path:
    """Write the maps of each run and the gist of its table as one wide PNG.

    Parameters
    ----------
    evaluation_folder : str or Path
        Folder with table.csv, voxels.csv and summary.json, as `evaluate` writes them.
    path : str or Path
        PNG file.
    subjects : mapping of str to Subject, or None
        Where voxels lie; None: read from the data sets that the runs name.

    Returns
    -------
    Path of the picture

    Raises
    ------
    RunError
        The folder is not that of an evaluation.
    DatasetError
        A run's voxels lie on no surface that can be drawn.
    """
    results = read_results(evaluation_folder)
    sources, scales, labels = sources_of(results, subjects), shared_scales(results), run_labels(results.runs)
    n = len(results.runs)
    height = _HEAD + _ROW * n + _FOOT
    canvas = page_canvas(_WIDTH, height)
    ink, muted = canvas.style.colours.ink, canvas.style.colours.muted
    what = "simulated" if results.simulated else "measured"
    title = f"Correlation of predicted and {what} responses to stories that no model was fitted on"
    figure = canvas.figure(height, title, results.simulated)
    figure.set_layout_engine(None)
    for row, run in enumerate(results.runs):
        source = sources[run["name"]]
        if source.subject is None or source.no_map:
            raise DatasetError(
                source.config.dataset,
                f"no map of {run['subject']} can be drawn: {source.no_map}.",
                "a subject with vertices of fsaverage5.",
                "Use the page: brainwavlm report FOLDER",
            )
        bottom = (_FOOT + _ROW * (n - 1 - row)) / height
        layers = run_layers(results.of_run(run["name"]), source.subject, scales)
        for column, layer in enumerate(layers):
            left, wide = column * _MAPS / 3, _MAPS / 6
            if row == 0:
                centre = (column + 0.5) * _MAPS / 3
                figure.text(
                    centre, 1 - 0.42 / height, layer.short, ha="center", va="top", fontsize=10, color=ink
                )
            for side, hemisphere in enumerate(HEMISPHERES):
                tall = wide * _WIDTH / height
                box = (left + side * wide, bottom + (_ROW / height - tall) / 2, wide, tall)
                shape = nilearn_shapes(layer.surface)[hemisphere]
                draw_hemisphere(
                    figure, box, shape, layer.maps[hemisphere], hemisphere, "lateral", layer.scale
                )
            if row == n - 1:
                bar = (left + 0.06, 0.4 / height, _MAPS / 3 - 0.12, 0.08 / height)
                colour_bar(figure, bar, layer.scale, canvas.style)
        found = answer(run, results.rows(run["name"]), labels[run["name"]])
        top, left = bottom + _ROW / height, _MAPS + 0.018
        for y, text, size, colour, weight in (
            (0.16, shortened(capitalised(labels[run["name"]]), 34), 10, ink, "normal"),
            (0.36, found["figure"], 20, ink, "bold"),
            (0.78, shortened(found["short"], 42), 8.5, muted, "normal"),
            (0.95, found["span"], 8.5, muted, "normal"),
        ):
            figure.text(
                left,
                top - y / height,
                text,
                va="top",
                fontsize=size,
                color=colour,
                fontweight=weight,
                parse_math=False,
            )
    output = Path(path)
    with replacing(output) as temporary:
        temporary.write_bytes(png(figure))
    return output
