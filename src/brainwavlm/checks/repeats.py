"""What can be wrong with the single presentations of a story."""

from collections.abc import Iterator

import h5py
import numpy as np

from brainwavlm.checks.outliers import outlier_problems, voxel_problems
from brainwavlm.checks.report import Problem
from brainwavlm.datasets.hdf5 import stored
from brainwavlm.datasets.repeats import SAME, RepeatFaults, repeat_faults
from brainwavlm.datasets.responses import Recording, require_repeats
from brainwavlm.datasets.usable_voxels import array_blocks, scan
from brainwavlm.errors import DatasetError


def stored_repeats(file: h5py.File, recording: Recording, problems: list[Problem]) -> h5py.Dataset | None:
    """The array of repeats; None where there is none, or one of a wrong shape, which is added to the problems."""
    try:
        repeats = stored(file, "individual_repeats", recording.path)
        if repeats is not None:
            require_repeats(repeats, recording.shape, recording.path)
    except DatasetError as error:
        problems.append(Problem.of(error, "repeats"))
        return None
    return repeats


def repeat_problems(used: Recording, repeats: h5py.Dataset, has_ceiling: bool) -> Iterator[Problem]:
    """Repeats that are too few, or of which no ceiling can be measured, or not the one of the data."""
    path, story = str(used.path), used.story.name
    if repeats.shape[0] < 2:
        yield Problem(
            "repeats",
            path,
            f"{repeats.shape[0]} repeat.",
            "two or more.",
            "No ceiling can be computed from it; scores are given without one.",
            "warning",
        )
        return
    voxels = scan(array_blocks(repeats))
    yield from voxel_problems(used.path, voxels, "individual_repeats")
    n_repeats, n_trs = repeats.shape[:2]
    yield from outlier_problems(
        used.path,
        voxels,
        lambda chosen: (block[:, chosen] for block in array_blocks(repeats)),
        np.tile(np.arange(n_trs), n_repeats),
        "individual_repeats",
    )
    faults = repeat_faults(used, used.shape[1])
    if error := faults.refused(used):
        yield Problem.of(error, "repeats", "warning" if has_ceiling else "error")
    if faults.unrelated:
        yield Problem(
            "repeats",
            path,
            f"repeat {', '.join(map(str, faults.unrelated))} of {story} (counted from 0) has no more in "
            "common with the others than chance gives.",
            "presentations of one story, row by row.",
            "Check that it is of this story, and that its rows start when those of the others do. It is used as it is: "
            "the ceiling comes out low.",
            "warning",
        )
    if faults.r_of_mean < SAME:
        yield _not_the_mean(faults, path, story)


def _not_the_mean(faults: RepeatFaults, path: str, story: str) -> Problem:
    alone = "" if faults.of_data is None else f" data are repeat {faults.of_data} alone (counted from 0)."
    return Problem(
        "repeats",
        path,
        f"the mean of individual_repeats of {story} is not data: their median correlation is "
        f"{faults.r_of_mean:.3f}.{alone}",
        "data that are the mean of the repeats, up to scale.",
        "The ceiling is that of the mean of the repeats, and would not be that of data: write the mean "
        "into data, or take out individual_repeats.",
        "warning",
    )
