"""Subsets of whole stories: folds of cross-validation, and how much of a subject's data a speech model is tuned on."""

from collections.abc import Sequence

import numpy as np

from brainwavlm.config import OrderEnd
from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import ConfigError


def story_folds(story_of_row: np.ndarray, n_folds: int) -> tuple[list[np.ndarray], str]:
    """Held-out rows of each fold: whole stories, so that no story is on both sides.

    Stories go, longest first, to the fold with the fewest rows so far: balanced and always the same.
    Fewer stories than folds: one story a fold. One story: consecutive blocks of it.

    Parameters
    ----------
    story_of_row : array (n_rows,)
        Name or number of the story of each row.
    n_folds : int

    Returns
    -------
    folds : list of int arrays
        Each row is in exactly one.
    reason : str
        How the folds were made, for reports.
    """
    names, story_of_row, lengths = np.unique(story_of_row, return_inverse=True, return_counts=True)
    n_rows = len(story_of_row)
    if len(names) == 1:
        if n_rows < n_folds:
            raise ConfigError(
                "ridge.folds",
                f"{n_folds} folds of {n_rows} rows.",
                "at least a row a fold.",
                "Lower ridge.folds.",
            )
        blocks = np.array_split(np.arange(n_rows), n_folds)
        return blocks, f"{n_folds} consecutive blocks of the only training story"
    n_used = min(n_folds, len(names))
    rows_in_fold = np.zeros(n_used, dtype=int)
    fold_of_story = np.empty(len(names), dtype=int)
    for story in np.argsort(-lengths, kind="stable"):
        fold_of_story[story] = np.argmin(rows_in_fold)
        rows_in_fold[fold_of_story[story]] += lengths[story]
    folds = [np.flatnonzero(fold_of_story[story_of_row] == fold) for fold in range(n_used)]
    if n_used < n_folds:
        return folds, f"one story held out at a time ({n_used} stories, fewer than {n_folds} folds)"
    return folds, f"{n_used} folds of whole stories"


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
