"""What maps show: a quantity of each voxel, its colours, and the surface that it lies on."""

from collections.abc import Sequence

import numpy as np

from brainwavlm.errors import BrainwavlmError, ConfigError, RunError
from brainwavlm.reporting.figures.folders import Scored
from brainwavlm.reporting.figures.style import Style
from brainwavlm.reporting.meshes import Mesh, mesh_of
from brainwavlm.reporting.sources import sources_of
from brainwavlm.reporting.surface_maps import Scale, correlation_scale, difference_scale
from brainwavlm.results.evaluation import RunVoxels
from brainwavlm.results.schemas import AGAIN

_COLUMNS = {"share": "normalised_tuned", "share-frozen": "normalised_frozen"}
_RATES = {
    "frozen": "q_frozen",
    "tuned": "q_tuned",
    "difference": "q_difference",
    "share": "q_tuned",
    "share-frozen": "q_frozen",
}


def quantity_of(run: Scored, quantity: str, q: float | None) -> np.ndarray:
    """Values of a quantity, voxel by voxel; NaN where the false discovery rate is not below q.

    Raises
    ------
    RunError
        The evaluation has no such column.
    """
    scores = run.voxels
    if quantity in _COLUMNS:
        values = _column(run, scores, _COLUMNS[quantity])
    else:
        values = {
            "frozen": scores.frozen,
            "tuned": scores.tuned,
            "difference": scores.tuned - scores.frozen,
        }[quantity]
    return values if q is None else np.where(_column(run, scores, _RATES[quantity]) < q, values, np.nan)


def by_column(run: Scored, quantity: str, q: float | None, last: int) -> np.ndarray:
    """Values by column of the responses; NaN for columns that were not scored."""
    voxel = run.voxels.voxel
    values = np.full(max(int(last), int(voxel.max())) + 1, np.nan)
    values[voxel] = quantity_of(run, quantity, q)
    return values


def _column(run: Scored, scores: RunVoxels, name: str) -> np.ndarray:
    path = run.results.path / "voxels.csv"
    if name not in scores.more:
        raise RunError(path, f"no column {name}.", "an evaluation that computed it.", AGAIN)
    if not np.isfinite(scores.more[name]).any():
        what = "No story has the repeats of a ceiling: draw another --quantity."
        remedy = (
            what
            if name in _COLUMNS.values()
            else "Draw without --q, or evaluate with evaluation.shifts above 0."
        )
        raise RunError(path, f"no number in column {name} of run {run.name}.", "some.", remedy)
    return scores.more[name]


def scales_of(
    runs: Sequence[Scored], quantities: Sequence[str], q: float | None, style: Style
) -> dict[str, Scale]:
    """One scale for both models' r, one for both shares, one for differences, over all voxels of all runs."""
    below = "" if q is None else f", q < {q:g}"
    scales = {}
    for quantity in quantities:
        if quantity == "difference":
            values = [quantity_of(run, quantity, None) for run in runs]
            scales[quantity] = difference_scale(values, f"difference in test r{below}", style)
            continue
        pair = tuple(_COLUMNS) if quantity in _COLUMNS else ("frozen", "tuned")
        values = [quantity_of(run, one, None) for run in runs for one in pair]
        label = "share of the ceiling" if quantity in _COLUMNS else "test correlation r"
        scales[quantity] = correlation_scale(values, f"{label}{below}", style)
    return scales


def mesh_behind(run: Scored, kind: str) -> Mesh:
    source = sources_of(run.results)[run.name]
    subject, reason = source.subject, source.no_map
    if subject is not None and subject.surface == "native":
        reason = ""  # the subject's own surfaces, if they are here
    try:
        mesh = mesh_of(subject, source.dataset) if subject is not None and not reason else None
    except BrainwavlmError:
        raise
    except (OSError, ValueError) as error:
        mesh, reason = None, str(error)
    if mesh is None:
        raise RunError(
            run.results.path,
            f"no map of {run.entry['subject']}: {reason or 'its anatomy is not known'}.",
            "voxels on a surface.",
            "Draw what needs no surface: scatter, histogram or table.",
        )
    kinds = [one for one in mesh.left.points if one in mesh.right.points]
    if kind not in kinds:
        listed = ", ".join(kinds)
        raise ConfigError("--view", f"{kind}, of {mesh.name}.", f"one of {listed}.", "Choose one of them.")
    return mesh
