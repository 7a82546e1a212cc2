"""What can be wrong with the single presentations of a story."""

import h5py
import numpy as np

from brainwavlm.checks.outliers import add_voxel_problems
from brainwavlm.checks.report import Problem, Problems
from brainwavlm.datasets.hdf5 import stored
from brainwavlm.datasets.repeats import SAME, repeat_faults
from brainwavlm.datasets.responses import Recording, require_repeats
from brainwavlm.datasets.usable_voxels import array_blocks, scan


def add_repeat_problems(
    problems: Problems, file: h5py.File, recording: Recording, used: Recording, has_ceiling: bool
) -> bool:
    """Whether the open file of a recording has repeats, `used` with the rows that are used.

    Added are repeats of a wrong shape, too few, of which no ceiling can be measured, or not those of the data.
    """
    path, story = used.path, used.story.name
    with problems.told("repeats"):
        repeats = stored(file, "individual_repeats", path)
        if repeats is None:
            return False
        require_repeats(repeats, recording.shape, path)
        n_repeats, n_trs = repeats.shape[:2]
        if n_repeats < 2:
            problems.warn(
                "repeats",
                path,
                f"{n_repeats} repeat.",
                "two or more.",
                "No ceiling can be computed from it; scores are given without one.",
            )
            return True
        add_voxel_problems(
            problems,
            path,
            scan(array_blocks(repeats)),
            lambda chosen: (block[:, chosen] for block in array_blocks(repeats)),
            np.tile(np.arange(n_trs), n_repeats),
            "individual_repeats",
        )
        faults = repeat_faults(used, used.shape[1])
        if error := faults.refused(used):
            problems.append(Problem.of(error, "repeats", "warning" if has_ceiling else "error"))
        if faults.unrelated:
            problems.warn(
                "repeats",
                path,
                f"repeat {', '.join(map(str, faults.unrelated))} of {story} (counted from 0) has no more in "
                "common with the others than chance gives.",
                "presentations of one story, row by row.",
                "Check that it is of this story, and that its rows start when those of the others do. It is used as it "
                "is: the ceiling comes out low.",
            )
        if faults.r_of_mean < SAME:
            alone = (
                "" if faults.of_data is None else f" data are repeat {faults.of_data} alone (counted from 0)."
            )
            problems.warn(
                "repeats",
                path,
                f"the mean of individual_repeats of {story} is not data: their median correlation is "
                f"{faults.r_of_mean:.3f}.{alone}",
                "data that are the mean of the repeats, up to scale.",
                "The ceiling is that of the mean of the repeats, and would not be that of data: write the mean "
                "into data, or take out individual_repeats.",
            )
        return True
    return False
