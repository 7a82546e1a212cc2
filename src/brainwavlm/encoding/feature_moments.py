"""Means and deviations that z-score each story's features while the speech model changes."""

import torch

from brainwavlm.encoding.alignment import scale_of


class FeatureMoments:
    """Moments of each story over the epoch before; whole-story moments without a second pass.

    While an epoch runs, sums over the rows of its blocks are kept; at its end they become the moments of the next
    epoch. Ridge uses the moments of the present features: the two agree as far as an epoch changes little.
    The moments are those of `alignment.moments`.
    """

    def __init__(self) -> None:
        self._moments: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._sums: dict[str, torch.Tensor] = {}

    def __getitem__(self, story: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation, (n_dims,) each."""
        return self._moments[story]

    def add(self, story: str, rows: torch.Tensor, mass: torch.Tensor) -> None:
        """Count rows (n_rows, n_dims) with their kernel mass (n_rows, 1) towards the story's next moments."""
        rows, mass = rows.double(), mass.double()  # sums of squares lose the variance in float32
        mass = mass.expand_as(rows)
        terms = (torch.ones_like(rows), mass, rows, mass**2, mass * rows, rows**2)
        sums = torch.stack([term.sum(0) for term in terms])
        self._sums[story] = self._sums[story] + sums if story in self._sums else sums

    def take(self, story: str) -> None:
        """Turn the story's sums into its moments."""
        n, mass, rows, mass_mass, mass_rows, rows_rows = self._sums.pop(story)
        mean = rows / mass
        variance = (rows_rows - 2 * mean * mass_rows + mean**2 * mass_mass) / n
        self._moments[story] = (mean.float(), scale_of(variance.clamp_min(0).sqrt(), rows / n).float())

    def next_epoch(self) -> None:
        """The sums of this epoch become the moments of the next."""
        for story in list(self._sums):
            self.take(story)

    def state(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        state = {f"moments.{story}": torch.stack(pair) for story, pair in self._moments.items()}
        return state | {f"sums.{story}": sums for story, sums in self._sums.items()}

    def restore(self, state: dict[str, torch.Tensor], device: torch.device) -> None:
        """From a checkpoint, which may hold other things too."""
        for key, value in state.items():
            kind, _, story = key.partition(".")
            if kind == "moments":
                self._moments[story] = (value[0].to(device), value[1].to(device))
            elif kind == "sums":
                self._sums[story] = value.to(device)
