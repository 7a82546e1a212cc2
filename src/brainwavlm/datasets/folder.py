"""The native folder format, version 1: dataset.yaml, stimuli, responses/<subject>/<story>.h5, subjects/*.h5.

docs/reference/file-formats.md shows one file of each kind.
"""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

from brainwavlm.datasets.anatomy import write_anatomy
from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.dataset_yaml import FILE_NAME, Description, inside, read_description
from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import DatasetError
from brainwavlm.files import is_listed, on_disk, one_form, reachable, replacing


class FolderDataset(Dataset):
    """A data set in the native format.

    Parameters
    ----------
    path : str or Path
        Folder with `dataset.yaml`.
    description : Description or None
        What it says, where that was read already, e.g. in part.

    Raises
    ------
    DatasetError
        The description is missing or wrong; the first problem is told, `check` lists all.
    """

    def __init__(self, path: str | Path, description: Description | None = None):
        if description is None:
            description, problems = read_description(Path(path) / FILE_NAME)
            if problems or description is None:
                raise problems[0]
        self.path = Path(path)
        self._description = description
        self.name = description.name
        self.licence = description.licence
        self.citation = description.citation
        self.tr = description.tr
        self.simulated = description.simulated
        self.subject_names = tuple(description.subjects)
        self.facts = (description.note,) if description.note else ()
        self.stories = {
            name: entry.story(self.path, name, description.channel)
            for name, entry in description.stories.items()
        }

    def recordings(self, subject: str) -> dict[str, Recording]:
        """The stories for which the subject's folder holds a file; its own splits go before the stories'."""
        entry = self._description.subjects[subject]
        recordings = {}
        for name, story in self.stories.items():
            file = on_disk(self.path, f"{entry.responses}/{name}.h5")
            # A folder of that name is no sign that the story was not heard.
            if is_listed(file) or file.is_dir():
                own = dataclasses.replace(story, split=entry.splits.get(name, story.split))
                recordings[name] = Recording(subject, own, file, self.tr)
        return recordings

    def anatomy(self, subject: str) -> Path | None:
        """The file named in dataset.yaml."""
        name = self._description.subjects[subject].anatomy
        return on_disk(self.path, name) if name else None


@dataclasses.dataclass(frozen=True)
class Responses:
    """One subject's responses to one story, as `write_folder` takes them.

    Attributes
    ----------
    data : array (n_trs, n_voxels), float16, float32 or float64
    tr_times : array (n_trs,) or None
        Seconds from sound onset. None: row k starts at start + tr * k.
    start : float
        Used where there are no tr_times.
    repeats : array (n_repeats, n_trs, n_voxels) or None
        The single presentations that `data` is the mean of.
    attributes : dict
        HDF5 attributes that say more, e.g. {"simulated": True}.
    """

    data: np.ndarray
    tr_times: np.ndarray | None = None
    start: float = 0.0
    repeats: np.ndarray | None = None
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def write_responses(path: Path, responses: Responses, compression: str | None = None) -> None:
    """Write one HDF5 response file, whole or not at all.

    Raises
    ------
    DatasetError
        Arrays whose shapes or type the format does not have.
    """
    _require_shapes(path, responses)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("data", data=responses.data, compression=compression)
        if responses.tr_times is not None:
            file["tr_times"] = np.asarray(responses.tr_times, dtype=np.float64)
        else:
            file.attrs["start"] = responses.start
        if responses.repeats is not None:
            file.create_dataset("individual_repeats", data=responses.repeats, compression=compression)
        file.attrs.update(responses.attributes)


