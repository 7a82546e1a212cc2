"""One sound under two names is one story, whatever its names and bytes: it must not be on both sides of a split."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from brainwavlm.checks.report import Problems
from brainwavlm.datasets.base import Dataset
from brainwavlm.stimulus.audio import same_content
from brainwavlm.stimulus.decoded_sound import SoundFacts
from brainwavlm.stimulus.same_recording import ALIKE, best_overlap


def add_same_sound(
    problems: Problems, dataset: Dataset, subjects: Iterable[str], sounds: Mapping[str, SoundFacts]
) -> None:
    """Add stories with one sound, or one recording, in two splits of a subject."""
    first = same_content({name: dataset.stories[name].audio for name in sounds})
    loudness = {name: facts.loudness for name, facts in sounds.items()}
    compared: dict[tuple[str, str], str | None] = {}
    for subject in subjects:
        split_of = {
            name: recording.story.split
            for name, recording in dataset.recordings(subject).items()
            if name in sounds
        }
        for one, other in combinations(sorted(split_of), 2):
            if split_of[one] == split_of[other]:
                continue
            key = (first[one], first[other])
            if key not in compared:
                compared[key] = "sound" if key[0] == key[1] else _alike(loudness[one], loudness[other])
            if compared[key] is not None:
                problems.error(
                    "split",
                    dataset.stories[one].audio,
                    f"{subject} heard the same {compared[key]} as {one} ({split_of[one]}) and {other} "
                    f"({split_of[other]}).",
                    "each story in one split.",
                    "Give them the same split, or remove one.",
                )


def _alike(one: np.ndarray, other: np.ndarray) -> str | None:
    r, lag = best_overlap(one, other)
    if r < ALIKE:
        return None
    later = f", {abs(lag):.1f} s {'later' if lag > 0 else 'earlier'} in the first" if abs(lag) >= 0.1 else ""
    return f"recording (loudness r = {r:.2f}{later}; the files differ)"
