"""Folds of cross-validation that never part a story."""

import numpy as np

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
