"""Targets that are made from the stimulus alone: what was heard, on the clock of the responses.

target = z(sum_d h(d tr) x[t - d]), where x are rows of the stretches between windows, resampled and z-scored by the
same `StoryClock` as features, and h is the canonical haemodynamic response: without it the delays of the design would
look at sound from before the target.
"""

from math import factorial

import numpy as np

from brainwavlm.config import AlignmentConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.prepared_stories import recording_clock

RESPONSE_SECONDS = 32.0  # of the canonical response; less than 1e-5 of its peak is left then


def canonical_response(seconds: np.ndarray) -> np.ndarray:
    """h(s) = s^5 exp(-s) / 5! - s^15 exp(-s) / (6 * 15!), zero before 0: peak at 5 s, undershoot at 15 s.

    References
    ----------
    Friston et al. 1998, NeuroImage 7, 30: the double gamma function of SPM.
    """
    s = np.maximum(np.asarray(seconds, dtype=np.float64), 0.0)
    return np.exp(-s) * (s**5 / factorial(5) - s**15 / (6 * factorial(15)))


def as_responses(
    stretches: np.ndarray, times: np.ndarray, recording: Recording, alignment: AlignmentConfig
) -> np.ndarray:
    """target[t] = z(sum_d h(d tr) x[t - d]), x the stretches resampled to TRs and z-scored like features.

    Parameters
    ----------
    stretches : array (n_windows, n_dims)
    times : array (n_windows,)
        Ends of the stretches, seconds from sound onset.
    recording : Recording
    alignment : AlignmentConfig
        Its clock; its delays are not those of the response.

    Returns
    -------
    array (n_trs, n_dims), float32, z-scored
    """
    lags = np.arange(int(np.ceil(RESPONSE_SECONDS / recording.tr)) + 1)
    lagged = alignment.model_copy(update={"delays": tuple(int(lag) for lag in lags)})
    design = recording_clock(recording, times, lagged).design(stretches)  # delay-major
    weights = canonical_response(lags * recording.tr)
    return zscored(np.einsum("tdk,d->tk", design.reshape(len(design), len(lags), -1), weights))
