"""One wide picture of an evaluation: a row a run with frozen, tuned and difference maps, and the finding in words.

python tools/readme_figure.py EVALUATION FIGURE.png
"""

import sys
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

from brainwavlm.errors import DatasetError
from brainwavlm.files import replacing
from brainwavlm.formatting.numbers import capitalised, number, shared_change
from brainwavlm.reporting.figures.brains import Panel, colour_bar, draw_hemisphere
from brainwavlm.reporting.figures.style import Canvas, page_canvas, png, shortened
from brainwavlm.reporting.meshes import SIDES, mesh_of
from brainwavlm.reporting.page.wording import answer, in_target, interval_words, own_row, run_labels
from brainwavlm.reporting.surface_maps import shown_scales, sources_of, values_at_vertices
from brainwavlm.results.evaluation import Evaluation

_WIDTH, _ROW, _HEAD, _FOOT = 11.0, 1.3, 0.64, 0.55
_MAPS = 0.75  # of the width; the rest is for words


def readme_figure(evaluation_folder: str | Path, path: str | Path) -> Path:
    """Write the maps of each run and the gist of its table as one wide PNG; the path of the picture.

    Raises
    ------
    RunError
        The folder is not that of an evaluation.
    DatasetError
        A run's voxels lie on no surface that can be drawn.
    """
    results = Evaluation.open(evaluation_folder)
    what = "simulated" if results.simulated else "measured"
    title = f"Correlation of predicted and {what} responses to stories that no model was fitted on"
    canvas = page_canvas(_WIDTH, title, results.simulated)
    with canvas.style.applied():
        figure = _drawn(results, canvas)
    output = Path(path)
    with replacing(output) as temporary:
        temporary.write_bytes(png(figure))
    return output


def _drawn(results: Evaluation, canvas: Canvas) -> Figure:
    sources, labels = sources_of(results), run_labels(results.runs)
    scales = shown_scales([results.of_run(run["name"]).shown() for run in results.runs])
    n = len(results.runs)
    height = _HEAD + _ROW * n + _FOOT
    ink, muted = rcParams["text.color"], rcParams["axes.labelcolor"]
    figure = canvas.figure(height)
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
        scores, mesh = results.of_run(run["name"]), mesh_of(source.subject, source.dataset)
        for column, (short, scale, values) in enumerate(
            (
                ("Frozen", scales["r_frozen"], scores.frozen),
                ("Tuned", scales["r_tuned"], scores.tuned),
                ("Difference", scales["difference"], scores.tuned - scores.frozen),
            )
        ):
            panel = Panel("", values_at_vertices(mesh, scores.voxel, values), scale, mesh)
            left, wide = column * _MAPS / 3, _MAPS / 6
            if row == 0:
                centre = (column + 0.5) * _MAPS / 3
                figure.text(centre, 1 - 0.42 / height, short, ha="center", va="top", fontsize=10, color=ink)
            for side, hemisphere in enumerate(SIDES):
                tall = wide * _WIDTH / height
                box = (left + side * wide, bottom + (_ROW / height - tall) / 2, wide, tall)
                draw_hemisphere(figure, box, panel, hemisphere, "lateral")
            if row == n - 1:
                colour_bar(figure, (left + 0.06, 0.4 / height, _MAPS / 3 - 0.12, 0.08 / height), scale)
        finding = answer(run, results.rows_of(run["name"]), labels[run["name"]])
        scored = own_row(run, results.rows_of(run["name"]))
        gist = f"mean r {in_target(scored['target'])}: {number(scored['r_frozen'])} to {number(scored['r_tuned'])}"
        top, left = bottom + _ROW / height, _MAPS + 0.018
        for y, text, size, colour, weight in (
            (0.16, shortened(capitalised(labels[run["name"]]), 34), 10, ink, "normal"),
            (0.36, finding["figure"], 20, ink, "bold"),
            (0.78, shortened(gist, 42), 8.5, muted, "normal"),
            (0.95, interval_words(scored["low"], scored["high"]), 8.5, muted, "normal"),
            (1.12, f"shared map: {shared_change(scored)}", 8.5, muted, "normal"),
        ):
            figure.text(
                left,
                top - y / height,
                text,
                va="top",
                fontsize=size,
                color=colour,
                fontweight=weight,
            )
    return figure


if __name__ == "__main__":
    print(readme_figure(*sys.argv[1:]))
