"""What is said within clips of a story: phones or words that have their middle in one."""

from collections.abc import Sequence

import numpy as np

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.transcripts import PHONES, Interval, phone_class, read_transcript
from brainwavlm.stimulus.word_vectors import spoken

TASKS = ("phones", "words")
CLIP_SECONDS = 1.0


def labelled_middles(task: str, story: Story) -> list[tuple[str, float]]:
    """Phones (ARPAbet without stress) or words of a story, each with its middle in seconds.

    Raises
    ------
    ConfigError
        The story has no transcript.
    """
    if story.transcript is None:
        raise ConfigError(
            "evaluate.downstream",
            f"{task}, but {story.name} has no transcript.",
            "a TextGrid for every story.",
            "Add it to the data set, or evaluate without it.",
        )
    transcript = read_transcript(story.transcript)
    intervals: list[Interval] = transcript.phones if task == "phones" else transcript.words
    label_of = phone_class if task == "phones" else spoken
    labels = [(label_of(interval.text), (interval.start + interval.end) / 2) for interval in intervals]
    return [(label, middle) for label, middle in labels if (label in PHONES if task == "phones" else label)]


def clip_labels(middles: Sequence[tuple[str, float]], ends: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """y[c, l] = whether the middle of a label l lies in clip c, (n_clips, n_labels) bool.

    Parameters
    ----------
    middles : sequence of (str, float)
        From `labelled_middles`.
    ends : array (n_clips,)
        Seconds at which clips of one second end, increasing.
    labels : sequence of str
    """
    column = {label: number for number, label in enumerate(labels)}
    having = np.zeros((len(ends), len(labels)), dtype=bool)
    for label, middle in middles:
        row = int(np.searchsorted(ends, middle))
        if row < len(ends) and middle > ends[row] - CLIP_SECONDS:
            having[row, column[label]] = True
    return having
