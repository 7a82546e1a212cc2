"""How sound is cut for the speech model: windows that end where the model is read."""

from dataclasses import dataclass

import numpy as np

from brainwavlm.config import WindowConfig
from brainwavlm.errors import AlignmentError
from brainwavlm.stimulus.audio import SAMPLE_RATE

MIN_SAMPLES = 400  # the receptive field of one frame of wav2vec-type models: 25 ms


@dataclass(frozen=True)
class Windows:
    """Stretches of a sound, in samples at 16 kHz.

    Attributes
    ----------
    starts, ends : int64 array (n_windows,)
        First sample, and one past the last. Ends increase.
    """

    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def times(self) -> np.ndarray:
        """Time stamps in seconds from sound onset, (n_windows,) float64: a window is stamped with its end."""
        return self.ends / float(SAMPLE_RATE)

    @property
    def lengths(self) -> np.ndarray:
        """Samples in each window, (n_windows,) int64."""
        return self.ends - self.starts


def cut_windows(n_samples: int, config: WindowConfig, min_samples: int = MIN_SAMPLES) -> Windows:
    """Windows over a sound.

    ends[k] = round((k + 1) * stride * 16000) as long as they lie within the sound,
    starts[k] = max(0, ends[k] - round(context * 16000)).

    Windows at the story's start are shorter than the context; those under `min_samples` are left out.

    Parameters
    ----------
    n_samples : int
        Length of the sound at 16 kHz.
    config : WindowConfig
        Context and stride in seconds.
    min_samples : int
        The least that the speech model can hear (`Backbone.min_samples`).

    Returns
    -------
    Windows

    Raises
    ------
    AlignmentError
        Stride or context under the model's least, or a sound without a single window.
    """
    context = round(config.context * SAMPLE_RATE)
    if context < min_samples or config.stride * SAMPLE_RATE < 1:
        raise AlignmentError(
            "windows",
            f"context {config.context} s, stride {config.stride} s.",
            f"a context of {min_samples / SAMPLE_RATE} s or more and a stride of at least one sample.",
            "Set windows.context and windows.stride.",
        )
    # The tolerance keeps the last window where rounding puts stride * k a hair above the sound's length.
    count = int(n_samples / (config.stride * SAMPLE_RATE) + 1e-9)
    ends = np.rint(np.arange(1, count + 1) * (config.stride * SAMPLE_RATE)).astype(np.int64)
    starts = np.maximum(0, ends - context)
    kept = (ends - starts >= min_samples) & (ends <= n_samples)
    if not kept.any():
        raise AlignmentError(
            "windows",
            f"a sound of {n_samples / SAMPLE_RATE:.3f} s has no window.",
            f"at least {max(config.stride, min_samples / SAMPLE_RATE)} s of sound.",
            "Check the sound file, or lower windows.stride.",
        )
    return Windows(starts=starts[kept], ends=ends[kept])
