"""What can be wrong with one subject: its splits, its files against each other, and its masks."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.checks.amount import amount_facts
from brainwavlm.checks.report import Problem, Problems
from brainwavlm.checks.responses import check_responses
from brainwavlm.config import EvaluationConfig, RidgeConfig
from brainwavlm.datasets.anatomy import anatomy_problems
from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.hdf5 import open_hdf5
from brainwavlm.datasets.responses import SPLITS, Recording
from brainwavlm.datasets.surfaces import read_volume
from brainwavlm.datasets.usable_voxels import require_columns
from brainwavlm.errors import DatasetError


def check_subject(
    problems: Problems,
    dataset: Dataset,
    name: str,
    seconds: Mapping[str, float],
    expected_rows: Mapping[str, int | None],
) -> tuple[dict[str, Any], bool, list[str]]:
    """Read all of a subject's files, one after the other.

    Parameters
    ----------
    problems : Problems
        What is wrong is added here.
    dataset : Dataset
        That the subject belongs to.
    name : str
        One of its subject_names.
    seconds : mapping of story to float
        Length of each sound that could be read.
    expected_rows : mapping of story to int or None
        Rows that the data set's own table promises.

    Returns
    -------
    The subject's line in the report, whether a test story has repeats, and what so little data cannot tell.
    """
    recordings, anatomy = dataset.recordings(name), dataset.anatomy(name)
    _add_split_problems(problems, dataset, name, recordings)
    _add_stray_files(problems, dataset, recordings)
    used: dict[str, Recording] = {}
    unusable: dict[int, np.ndarray] = {}  # by number of columns, which may wrongly differ
    repeated, has_ceiling = False, _has_ceiling(anatomy)
    for story, recording in recordings.items():
        checked = check_responses(
            problems, recording, seconds.get(story), expected_rows.get(story), has_ceiling
        )
        if checked is None:
            continue
        used[story], voxels, has_repeats = checked
        repeated |= has_repeats and recording.story.split == "test"
        if not voxels.unusable.all():
            columns = recording.shape[1]
            unusable[columns] = unusable.get(columns, False) | voxels.unusable
    n_voxels = n_usable = None
    if used:
        n_voxels = Counter(one.shape[1] for one in used.values()).most_common(1)[0][0]
        usual = next(one for one in used.values() if one.shape[1] == n_voxels)
        for one in used.values():
            with problems.told("columns"):
                require_columns(one, usual)
        n_before = len(problems)
        _add_mask_problems(problems, anatomy, dataset.voxel_mask(name), n_voxels)
        if len(problems) == n_before:  # else the surfaces would be told of the same mask again
            for error in dataset.region_problems(name, n_voxels):
                problems.append(Problem.of(error, "regions", "warning"))
    if n_voxels in unusable:
        n_usable = int(np.count_nonzero(~unusable[n_voxels]))
        if n_usable == 0:
            problems.error(
                "voxels",
                dataset.path,
                f"none of the {n_voxels} voxels of {name} is finite and varies in every story.",
                "voxels that can be used in all stories.",
                "Leave out the stories with the most voxels lost, listed above or below.",
            )
    n_rows = sum(one.shape[0] for one in used.values())
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
    rows = {split: [one.shape[0] for one in used.values() if one.story.split == split] for split in SPLITS}
    fitted = [*rows["train"], *rows["validation"]]
    facts = amount_facts(fitted, rows["test"], n_usable or 0, RidgeConfig(), EvaluationConfig())
    return summary, repeated, [f"{name}: {fact}" for fact in facts]


def _has_ceiling(anatomy: Path | None) -> bool:
    if anatomy is not None:
        with suppress(DatasetError), open_hdf5(anatomy) as file:  # told with the anatomy
            return "ceiling" in file
    return False


def _add_split_problems(
    problems: Problems, dataset: Dataset, name: str, recordings: Mapping[str, Recording]
) -> None:
    if not recordings:
        problems.error(
            "responses",
            dataset.path,
            f"no response file of subject {name}.",
            "one file a story that the subject heard.",
            "Download them, check the folder's name, or take the subject out of the data set.",
        )
        return
    for split in SPLITS:
        if not any(recording.story.split == split for recording in recordings.values()):
            add = problems.warn if split == "validation" else problems.error
            add(
                "split",
                dataset.path,
                f"{name} has no {split} story.",
                f"one {split} story or more.",
                "Tuning will not know when to stop; name one under validation."
                if split == "validation"
                else f"Download one, or give a story the split {split}.",
            )


def _add_stray_files(problems: Problems, dataset: Dataset, recordings: Mapping[str, Recording]) -> None:
    listed = {recording.path for recording in recordings.values()}
    for folder, suffix in sorted({(path.parent, path.suffix) for path in listed}):
        for path in sorted(folder.iterdir()):
            another_ending = path.stem in dataset.stories and path.with_suffix(suffix) not in listed
            if path not in listed and (path.suffix == suffix or another_ending) and path.name[0] != ".":
                problems.warn(
                    "stray",
                    path,
                    "a response file of no story.",
                    f"one of the data set's stories, ending in {suffix}: {', '.join(dataset.stories)}.",
                    "It is not read; correct its name, or list the story.",
                )


def _add_mask_problems(
    problems: Problems, anatomy: Path | None, voxel_mask: Path | None, n_voxels: int
) -> None:
    if anatomy is not None:
        problems += [Problem.of(error, "mask") for error in anatomy_problems(anatomy, n_voxels)]
    if voxel_mask is None:
        return
    with problems.told("mask", "warning"):  # without it the voxels have no place in the brain
        n_in_mask = int(np.count_nonzero(np.asarray(read_volume(voxel_mask).dataobj) > 0))
        if n_in_mask != n_voxels:
            problems.error(
                "mask",
                voxel_mask,
                f"{n_in_mask} voxels.",
                f"{n_voxels}, the number of columns of the responses.",
                "Take mask and responses from one version of the data set.",
            )
