"""The interactive cortex: surfaces, and the values of every run's voxels, as the page's script reads them.

Values stay voxel by voxel as they are in voxels.csv; the script finds those of a vertex by index. Geometry is shared
by all maps of all runs, in whole numbers of 16 bits over the surface's own box: steps of 5 micrometres.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.figures.style import GROUPS, OTHER
from brainwavlm.reporting.meshes import Hemisphere, Mesh, mesh_of
from brainwavlm.reporting.sources import Source
from brainwavlm.reporting.surface_maps import Scale, correlation_scale, difference_scale
from brainwavlm.results.evaluation import REMAINDER, RunVoxels

_ATLASES = ("a2009s:", "aparc:")  # named in the hover, where a subject has them
_MOST_LABELS = 60_000
_STEPS = 256


def cortex_data(
    runs: Sequence[tuple[str, RunVoxels, Source]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the page's script needs, and why runs are not on a surface.

    Parameters
    ----------
    runs : sequence of (label, RunVoxels, Source)

    Returns
    -------
    data : dict
        meshes, places (which rows of a run lie at which vertex), runs, maps, colours. Ready for JSON.
    reasons : dict of str to str
        Part of a sentence, by the label of each run that has no surface.
    """
    meshes: dict[str, dict[str, Any]] = {}
    shown: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    known: dict[tuple[str, str], Mesh] = {}
    for label, scores, source in runs:
        run: dict[str, Any] = {"label": label, "subject": "", "mesh": None, **_values(scores)}
        subject, elsewhere = source.subject, source.no_map
        if subject is None:
            reasons[label] = elsewhere or "its anatomy is not known"
        else:
            run["subject"] = subject.name
            # Static maps need fsaverage5; here a subject's own surfaces serve as well.
            reason = "" if subject.surface == "native" else elsewhere
            key = subject.name, "" if source.dataset is None else str(source.dataset.path)
            try:
                if not reason and key not in known:
                    known[key] = mesh_of(subject, source.dataset)
            except BrainwavlmError as error:
                reason = f"{error.path}: {error.found}"
            except (OSError, ValueError):
                reason = elsewhere or "its surfaces cannot be read"
            if reason:
                reasons[label] = reason
            else:
                mesh = known[key]
                meshes.setdefault(mesh.name, _mesh(mesh))
                run |= {"mesh": mesh.name, "places": _places(mesh, scores), **_labels(subject, scores)}
        shown.append(run)
    maps = _maps([scores for _, scores, _ in runs]) if runs else []
    return {
        "meshes": meshes,
        "runs": shown,
        "maps": maps,
        "colours": {name: _colours(name) for name in {one["colours"] for one in maps}},
    }, reasons


