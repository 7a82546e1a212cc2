"""A run's folder: what it was asked, what it did, and everything that is needed to go on.

    run.json             manifest: configuration, versions, data set, stories, voxels
    voxels.safetensors   which columns of the responses the run uses
    log.jsonl            one line an event
    checkpoints/<epoch>-<step>/  model.safetensors  optimiser.safetensors  state.json
    result.json          written last

Every file is written beside its place and moved there, so that a reader never sees half of it.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig, validated
from brainwavlm.datasets.files import replacing
from brainwavlm.errors import RunError

FORMAT = 1
PACKAGES = ("brainwavlm", "torch", "transformers", "peft", "accelerate", "himalaya", "numpy")


@dataclass(frozen=True)
class Checkpoint:
    """Tensors and numbers of one moment of a run.

    Attributes
    ----------
    model : dict of str to tensor
        Trained weights, readout, normalisation.
    optimiser : dict of str to tensor
        Moments of the optimiser and the random state.
    state : dict
        Epoch, step, history, best epoch; JSON.
    """

    model: dict[str, Any]
    optimiser: dict[str, Any]
    state: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run's folder, opened for reading."""

    path: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of run.json."""
        return read_json(self.path / "run.json")

    @cached_property
    def config(self) -> RunConfig:
        """What the run was asked to do."""
        return validated(RunConfig, self.manifest["config"], str(self.path / "run.json"))

    @cached_property
    def voxels(self) -> np.ndarray:
        """Columns of the responses that the run uses, bool (n_voxels,)."""
        from safetensors.numpy import load_file

        return load_file(self.path / "voxels.safetensors")["voxels"]

    @property
    def result(self) -> dict[str, Any] | None:
        """The content of result.json, or None while the run is not done."""
        path = self.path / "result.json"
        return read_json(path) if path.exists() else None

    @property
    def checkpoints(self) -> list[Path]:
        """Folders of the checkpoints, oldest first."""
        folder = self.path / "checkpoints"
        return (
            sorted(p for p in folder.glob("*-*") if not p.name.endswith(".partial"))
            if folder.exists()
            else []
        )

    def log(self) -> list[dict[str, Any]]:
        """Events in order."""
        path = self.path / "log.jsonl"
        return (
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if path.exists()
            else []
        )

    def checkpoint(self, which: str = "best") -> Checkpoint:
        """The last or the best checkpoint.

        Raises
        ------
        RunError
            There is none.
        """
        if not self.checkpoints:
            raise RunError(
                self.path, "no checkpoint.", "a run with at least one.", "Start it again without --resume."
            )
        last = self.checkpoints[-1]
        if which == "last":
            return _read_checkpoint(last)
        best = read_json(last / "state.json")["best"]
        if best is None:
            raise RunError(
                self.path,
                "no epoch is finished.",
                "a run with at least one epoch.",
                "Continue it with --resume.",
            )
        return _read_checkpoint(self.path / "checkpoints" / best["checkpoint"])


def open_run(path: str | Path) -> Run:
    """The run in a folder.

    Raises
    ------
    RunError
        No run there, or one of another format.
    """
    run = Run(Path(path))
    if not (run.path / "run.json").is_file():
        raise RunError(path, "no run.json.", "the folder of a run.", "List runs with: brainwavlm runs FOLDER")
    found = run.manifest.get("format")
    if found != FORMAT:
        raise RunError(
            run.path / "run.json", f"format {found}.", f"format {FORMAT}.", "Use the version that wrote it."
        )
    return run


def summaries(folder: Path) -> list[dict[str, Any]]:
    """One row a run below a folder: where, whose, how far."""
    rows = []
    for manifest in sorted(Path(folder).rglob("run.json")):
        run = open_run(manifest.parent)
        result = run.result
        best = (result or {}).get("best") or {}
        rows.append(
            {
                "run": str(run.path.relative_to(folder)),
                "dataset": run.manifest["data"]["dataset"],
                "subject": run.config.subject,
                "target": run.config.target,
                "method": run.config.adapter.method,
                "seed": run.config.seed,
                "state": "done" if result else "unfinished",
                "best_epoch": best.get("epoch"),
                "validation_r": best.get("validation_r"),
            }
        )
    return rows


@contextmanager
def writing(path: Path, manifest: dict[str, Any], voxels: np.ndarray, resume: bool) -> Iterator["Writer"]:
    """A locked run folder to write to: a new one, or with `resume` the one that is there.

    Parameters
    ----------
    path : Path
    manifest : dict
        With the key `config`; on resume it must equal the one in the folder.
    voxels : bool array (n_voxels,)
    resume : bool

    Raises
    ------
    RunError
        In use by another process; there already; or asked to resume another run.
    """
    manifest = {"format": FORMAT, **manifest}
    existing = path / "run.json"
    if path.exists() and not existing.exists() and any(p.name != "lock" for p in path.iterdir()):
        raise RunError(
            path, "a folder with other files.", "a new or empty folder.", "Choose another --output."
        )
    if existing.exists() and not resume:
        done = "finished" if (path / "result.json").exists() else "unfinished"
        raise RunError(
            path,
            f"a {done} run is here.",
            "a new folder.",
            "Choose another --output, or go on with --resume.",
        )
    if resume and not existing.exists():
        raise RunError(path, "no run to resume.", "the folder of a run.", "Start it without --resume.")
    path.mkdir(parents=True, exist_ok=True)
    with open(path / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(
                path,
                "another process is writing this run.",
                "a run that nobody writes.",
                "Wait for it or stop it.",
            ) from None
        if resume:
            _require_same(read_json(existing), manifest, existing)
            _remove_partial(path)
        else:
            from safetensors.numpy import save_file

            with replacing(path / "voxels.safetensors") as temporary:
                save_file({"voxels": voxels}, temporary)
            write_json(existing, manifest)
        yield Writer(Run(path))


class Writer:
    """What a tuning loop may do to its folder."""

    def __init__(self, run: Run):
        self.run = run
        self._log = run.path / "log.jsonl"

    def log(self, **event: Any) -> None:
        """Append one event."""
        line = json.dumps({"time": round(time.time(), 3), **event}, allow_nan=False) + "\n"
        with open(self._log, "ab", buffering=0) as file:
            file.write(line.encode())

    def resume(self) -> Checkpoint | None:
        """The last checkpoint, with the log cut back to that moment; None before the first."""
        checkpoints = self.run.checkpoints
        length = 0
        checkpoint = None
        if checkpoints:
            checkpoint = _read_checkpoint(checkpoints[-1])
            length = checkpoint.state["log_bytes"]
        if self._log.exists():
            os.truncate(self._log, length)
        return checkpoint

    def checkpoint(self, name: str, checkpoint: Checkpoint) -> None:
        """Write a checkpoint whole, then drop those that are neither the last nor the best."""
        from safetensors.torch import save_file

        folder = self.run.path / "checkpoints"
        partial = folder / f"{name}.partial"
        partial.mkdir(parents=True)
        save_file(checkpoint.model, partial / "model.safetensors")
        save_file(checkpoint.optimiser, partial / "optimiser.safetensors")
        log_bytes = self._log.stat().st_size if self._log.exists() else 0
        write_json(partial / "state.json", {**checkpoint.state, "log_bytes": log_bytes})
        for file in partial.iterdir():
            _sync(file)
        os.rename(partial, folder / name)
        _sync(folder)
        best = checkpoint.state["best"]
        keep = {name, best["checkpoint"] if best else name}
        for old in self.run.checkpoints:
            if old.name not in keep:
                # Renamed first: a kill while files are removed must not leave a checkpoint with holes.
                doomed = old.with_name(old.name + ".partial")
                os.rename(old, doomed)
                shutil.rmtree(doomed)

    def finish(self, result: dict[str, Any]) -> None:
        """Write result.json: the run is done."""
        write_json(self.run.path / "result.json", result)


def versions() -> dict[str, str]:
    """Versions of the packages that decide what a run computes."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    RunError
        Missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(path, "no such file.", "a file of a run.", "Is this the folder of a run?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(
            path, f"not JSON: {error}", "a JSON object.", "Restore it, or start the run again."
        ) from None


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        _sync(temporary)


