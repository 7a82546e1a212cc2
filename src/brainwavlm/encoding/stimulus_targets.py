"""Targets that are made from the stimulus alone: what was heard, on the clock of the responses.

target = z(sum_d h(d tr) x[t - d]), where x are rows of the stretches between windows, resampled and z-scored by the
same `StoryClock` as features, and h is the canonical haemodynamic response: without it the delays of the design would
look at sound from before the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
import torch

from brainwavlm.config import AlignmentConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.prepared_stories import recording_clock
from brainwavlm.speech.log_mel import HOP, log_mel
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.textgrid import Interval

N_MELS = 80  # as Whisper hears
RESPONSE_SECONDS = 32.0  # of the canonical response; less than 1e-5 of its peak is left then


@dataclass(frozen=True)
class LabelIntervals:
    """When each phone or word of a story was said, in order.

    Attributes
    ----------
    starts, ends : arrays (n_labels,) float64
        Seconds from sound onset.
    rows : int array (n_labels,)
        Which vector stands for it; -1: none.
    """

    starts: np.ndarray
    ends: np.ndarray
    rows: np.ndarray

    @property
    def unknown(self) -> int:
        """How many have no vector."""
        return int((self.rows < 0).sum())


def label_intervals(
    intervals: Sequence[Interval], names: Sequence[str], row_of: dict[str, int]
) -> LabelIntervals:
    """Intervals by the rows of their vectors.

    Parameters
    ----------
    intervals : sequence of Interval
    names : sequence of str
        What is looked up for each.
    row_of : dict of str to int
        Rows by name.
    """
    return LabelIntervals(
        np.array([interval.start for interval in intervals]),
        np.array([interval.end for interval in intervals]),
        np.array([row_of.get(name, -1) for name in names], dtype=np.int64),
    )


def occupancy(intervals: LabelIntervals, vectors: np.ndarray, ends: np.ndarray, stride: float) -> np.ndarray:
    """u[j] = sum over i of vectors[rows[i]] * (share of the stretch (ends[j] - stride, ends[j]] in which i is said).

    Parameters
    ----------
    intervals : LabelIntervals
    vectors : array (n_vectors, n_dims)
    ends : array (n_windows,)
        Seconds, increasing by the stride.
    stride : float
        Seconds.

    Returns
    -------
    array (n_windows, n_dims), float32
    """
    result = np.zeros((len(ends), vectors.shape[1]), np.float32)
    starts = ends - stride
    firsts = np.searchsorted(ends, intervals.starts, side="right")
    lasts = np.searchsorted(starts, intervals.ends, side="left")
    for start, end, row, first, last in zip(
        intervals.starts, intervals.ends, intervals.rows, firsts, lasts, strict=True
    ):
        if row >= 0:
            shared = np.minimum(ends[first:last], end) - np.maximum(starts[first:last], start)
            result[first:last] += (shared / stride)[:, None] * vectors[row]
    return result


def mel_of_stretches(sound: torch.Tensor, ends: np.ndarray, stride: float) -> np.ndarray:
    """u[j, m] = mean over the frames in (ends[j] - stride, ends[j]] of the log-mel energy m of the whole sound.

    Parameters
    ----------
    sound : tensor (n_samples,)
    ends : array (n_windows,)
        Seconds.
    stride : float
        Seconds; of a stretch shorter than a frame (10 ms) one frame is taken.

    Returns
    -------
    array (n_windows, 80), float32
    """
    mel = log_mel(sound[None], N_MELS)[0].T.double().cpu().numpy()  # (n_frames, n_mels)
    below = np.concatenate([np.zeros((1, N_MELS)), np.cumsum(mel, axis=0)])
    last = np.clip((ends * SAMPLE_RATE / HOP).astype(int), 1, len(mel))
    first = np.clip(((ends - stride) * SAMPLE_RATE / HOP).astype(int), 0, last - 1)
    return ((below[last] - below[first]) / (last - first)[:, None]).astype(np.float32)


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
