"""Content of the files that a run reads: SHA-256, each file read once for as long as it stays as it is."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import StrictInt, TypeAdapter, ValidationError

from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset, Subject, split_recordings
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import BrainwavlmError
from brainwavlm.files import digest_of, read_json, require_content, write_json
from brainwavlm.runs.subject_views import subject_views

HEARS_TRANSCRIPTS = ("words", "phones")
HEAD_BYTES = 2**20
# SHA-256 takes about a second for so much: what a run reads beyond it is known by its size, time and beginning.
WHOLE_BYTES = 2 * 10**9
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
            self._known[name] = (*stamp, digest_of(path))
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
        channel = "" if story.channel == "mean" else f" ({story.channel})"
        files[f"sound/{story.name}{channel}"] = story.audio
        if transcripts and story.transcript is not None:
            tiers = ", ".join((*story.word_tiers, *story.phone_tiers))
            files[f"transcript/{story.name}{f' ({tiers})' * bool(tiers)}"] = story.transcript
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


def data_files(config: RunConfig, earlier: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What identifies each file that a run reads: size, time of change and SHA-256.

    From the smallest file on, checksums are of whole files as long as these have WHOLE_BYTES together; those of larger
    files are of their first mebibyte. Files that are not here (parts of an anatomy that nobody fetched) are left out.

    Parameters
    ----------
    config : RunConfig
        Anchored.
    earlier : mapping
        Of an earlier session: a file of the same size and time of change is not read again.
    """
    checksums, room, files = Checksums(), WHOLE_BYTES, {}
    for name, path in sorted(_paths(config).items(), key=lambda item: (item[1].stat().st_size, item[0])):
        stat, before = path.stat(), earlier.get(name, {})
        stamp = {"bytes": stat.st_size, "changed": stat.st_mtime_ns}
        room -= stat.st_size
        if {**before, **stamp} == before:
            files[name] = dict(before)
        else:
            digest = checksums.of(path) if room >= 0 else head_checksum(path)
            files[name] = {**stamp, "sha256": digest, "whole": room >= 0 or stat.st_size <= HEAD_BYTES}
    return dict(sorted(files.items()))


def _paths(config: RunConfig) -> dict[str, Path]:
    """Files that are here, by what they are; those of a joint run by listener."""
    views = subject_views(config)
    paths: dict[str, Path] = {}
    for number, view in enumerate(views):
        before = f"{number} {view.subject}/" if len(views) > 1 else ""
        files = files_of_run(load_dataset(view.dataset), view)
        paths |= {f"{before}{name}": path for name, path in files.items()}
    paths |= {
        f"named/{number} {Path(name).name}": Path(name) for number, name in enumerate(named_files(config))
    }
    return {name: path for name, path in paths.items() if _is_here(path)}


def _is_here(path: Path) -> bool:
    try:
        require_content(path)
    except BrainwavlmError:
        return False
    return True


def changed_files(
    earlier: Mapping[str, Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Files of which an earlier session read another content."""
    changed = []
    for name, file in files.items():
        before = earlier.get(name, file)
        same_kind = before["whole"] == file["whole"]
        if before["bytes"] != file["bytes"] or (same_kind and before["sha256"] != file["sha256"]):
            changed.append(name)
    return changed
