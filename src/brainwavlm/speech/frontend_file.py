"""The frozen frontend's output of a story in a file that runs share."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.files import replacing
from brainwavlm.runs.output_paths import require_writable
from brainwavlm.speech.sound_reader import Kept, SoundReader, heard_facts
from brainwavlm.stimulus.audio import load_sound

_FORMAT = "1"


def content_name(facts: dict) -> str:
    """The name of a file whose content follows from these facts: their SHA-256."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def frontend_file(
    reader: SoundReader,
    sound_path: str | Path,
    folder: str | Path,
    kind: Kept = "float32",
    channel: Channel = "mean",
) -> "FrontendFile":
    """`SoundReader.kept_frontend` in a file, which is written when it is not there.

    The file's name is the SHA-256 of all that the output depends on: the frozen weights before the blocks, how
    the sound is fed, the windows, the sound file's content and the type. It takes its name when it is whole; runs may
    share a folder. The sound is decoded where the file is not there. float16 takes half the room and rounds to about
    three digits.

    Raises
    ------
    DatasetError
        A file in the folder is damaged.
    """
    backbone = reader.backbone
    facts = {
        "format": _FORMAT,
        "weights": backbone.frontend_checksum,
        "ends_early": bool(backbone.noise),
        "type": kind,
        **heard_facts(backbone, sound_path, reader.config, channel),
    }
    path = Path(folder) / f"{content_name(facts)}.npy"
    ends = np.cumsum(reader.n_frames)
    if not path.is_file():
        require_folder(folder, reader.kept_bytes(kind))
        sound = torch.from_numpy(load_sound(sound_path, channel)).to(backbone.device)
        with replacing(path) as temporary, temporary.open("wb") as file:
            # Plain writes: a disk that fills up is an error, where through a memory map it kills the process.
            shape = (int(ends[-1]), backbone.n_dims)
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            first, row = file.tell(), np.dtype(kind).itemsize * backbone.n_dims
            for numbers, hidden in replace(reader, sound=sound).outputs():
                for number, values in zip(numbers, hidden.numpy(), strict=True):
                    file.seek(first + (int(ends[number]) - len(values)) * row)
                    file.write(np.ascontiguousarray(values, dtype=kind).data)
            file.flush()
            os.fsync(file.fileno())
    return FrontendFile(path, ends, backbone.n_dims, kind)


def require_folder(folder: str | Path, n_bytes: int = 0) -> None:
    """ConfigError where files of a frontend cannot be kept: not a folder, a data set's, or no room."""
    key, path = "training.frontend_folder", Path(folder)
    require_writable(path, key)
    path.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path).free
    if (path / "dataset.yaml").exists() or (path / "run.json").exists():
        raise ConfigError(key, f"{path}, a data set or a run.", "a folder of its own.", "Choose another.")
    if free < n_bytes:
        raise ConfigError(
            key,
            f"{free / 1e9:.2f} GB free in {path}, where one story needs {n_bytes / 1e9:.2f}.",
            "room for every story.",
            "Make room, choose another folder, or set training.frontend_type=float16.",
        )


class FrontendFile(Sequence[Tensor]):
    """Tensors (n_frames, n_dims) of a file, read where they are asked for; `ends` (n,) are one past the last row."""

    def __init__(self, path: Path, ends: np.ndarray, n_dims: int, kind: Kept):
        self.path, self._ends = path, ends
        self._starts = np.concatenate([[0], ends[:-1]])
        expected = f"({int(ends[-1])}, {n_dims}) values of {kind}"
        try:
            self._frames = np.lib.format.open_memmap(path, mode="r")
            content = f"{self._frames.shape} values of {self._frames.dtype}"
        except (ValueError, OSError, EOFError):
            content = "not readable"
        if content != expected:
            raise DatasetError(
                path,
                f"a damaged file of a frontend's output: {content}.",
                f"{expected}, as this program writes them.",
                "Delete it; it is then computed again.",
            )

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number):
        return torch.from_numpy(self._frames[self._starts[number] : self._ends[number]].astype(np.float32))
