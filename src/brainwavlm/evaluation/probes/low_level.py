"""The bag of low-level features: what may be mistaken for words and their meaning."""

import numpy as np

from brainwavlm.errors import BrainwavlmError
from brainwavlm.stimulus.features import acoustic
from brainwavlm.stimulus.features.stimuli import Stimuli
from brainwavlm.stimulus.features.table import FEATURES
from brainwavlm.stimulus.features.units import Units, frame_means, occupancy, rate
from brainwavlm.stimulus.spoken_labels import Kind


class LowLevel:
    """Log-mel energies, phones and words a second, and which phones: whatever of these the stories have.

    Parameters
    ----------
    stimuli : Stimuli

    Attributes
    ----------
    notes : list of str
        What the bag is without, and why.
    """

    def __init__(self, stimuli: Stimuli):
        self.notes: list[str] = []
        self._stimuli, self._said = stimuli, dict[Kind, dict[str, Units]]()
        kinds: tuple[Kind, ...] = ("phones", "words")
        for kind in kinds:
            try:
                self._said[kind] = stimuli.said(kind, "low-level features")
            except BrainwavlmError as error:
                self.notes.append(f"Low-level features are without {kind}: {error.path}: {error.found}")
        self._identity = FEATURES["phones"].values(stimuli).values if "phones" in self._said else None

    def of(self, story: str, units: Units) -> np.ndarray:
        """The bag within each unit of a story, (n_units, n) float32."""
        columns = [frame_means(acoustic.mel(self._stimuli.sound(story)), units)]
        columns += [rate(of_stories[story], units) for of_stories in self._said.values()]
        if self._identity is not None:
            columns.append(occupancy(self._said["phones"][story], self._identity[story], units))
        return np.concatenate(columns, axis=1)
