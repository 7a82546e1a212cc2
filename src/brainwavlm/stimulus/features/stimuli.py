"""What features are made of: the sounds of stories, the stretches between their windows, and what is said in them."""

from collections.abc import Mapping

import numpy as np
import torch

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.audio import load_sound, sound_facts
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.spoken_labels import Kind, phone_classes
from brainwavlm.stimulus.transcripts import said
from brainwavlm.stimulus.word_vectors import spoken


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
        """Phones (classes of `phone_classes`) or words (as `spoken`) of each story, up to its last window's end.

        Raises
        ------
        ConfigError
            A story has no transcript; `asked_for` says what needs it.
        DatasetError
            A transcript that cannot be read, or has none of them.
        """
        if kind not in self._said:
            for story in self.stories.values():
                if story.transcript is None:
                    raise ConfigError(
                        "features",
                        f"{asked_for}, but {story.name} has no transcript.",
                        f"a transcript with {kind} for every story.",
                        "Add it to the data set, or leave the feature out.",
                    )
            intervals = [said(story, kind) for story in self.stories.values()]
            if kind == "words":
                names = [[spoken(interval.text) for interval in some] for some in intervals]
            else:
                names, _ = phone_classes(intervals)
            self._said[kind] = {
                name: Units.said(some, of_story).within(self.ends[name][-1])
                for name, some, of_story in zip(self.stories, intervals, names, strict=True)
            }
        return self._said[kind]