def write_folder(
    path: str | Path,
    description: Description,
    responses: Mapping[str, Mapping[str, Responses]],
    anatomy: Mapping[str, Mapping[str, Any]] | None = None,
    files: Mapping[str, Path] | None = None,
    compression: str | None = None,
) -> FolderDataset:
    """Write a data set in the native format.

    Parameters
    ----------
    path : str or Path
        Folder to make. One that holds a `dataset.yaml` is refused.
    description : Description
        What `dataset.yaml` says.
    responses : mapping of subject to mapping of story to Responses
        Read once, story by story, so that it may be made on the way.
    anatomy : mapping of subject to mapping, or None
        Keyword arguments of `write_anatomy`.
    files : mapping of file names in the data set to files that are copied there, or None
        Sound and transcripts; leave out those that are in place already.
    compression : str or None
        HDF5 filter, e.g. "gzip".

    Returns
    -------
    FolderDataset

    Raises
    ------
    DatasetError
        The folder holds a data set already, a file that would lie outside it, a subject or story that the
        description does not have, or arrays of a wrong shape. Only for the last has anything been written.
    """
    folder = Path(path)
    with reachable(folder):
        exists = (folder / FILE_NAME).exists()
    if exists:
        raise DatasetError(
            folder, "holds a data set already.", "a new folder.", "Choose another folder, or delete this one."
        )
    _require_described(folder, description, responses, anatomy or {}, files or {})
    for name, source in (files or {}).items():
        with replacing(folder / name) as temporary:
            shutil.copyfile(source, temporary)
    for subject, fields in (anatomy or {}).items():
        file = description.subjects[one_form(subject)].anatomy
        assert file is not None
        write_anatomy(folder / file, **fields)
    for subject, stories in responses.items():
        for story in stories:
            own_folder = folder / description.subjects[one_form(subject)].responses
            write_responses(own_folder / f"{one_form(story)}.h5", stories[story], compression)
    # Last, so that a folder that was not finished is not taken for a data set.
    content = description.model_dump(exclude_defaults=True)
    with replacing(folder / FILE_NAME) as temporary:
        temporary.write_text(
            yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100), encoding="utf-8"
        )
    return FolderDataset(folder)


def _require_described(
    folder: Path,
    description: Description,
    responses: Mapping[str, Mapping[str, Responses]],
    anatomy: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, Path],
) -> None:
    named = folder / FILE_NAME
    asked: list[tuple[str, str, Mapping[str, Any]]] = [
        ("subject", subject, description.subjects) for subject in (*responses, *anatomy)
    ]
    asked += [("story", story, description.stories) for stories in responses.values() for story in stories]
    for kind, name, described in asked:
        if one_form(name) not in described:
            raise DatasetError(
                named,
                f"no {kind} {name!r}.",
                f"one of {', '.join(described)}.",
                f"Add the {kind} to the description, or leave out what is given for it.",
            )
    for subject in anatomy:
        if description.subjects[one_form(subject)].anatomy is None:
            raise DatasetError(
                named,
                f"names no anatomy for {subject}.",
                "a file name for the anatomy given.",
                f"Set subjects.{subject}.anatomy, e.g. subjects/{subject}.h5",
            )
    for name in files:
        try:
            inside(str(name))
        except ValueError as error:
            raise DatasetError(
                folder, f"files names {str(name)!r}.", f"{error}.", "Change the name; nothing was written."
            ) from None


def _require_shapes(path: Path, responses: Responses) -> None:
    shape = responses.data.shape
    problem = None
    whole = responses.data.ndim == 2 and len(responses.data) > 1
    if not whole or responses.data.dtype not in (np.float16, np.float32, np.float64):
        problem = f"data of shape {shape} and type {responses.data.dtype}."
    elif responses.tr_times is not None and np.shape(responses.tr_times) != shape[:1]:
        problem = f"tr_times of shape {np.shape(responses.tr_times)} beside data of shape {shape}."
    elif responses.repeats is not None and responses.repeats.shape[1:] != shape:
        problem = f"repeats of shape {responses.repeats.shape} beside data of shape {shape}."
    if problem:
        raise DatasetError(
            path,
            problem,
            "floating-point data (n_trs, n_voxels), two rows or more, tr_times (n_trs,), repeats (n_repeats, n_trs, "
            "n_voxels).",
            "Change the arrays; nothing was written to this file.",
        )
