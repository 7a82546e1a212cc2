"""The frozen frontend's output of a story, computed once: in memory, in a file that runs share, or of the story whole.

No training changes it (`Backbone.frontend`), and it costs as much as the blocks: a run that keeps it saves that in
every epoch.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from brainwavlm.config import WindowConfig
from brainwavlm.errors import BackboneError, ConfigError, DatasetError
from brainwavlm.files import replacing
from brainwavlm.speech.backbones import Backbone
from brainwavlm.speech.feature_cache import content_name
from brainwavlm.speech.stream.reader import stream_frames, stream_outputs
from brainwavlm.stimulus.audio import SAMPLE_RATE, audio_checksum
from brainwavlm.stimulus.windows import Windows

Kept = Literal["float32", "float16"]
_FORMAT = "1"
_STRETCH = 30 * SAMPLE_RATE  # of a shared convolution stack


def kept_frontend(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    config: WindowConfig,
    batch_windows: int | None = None,
    kind: Kept = "float32",
) -> list[Tensor]:
    """What `features.read_at_ends` takes as `frontend`, on the CPU, without graph.

    One tensor (n_frames, n_dims) a window, or a segment of the stream.
    """
    dtype = getattr(torch, kind)
    if config.mode == "stream":
        return [h.to(dtype) for h in stream_outputs(backbone, sound, windows, config, batch_windows)]
    outputs: dict[int, Tensor] = {}
    for chosen, hidden in _window_outputs(backbone, sound, windows, config, batch_windows):
        outputs.update(zip(chosen.tolist(), hidden.to(dtype), strict=True))
    return [outputs[i] for i in range(len(windows))]


def kept_frames(backbone: Backbone, windows: Windows, config: WindowConfig) -> np.ndarray:
    """Frames of each tensor of `kept_frontend`, (n,) int."""
    if config.mode == "stream":
        return stream_frames(backbone, windows, config)
    lengths, places = np.unique(windows.lengths, return_inverse=True)
    return np.array([backbone.n_frames(int(length)) for length in lengths])[places]


def kept_bytes(backbone: Backbone, windows: Windows, config: WindowConfig, kind: Kept = "float32") -> int:
    """Bytes that `kept_frontend` takes, or the file of `frontend_file`."""
    return int(kept_frames(backbone, windows, config).sum()) * backbone.n_dims * np.dtype(kind).itemsize


def frontend_file(
    backbone: Backbone,
    sound_path: str | Path,
    sound: Tensor,
    windows: Windows,
    config: WindowConfig,
    folder: str | Path,
    kind: Kept = "float32",
    batch_windows: int | None = None,
) -> "FrontendFile":
    """`kept_frontend` in a file, which is written when it is not there.

    The file's name is the SHA-256 of all that the output depends on: the frozen weights before the blocks, how
    the sound is fed, the windows, the sound file's content and the type. It takes its name when it is whole.

    Parameters
    ----------
    backbone : Backbone
    sound_path : str or Path
        Of the sound, for its checksum.
    sound : tensor (n_samples,)
    windows : Windows
    config : WindowConfig
    folder : str or Path
        Made when missing; runs may share it.
    kind : float32 or float16
        float16 takes half the room and rounds to about three digits.
    batch_windows : int or None

    Raises
    ------
    DatasetError
        A file in the folder is damaged.
    """
    facts = {
        "format": _FORMAT,
        "weights": backbone.frontend_checksum(),
        "family": backbone.family.name,
        "normalise_sound": backbone.normalise_sound,
        "ends_early": bool(backbone.noise),
        "windows": config.model_dump(),
        "audio": audio_checksum(sound_path),
        "type": kind,
    }
    path = Path(folder) / f"{content_name(facts)}.npy"
    ends = np.cumsum(kept_frames(backbone, windows, config))
    if not path.is_file():
        require_folder(folder, int(ends[-1]) * backbone.n_dims * np.dtype(kind).itemsize)
        make = _segment_outputs if config.mode == "stream" else _window_outputs
        with replacing(path) as temporary, temporary.open("wb") as file:
            # Plain writes: a disk that fills up is an error, where through a memory map it kills the process.
            shape = (int(ends[-1]), backbone.n_dims)
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            first, row = file.tell(), np.dtype(kind).itemsize * backbone.n_dims
            for chosen, hidden in make(backbone, sound, windows, config, batch_windows):
                for number, values in zip(chosen, hidden.numpy(), strict=True):
                    file.seek(first + (int(ends[number]) - len(values)) * row)
                    file.write(np.ascontiguousarray(values, dtype=kind).data)
            file.flush()
            os.fsync(file.fileno())
    return FrontendFile(path, ends, backbone.n_dims, kind)


def require_folder(folder: str | Path, n_bytes: int = 0) -> None:
    """ConfigError where files of a frontend cannot be kept: not a folder, a data set's, or no room."""
    key, path = "training.frontend_folder", Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise ConfigError(
            key, f"{path}: {error.strerror}.", "a folder that can be written.", "Choose another."
        ) from None
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
    """Tensors (n_frames, n_dims) of a file, read where they are asked for.

    Parameters
    ----------
    path : Path
    ends : int array (n,)
        Row after the last of each tensor.
    n_dims : int
    kind : float32 or float16
    """

    def __init__(self, path: Path, ends: np.ndarray, n_dims: int, kind: Kept):
        self.path, self._ends = path, ends
        self._starts = np.concatenate([[0], ends[:-1]])
        expected = f"({int(ends[-1])}, {n_dims}) values of {kind}"
        try:
            self._frames = np.lib.format.open_memmap(path, mode="r")
            found = f"{self._frames.shape} values of {self._frames.dtype}"
        except (ValueError, OSError, EOFError):
            found = "not readable"
        if found != expected:
            raise DatasetError(
                path,
                f"a damaged file of a frontend's output: {found}.",
                f"{expected}, as this program writes them.",
                "Delete it; it is then computed again.",
            )

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number):
        return torch.from_numpy(self._frames[self._starts[number] : self._ends[number]].astype(np.float32))


