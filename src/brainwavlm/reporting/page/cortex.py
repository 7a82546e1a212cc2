"""The interactive cortex: surfaces, and the values of every run's voxels, as the page's script reads them.

Values stay voxel by voxel as they are in voxels.csv.gz; the script finds those of a vertex by index. Geometry is shared
by all maps of all runs, in whole numbers of 16 bits over the surface's own box: steps of 5 micrometres.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.reporting.figures.style import GROUPS, OTHER
from brainwavlm.reporting.meshes import Hemisphere, Mesh
from brainwavlm.reporting.surface_maps import Source, shown_scales
from brainwavlm.results.run_voxels import REMAINDER, RunVoxels

_ATLASES = ("a2009s:", "aparc:")  # named in the hover, where a subject has them
_MOST_LABELS = 60_000
_STEPS = 256
_MASKS = {"q_tuned": "tuned: q < .05", "q_difference": "change: q < .05", "q_frozen": "frozen: q < .05"}


def cortex_data(runs: Sequence[tuple[str, RunVoxels, Source]]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the page's script needs of runs with their labels, ready for JSON; and why runs are not on a surface.

    It has meshes, runs (with places: which rows lie at which vertex), maps and colours. A reason is part of a sentence,
    by the label of its run.
    """
    meshes: dict[str, dict[str, Any]] = {}
    shown: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    for label, scores, source in runs:
        subject, mesh = source.subject, source.mesh
        name = subject.name if subject else ""
        groups = {name: packed(mask, "u1") for name, mask in scores.groups().items()}
        run: dict[str, Any] = {
            "untestable": [_MASKS[name] for name in scores.untestable],
            "label": label,
            "subject": name,
            "mesh": None,
            "n": len(scores.voxel),
            "voxel": packed(scores.voxel, "i4"),
            "values": {name: packed(some, "f4") for name, some in _with_values(scores).items()},
            "targets": {name: packed(mask, "u1") for name, mask in scores.masks.items() if name != "cortex"},
            "groups": groups,
            # As in the static figures; voxels in no named region are grey.
            "colours": dict(zip(groups, GROUPS, strict=False))
            | {name: OTHER for name in groups if name == REMAINDER},
        }
        if subject is None or mesh is None or not mesh.kinds:
            reasons[label] = source.no_mesh or source.no_map
        else:
            if mesh.name not in meshes:
                halves = {side: _hemisphere(half, mesh.kinds) for side, half in mesh.halves.items()}
                meshes[mesh.name] = {"kinds": mesh.kinds, "notes": list(mesh.notes), **halves}
            run |= {"mesh": mesh.name, "places": _places(mesh, scores), **_labels(subject, scores)}
        shown.append(run)
    maps = _maps([scores for _, scores, _ in runs]) if runs else []
    steps = np.linspace(0, 1, _STEPS)
    colours = {
        name: packed(np.rint(255 * matplotlib.colormaps[name](steps)[:, :3]), "u1")
        for name in dict.fromkeys(one["colours"] for one in maps)
    }
    return {"meshes": meshes, "runs": shown, "maps": maps, "colours": colours}, reasons


