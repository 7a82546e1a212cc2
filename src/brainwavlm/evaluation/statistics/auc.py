"""How well decisions tell labels: areas under the curve and F1, over all rows and without each story."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from brainwavlm.evaluation.statistics.jackknife import Jackknife, kept_pieces, left_out_pieces, shares

LABELS = "labels"


def jackknife_of_auc(
    predictions: Mapping[str, np.ndarray], having: np.ndarray, story_of_row: np.ndarray, of: str = "clips"
) -> Jackknife:
    """Mean AUC over labels of several models, over all test rows and without each piece of them: the target `LABELS`.

    AUC[l] = sum_ij [d_i > d_j] / sum_ij 1 over rows i with l and j without it, d the decisions of a model and `having`
    the truth, (n_rows, n_labels). Pieces are stories, below 3 stories blocks of at least 10 rows. A label that the rows
    have not without a piece, or all have, then counts for no model. `of` is what a row is, for reports.
    """

    def of_labels(decisions: np.ndarray, pieces: Sequence[slice]) -> np.ndarray:
        columns = zip(decisions.T, having.T, strict=True)
        return np.stack([auc(decided, truth, pieces) for decided, truth in columns])

    return _mean_over_labels(predictions, of_labels, having.shape[1], story_of_row, of)


def jackknife_of_f1(
    predictions: Mapping[str, np.ndarray], having: np.ndarray, story_of_row: np.ndarray, of: str = "clips"
) -> Jackknife:
    """Mean F1 over labels of the largest decision, as `jackknife_of_auc`: each row has one label.

    F1[l] = 2 n(said l, is l) / (n(said l) + n(is l)); a label that is neither counts for no model.
    """
    truth = having.argmax(1)

    def of_labels(decisions: np.ndarray, pieces: Sequence[slice]) -> np.ndarray:
        said, n_labels = decisions.argmax(1), having.shape[1]
        right, both = (
            kept_pieces(len(pieces))
            @ np.stack([np.bincount(some[piece], minlength=n_labels + 1) for piece in pieces])
            for some in (np.where(said == truth, said, n_labels), said)
        )
        both = both + kept_pieces(len(pieces)) @ np.stack(
            [np.bincount(truth[piece], minlength=n_labels + 1) for piece in pieces]
        )
        return shares(2 * right, both)[:, :n_labels].T

    return _mean_over_labels(predictions, of_labels, having.shape[1], story_of_row, of)


def auc(decided: np.ndarray, having: np.ndarray, pieces: Sequence[slice]) -> np.ndarray:
    """Area under the receiver operating characteristic of all rows, and without each piece, (n_pieces + 1,).

    NaN without both kinds of rows. decided, having (n_rows,); pieces in order, each row in one.
    """
    piece_of_row = np.repeat(np.arange(len(pieces)), [piece.stop - piece.start for piece in pieces])
    with_label = decided[having]
    # By the piece of the row with the label, and of that without.
    right = np.zeros((len(pieces), len(pieces)))
    for number, piece in enumerate(pieces):
        without = np.sort(decided[piece][~having[piece]])
        below = sum(np.searchsorted(without, with_label, side) for side in ("left", "right"))
        right[:, number] = np.bincount(piece_of_row[having], below / 2, len(pieces))
    n_with, n_without = (np.bincount(piece_of_row[some], minlength=len(pieces)) for some in (having, ~having))

    def kept(sums: np.ndarray) -> np.ndarray:
        left_out = sums.sum(0) + sums.sum(1) - np.diag(sums)
        return sums.sum() - np.concatenate([[0], left_out])

    return shares(kept(right), kept(np.outer(n_with, n_without).astype(float)))


def _mean_over_labels(
    predictions: Mapping[str, np.ndarray],
    of_labels: Callable[[np.ndarray, Sequence[slice]], np.ndarray],
    n_labels: int,
    story_of_row: np.ndarray,
    of: str,
) -> Jackknife:
    pieces, unit = left_out_pieces(story_of_row, of)
    means = {}
    for model, decisions in predictions.items():
        of_label = of_labels(decisions, pieces)  # (n_labels, n_pieces + 1)
        known = ~np.isnan(of_label)
        means[model] = shares(np.where(known, of_label, 0).sum(0), known.sum(0))
    return Jackknife({LABELS: means}, {LABELS: n_labels}, unit)
