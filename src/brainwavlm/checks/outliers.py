"""Voxels that cannot be used, and numbers that were hardly measured: fill values (-9999, 1e20), single outliers.

A voxel's lowest or highest value is one of them if all others spread over less than a tenth of the way to it. Rows of
nothing else are no matter of this: they are left out, see `datasets.usable_voxels`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from brainwavlm.checks.report import Problems
from brainwavlm.datasets.usable_voxels import LEAST, SPREAD, Scan

_SHOWN = 3  # values


def add_voxel_problems(
    problems: Problems,
    path: Path,
    voxels: Scan,
    blocks: Callable[[np.ndarray], Iterator[np.ndarray]],
    rows: np.ndarray,
    name: str,
) -> None:
    """Add voxels that cannot be used, and numbers that were hardly measured, of an array.

    Parameters
    ----------
    problems : Problems
    path : Path
    voxels : Scan
        Of the array.
    blocks : function of a bool array (n_voxels,)
        Consecutive rows of these voxels; read again are only voxels that may have outliers.
    rows : int array (n_rows,)
        Numbers of these rows, for the message.
    name : str
        Of the array: `data` or the repeats.
    """
    _add_unusable(problems, path, voxels, name)
    chosen = voxels.may_have_outliers
    if not chosen.any():
        return
    low, high = voxels.low[chosen], voxels.high[chosen]
    next_low, next_high = np.full_like(low, np.inf), np.full_like(high, -np.inf)
    n_low, n_high = np.zeros((2, len(low)), int)
    for block in blocks(chosen):
        block = block[np.isfinite(block).all(axis=1)]
        next_low = np.minimum(next_low, np.where(block > low, block, np.inf).min(axis=0, initial=np.inf))
        next_high = np.maximum(next_high, np.where(block < high, block, -np.inf).max(axis=0, initial=-np.inf))
        n_low, n_high = n_low + (block == low).sum(axis=0), n_high + (block == high).sum(axis=0)

    def alone(rest: np.ndarray, count: np.ndarray) -> np.ndarray:
        # Of a voxel with two values only, what is rare.
        return (rest < SPREAD * (high - low)) & ((rest > 0) | (10 * count <= len(rows)))

    above, below = alone(next_high - low, n_high), alone(high - next_low, n_low)
    flagged = above | below
    if not flagged.any():
        return
    chosen[chosen] = flagged
    value = np.where(above, high, low)[flagged]
    counts: Counter[float] = Counter()
    in_rows = []
    for block in blocks(chosen):
        places = block == value
        in_rows.append(places.any(axis=1))
        for v, n in zip(value.tolist(), places.sum(axis=0).tolist(), strict=True):
            counts[v] += n
    in_rows = rows[np.concatenate(in_rows)]
    shown = ", ".join(f"{v:g} ({n} times)" for v, n in counts.most_common(_SHOWN))
    others = f" and {len(counts) - _SHOWN} other values" if len(counts) > _SHOWN else ""
    problems.warn(
        "outliers",
        path,
        f"{sum(counts.values())} numbers of {name}, in {len(in_rows)} rows, the first of them row {in_rows[0]}, and "
        f"{np.count_nonzero(flagged)} voxels, are far from all others of their voxel: {shown}{others}.",
        "numbers that were measured.",
        "They are used as they are, and decide the scores of these voxels. If they are fill values, write NaN: "
        "a row of NaN in all voxels is left out, and so is a voxel with NaN in some rows. If they are spikes, "
        "censor these volumes.",
    )


def _add_unusable(problems: Problems, path: Path, voxels: Scan, name: str) -> None:
    n_unusable = int(np.count_nonzero(voxels.unusable))
    if not n_unusable:
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in voxels.counts.items() if count)
    nothing_left = n_unusable == len(voxels.unusable) and name == "data"
    remedy = "They are left out of this subject in every story; nothing is filled with zeros."
    if nothing_left:
        remedy = "Write the file again: nothing in it can be used. Of a large level subtract each voxel's mean first."
    elif name != "data":
        remedy = "They have no ceiling from this story."
    add = problems.error if nothing_left else problems.warn
    add(
        "voxels",
        path,
        f"{n_unusable} of {len(voxels.unusable)} voxels cannot be used in {name}: {counts}.",
        f"finite numbers that vary, by more than {LEAST:g} of their level.",
        remedy,
    )
