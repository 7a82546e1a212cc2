"""What a cell is: its configuration, the content of its data, its speech model and the code that computes it.

identity = SHA-256 of these four. Where the study lies is no part of it, nor what is scored after tuning.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import StrictInt, TypeAdapter, ValidationError

from brainwavlm import __version__
from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset, Recording, Subject, split_recordings
from brainwavlm.datasets.files import require_content
from brainwavlm.datasets.lebel2023 import Lebel2023
from brainwavlm.errors import BrainwavlmError
from brainwavlm.run_files import read_json, write_json
from brainwavlm.study.description import TransferOptions

PACKAGE = Path(__file__).parents[1]
# Pages, tables in the terminal and studies cannot change the numbers of a run; all other code may.
SHOWS = ("reporting", "study", "cli*.py", "terminal*.py", "progress.py", "planning.py", "demo.py", "__*.py")
HEARS_TRANSCRIPTS = ("words", "phones")
_CHECKSUMS = TypeAdapter(dict[str, tuple[StrictInt, StrictInt, str]])


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
                self._known = _CHECKSUMS.validate_python(read_json(path))

    def of(self, path: Path) -> str:
        """The checksum of a file's content.

        Raises
        ------
        DatasetError
            Missing, or a git-annex pointer.
        """
        require_content(path)
        found = path.stat()
        name, stamp = str(path.resolve()), (found.st_size, found.st_mtime_ns)
        if name not in self._known or self._known[name][:2] != stamp:
            with path.open("rb") as file:
                self._known[name] = (*stamp, hashlib.file_digest(file, "sha256").hexdigest())
        return self._known[name][2]

    def save(self) -> None:
        """Write what is known."""
        if self._path is not None:
            write_json(self._path, self._known)


def code_version() -> dict[str, Any]:
    """Version and digest of the code that computes runs; the git revision for people, where there is one.

    The digest is over files, so it also tells apart changes that are not committed, and works without git.
    """
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE)
        if not any(fnmatch(name.parts[0], pattern) for pattern in SHOWS):
            digest.update(name.as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return {"version": __version__, "source": digest.hexdigest(), "git": _revision()}


def same_code(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two versions compute the same."""
    return all(one.get(key) == other.get(key) for key in ("version", "source"))


def identity(facts: dict[str, Any]) -> str:
    """The identity of a cell, from `facts_of`."""
    kept = {**facts, "code": {key: facts["code"][key] for key in ("version", "source")}}
    return _digest({"format": 1, **kept})


def facts_of(config: RunConfig, checksums: Checksums, code: dict[str, Any]) -> dict[str, Any]:
    """What the identity of a cell is made of.

    Parameters
    ----------
    config : RunConfig
        Anchored.
    checksums : Checksums
    code : dict
        From `code_version`.

    Raises
    ------
    BrainwavlmError
        Data or a speech model that is not there.
    """
    from brainwavlm.encoding.listeners import listener_views

    data = [_data_facts(view, checksums) for view in listener_views(config)]
    return {
        "config": _digest(config.model_dump(mode="json")),
        "data": _digest([data, {name: checksums.of(Path(name)) for name in named_files(config)}]),
        "model": _model_checksum(config.backbone.name, config.backbone.layer),
        "code": code,
    }


def transfer_facts(config: RunConfig, options: TransferOptions, checksums: Checksums) -> str:
    """A digest of the data of all listeners that a transfer may score."""
    dataset = load_dataset(config.dataset)
    found = {}
    for name in options.subjects or dataset.subject_names:
        dataset.require_subject(name)
        recordings = dataset.recordings(name).values()
        found[name] = _files_facts(dataset, name, recordings, recordings, False, checksums)
    return _digest(found)


def named_files(config: RunConfig) -> list[str]:
    """Files that an anchored configuration names: masks and word vectors."""
    names = [config.target, *config.evaluation.targets, *(p for ps in config.regions.values() for p in ps)]
    if config.control.embeddings is not None:
        names.append(config.control.embeddings)
    return [name for name in dict.fromkeys(names) if Path(name).is_absolute() and Path(name).is_file()]


def _data_facts(config: RunConfig, checksums: Checksums) -> dict[str, Any]:
    """What the data of one listener are; looked up once for all cells that use the same."""
    used = {"dataset": True, "subject": True, "train": True, "validation": True, "test": True}
    key = config.model_dump_json(include={**used, "control": {"kind"}})
    if key not in checksums.facts:
        checksums.facts[key] = _read_facts(config, checksums)
    return checksums.facts[key]


def _read_facts(config: RunConfig, checksums: Checksums) -> dict[str, Any]:
    dataset = load_dataset(config.dataset)
    dataset.require_subject(config.subject)
    heard = dataset.recordings(config.subject)
    splits = split_recordings(Subject(config.subject, heard), config.train, config.validation, config.test)
    used = [recording for split in splits.values() for recording in split]
    names = {split: [recording.story.name for recording in some] for split, some in splits.items()}
    transcripts = config.control.kind in HEARS_TRANSCRIPTS
    # Noise ceilings are measured on the repeats of any story.
    measured = [*used, *(r for r in heard.values() if r not in used and r.repeats(slice(0, 1)) is not None)]
    files = _files_facts(dataset, config.subject, measured, used, transcripts, checksums)
    return {"splits": names, "tr": dataset.tr, "simulated": dataset.simulated, "files": files}


def _files_facts(
    dataset: Dataset,
    subject: str,
    measured: Iterable[Recording],
    heard: Iterable[Recording],
    transcripts: bool,
    checksums: Checksums,
) -> dict[str, str]:
    """Checksums of responses, sounds, transcripts and of what places the voxels in the brain."""
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
    return {name: checksums.of(path) for name, path in files.items()}


@cache
def _model_checksum(name: str, layer: int) -> str:
    from brainwavlm.speech.backbones import load_backbone

    return load_backbone(name, layer).weights_checksum()


def _revision() -> str | None:
    """Commit of the folder that the package lies in, `+dirty` where its files differ from it."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(PACKAGE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return None  # installed into somebody else's repository
        return git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
