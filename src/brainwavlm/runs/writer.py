"""Writing a run's folder: one writer at a time, whole files only, nothing overwritten."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig, stored_config
from brainwavlm.errors import BrainwavlmError, RunError, TuningError
from brainwavlm.files import naming, read_json, replacing, sync, write_json
from brainwavlm.runs.checkpoint import OPTIMISER, Checkpoint, ends_epoch, read_checkpoint
from brainwavlm.runs.lock import locked
from brainwavlm.runs.provenance import Recorder
from brainwavlm.runs.run import FORMAT, Run, voxels_key
from brainwavlm.runs.sums import SUMS, write_sums


def require_place(path: Path, resume: bool) -> None:
    """Raise a RunError when a run cannot be written there; cheap, so that it is asked before anything is loaded."""
    existing = path / "run.json"
    if path.exists() and not existing.exists() and any(p.name != "lock" for p in path.iterdir()):
        raise RunError(path, "a folder with other files.", "a new or empty folder.", "Choose another folder.")
    if existing.exists() and not resume:
        if (path / "result.json").exists():
            raise RunError(
                path, "a finished run is here.", "a new folder.", "Use that run, or choose another folder."
            )
        raise RunError(
            path, "an unfinished run is here.", "a new folder.", "Resume it, or choose another folder."
        )
    if resume and not existing.exists():
        raise RunError(path, "no run to resume.", "the folder of a run.", "Start one.")


@contextmanager
def writing(
    path: Path, manifest: dict[str, Any], voxels: Sequence[np.ndarray], resume: bool, first: bool = True
) -> Iterator["Writer"]:
    """A locked run folder to write to: a new one, or with `resume` the one that is there.

    Parameters
    ----------
    path : Path
    manifest : dict
        With the key `config`; on resume it must equal the one in the folder.
    voxels : sequence of bool arrays (n_voxels,)
        Of each listener.
    resume : bool
    first : bool
        Whether this is the first process of the run; the writers of the others read alone.

    Raises
    ------
    RunError
        In use by another process; there already; or asked to resume another run.
    """
    if not first:
        yield Writer(Run(path), writes=False)
        return
    require_place(path, resume)
    manifest = {"format": FORMAT, **manifest}
    existing = path / "run.json"
    made = not path.exists()
    with locked(path / "lock", "another process is writing this run."):
        try:
            if resume:
                _require_same(read_json(existing), manifest, existing)
                _remove_partial(path)
            else:
                from safetensors.numpy import save_file

                with replacing(path / "voxels.safetensors") as temporary:
                    save_file({voxels_key(n): some for n, some in enumerate(voxels)}, temporary)
                write_json(existing, manifest)
            with closing(Writer(Run(path))) as writer:
                yield writer
        except (BrainwavlmError, OSError) as error:
            if not (resume or isinstance(error, TuningError) or Run(path).checkpoints):
                # Bad input, a full disk: nothing is left behind that a second try would stumble over.
                shutil.rmtree(path, ignore_errors=True)
                if not made:
                    path.mkdir(exist_ok=True)
            raise


class Writer:
    """What a tuning loop may do to its folder: one that does not write reads the last checkpoint, and no more."""

    def __init__(self, run: Run, writes: bool = True):
        self.run, self._writes = run, writes
        self._log = run.path / "log.jsonl"
        self._recorder: Recorder | None = None

    @contextmanager
    def recording(
        self, config: RunConfig, device: Any, processes: int, command: str | None
    ) -> Iterator[None]:
        """A session, noted in provenance.json: see `Recorder`."""
        if not self._writes:
            yield
            return
        with Recorder(self.run.path, config, device, processes, command) as self._recorder:
            yield

    def log(self, **event: Any) -> None:
        """Append one event."""
        if not self._writes:
            return
        line = json.dumps({"time": round(time.time(), 3), **event}, allow_nan=False) + "\n"
        with naming(self._log):
            self._open_log.write(line.encode())

    def close(self) -> None:
        """Close the log."""
        if "_open_log" in self.__dict__:
            self._open_log.close()

    @cached_property
    def _open_log(self) -> FileIO:
        # Unbuffered: a line is the system's at once, and stays when this process is killed.
        return FileIO(self._log, "ab")

    def resume(self) -> Checkpoint | None:
        """The last checkpoint, with the log cut back to that moment; None before the first."""
        checkpoints = self.run.checkpoints
        checkpoint = read_checkpoint(checkpoints[-1], to_resume=True) if checkpoints else None
        if self._writes and self._log.exists():
            n_bytes, wanted = self._log.stat().st_size, checkpoint.state["log_bytes"] if checkpoint else 0
            if n_bytes < wanted:
                raise RunError(
                    self._log,
                    f"{n_bytes} bytes: cut.",
                    f"{wanted} bytes or more, as at the last checkpoint.",
                    "Restore it; without it the run goes on with a new one.",
                )
            os.truncate(self._log, wanted)
        return checkpoint

    def checkpoint(self, name: str, checkpoint: Checkpoint) -> None:
        """Write a checkpoint whole, then drop those that are neither the last nor the best, nor an epoch's to keep."""
        from safetensors.torch import save_file

        if not self._writes:
            return
        folder = self.run.path / "checkpoints"
        partial = folder / f"{name}.partial"
        partial.mkdir(parents=True)
        with naming(partial):
            save_file(checkpoint.model, partial / "model.safetensors")
            save_file(checkpoint.optimiser, partial / OPTIMISER)
        log_bytes = 0
        if self._log.exists():
            sync(self._log)  # no checkpoint may count lines that a machine's end could take
            log_bytes = self._log.stat().st_size
        write_json(partial / "state.json", {**checkpoint.state, "log_bytes": log_bytes})
        for file in partial.iterdir():
            sync(file)
        os.rename(partial, folder / name)
        sync(folder)
        self._drop_but(checkpoint.state["best"], name)
        if self._recorder is not None:
            self._recorder.write()

    def finish(self, result: dict[str, Any]) -> None:
        """Write result.json: the run is done."""
        if self._writes:
            write_json(self.run.path / "result.json", result)

    def seal(self) -> None:
        """Of a run that is done, once: drop what only a resumed run reads, and write the checksums of the rest.

        No later session blesses what has changed since.
        """
        path, result = self.run.path, self.run.result
        if self._writes and result is not None and not (path / SUMS).exists():
            self._drop_but(result["best"])
            for checkpoint in self.run.checkpoints:
                (checkpoint / OPTIMISER).unlink(missing_ok=True)
            top = ("run.json", "voxels.safetensors", "log.jsonl", "provenance.json", "result.json")
            files = [*(path / name for name in top), *(path / "checkpoints").rglob("*.*")]
            write_sums(path, [file for file in files if file.is_file()])

    def _drop_but(self, best: dict[str, Any] | None, *last: str) -> None:
        """Drop checkpoints that are neither the best nor the last, nor an epoch's to keep."""
        keep = {*last, *([best["checkpoint"]] if best else [])}
        if self.run.config.training.keep_epochs:
            keep |= {old.name for old in self.run.checkpoints if ends_epoch(old)}
        for old in self.run.checkpoints:
            if old.name not in keep:
                # Renamed first: a kill while files are removed must not leave a checkpoint with holes.
                doomed = old.with_name(old.name + ".partial")
                os.rename(old, doomed)
                shutil.rmtree(doomed)


