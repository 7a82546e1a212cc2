"""What a model says of a sound at TRs, block by block: memory does not grow with the sound."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.config import AlignmentConfig, WindowConfig
from brainwavlm.datasets.responses import Channel
from brainwavlm.encoding.alignment import delayed, lanczos_matrix, scale_of
from brainwavlm.encoding.clock import rows_with_halo
from brainwavlm.errors import AlignmentError, ConfigError, DatasetError
from brainwavlm.speech.features import sound_reader
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.audio import SAMPLE_RATE, SoundParts, array_sound
from brainwavlm.stimulus.windows import Windows, cut_windows

BLOCK = 64  # rows that are read, or predicted, at once
_STRETCH = 31 * SAMPLE_RATE  # before a window, of what `windows.frontend: shared` reads with it


class SoundFeatures:
    """Hidden states at the ends of the windows of a sound, (n_windows, n_dims); equal to `speech.features.extract`."""

    def __init__(self, backbone: Backbone, layer: int, config: WindowConfig, sound: Any):
        self.backbone, self.layer, self.config, self.sound = backbone, layer, config, sound
        self.windows = cut_windows(len(sound), config, backbone.min_samples)
        # A stream is read in whole chunks, so that no frame of it depends on where reading was broken off.
        self._chunk = np.floor(self.windows.ends / (config.chunk * SAMPLE_RATE) + 1e-9).astype(np.int64)
        self._last = (0, np.zeros((0, backbone.n_dims), np.float32))

    @torch.no_grad()
    def read(self, first: int, stop: int) -> np.ndarray:
        """Those of some windows, (stop - first, n_dims) float32; what the last call read is not read again."""
        start, states = self._last
        states = states[first - start :] if start <= first <= start + len(states) else states[:0]
        begin = first + len(states)
        if begin < stop:
            low = int(np.searchsorted(self._chunk, self._chunk[begin], "left"))
            high = int(np.searchsorted(self._chunk, self._chunk[stop - 1], "right"))
            windows = Windows(self.windows.starts[low:high], self.windows.ends[low:high])
            if isinstance(self.sound, SoundParts):
                self.sound.forget(int(windows.starts[0]) - _STRETCH)
            reader = sound_reader(self.backbone, windows, self.config, self.sound)
            new = reader.read(range(begin - low, stop - low))
            states = np.concatenate([states, new[self.layer].float().cpu().numpy()])
        self._last = (first, states)
        return states[: stop - first]


class SoundRows:
    """A sound's rows on the clock of TRs, and what a readout predicts of them.

    rows = Lanczos weights @ hidden states; design = delays of (rows - mass * mean) / scale, mean and scale over the
    sound's own rows, as of every story that a run is tuned or scored on.

    Attributes
    ----------
    times : array (n_trs,)
        Seconds from the sound's onset at which a row's volume begins.
    tr : float
    n_rows, n_dims : int
        Rows that are read, those of `times` and before them what delays reach; dimensions of a state.
    clipped : bool
        Whether the kernel has no negative lobes (quirks.clip_kernel).

    Raises
    ------
    ConfigError
        A TR that no recording has.
    AlignmentError
        A sound shorter than two TRs, or times that it does not cover.
    """

    def __init__(
        self,
        features: SoundFeatures,
        alignment: AlignmentConfig,
        tr: float,
        times: Sequence[float] | np.ndarray | None = None,
        clipped: bool = False,
    ):
        if not 0.01 <= tr < 1e4:
            expected = "0.01 s or more between two rows."
            raise ConfigError("tr", f"{tr:g} s.", expected, "Leave it out for the data set's.")
        seconds = len(features.sound) / SAMPLE_RATE
        self.times = np.arange(int(seconds / tr + 1e-9)) * tr if times is None else np.asarray(times, float)
        if len(self.times) < 2:
            told = f"{tr:g} s, of a sound of {seconds:.2f} s."
            remedy = "Take a longer sound, or another TR."
            raise AlignmentError("tr", told, "a sound of two TRs or more.", remedy)
        later = tr / 2 if alignment.tr_reference == "centre" else 0.0
        self._clock, self._kept = rows_with_halo(self.times + later, max(alignment.delays), tr)
        ends, reach = features.windows.times, alignment.lobes * tr
        heard = (self._clock >= 0) & (self._clock - ends[0] > -reach)
        heard[self._kept] = True
        at = self._clock[heard]
        unreached = np.searchsorted(ends, at - reach, "right") == np.searchsorted(ends, at + reach)
        if unreached.any():
            raise AlignmentError(
                "tr",
                f"{unreached.sum()} rows have no window within {reach:g} s, the first at {at[unreached][0]:.2f} s of "
                f"{seconds:.2f} s of sound, which is read every {features.config.stride:g} s.",
                "rows within the sound, and windows no further apart than the kernel is wide.",
                "Give times within the sound, or a longer TR.",
            )
        self._heard, self.n_rows = heard, len(self._clock)
        self._features, self._alignment = features, alignment
        self.tr, self.clipped, self.n_dims = tr, clipped, features.backbone.n_dims

    def blocks(self, start: int = 0) -> list[slice]:
        """Rows that go together, from one on."""
        return [slice(n, min(n + BLOCK, self.n_rows)) for n in range(start, self.n_rows, BLOCK)]

    def read(self, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n, n_dims), not yet normalised, and the mass of each, (n, 1); float32."""
        ends, reach = self._features.windows.times, self._alignment.lobes * self.tr
        here = np.flatnonzero(self._heard[block])
        rows = np.zeros((block.stop - block.start, self.n_dims), np.float32)
        mass = np.zeros((len(rows), 1), np.float32)
        if len(here):
            at = self._clock[block][here]
            first, stop = np.searchsorted(ends, at.min() - reach), np.searchsorted(ends, at.max() + reach)
            weights = lanczos_matrix(ends[first:stop], at, self._alignment.lobes, self.tr)
            weights = np.where(weights < 1e-10, 0.0, weights) if self.clipped else weights
            rows[here] = weights @ self._features.read(int(first), int(stop))
            mass[here, 0] = weights.sum(1)
        return rows, mass

    def predicted(
        self, rows: Any, mass: Any, readout: Callable[[np.ndarray], np.ndarray]
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """TRs and what is predicted of them, (n, n_voxels), from all rows: arrays, or HDF5 datasets as large."""
        mean, scale = self._moments(rows, mass)
        delays = self._alignment.delays
        for first in range(0, len(self.times), BLOCK):
            kept = self._kept[first : first + BLOCK]
            span = slice(int(kept[0]) - max(delays), int(kept[-1]) + 1)
            normalised = (rows[span] - mass[span] * mean) / scale
            yield slice(first, first + len(kept)), readout(delayed(normalised, delays, kept - span.start))

    def _moments(self, rows: Any, mass: Any) -> tuple[np.ndarray, np.ndarray]:
        """`alignment.moments`, a block at a time: float32 within a block, as there, and float64 over blocks."""
        kept = np.zeros((self.n_rows, 1), bool)
        kept[self._kept] = True

        def total(values: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
            return sum((values(rows[b], mass[b]).sum(0, where=kept[b]) for b in self.blocks()), np.zeros(1))

        level, n_trs = total(lambda some, _: some), len(self.times)
        mean = (level / total(lambda _, heavy: heavy)).astype(np.float32)
        deviation = np.sqrt(total(lambda some, heavy: (some - heavy * mean) ** 2) / n_trs)
        return mean, scale_of(deviation.astype(np.float32), (level / n_trs).astype(np.float32))


def sound_of(sound: Any, rate: int | None, channel: Channel = "mean") -> Any:
    """The sound of a path, or of an array and its rate, as `sound_reader` takes it."""
    if not isinstance(sound, str | Path):
        return array_sound(sound, rate or 0)
    path = Path(sound).expanduser()
    if not path.is_file() and not path.is_symlink():
        told = "a folder." if path.is_dir() else "no such file."
        raise DatasetError(path, told, "a sound file: WAV, FLAC, Ogg or MP3.", "Correct its path.")
    return SoundParts(path, channel)
