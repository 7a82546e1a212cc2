"""Which columns of a table of voxels are maps, with their units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from brainwavlm.encoding.targets import target_mask, with_regions
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.sources import OfVoxels, Source
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.partition import Partition
from brainwavlm.results.schemas import AGAIN

Kind = Literal["value", "chance", "mask"]

_NO_MAP = ("run", "subject", "voxel")
_ALWAYS = ("r_frozen", "r_tuned")
_WHO = {"frozen": "the model as it was", "tuned": "the tuned model"}
_TESTED = {**_WHO, "difference": "tuned against frozen"}
_R, _R2, _CHANCE, _TRUTH = "correlation r", "share of variance (R2)", "probability", "0 or 1"
_CLEAN = "correlation with the SIMULATED signal, without noise"
_DIFFERENCE = ("difference in correlation r", "r_tuned - r_frozen")
_FIXED: dict[str, tuple[Kind, str, str]] = {
    "r_readout": ("value", _R, "test correlation of the run's own readout"),
    "r_time_only": ("value", _R, "test correlation of ridge on time alone"),
}
# Column = prefix + whose: kind, unit, meaning.
_PREFIXES: dict[str, tuple[Mapping[str, str], Kind, str, str]] = {
    "r_": (_WHO, "value", _R, "test correlation of ridge on features of"),
    "shared_": (_WHO, "value", _R, "test correlation of the linear map that voxels share, on features of"),
    "clean_r_": (_WHO, "value", _R, f"{_CLEAN}, of ridge on features of"),
    "clean_shared_r_": (_WHO, "value", _R, "the same of the linear map that voxels share, on features of"),
    "normalised_": (_WHO, "value", "share of the noise ceiling", "test correlation over noise ceiling of"),
    "alpha_": (_WHO, "value", "ridge penalty alpha", "penalty that ridge chose for"),
    "p_": (_TESTED, "chance", _CHANCE, "p, uncorrected, of"),
    "q_": (_TESTED, "chance", _CHANCE, "false discovery rate over voxels of"),
    "p_max_": (_TESTED, "chance", _CHANCE, "p, family-wise over voxels, of"),
}
KNOWN: dict[str, tuple[Kind, str, str]] = _FIXED | {
    prefix + whose: (kind, unit, f"{meaning} {words}")
    for prefix, (parts, kind, unit, meaning) in _PREFIXES.items()
    for whose, words in parts.items()
}


@dataclass(frozen=True)
class VoxelMap:
    """One value a scored voxel.

    Attributes
    ----------
    name : str
        Column of the file of voxels, `target:` and the column of a target, or `difference`, `ceiling`, `scored`.
    kind : str
        value, chance (p and q), or mask (0 and 1).
    unit, meaning : str
    values : array (n_voxels,) float64
        NaN where a voxel has none.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    values: np.ndarray


def voxel_maps(
    results: OfVoxels, run: Mapping[str, Any], source: Source, targets: Sequence[str] = ()
) -> tuple[dict[str, VoxelMap], list[str]]:
    """Every column of a run that holds a number a voxel, its targets, and what follows from them.

    difference[v] = r_tuned[v] - r_frozen[v];  scored[v] = 1;  ceiling[v]: the data set's own, if it has one.

    `run` is one of `results.runs`; `targets` are masks to add to those of voxels.csv: anything that `--target` takes.
    Columns without any number in this run are left out, but for frozen and tuned r. Returns the maps, and notes: on
    columns of text, which are left out, and on tests that can find nothing. RunError where a column of this program
    holds text, ConfigError where the subject has no such target.
    """
    rows = results.voxels[results.voxels["run"] == run["name"]]
    scores = results.of_run(run["name"])
    maps: dict[str, VoxelMap] = {}
    notes = [f"{name}: below .05 cannot be tested, whatever the map shows." for name in scores.untestable]
    for name in (name for name in rows if name not in (*_NO_MAP, *results.target_names)):
        kind, unit, meaning = _described(name, results)
        values = _numbers(rows[name])
        if values is None and name in KNOWN:
            path = results.voxels_path
            found = f"column {name} holds text."
            raise RunError(path, found, "numbers, or nothing where there is none.", AGAIN)
        if values is None:
            notes.append(f"Column {name} of {results.voxels_path.name} holds text and is no map.")
        elif name in _ALWAYS or np.isfinite(values).any():
            maps[name] = VoxelMap(name, kind, unit, meaning, values)
    derived = []
    if isinstance(results, Partition):
        for name in [name.removesuffix("_tuned") for name in maps if name.endswith("_tuned")]:
            values = maps[f"{name}_tuned"].values - maps[f"{name}_frozen"].values
            meaning = f"{name}_tuned - {name}_frozen"
            derived.append(VoxelMap(f"{name}_difference", "value", f"difference in {_R2}", meaning, values))
    elif results.tuned:
        derived.append(VoxelMap("difference", "value", *_DIFFERENCE, scores.tuned - scores.frozen))
    subject = source.subject
    if subject is not None and subject.ceiling is not None:
        given = np.asarray(subject.ceiling, np.float64)[scores.voxel]
        derived.append(VoxelMap("ceiling", "value", _R, "noise ceiling that comes with the data set", given))
    everywhere = np.ones(len(scores.voxel))
    derived.append(VoxelMap("scored", "mask", _TRUTH, "voxels that were scored", everywhere))
    derived += [
        VoxelMap(f"target:{name}", "mask", _TRUTH, f"voxels of the target {name}", mask.astype(np.float64))
        for name, mask in scores.masks.items()
    ]
    for name in (name for name in targets if name not in scores.masks):
        if subject is None:
            found = f"{name}: {source.no_map}."
            raise ConfigError("target", found, "a data set that is here.", "Leave it out.")
        mask = target_mask(name, with_regions(subject, source.config.regions), subject.ceiling)
        values = mask[scores.voxel].astype(np.float64)
        derived.append(VoxelMap(f"target:{name}", "mask", _TRUTH, f"scored voxels of {name}", values))
    return maps | {one.name: one for one in derived}, notes


def _described(name: str, results: OfVoxels) -> tuple[Kind, str, str]:
    """Kind, unit and meaning of a column."""
    if isinstance(results, Evaluation):
        return KNOWN.get(name, ("value", "", f"column {name} of {results.voxels_path.name}"))
    measure, _, rest = name.partition("_")
    space, _, model = rest.rpartition("_")
    return "value", _R2, f"{measure}, {space}, beside {_WHO[model]}: docs/how-to/partition.md"


def _numbers(column: pd.Series) -> np.ndarray | None:
    """A column as float64, NaN where it is empty; None where it holds anything but finite numbers."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    written = (column.notna() & (column != "")).to_numpy(bool)
    return values if np.isfinite(values[written]).all() else None
