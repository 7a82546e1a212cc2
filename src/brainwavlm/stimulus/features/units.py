"""Spans of time that have a value: stretches between windows, phones, words; and what lies within a span."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainwavlm.stimulus.textgrid import Interval

FRAME_SECONDS = 0.01  # of frames of sound


@dataclass(frozen=True)
class Units:
    """Spans of a story, in the order of their starts.

    Attributes
    ----------
    starts, ends : float64 arrays (n_units,)
        Seconds from sound onset.
    labels : tuple of str
        Of phones and words; empty for stretches.
    """

    starts: np.ndarray
    ends: np.ndarray
    labels: tuple[str, ...] = ()

    @classmethod
    def said(cls, intervals: Sequence[Interval], labels: Sequence[str]) -> "Units":
        """Intervals of a transcript under names for what they hold."""
        starts, ends = (np.array([getattr(one, side) for one in intervals]) for side in ("start", "end"))
        return cls(starts, ends, tuple(labels))

    @classmethod
    def stretches(cls, ends: np.ndarray, stride: float) -> "Units":
        """(ends[j] - stride, ends[j]]: what each window adds to the one before."""
        return cls(ends - stride, ends)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def middles(self) -> np.ndarray:
        """Seconds, (n_units,)."""
        return (self.starts + self.ends) / 2

    def within(self, seconds: float) -> "Units":
        """Those whose middle lies in so many seconds from sound onset."""
        kept = (self.middles >= 0) & (self.middles <= seconds)
        labels = tuple(label for label, keep in zip(self.labels, kept, strict=False) if keep)
        return Units(self.starts[kept], self.ends[kept], labels)


def occupancy(spans: Units, values: np.ndarray, units: Units) -> np.ndarray:
    """u[j] = sum over i of values[i] * (share of unit j in which span i lasts).

    Parameters
    ----------
    spans : Units
    values : array (n_spans, n_dims)
        NaN: of a span that counts nowhere.
    units : Units

    Returns
    -------
    array (n_units, n_dims), float32
    """
    result = np.zeros((len(units), values.shape[1]), np.float32)
    firsts = np.searchsorted(np.maximum.accumulate(units.ends), spans.starts, side="right")
    lasts = np.searchsorted(units.starts, spans.ends, side="left")
    valued = ~np.isnan(values).any(1)
    for start, end, value, first, last in zip(
        *(array[valued] for array in (spans.starts, spans.ends, values, firsts, lasts)), strict=True
    ):
        starts, ends = units.starts[first:last], units.ends[first:last]
        shared = np.maximum(np.minimum(ends, end) - np.maximum(starts, start), 0)
        result[first:last] += (shared / (ends - starts))[:, None] * value
    return result


def rate(spans: Units, units: Units) -> np.ndarray:
    """Spans a second within each unit, one that lies in two counted by its shares; (n_units, 1) float32."""
    return occupancy(spans, 1 / (spans.ends - spans.starts)[:, None], units)


def frame_means(frames: np.ndarray, units: Units) -> np.ndarray:
    """u[j] = mean over the frames of 10 ms in unit j; of a unit shorter than a frame that frame.

    Parameters
    ----------
    frames : array (n_frames, n_dims)
        NaN: a frame without a value, which no mean counts.
    units : Units

    Returns
    -------
    array (n_units, n_dims), float32; NaN where no frame has a value
    """
    last = np.clip((units.ends / FRAME_SECONDS + 1e-6).astype(int), 1, len(frames))
    first = np.clip((units.starts / FRAME_SECONDS + 1e-6).astype(int), 0, last - 1)
    return means_of_rows(frames, first, last)


def means_of_rows(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """u[j] = mean of values[first[j] : last[j]] without NaN, (n_units, n_dims) float32; NaN of none."""
    known = ~np.isnan(values)
    sums, counts = (
        np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(some, axis=0, dtype=np.float64)])
        for some in (np.where(known, values, 0), known)
    )
    total, n = sums[last] - sums[first], counts[last] - counts[first]
    return np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0).astype(np.float32)
