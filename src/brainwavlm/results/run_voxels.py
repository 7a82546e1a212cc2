"""Scores of one run, voxel by voxel."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

MOST_GROUPS, REMAINDER = 6, "other voxels"
_MORE = (
    *("shared_frozen", "shared_tuned", "normalised_frozen", "normalised_tuned"),
    *("q_frozen", "q_tuned", "q_difference"),
)


@dataclass(frozen=True)
class RunVoxels:
    """Scores of one run, voxel by voxel.

    Attributes
    ----------
    voxel : array (n_voxels,) int
        Column of the subject's responses.
    frozen, tuned : arrays (n_voxels,) float64
        Test correlation; NaN where there is none, so everywhere where no model was tuned.
    masks : dict of str to bool array (n_voxels,)
        By target.
    more : dict of str to array (n_voxels,) float64
        r of the readout that voxels share, shares of the ceiling and false discovery rates, as far as they are there.
    untestable : tuple of str
        Which of the false discovery rates cannot be below .05, so that a map of them shows nothing.
    """

    voxel: np.ndarray
    frozen: np.ndarray
    tuned: np.ndarray
    masks: dict[str, np.ndarray]
    more: dict[str, np.ndarray] = field(default_factory=dict)
    untestable: tuple[str, ...] = ()

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, targets: Sequence[str], untestable: Sequence[str]) -> "RunVoxels":
        """From rows of voxels.csv.gz; targets are columns of it."""

        def column(name: str) -> np.ndarray:
            return rows[name].to_numpy(dtype=np.float64) if name in rows else np.full(len(rows), np.nan)

        return cls(
            rows["voxel"].to_numpy(dtype=np.int64),
            column("r_frozen"),
            column("r_tuned"),
            {name: rows[name].to_numpy(dtype=bool) for name in targets},
            {name: column(name) for name in _MORE if name in rows},
            tuple(untestable),
        )

    def shared(self) -> "RunVoxels":
        """Scores of the readout that voxels share; its r alone, as ceilings' shares and tests are of the other one."""
        nothing = np.full(len(self.voxel), np.nan)
        frozen, tuned = (self.more.get(f"shared_{model}", nothing) for model in ("frozen", "tuned"))
        return RunVoxels(self.voxel, frozen, tuned, self.masks)

    def shown(self) -> dict[str, np.ndarray]:
        """r_frozen, and where a model was tuned r_tuned and their difference: the maps that pictures show."""
        maps = {"r_frozen": self.frozen, "r_tuned": self.tuned, "difference": self.tuned - self.frozen}
        return {
            name: values for name, values in maps.items() if name == "r_frozen" or np.isfinite(values).any()
        }

    def groups(self) -> dict[str, np.ndarray]:
        """Each voxel in the smallest named region that holds it; the rest together.

        Whole cortex, hemispheres and combinations of names (A-B) tell no places apart and are left out.
        """
        places = [
            name
            for name, mask in self.masks.items()
            if name not in ("cortex", "LH", "RH")
            and not set(name) & set("+-&>/")
            and mask.any()
            and not mask.all()
        ]
        groups = self.disjoint(sorted(places, key=lambda name: int(self.masks[name].sum()))[:MOST_GROUPS])
        return groups if places or not groups else {"voxels": groups[REMAINDER]}

    def disjoint(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Each voxel in the smallest of these targets that holds it; the rest together, if any."""
        left, groups = np.ones(len(self.voxel), dtype=bool), {}
        for name in sorted(names, key=lambda one: int(self.masks[one].sum())):
            groups[name] = self.masks[name] & left
            left &= ~self.masks[name]
        return groups | ({REMAINDER: left} if left.any() else {})
