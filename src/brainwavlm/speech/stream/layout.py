"""Where a story is cut when it is heard as a stream, and which frame may see which. Geometry alone: no model, no sound.

A segment serves consecutive readings. Its sound begins `context` before the first of them and ends with the last,
so its first reading hears what a window hears; the others go on from there. Frames fall into blocks: block 0 is all
that the first reading hears, each further block is `lookahead` long. Nothing in a block depends on sound after the
block's end, at any depth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from brainwavlm.config import WindowConfig
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.windows import Windows


@dataclass(frozen=True)
class Layout:
    """The frames of a segment, counted from its first sample. Segments of equal layout go through the model together.

    A window [a, b) has frame k of this grid when a <= k * hop and k * hop + reach <= b: a frame belongs to the time
    from which a window would have it.

    Attributes
    ----------
    hop : int
        Samples between frames.
    reach : int
        Samples after which a window has its first frame.
    context : int
        Samples that a frame may look back.
    block_ends : tuple of int
        One past the last sample of each block, increasing; the last is the segment's length.
    reading_ends : tuple of int
        Where the model is read, in samples; the first is block_ends[0].
    """

    hop: int
    reach: int
    context: int
    block_ends: tuple[int, ...]
    reading_ends: tuple[int, ...]

    @property
    def n_samples(self) -> int:
        """Length of the segment."""
        return self.block_ends[-1]

    @property
    def n_frames(self) -> int:
        """Frames of the segment."""
        return self.frames_by(self.n_samples)

    def frames_by(self, sample: int) -> int:
        """Frames that sound up to a sample gives."""
        return max((sample - self.reach) // self.hop + 1, 0)

    @cached_property
    def blocks(self) -> tuple[tuple[int, int, int], ...]:
        """(first frame, one past the last, one past the last sample) of each block that has frames."""
        edges = [0, *(self.frames_by(end) for end in self.block_ends)]
        spans = zip(edges[:-1], edges[1:], self.block_ends, strict=True)
        return tuple(span for span in spans if span[0] < span[1])

    def up_to(self, n_readings: int) -> "Layout":
        """The layout of the segment's beginning, as far as its first readings need it; no frame of it changes."""
        if n_readings == len(self.reading_ends):
            return self
        needed = self.frames_by(self.reading_ends[n_readings - 1])
        enough = next(number for number, end in enumerate(self.block_ends) if self.frames_by(end) >= needed)
        return replace(
            self, block_ends=self.block_ends[: enough + 1], reading_ends=self.reading_ends[:n_readings]
        )

    def visible(self) -> np.ndarray:
        """Whether a frame (row) may see another (column), bool (n_frames, n_frames).

        visible[i, j] = block(j) <= block(i) and j begins within `context` before the end of i
        """
        starts = np.arange(self.n_frames) * self.hop
        counts = [stop - first for first, stop, _ in self.blocks]
        block = np.repeat(np.arange(len(counts)), counts)
        within = starts >= (starts + self.reach - self.context)[:, None]
        return (block <= block[:, None]) & within

    def members(self, frame: Literal["last", "first", "mean"]) -> np.ndarray:
        """Frames of which a reading is the mean, bool (n_readings, n_frames).

        Of the frames that lie wholly in the window (t - context, t] of a reading at t: the last, the first, or
        all. A window too short for a whole frame of the grid is read at the last frame before t.
        """
        members = np.zeros((len(self.reading_ends), self.n_frames), bool)
        for row, end in zip(members, self.reading_ends, strict=True):
            last = self.frames_by(end) - 1
            first = min(-(-max(end - self.context, 0) // self.hop), last)
            row[last if frame == "last" else first : first + 1 if frame == "first" else last + 1] = True
        return members


@dataclass(frozen=True)
class Segment:
    """A stretch of sound that goes through the model in one piece.

    Attributes
    ----------
    start : int
        First sample.
    first : int
        The window whose end is the first reading; the others follow it.
    layout : Layout
    """

    start: int
    first: int
    layout: Layout


def cut_segments(windows: Windows, config: WindowConfig, frame_grid: tuple[int, int]) -> list[Segment]:
    """The segments that serve the ends of windows as readings.

    Readings t with c * chunk <= t < (c + 1) * chunk share segment c, which is the sound
    [max(0, first t - context), last t). What is heard at t so depends on the sound and the configuration only.

    Windows are from `cut_windows` with the same configuration, `frame_grid` is the family's. Without a lookahead a
    block goes from one reading to the next. Together the segments, in order, read each window once.
    """
    chunk = np.floor(windows.ends / (config.chunk * SAMPLE_RATE) + 1e-9).astype(np.int64)
    firsts = np.flatnonzero(np.diff(chunk, prepend=-1))
    segments = []
    for first, stop in zip(firsts, [*firsts[1:], len(windows)], strict=True):
        start = int(windows.starts[first])
        readings = tuple(int(end) - start for end in windows.ends[first:stop])
        layout = Layout(
            *frame_grid, round(config.context * SAMPLE_RATE), _block_ends(readings, config), readings
        )
        segments.append(Segment(start, int(first), layout))
    return segments


def needed_segments(
    segments: list[Segment], indices: Sequence[int] | np.ndarray, whole: bool = False
) -> dict[int, Segment]:
    """The segments that hold chosen windows, by number, each cut after the last of its chosen readings.

    With `whole` they are not cut: most are then of one layout.
    """
    needed: dict[int, Segment] = {}
    firsts = [segment.first for segment in segments]
    numbers = np.searchsorted(firsts, indices, side="right") - 1
    for number in np.unique(numbers).tolist():
        segment = segments[number]
        if whole:
            needed[number] = segment
            continue
        last = int(np.max(np.asarray(indices)[numbers == number]))
        needed[number] = replace(segment, layout=segment.layout.up_to(last - segment.first + 1))
    return needed


def equal_layouts(segments: dict[int, Segment], size: Callable[[Layout], int]) -> list[list[int]]:
    """Numbers of the segments in batches of one layout, of at most size(layout) each."""
    groups: dict[Layout, list[int]] = {}
    for number, segment in segments.items():
        groups.setdefault(segment.layout, []).append(number)
    return [
        group[first : first + size(layout)]
        for layout, group in groups.items()
        for first in range(0, len(group), size(layout))
    ]


def _block_ends(readings: tuple[int, ...], config: WindowConfig) -> tuple[int, ...]:
    if config.lookahead is None:
        return readings
    first, last = readings[0], readings[-1]
    ahead = config.lookahead * SAMPLE_RATE
    ends = (first + round(number * ahead) for number in range(int((last - first) / ahead) + 1))
    return (*(end for end in ends if end < last), last)
