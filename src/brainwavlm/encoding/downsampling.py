"""A slower scanner: tuning on responses without what is faster than every n-th TR.

The same path as at full rate, with every n-th TR a row. Responses are low-passed and resampled by the kernel that
resamples features, features by the kernel of the same slow clock. Delays stay those of alignment.delays, in TRs: the
readout is the same finite impulse response over the same seconds, and can be read at full rate.
"""

from dataclasses import replace

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import lanczos_matrix, zscored
from brainwavlm.encoding.prepared_stories import PreparedStory, recording_clock


def downsampled(prepared: PreparedStory, recording: Recording, config: RunConfig) -> PreparedStory:
    """The story on the clock of training.slow: its responses, or a control's targets, and its rows.

    Parameters
    ----------
    story : PreparedStory
        At full rate.
    recording : Recording
        Of that story.
    config : RunConfig
    """
    slow = config.training.slow
    if slow == 1:
        return prepared
    clock = recording_clock(recording, prepared.windows.times, config.alignment, config.quirks, slow)
    responses = prepared.responses
    targets = downsampled_responses(
        responses.cpu().numpy(), recording.tr_times, slow, config.alignment.lobes, recording.spacing
    )
    return replace(prepared, clock=clock, responses=torch.from_numpy(targets).to(responses.device))


def downsampled_responses(
    responses: np.ndarray, tr_times: np.ndarray, slow: int, lobes: int = 3, tr: float | None = None
) -> np.ndarray:
    """slow[i] = sum_t w[i, t] responses[t], z-scored over i, with w = lanczos_matrix(tr_times, tr_times[::slow]).

    What varies faster than half the slow rate is taken out. Near the ends of a story part of the kernel finds no row;
    that part counts as the story's mean, which is 0.

    Parameters
    ----------
    responses : array (n_trs, n_voxels)
        z-scored over the story.
    tr_times : array (n_trs,)
        Seconds.
    slow : int
    lobes : int
    tr : float or None
        Seconds, where rows are not evenly spaced.

    Returns
    -------
    array (ceil(n_trs / slow), n_voxels), float32. A voxel with a NaN is NaN throughout.
    """
    return zscored(lanczos_matrix(tr_times, tr_times[::slow], lobes, tr and slow * tr) @ responses)
