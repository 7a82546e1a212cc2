"""What features are made of: the sounds of stories, the stretches between their windows, and what is said in them."""

from collections.abc import Mapping

import numpy as np
import torch

from brainwavlm.datasets.responses import Story
from brainwavlm.stimulus.audio import load_sound, sound_facts
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.intervals import Kind
from brainwavlm.stimulus.transcripts import labels_said


class Stimuli:
    """Stories, the stretches between their windows, and what is said in them; transcripts are read once.

    Parameters
    ----------
    stories : mapping of str to Story
    ends : mapping of str to array (n_windows,)
        Where windows end, in seconds.
    stride : float
        Seconds between them.
    """

    def __init__(self, stories: Mapping[str, Story], ends: Mapping[str, np.ndarray], stride: float):
        self.stories, self.ends = stories, ends
        self.stretches = {name: Units.stretches(some, stride) for name, some in ends.items()}
        self._said: dict[Kind, dict[str, Units]] = {}

    def sound(self, name: str) -> torch.Tensor:
        """The sound of a story, (n_samples,)."""
        return torch.from_numpy(load_sound(self.stories[name].audio, self.stories[name].channel))

    def seconds(self, name: str) -> float:
        """How long that sound lasts."""
        return sound_facts(self.stories[name].audio, self.stories[name].channel).seconds

    def said(self, kind: Kind, asked_for: str) -> dict[str, Units]:
        """Phones or words of each story, named as by `labels_said`, up to its last window's end; errors as there."""
        if kind not in self._said:
            said = labels_said(self.stories.values(), kind, "features", asked_for)
            self._said[kind] = {name: some.within(self.ends[name][-1]) for name, some in said.items()}
        return self._said[kind]
