"""One array of responses under two names is the wrong one of one story at least."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import numpy as np

from brainwavlm.checks.report import Problem
from brainwavlm.datasets.responses import Recording
from brainwavlm.datasets.usable_voxels import recording_blocks
from brainwavlm.errors import DatasetError


def same_responses(recordings: Mapping[str, Recording]) -> Iterator[Problem]:
    """Stories of a subject with the same numbers, to the last bit; only files that begin alike are read whole."""
    by_start: dict[tuple[tuple[int, int], bytes], list[Recording]] = {}
    for recording in recordings.values():
        with suppress(DatasetError):  # told with the file
            first_row = recording.responses(slice(0, 1)).tobytes()
            by_start.setdefault((recording.shape, first_row), []).append(recording)
    for alike in by_start.values():
        yield from _same(alike) if len(alike) > 1 else ()


def _same(recordings: Iterable[Recording]) -> Iterator[Problem]:
    first: dict[str, Recording] = {}
    for recording in recordings:
        try:
            other = first.setdefault(_checksum(recording), recording)
        except DatasetError:
            continue
        if other is not recording:
            yield Problem(
                "same",
                str(recording.path),
                f"the responses to {recording.story.name} are those to {other.story.name}, to the last bit.",
                "responses of its own for each story.",
                f"Write the right ones, here or in {other.path.name}, or take one story out of the data set.",
            )


def _checksum(recording: Recording) -> str:
    digest = hashlib.sha256()
    for block in recording_blocks(recording):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
