"""Content of the files that a run reads: SHA-256, each file read once for as long as it stays as it is."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import StrictInt, TypeAdapter, ValidationError

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Dataset, Subject, split_recordings
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import BrainwavlmError
from brainwavlm.files import read_json, require_content, write_json

HEARS_TRANSCRIPTS = ("words", "phones")
HEAD_BYTES = 2**20
_KNOWN = TypeAdapter(dict[str, tuple[StrictInt, StrictInt, str]])


class Checksums:
    """SHA-256 of files, kept by path, size and time of change, so that 20 GB are read once.

    Parameters
    ----------
    path : Path or None
        File to read and, with `save`, to write.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, tuple[int, int, str]] = {}
        self.facts: dict[str, dict[str, Any]] = {}  # of data that cells share
        if path is not None and path.is_file():
            with suppress(BrainwavlmError, ValidationError):  # damaged: made again from the files
                self._known = _KNOWN.validate_python(read_json(path))

    def of(self, path: Path) -> str:
        """The checksum of a file's content.

        Raises
        ------
        DatasetError
            Missing, or a git-annex pointer.
        """
        require_content(path)
        stat = path.stat()
        name, stamp = str(path.resolve()), (stat.st_size, stat.st_mtime_ns)
        if name not in self._known or self._known[name][:2] != stamp:
            with path.open("rb") as file:
                self._known[name] = (*stamp, hashlib.file_digest(file, "sha256").hexdigest())
        return self._known[name][2]

    def save(self) -> None:
        """Write what is known."""
        if self._path is not None:
            write_json(self._path, self._known)


def head_checksum(path: Path) -> str:
    """SHA-256 of the first mebibyte."""
    with path.open("rb") as file:
        return hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()


def files_of_run(dataset: Dataset, config: RunConfig) -> dict[str, Path]:
    """Files that tuning and scoring read for the configured subject, by what they are.

    Parameters
    ----------
    dataset : Dataset
        The configured one.
    config : RunConfig
        As that listener sees it.
    """
    heard = dataset.recordings(config.subject)
    splits = split_recordings(Subject(config.subject, heard), config.train, config.validation, config.test)
    used = [recording for split in splits.values() for recording in split]
    # Noise ceilings are measured on the repeats of any story.
    measured = [*used, *(r for r in heard.values() if r not in used and r.repeats(slice(0, 1)) is not None)]
    return files_of(dataset, config.subject, measured, used, config.control.kind in HEARS_TRANSCRIPTS)


def files_of(
    dataset: Dataset,
    subject: str,
    measured: Iterable[Recording],
    heard: Iterable[Recording],
    transcripts: bool,
) -> dict[str, Path]:
    """Files of responses, sounds, transcripts and of what places the voxels in the brain."""
    files = {f"responses/{recording.story.name}": recording.path for recording in measured}
    for recording in heard:
        story = recording.story
        files[f"sound/{story.name}"] = story.audio
        if transcripts and story.transcript is not None:
            files[f"transcript/{story.name}"] = story.transcript
    anatomy = dataset.anatomy(subject)
    if anatomy is not None:
        files["anatomy"] = anatomy
    if isinstance(dataset, Lebel2023):
        for folder in ("pycortex-db", "freesurfer_subjdir"):
            place = dataset.derivative / folder / subject
            # Not the volumes of FreeSurfer: only surfaces, transforms, masks and labels are read.
            some = [file for file in sorted(place.rglob("*")) if file.is_file() and "mri" not in file.parts]
            files |= {f"{folder}/{file.relative_to(place)}": file for file in some}
    return files


def named_files(config: RunConfig) -> list[str]:
    """Files that an anchored configuration names: masks and word vectors."""
    names = [config.target, *config.evaluation.targets, *(p for ps in config.regions.values() for p in ps)]
    if config.control.embeddings is not None:
        names.append(config.control.embeddings)
    return [name for name in dict.fromkeys(names) if Path(name).is_absolute() and Path(name).is_file()]