def cortex_controls(data: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    """What there is to choose from; `data` and `reasons` are those of `cortex_data`."""
    shown = {place: run for place, run in enumerate(data["runs"]) if run["mesh"]}
    targets = list(dict.fromkeys(name for run in shown.values() for name in run["targets"]))
    masks = ((run["label"], mask) for run in shown.values() for mask in run["untestable"])
    untestable = [f"{label}: {mask} cannot be tested." for label, mask in masks]
    return {
        "runs": [(place, run["label"]) for place, run in shown.items()],
        "maps": [(one["key"], one["title"]) for one in data["maps"]],
        "kinds": list(dict.fromkeys(kind for mesh in data["meshes"].values() for kind in mesh["kinds"])),
        "targets": targets,
        "outline": "AC" if "AC" in targets else next(iter(targets), ""),
        "masks": [item for item in _MASKS.items() if any(item[0] in run["values"] for run in shown.values())],
        "reasons": [f"{label}: {reason}" for label, reason in reasons.items()],
        "notes": [*(note for mesh in data["meshes"].values() for note in mesh["notes"]), *untestable],
    }


def packed(values: np.ndarray, kind: str) -> str:
    """The bytes of an array, little-endian, as base64 text; `kind` is a numpy type such as f4."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()).decode("ascii")


def quantised(points: np.ndarray) -> dict[str, Any]:
    """Points (n, 3) as 16-bit whole numbers in base64 (n x 3): x = low + step * number, axis by axis."""
    low = points.min(axis=0).astype(np.float64)
    step = (points.max(axis=0) - low) / 65535
    numbers = np.rint((points - low) / np.where(step > 0, step, 1))
    return {"low": low.tolist(), "step": step.tolist(), "points": packed(numbers, "u2")}


def _hemisphere(half: Hemisphere, kinds: Sequence[str]) -> dict[str, Any]:
    """Triangles that several shapes share are sent once."""
    shapes: dict[str, dict[str, Any]] = {}
    triangles: dict[str, str] = {}
    for kind in kinds:
        faces = half.shapes[kind].faces
        same = next((name for name in triangles if np.array_equal(half.shapes[name].faces, faces)), kind)
        if same == kind:
            triangles[kind] = packed(faces, "u4")
        shapes[kind] = quantised(half.shapes[kind].coordinates) | {"triangles": same}
    sulcal = packed(half.sulcal, "u1")
    return {"n": len(half.sulcal), "shapes": shapes, "triangles": triangles, "sulcal": sulcal}


def _places(mesh: Mesh, scores: RunVoxels) -> dict[str, dict[str, str]]:
    """Rows of a run at each vertex: row[start[i] : start[i + 1]]. A column that was not scored has no row."""
    columns = (scores.voxel, *(half.column for half in mesh.halves.values()))
    row_of = np.full(1 + max(int(some.max(initial=-1)) for some in columns), -1, dtype=np.int32)
    row_of[scores.voxel] = np.arange(len(scores.voxel))
    places = {}
    for side, half in mesh.halves.items():
        row = row_of[half.column]
        vertex, row = half.vertex[row >= 0], row[row >= 0]
        start = np.append(0, np.bincount(vertex, minlength=len(half.sulcal)).cumsum())
        row = row[np.argsort(vertex, kind="stable")]
        places[side] = {"start": packed(start, "u4"), "row": packed(row, "u4")}
    return places


def _with_values(scores: RunVoxels) -> dict[str, np.ndarray]:
    """What a run has a number of in any voxel, without false discovery rates that cannot be below .05."""
    values = {"frozen": scores.frozen, "tuned": scores.tuned, **scores.more}
    shown = {name: some for name, some in values.items() if np.isfinite(some).any()}
    return {name: some for name, some in shown.items() if name not in scores.untestable}


def _labels(subject: Subject, scores: RunVoxels) -> dict[str, Any]:
    """Anatomical labels of each voxel, as a number into a list of texts; nothing where there are none, or too many."""
    named = [name for name in subject.rois if name.startswith(_ATLASES)]
    texts = np.full(len(scores.voxel), "", dtype=object)
    for name in named:
        here = np.asarray(subject.rois[name], dtype=bool)[scores.voxel]
        texts[here] = [f"{before}, {name}" if before else name for before in texts[here]]
    listed, codes = np.unique(texts.astype(str), return_inverse=True)
    if not named or len(listed) > _MOST_LABELS:
        return {}
    return {"labels": listed.tolist(), "label_of": packed(codes, "u2")}


def _maps(scores: Sequence[RunVoxels]) -> list[dict[str, Any]]:
    """Each kind of map with its scale: one for frozen and tuned of all runs, as in the static maps."""
    scales = shown_scales([one.shown() for one in scores])
    r = scales["r_frozen"]
    shares = [
        {key: some for key, some in one.more.items() if key.startswith("normalised_")} for one in scores
    ]
    share = shown_scales(shares, "share of the noise ceiling").get("normalised_frozen", r)
    maps = {
        "tuned": ("Tuned r", r),
        "frozen": ("Frozen r", r),
        "difference": ("Difference, tuned − frozen", scales.get("difference", r)),
        "shared_tuned": ("Tuned r, shared map", r),
        "shared_frozen": ("Frozen r, shared map", r),
        "normalised_tuned": ("Tuned, share of ceiling", share),
        "normalised_frozen": ("Frozen, share of ceiling", share),
    }
    there = {key for one in scores for key in _with_values(one)}
    there |= {"difference"} if "tuned" in there else set()
    ends = ("low", "high", "colours")
    return [
        {"key": key, "title": title, "unit": scale.label, **{name: getattr(scale, name) for name in ends}}
        for key, (title, scale) in maps.items()
        if key in there
    ]
