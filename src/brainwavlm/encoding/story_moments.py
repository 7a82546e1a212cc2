"""Means and deviations that z-score each story's features while the speech model changes."""

import torch

from brainwavlm.encoding.alignment import moments


class StoryMoments:
    """Moments of each story over the epoch before; whole-story moments without a second pass.

    While an epoch runs, the rows of its blocks are summed; at its end the sums become the moments of the
    next epoch. Ridge uses the moments of the present features: the two agree as far as an epoch changes little.
    """

    def __init__(self) -> None:
        self._moments: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._sums: dict[str, torch.Tensor] = {}

    def __getitem__(self, story: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation, (n_dims,) each."""
        return self._moments[story]

    def measure(self, story: str, rows: torch.Tensor) -> None:
        """Set the moments of a story from all its rows, (n_trs, n_dims)."""
        self._moments[story] = moments(rows)

    def add(self, story: str, rows: torch.Tensor) -> None:
        """Count a block's own rows, (n_rows, n_dims), towards the next epoch."""
        rows = rows.double()  # sums of squares lose the variance in float32
        sums = torch.stack([torch.full_like(rows[0], len(rows)), rows.sum(0), (rows**2).sum(0)])
        self._sums[story] = self._sums[story] + sums if story in self._sums else sums

    def next_epoch(self) -> None:
        """The sums of this epoch become the moments of the next."""
        for story, (count, total, squares) in self._sums.items():
            mean = total / count
            scale = (squares / count - mean**2).clamp_min(0).sqrt()
            scale = torch.where(scale > 1e-6 * mean.abs() + 1e-12, scale, torch.ones_like(scale))
            self._moments[story] = (mean.float(), scale.float())
        self._sums = {}

    def state(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        state = {f"moments.{story}": torch.stack(pair) for story, pair in self._moments.items()}
        return state | {f"sums.{story}": sums for story, sums in self._sums.items()}

    def restore(self, state: dict[str, torch.Tensor], device: torch.device) -> None:
        """From a checkpoint."""
        for key, value in state.items():
            kind, story = key.split(".", 1)
            if kind == "moments":
                self._moments[story] = (value[0].to(device), value[1].to(device))
            else:
                self._sums[story] = value.to(device)
