"""How much of a subject's data a speech model is tuned on: nested subsets of whole stories."""

from collections.abc import Sequence

import numpy as np

from brainwavlm.config import OrderEnd
from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import ConfigError

EDGE = 1e-9  # minutes, against rounding


def length(recording: Recording) -> float:
    """Minutes of responses."""
    return recording.shape[0] * recording.tr / 60


def first_stories(
    recordings: Sequence[Recording], minutes: float, seed: int, end: OrderEnd = "start"
) -> list[Recording]:
    """The first stories, in an order drawn from the seed, that together have up to so many minutes of responses.

    chosen = order[:n] with the largest n for which sum_{k < n} length(order[k]) <= minutes. The first story that does
    not fit ends the subset, even where a later one would: so the subsets of one seed are nested. A story's place
    follows from (seed, its name), so subjects who heard the same stories get them in the same order.

    Parameters
    ----------
    recordings : sequence of Recording
        Training stories of one subject.
    minutes : float
    seed : int
        Of the run.
    end : start or end
        Begin with the first story of the order, or with the last.

    Returns
    -------
    list of Recording, in the order in which they were given

    Raises
    ------
    ConfigError
        The first story of the order is longer than that.
    """
    order = sorted(recordings, key=lambda recording: _place(seed, recording.story.name), reverse=end == "end")
    ends = np.cumsum([length(recording) for recording in order])
    chosen = order[: int((ends <= minutes + EDGE).sum())]
    if not chosen:
        shortest = min(map(length, recordings))
        raise ConfigError(
            "train_minutes",
            f"{minutes:g}, but {order[0].story.name}, the first story in the order of seed {seed}, has {ends[0]:.2f} "
            f"minutes of responses (the shortest of all: {shortest:.2f}).",
            "an amount that holds the first story: subsets of one seed are nested.",
            f"Set train_minutes={np.ceil(100 * ends[0]) / 100:g} or more, or take another seed.",
        )
    return [recording for recording in recordings if recording in chosen]


def _place(seed: int, story: str) -> float:
    # A generator of its own: that of controls would tie a story's place to its shift.
    return float(np.random.default_rng([seed, *b"train_minutes/", *story.encode()]).random())