class SharedFrontend(Sequence[Tensor]):
    """Frames of windows cut from one run of the convolutions over the story, before the positional convolution.

    Exact for layer-norm models whose windows start on the grid of frames. An approximation otherwise: group norm
    (base models) takes its moments from 30 s instead of the window, and a window starts up to half a frame off.

    Parameters
    ----------
    backbone : Backbone
    sound : tensor (n_samples,)
    windows : Windows

    Raises
    ------
    BackboneError
        Whisper, whose frontend adds positions from the window's start.
    """

    def __init__(self, backbone: Backbone, sound: Tensor, windows: Windows):
        family, device = backbone.family, backbone.device
        if family.name == "whisper":
            raise BackboneError(
                "windows.frontend",
                "shared, with Whisper.",
                "exact: Whisper's frontend adds the positions of frames in the window.",
                "Set windows.frontend to exact.",
            )
        hop, first = family.frame_grid(backbone.model.config)
        n_frames = (len(sound) - first) // hop + 1
        step = _STRETCH // hop
        with torch.no_grad():
            self._frames = torch.cat(
                [
                    backbone.listen(
                        sound[at * hop : (min(at + step, n_frames) - 1) * hop + first][None].to(device)
                    )
                    for at in range(0, n_frames, step)
                ],
                1,
            )[0].cpu()
        counts = kept_frames(backbone, windows, WindowConfig())
        self._starts = np.minimum(np.rint(windows.starts / hop).astype(int), n_frames - counts)
        self._counts = counts

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number):
        return self._frames[self._starts[number] :][: self._counts[number]]


def window_batches(
    backbone: Backbone, windows: Windows, indices: np.ndarray, batch_windows: int | None
) -> Iterator[np.ndarray]:
    """Places in `indices`, batched by equal window length; None: as many as fit into the backbone's memory."""
    lengths = windows.lengths[indices]
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        size = batch_windows or backbone.windows_at_once(int(length))
        for first in range(0, len(places), size):
            yield places[first : first + size]


def heard(
    backbone: Backbone,
    sound: Tensor,
    windows: Windows,
    chosen: np.ndarray,
    frontend: Sequence[Tensor] | None = None,
) -> Tensor:
    """The frontend's output for windows of one length, (n_chosen, n_frames, n_dims), kept or computed."""
    device = backbone.device
    if frontend is None:
        spans = zip(windows.starts[chosen], windows.ends[chosen], strict=True)
        return backbone.frontend(torch.stack([sound[start:end] for start, end in spans]).to(device))
    hidden = torch.stack([frontend[i] for i in chosen]).to(device, torch.float32)
    return backbone.enter(hidden) if isinstance(frontend, SharedFrontend) else hidden


def _segment_outputs(
    backbone: Backbone, sound: Tensor, windows: Windows, config: WindowConfig, batch_windows: int | None
) -> Iterator[tuple[np.ndarray, Tensor]]:
    for number, hidden in enumerate(stream_outputs(backbone, sound, windows, config, batch_windows)):
        yield np.array([number]), hidden[None]


def _window_outputs(
    backbone: Backbone, sound: Tensor, windows: Windows, config: WindowConfig, batch_windows: int | None
) -> Iterator[tuple[np.ndarray, Tensor]]:
    shared = SharedFrontend(backbone, sound, windows) if config.frontend == "shared" else None
    for chosen in window_batches(backbone, windows, np.arange(len(windows)), batch_windows):
        yield chosen, heard(backbone, sound, windows, chosen, shared).cpu()