def _read_checkpoint(folder: Path) -> Checkpoint:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        model = load_file(folder / "model.safetensors")
        optimiser = load_file(folder / "optimiser.safetensors")
    except (OSError, SafetensorError) as error:
        raise RunError(
            folder,
            f"not readable: {error}",
            "a checkpoint.",
            "Remove this folder; the one before it is used.",
        ) from None
    return Checkpoint(model, optimiser, read_json(folder / "state.json"))


def _require_same(found: dict[str, Any], asked: dict[str, Any], path: Path) -> None:
    for key in ("format", "config", "splits", "data"):
        if found.get(key) != asked.get(key):
            raise RunError(
                path,
                f"another {key} than asked for: {_first_difference(found.get(key), asked.get(key))}",
                "the run that is to be resumed, on the same data.",
                "Resume with the configuration of run.json, or start anew with another --output.",
            )


def _first_difference(found: Any, asked: Any, key: str = "") -> str:
    if isinstance(found, dict) and isinstance(asked, dict):
        for name in sorted(found.keys() | asked.keys()):
            if found.get(name) != asked.get(name):
                return _first_difference(found.get(name), asked.get(name), f"{key}.{name}".lstrip("."))
    return f"{key} is {found!r}, asked {asked!r}."


def _remove_partial(path: Path) -> None:
    for partial in list(path.rglob("*.partial")):
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
