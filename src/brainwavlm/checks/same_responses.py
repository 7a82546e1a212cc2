"""One array of responses under two names, of stories or of subjects, is the wrong one of one at least."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np

from brainwavlm.datasets.responses import Recording
from brainwavlm.datasets.usable_voxels import recording_blocks
from brainwavlm.errors import DatasetError


def same_responses(recordings: Iterable[Recording]) -> Iterator[DatasetError]:
    """Recordings with the same numbers, to the last bit; only files that begin alike are read whole."""
    by_start: dict[tuple[tuple[int, int], bytes], list[Recording]] = {}
    for recording in recordings:
        with suppress(DatasetError):  # told with the file
            first_row = recording.responses(slice(0, 1)).tobytes()
            by_start.setdefault((recording.shape, first_row), []).append(recording)
    for alike in by_start.values():
        yield from _same(alike) if len(alike) > 1 else ()


def _same(recordings: Iterable[Recording]) -> Iterator[DatasetError]:
    first: dict[str, Recording] = {}
    for recording in recordings:
        try:
            other = first.setdefault(_checksum(recording), recording)
        except DatasetError:
            continue
        if other is not recording:
            two = recording.subject != other.subject
            here, there = (f"{f' of {one.subject}' * two} to {one.story.name}" for one in (recording, other))
            yield DatasetError(
                recording.path,
                f"the responses{here} are those{there}, to the last bit.",
                "responses of its own for each story and subject.",
                f"Write the right ones, here or in {other.path.parent.name}/{other.path.name}, or take one of the two "
                "out of the data set.",
            )


def _checksum(recording: Recording) -> str:
    digest, known = hashlib.sha256(), False
    for block in recording_blocks(recording):
        digest.update(np.ascontiguousarray(block).data)
        known = known or bool(np.isfinite(block).any())
    return digest.hexdigest() if known else str(recording.path)  # nothing but NaN is told as that