def cortex_controls(data: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    """What there is to choose from; `data` and `reasons` are those of `cortex_data`."""
    shown = {place: run for place, run in enumerate(data["runs"]) if run["mesh"]}
    targets = list(dict.fromkeys(name for run in shown.values() for name in run["targets"]))
    masks = {"q_tuned": "tuned: q < .05", "q_difference": "change: q < .05"}
    return {
        "runs": [(place, run["label"]) for place, run in shown.items()],
        "maps": [(one["key"], one["title"]) for one in data["maps"]],
        "kinds": list(dict.fromkeys(kind for mesh in data["meshes"].values() for kind in mesh["kinds"])),
        "targets": targets,
        "outline": "AC" if "AC" in targets else next(iter(targets), ""),
        "masks": [
            (key, name) for key, name in masks.items() if any(key in run["values"] for run in shown.values())
        ],
        "reasons": [f"{label}: {reason}" for label, reason in reasons.items()],
        "notes": [note for mesh in data["meshes"].values() for note in mesh["notes"]],
    }


def packed(values: np.ndarray, kind: str) -> str:
    """The bytes of an array, little-endian, as base64 text; `kind` is a numpy type such as f4."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()).decode("ascii")


def quantised(points: np.ndarray) -> dict[str, Any]:
    """Coordinates as 16-bit whole numbers: x = low + step * number, axis by axis.

    Parameters
    ----------
    points : array (n, 3)

    Returns
    -------
    dict with low and step (three numbers each) and points (base64 of uint16, n x 3)
    """
    low = points.min(axis=0).astype(np.float64)
    step = (points.max(axis=0) - low) / 65535
    numbers = np.rint((points - low) / np.where(step > 0, step, 1))
    return {"low": low.tolist(), "step": step.tolist(), "points": packed(numbers, "u2")}


def _mesh(mesh: Mesh) -> dict[str, Any]:
    sides = {"left": mesh.left, "right": mesh.right}
    kinds = [kind for kind in mesh.left.points if kind in mesh.right.points]
    return {
        "kinds": kinds,
        "notes": list(mesh.notes),
        **{side: _hemisphere(half, kinds) for side, half in sides.items()},
    }


def _hemisphere(half: Hemisphere, kinds: Sequence[str]) -> dict[str, Any]:
    """Triangles that several shapes share are sent once."""
    triangles: dict[str, str] = {}
    of_kind: dict[str, str] = {}
    for kind in kinds:
        same = next(
            (name for name in triangles if np.array_equal(half.triangles[name], half.triangles[kind])), None
        )
        of_kind[kind] = same or kind
        if same is None:
            triangles[kind] = packed(half.triangles[kind], "u4")
    return {
        "n": len(half.sulcal),
        "shapes": {
            kind: quantised(half.points[kind]) | {"triangles": name} for kind, name in of_kind.items()
        },
        "triangles": triangles,
        "sulcal": packed(half.sulcal, "u1"),
    }


def _places(mesh: Mesh, scores: RunVoxels) -> dict[str, dict[str, str]]:
    """Rows of a run at each vertex: row[start[i] : start[i + 1]]. A column that was not scored has no row."""
    size = max(int(half.column.max(initial=-1)) for half in (mesh.left, mesh.right)) + 1
    row_of = np.full(max(size, int(scores.voxel.max(initial=-1)) + 1), -1, dtype=np.int32)
    row_of[scores.voxel] = np.arange(len(scores.voxel))
    places = {}
    for side, half in (("left", mesh.left), ("right", mesh.right)):
        row = row_of[half.column]
        vertex = np.repeat(np.arange(len(half.start) - 1), np.diff(half.start))[row >= 0]
        count = np.bincount(vertex, minlength=len(half.start) - 1)
        places[side] = {
            "start": packed(np.concatenate([[0], np.cumsum(count)]), "u4"),
            "row": packed(row[row >= 0], "u4"),
        }
    return places


def _values(scores: RunVoxels) -> dict[str, Any]:
    groups = {name: packed(mask, "u1") for name, mask in scores.groups().items()}
    values = {"frozen": scores.frozen, "tuned": scores.tuned, **scores.more}
    return {
        "n": len(scores.voxel),
        "voxel": packed(scores.voxel, "i4"),
        "values": {name: packed(some, "f4") for name, some in values.items() if np.isfinite(some).any()},
        "targets": {name: packed(mask, "u1") for name, mask in scores.masks.items() if name != "cortex"},
        "groups": groups,
        "colours": group_colours(groups),
    }


def group_colours(groups: Iterable[str]) -> dict[str, str]:
    """A colour for each group of voxels, as in the static figures; those in no named region are grey."""
    named = iter(GROUPS)
    return {name: OTHER if name == REMAINDER else next(named) for name in groups}


def _labels(subject: Subject, scores: RunVoxels) -> dict[str, Any]:
    """Anatomical labels of each voxel, as a number into a list of texts."""
    named = [name for name in subject.rois if name.startswith(_ATLASES)]
    if not named:
        return {}
    texts = np.full(len(scores.voxel), "", dtype=object)
    for name in named:
        here = np.asarray(subject.rois[name], dtype=bool)[scores.voxel]
        texts[here] = [f"{before}, {name}" if before else name for before in texts[here]]
    listed, codes = np.unique(texts.astype(str), return_inverse=True)
    if len(listed) > _MOST_LABELS:
        return {}
    return {"labels": listed.tolist(), "label_of": packed(codes, "u2")}


def _maps(scores: Sequence[RunVoxels]) -> list[dict[str, Any]]:
    """Each kind of map with its scale: one for frozen and tuned of all runs, as in the static maps."""
    r = correlation_scale([values for one in scores for values in (one.frozen, one.tuned)])
    change = difference_scale([one.tuned - one.frozen for one in scores])
    maps = [
        _map("tuned", "Tuned r", r),
        _map("frozen", "Frozen r", r),
        _map("difference", "Difference, tuned − frozen", change),
    ]
    shares = [
        one.more[key]
        for one in scores
        for key in ("normalised_frozen", "normalised_tuned")
        if key in one.more
    ]
    if any(np.isfinite(values).any() for values in shares):
        share = correlation_scale(shares, "share of the noise ceiling")
        maps += [
            _map("normalised_tuned", "Tuned, share of ceiling", share),
            _map("normalised_frozen", "Frozen, share of ceiling", share),
        ]
    return maps


def _map(key: str, title: str, scale: Scale) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "unit": scale.label,
        "low": scale.low,
        "high": scale.high,
        "colours": scale.colours,
    }


def _colours(name: str) -> str:
    """The colour map in 256 steps of red, green, blue."""
    steps = matplotlib.colormaps[name](np.linspace(0, 1, _STEPS))[:, :3]
    return packed(np.rint(255 * steps), "u1")
