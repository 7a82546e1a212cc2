"""How well decisions tell clips with a label from those without it: areas under the curve, and their resamples."""

from collections.abc import Mapping

import numpy as np

from brainwavlm.evaluation.statistics.bootstrap import SEED, Resampled, drawn_pieces

LABELS = "labels"


def resampled_auc(
    predictions: Mapping[str, np.ndarray], having: np.ndarray, story_of_clip: np.ndarray, n_resamples: int
) -> Resampled:
    """Mean AUC over labels of several models, as measured and in resamples of the test clips, which they share.

    With c the number of times that a resample draws a clip, AUC[l] = sum_ij c_i c_j [d_i > d_j] / sum_ij c_i c_j over
    clips i with l and j without it. Stories are drawn with replacement, below 5 stories blocks of at least 10 clips
    within each. A label that a resample has not, or has everywhere, is left out of that resample, for all models.

    Parameters
    ----------
    predictions : mapping of model to array (n_clips, n_labels)
        Decisions.
    having : bool array (n_clips, n_labels)
    story_of_clip : array (n_clips,)
    n_resamples : int

    Returns
    -------
    Resampled
        With one target, `LABELS`.
    """
    pieces, counts, drawn = drawn_pieces(story_of_clip, n_resamples, SEED, "clips")
    counts = np.concatenate([np.ones((1, counts.shape[1])), counts])  # row 0: what was measured
    of_clip = np.repeat(counts, [piece.stop - piece.start for piece in pieces], axis=1)
    means = {}
    for model, decisions in predictions.items():
        of_label = np.stack(
            [auc(decided, truth, of_clip) for decided, truth in zip(decisions.T, having.T, strict=True)]
        )
        known = ~np.isnan(of_label)
        total, n_known = np.where(known, of_label, 0).sum(0), known.sum(0)
        means[model] = np.divide(total, n_known, out=np.full(len(total), np.nan), where=n_known > 0)
    varied = bool((counts[1:] != counts[1]).any())
    return Resampled({LABELS: means}, {LABELS: having.shape[1]}, drawn, varied)


def auc(decided: np.ndarray, having: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Area under the receiver operating characteristic in each resample, (n_resamples,); NaN without both kinds.

    Parameters
    ----------
    decided : array (n_clips,)
    having : bool array (n_clips,)
    counts : array (n_resamples, n_clips)
        How often each clip is drawn.
    """
    above = decided[having][:, None] - decided[~having]
    order = (above > 0) + 0.5 * (above == 0)
    with_label, without = counts[:, having], counts[:, ~having]
    pairs = with_label.sum(1) * without.sum(1)
    right = ((with_label @ order) * without).sum(1)
    return np.divide(right, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)
