"""How well decisions tell clips with a label from those without it: areas under the curve, and without each story."""

from collections.abc import Mapping

import numpy as np

from brainwavlm.evaluation.statistics.jackknife import Jackknife, kept_pieces, left_out_pieces

LABELS = "labels"


def jackknife_of_auc(
    predictions: Mapping[str, np.ndarray], having: np.ndarray, story_of_clip: np.ndarray
) -> Jackknife:
    """Mean AUC over labels of several models, over all test clips and without each piece of them.

    AUC[l] = sum_ij [d_i > d_j] / sum_ij 1 over clips i with l and j without it. Pieces are stories, below 3 stories
    blocks of at least 10 clips. A label that the clips have not without a piece, or all have, then counts for no model.

    Parameters
    ----------
    predictions : mapping of model to array (n_clips, n_labels)
        Decisions.
    having : bool array (n_clips, n_labels)
    story_of_clip : array (n_clips,)

    Returns
    -------
    Jackknife
        With one target, `LABELS`.
    """
    pieces, unit = left_out_pieces(story_of_clip, "clips")
    of_clip = np.repeat(kept_pieces(len(pieces)), [piece.stop - piece.start for piece in pieces], axis=1)
    means = {}
    for model, decisions in predictions.items():
        of_label = np.stack(
            [auc(decided, truth, of_clip) for decided, truth in zip(decisions.T, having.T, strict=True)]
        )
        known = ~np.isnan(of_label)
        total, n_known = np.where(known, of_label, 0).sum(0), known.sum(0)
        means[model] = np.divide(total, n_known, out=np.full(len(total), np.nan), where=n_known > 0)
    return Jackknife({LABELS: means}, {LABELS: having.shape[1]}, unit)


def auc(decided: np.ndarray, having: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Area under the receiver operating characteristic of some clips, (n_choices,); NaN without both kinds.

    Parameters
    ----------
    decided : array (n_clips,)
    having : bool array (n_clips,)
    counts : array (n_choices, n_clips)
        How often each clip counts.
    """
    above = decided[having][:, None] - decided[~having]
    order = (above > 0) + 0.5 * (above == 0)
    with_label, without = counts[:, having], counts[:, ~having]
    pairs = with_label.sum(1) * without.sum(1)
    right = ((with_label @ order) * without).sum(1)
    return np.divide(right, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)
