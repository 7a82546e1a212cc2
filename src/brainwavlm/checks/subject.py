"""What can be wrong with one subject: its splits, its files against each other, and its masks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.checks.amount import amount_facts
from brainwavlm.checks.report import Problem
from brainwavlm.checks.responses import check_responses
from brainwavlm.config import EvaluationConfig, RidgeConfig
from brainwavlm.datasets.anatomy import anatomy_problems
from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.hdf5 import open_hdf5
from brainwavlm.datasets.responses import SPLITS, Recording
from brainwavlm.datasets.surfaces import read_volume
from brainwavlm.errors import DatasetError


@dataclass(frozen=True)
class SubjectCheck:
    """One subject: its line in the report, what is wrong, whether a test story has repeats, what it cannot tell."""

    summary: dict[str, Any]
    problems: list[Problem]
    has_repeats: bool
    facts: list[str]


def check_subject(
    dataset: Dataset, name: str, seconds: Mapping[str, float | None], expected_rows: Mapping[str, int | None]
) -> SubjectCheck:
    """Read all of a subject's files, one after the other.

    Parameters
    ----------
    dataset : Dataset
        That the subject belongs to.
    name : str
        One of its subject_names.
    seconds : mapping of story to float or None
        Length of each sound that could be read.
    expected_rows : mapping of story to int or None
        Rows that the data set's own table promises.
    """
    recordings = dataset.recordings(name)
    problems = [*_split_problems(dataset, name, recordings), *_stray_files(dataset, recordings)]
    shapes: dict[str, tuple[int, int]] = {}
    unusable: dict[int, np.ndarray] = {}  # by number of columns, which may wrongly differ
    repeated, has_ceiling = False, _has_ceiling(dataset.anatomy(name))
    for story, recording in recordings.items():
        checked = check_responses(recording, seconds.get(story), expected_rows.get(story), has_ceiling)
        problems += checked.problems
        repeated |= checked.has_repeats and recording.story.split == "test"
        if checked.shape is not None:
            shapes[story] = checked.shape
        if checked.shape is not None and checked.voxels is not None:
            before = unusable.get(checked.shape[1], False)
            unusable[checked.shape[1]] = before | checked.voxels.unusable
    n_voxels = Counter(shape[1] for shape in shapes.values()).most_common(1)[0][0] if shapes else None
    n_usable = None
    if n_voxels is not None:
        problems += _column_problems(recordings, shapes, n_voxels)
        mask_problems = list(_mask_problems(dataset.anatomy(name), dataset.voxel_mask(name), n_voxels))
        problems += mask_problems
        if not mask_problems:  # else the surfaces would be told of the same mask again
            problems += [
                Problem.of(error, "regions", "warning") for error in dataset.region_problems(name, n_voxels)
            ]
    if n_voxels in unusable:
        n_usable = int(np.count_nonzero(~unusable[n_voxels]))
        if n_usable == 0:
            problems.append(_nothing_left(dataset, name, n_voxels))
    n_rows = sum(shape[0] for shape in shapes.values())
    summary: dict[str, Any] = {
        "subject": name,
        "n_voxels": n_voxels,
        "n_usable": n_usable,
        "n_rows": n_rows,
        "hours": n_rows * dataset.tr / 3600,
        **{
            split: sorted(story for story, one in recordings.items() if one.story.split == split)
            for split in SPLITS
        },
    }
    rows = {
        split: [shapes[story][0] for story in shapes if recordings[story].story.split == split]
        for split in SPLITS
    }
    fitted = [*rows["train"], *rows["validation"]]
    facts = amount_facts(fitted, rows["test"], n_usable or 0, RidgeConfig(), EvaluationConfig())
    return SubjectCheck(summary, problems, repeated, [f"{name}: {fact}" for fact in facts])


def _has_ceiling(anatomy: Path | None) -> bool:
    if anatomy is None:
        return False
    try:
        with open_hdf5(anatomy) as file:
            return "ceiling" in file
    except DatasetError:  # told with the anatomy
        return False


def _split_problems(dataset: Dataset, name: str, recordings: Mapping[str, Recording]) -> Iterator[Problem]:
    if not recordings:
        yield Problem(
            "responses",
            str(dataset.path),
            f"no response file of subject {name}.",
            "one file a story that the subject heard.",
            "Download them, check the folder's name, or take the subject out of the data set.",
        )
        return
    for split in SPLITS:
        if not any(recording.story.split == split for recording in recordings.values()):
            yield Problem(
                "split",
                str(dataset.path),
                f"{name} has no {split} story.",
                f"one {split} story or more.",
                "Tuning will not know when to stop; name one under validation."
                if split == "validation"
                else f"Download one, or give a story the split {split}.",
                "warning" if split == "validation" else "error",
            )


def _stray_files(dataset: Dataset, recordings: Mapping[str, Recording]) -> Iterator[Problem]:
    listed = {recording.path for recording in recordings.values()}
    for folder, suffix in sorted({(path.parent, path.suffix) for path in listed}):
        for path in sorted(folder.iterdir()):
            another_ending = path.stem in dataset.stories and path.with_suffix(suffix) not in listed
            if path not in listed and (path.suffix == suffix or another_ending) and path.name[0] != ".":
                yield Problem(
                    "stray",
                    str(path),
                    "a response file of no story.",
                    f"one of the data set's stories, ending in {suffix}: {', '.join(dataset.stories)}.",
                    "It is not read; correct its name, or list the story.",
                    "warning",
                )


def _column_problems(
    recordings: Mapping[str, Recording], shapes: Mapping[str, tuple[int, int]], n_voxels: int
) -> Iterator[Problem]:
    usual = next(story for story, shape in shapes.items() if shape[1] == n_voxels)
    for story, shape in shapes.items():
        if shape[1] != n_voxels:
            yield Problem(
                "columns",
                str(recordings[story].path),
                f"{shape[1]} voxels.",
                f"{n_voxels} voxels, as in {recordings[usual].path.name}.",
                "All responses of a subject must have the same columns: make them with one mask.",
            )


def _mask_problems(anatomy: Path | None, voxel_mask: Path | None, n_voxels: int) -> Iterator[Problem]:
    if anatomy is not None:
        yield from (Problem.of(error, "mask") for error in anatomy_problems(anatomy, n_voxels))
    if voxel_mask is None:
        return
    try:
        n_in_mask = int(np.count_nonzero(np.asarray(read_volume(voxel_mask).dataobj) > 0))
    except DatasetError as error:  # without it the voxels have no place in the brain
        yield Problem.of(error, "mask", "warning")
    else:
        if n_in_mask != n_voxels:
            yield Problem(
                "mask",
                str(voxel_mask),
                f"{n_in_mask} voxels.",
                f"{n_voxels}, the number of columns of the responses.",
                "Take mask and responses from one version of the data set.",
            )


def _nothing_left(dataset: Dataset, name: str, n_voxels: int) -> Problem:
    return Problem(
        "voxels",
        str(dataset.path),
        f"none of the {n_voxels} voxels of {name} is finite and varies in every story.",
        "voxels that can be used in all stories.",
        "Leave out the stories with the most voxels lost, listed above or below.",
    )
