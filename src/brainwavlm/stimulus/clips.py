"""What is said within clips of a story: phones or words that have their middle in one."""

from collections.abc import Sequence

import numpy as np

from brainwavlm.datasets.responses import Story
from brainwavlm.stimulus.spoken_labels import Kind
from brainwavlm.stimulus.transcripts import labels_said

TASKS: tuple[Kind, ...] = ("phones", "words")
CLIP_SECONDS = 1.0


def labelled_middles(task: Kind, stories: Sequence[Story]) -> list[list[tuple[str, float]]]:
    """Phones (of ARPAbet without stress) or words of each story, each with its middle in seconds.

    Raises
    ------
    ConfigError, DatasetError
        As `labels_said`.
    """
    intervals, labels = labels_said(stories, task, "evaluate.downstream", task)
    return [
        [(label, (one.start + one.end) / 2) for label, one in zip(names, some, strict=True) if label]
        for names, some in zip(labels, intervals, strict=True)
    ]


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
