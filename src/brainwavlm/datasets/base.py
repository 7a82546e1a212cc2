"""Who heard what: stories, recordings, subjects and their splits. The only file layout known here is HDF5."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brainwavlm.datasets.anatomy import read_anatomy
from brainwavlm.datasets.responses import SPLITS, Recording, Split, Story
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.files import one_form


@dataclass(frozen=True)
class Subject:
    """One listener.

    Attributes
    ----------
    name : str
    recordings : dict of str to Recording
        By story.
    hemisphere : array (n_voxels,) int8 or None
        0 left, 1 right.
    rois : mapping of str to bool array (n_voxels,)
    ceiling : array (n_voxels,) or None
        Noise ceiling that comes with the data set.
    surface : str or None
        Name of the mesh that `vertex` counts on: fsaverage5, fsaverage6, fsaverage, or native, the subject's own.
    vertex : array (n_voxels,) int32 or None
        Vertex within the voxel's hemisphere.
    position : array (n_voxels, 3) float32 or None
        Of electrodes, mm.
    regions : mapping of str to tuple of str
        Named unions of targets, e.g. AC; they go before `rois` of the same name.
    drawn : mapping of str to bool array (n_voxels,)
        Regions drawn on the subject's flatmap, `overlay:<name>` as targets; made when asked for.
    unread : mapping of str to DatasetError
        Why regions are not known: `surfaces`, or the name of an atlas, to what is wrong with its files.
    """

    name: str
    recordings: dict[str, Recording]
    hemisphere: np.ndarray | None = None
    rois: Mapping[str, np.ndarray] = field(default_factory=dict)
    ceiling: np.ndarray | None = None
    surface: str | None = None
    vertex: np.ndarray | None = None
    position: np.ndarray | None = None
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drawn: Mapping[str, np.ndarray] = field(default_factory=dict)
    unread: Mapping[str, DatasetError] = field(default_factory=dict)

    @property
    def n_voxels(self) -> int:
        """Columns of the responses."""
        return next(iter(self.recordings.values())).shape[1]


class Dataset(ABC):
    """Stories and the people who heard them.

    A new data set is a subclass that fills the attributes and writes `recordings`; register it in
    `brainwavlm.datasets.load_dataset`.

    Attributes
    ----------
    name, licence, citation : str
    path : Path
        Folder.
    tr : float
        Seconds between volumes.
    simulated : bool
        Whether the responses are simulated; every report says so.
    stories : dict of str to Story
    subject_names : tuple of str
    facts : tuple of str
        What users should know of how the files are read, e.g. the clock; shown by check and in reports.
    """

    name: str
    path: Path
    licence: str = ""
    citation: str = ""
    tr: float
    simulated: bool = False
    stories: dict[str, Story]
    subject_names: tuple[str, ...]
    facts: tuple[str, ...] = ()

    @abstractmethod
    def recordings(self, subject: str) -> dict[str, Recording]:
        """That subject's recordings by story, no file opened."""

    def anatomy(self, subject: str) -> Path | None:
        """File with hemispheres, regions and vertices of the voxels (see `datasets.anatomy`), if any."""
        return None

    def expected_rows(self, story: str) -> int | None:
        """Rows that the data set's own tables promise for a story; None where it has no such table."""
        return None

    def voxel_mask(self, subject: str) -> Path | None:
        """NIfTI volume whose voxels above zero are the columns of the responses, if there is one."""
        return None

    def region_problems(self, subject: str, n_voxels: int) -> list[DatasetError]:
        """What is wrong with further files that place the columns in the brain; none of it stops a run."""
        return []

    def subject(self, name: str) -> Subject:
        """The subject of that name, with its recordings and anatomy.

        Raises
        ------
        ConfigError
            No such subject; the message names those there are.
        DatasetError
            The anatomy does not fit the responses.
        """
        name = one_form(name)
        self.require_subject(name)
        recordings = self.recordings(name)
        anatomy = self.anatomy(name)
        if anatomy is None or not recordings:
            return Subject(name, recordings)
        n_voxels = next(iter(recordings.values())).shape[1]
        return Subject(name, recordings, **read_anatomy(anatomy, n_voxels))

    def require_subject(self, name: str) -> None:
        """Raise a ConfigError when there is no subject of that name."""
        if name not in self.subject_names:
            raise ConfigError(
                "subject",
                f"{name!r} is not in {self.path}.",
                f"one of {', '.join(self.subject_names)}.",
                "Choose one of them.",
            )


def split_recordings(
    subject: Subject,
    train: Sequence[str] | None = None,
    validation: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
) -> dict[Split, list[Recording]]:
    """A subject's recordings by split, each split sorted by story name.

    Parameters
    ----------
    subject : Subject
        Whose recordings are split.
    train, validation, test : sequence of str or None
        Story names that replace the data set's own split. A story named in one split leaves the data set's
        own choice for the others.

    Returns
    -------
    dict from train, validation and test to lists of Recording

    Raises
    ------
    ConfigError
        A story in two splits, or one that the subject did not hear.
    """
    chosen = dict(zip(SPLITS, (train, validation, test), strict=True))
    named = [name for names in chosen.values() for name in names or ()]
    for name in named:
        if named.count(name) > 1:
            raise ConfigError(
                "splits",
                f"story {name} is in two splits.",
                "each story in one split.",
                "Remove it from one of them.",
            )
        if name not in subject.recordings:
            raise ConfigError(
                "splits",
                f"{subject.name} has no recording of {name}.",
                f"one of {', '.join(sorted(subject.recordings))}.",
                "Choose other stories for train, validation or test.",
            )
    return {
        split: [
            recording
            for name, recording in sorted(subject.recordings.items())
            if (name in names if names is not None else recording.story.split == split and name not in named)
        ]
        for split, names in chosen.items()
    }
