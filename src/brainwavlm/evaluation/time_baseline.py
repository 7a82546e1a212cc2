"""The control that knows time and nothing else: what a split gives away without any stimulus.

Responses drift, rise after the sound's onset and resemble their neighbours in time. Ridge on functions of time, with
the folds and the voxels of the score beside it, shows how much of a correlation that explains: about nothing where
stories are split whole, much where rows of one sound are on both sides.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import zscored
from brainwavlm.evaluation.leave_one_out import chance_test
from brainwavlm.evaluation.scoring_plan import Fit, ScoringPlan
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest
from brainwavlm.progress import Progress
from brainwavlm.stimulus.audio import same_sounds

COSINES = 4
ONSET_SECONDS = (10.0, 30.0)
BUMP_TRS = 2.0


def score_time(
    plan: ScoringPlan, true: np.ndarray, progress: Progress
) -> tuple[PermutationTest, dict[str, list[str]]]:
    """Held-out correlations of ridge on `time_designs` with responses (n_rows, n_kept), with the null of every score.

    Beside the test of r, held-out stories to fitted ones that have the same sound: a leak, named in reports.
    """
    sounds = same_sounds([recording.story for recording in plan.data.recordings.values()])
    shared: dict[str, list[str]] = {}
    for fit in plan.fits:
        for recording in fit.held_out:
            name = recording.story.name
            twins = sorted(o.story.name for o in fit.fitted if sounds[o.story.name] == sounds[name])
            shared |= {name: twins} if twins else {}

    def designs(fit: Fit) -> dict[str, np.ndarray]:
        return time_designs(fit.fitted, fit.held_out, sounds)

    predicted = plan.ridge(designs, shared=False).predicted
    return chance_test(plan, designs, true, predicted, progress), shared


def time_designs(
    fit: Sequence[Recording], held_out: Sequence[Recording], sounds: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """x[t] = [cos(pi k u), exp(-s / 10), exp(-s / 30), exp(-(t - c_j)^2 / (2 w^2)) of each sound on both sides].

    u runs from 0 to 1 over a recording, s are seconds since its first row, t is the sound's clock. The bumps, w = 2 TRs
    wide and apart, let a row speak for its neighbours in the same sound; a sound on one side only has none, as they
    could not reach the other side.

    By story (n_trs, n_columns) float32; the first 6 columns are z-scored within the story. `sounds` are by story, from
    `same_sounds`.
    """
    both = sorted({sounds[r.story.name] for r in fit} & {sounds[r.story.name] for r in held_out})
    everything = [*fit, *held_out]
    centres = {sound: _centres([r for r in everything if sounds[r.story.name] == sound]) for sound in both}
    designs = {}
    for recording in everything:
        times, own = recording.tr_times, sounds[recording.story.name]
        since = times - times[0]
        u = since / since[-1] if since[-1] > 0 else since
        shared = [np.cos(np.pi * k * u) for k in range(1, COSINES + 1)]
        shared += [np.exp(-since / seconds) for seconds in ONSET_SECONDS]
        bumps = [
            _bumps(times, centres[sound], BUMP_TRS * recording.tr)
            if sound == own
            else np.zeros((len(times), len(centres[sound])))
            for sound in both
        ]
        columns = [zscored(np.stack(shared, axis=1)), *bumps]
        designs[recording.story.name] = np.concatenate(columns, axis=1).astype(np.float32)
    return designs


def _centres(recordings: Sequence[Recording]) -> np.ndarray:
    times = np.concatenate([recording.tr_times for recording in recordings])
    return np.arange(times.min(), times.max() + 1e-9, BUMP_TRS * recordings[0].tr)


def _bumps(times: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-((times[:, None] - centres[None]) ** 2) / (2 * width**2))