def _require_same(recorded: dict[str, Any], asked: dict[str, Any], path: Path) -> None:
    recorded = _with_defaults(recorded, path)
    for key in ("format", "config", "splits", "data", "listeners", "backbone"):
        if recorded.get(key) != asked.get(key):
            raise RunError(
                path,
                f"another {key} than asked for: {_first_difference(recorded.get(key), asked.get(key))}",
                "the run that is to be resumed, on the same data.",
                "Resume with the configuration of run.json, or start anew in another folder.",
            )


def _with_defaults(recorded: dict[str, Any], path: Path) -> dict[str, Any]:
    """What a run recorded, with the settings that the version that wrote it did not have yet."""
    config = stored_config(recorded["config"], str(path)).model_dump(mode="json")
    listeners = {"listeners": [_with_defaults(one, path) for one in recorded.get("listeners", [])]}
    return {**recorded, "config": config, **(listeners if "listeners" in recorded else {})}


def _first_difference(recorded: Any, asked: Any, key: str = "") -> str:
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in sorted(recorded.keys() | asked.keys()):
            if recorded.get(name) != asked.get(name):
                return _first_difference(recorded.get(name), asked.get(name), f"{key}.{name}".lstrip("."))
    return f"{key} is {recorded!r}, asked {asked!r}."


def _remove_partial(path: Path) -> None:
    for partial in list(path.rglob("*.partial")):
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink()
