"""A run's folder: what it was asked, what it did, and everything that is needed to go on.

    run.json             manifest: configuration, versions, data set, stories, voxels
    voxels.safetensors   which columns of the responses the run uses
    log.jsonl            one line an event
    checkpoints/<epoch>-<step>/  model.safetensors  state.json, and until the run is done optimiser.safetensors
    provenance.json      what each session ran on: code, machine, data, time
    result.json          written when it is done
    SHA256SUMS           of all of these, written last

Every file is written beside its place and moved there, so that a reader never sees half of it.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig, stored_config
from brainwavlm.errors import RunError
from brainwavlm.files import read_json
from brainwavlm.runs.checkpoint import Checkpoint, Course, Manifest, ends_epoch, read_checkpoint, read_state

FORMAT = 1


@dataclass(frozen=True)
class Run:
    """A run's folder, opened for reading.

    Attributes
    ----------
    path : Path
    listener : int
        Whose side of a joint run this is: 0 is the configured subject.
    """

    path: Path
    listener: int = 0

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of run.json, as this listener sees it."""
        manifest = read_json(self.path / "run.json", kind=Manifest)
        return manifest | (manifest["listeners"][self.listener] if self.listener else {})

    @property
    def sides(self) -> list["Run"]:
        """The run as each of its listeners sees it; one where nobody else listens."""
        return [Run(self.path, number) for number in range(len(self.manifest.get("listeners", [None])))]

    @property
    def listeners(self) -> list[str]:
        """Names of the subjects that it is tuned on; with the data set where two have one name."""
        together = self.manifest.get("listeners")
        return [one["name"] for one in together] if together else [self.config.subject]

    @property
    def facts(self) -> dict[str, Any]:
        """What tells it from other runs: subject (all of a joint run), target, method, control, seed, simulated."""
        return {
            "subject": "+".join(self.listeners),
            "target": self.config.target,
            "method": self.config.adapter.method,
            "control": self.config.control.kind,
            "seed": self.config.seed,
            "simulated": any(side.manifest["data"]["simulated"] for side in self.sides),
        }

    @cached_property
    def config(self) -> RunConfig:
        """What the run was asked to do."""
        return stored_config(self.manifest["config"], str(self.path / "run.json"))

    @cached_property
    def voxels(self) -> np.ndarray:
        """Columns of the responses that the run uses, bool (n_voxels,)."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.path / "voxels.safetensors"
        try:
            voxels = load_file(path)[voxels_key(self.listener)]
        except (OSError, SafetensorError, KeyError) as error:
            raise RunError(
                path, f"not readable: {error}", "which voxels the run uses.", "Restore it, or tune again."
            ) from None
        if voxels.shape != (self.manifest["data"]["n_voxels"],):
            raise RunError(
                path,
                f"{len(voxels)} values.",
                f"{self.manifest['data']['n_voxels']}, as run.json says.",
                "Restore it, or tune again.",
            )
        return voxels

    @property
    def n_targets(self) -> int:
        """Columns that the run's readout predicts: its voxels, or what its control has in their place."""
        control = self.manifest["data"].get("control")
        return int(control["n_targets"]) if control else int(self.voxels.sum())

    @property
    def result(self) -> dict[str, Any] | None:
        """The content of result.json, or None while the run is not done."""
        path = self.path / "result.json"
        return read_json(path, kind=Course) if path.exists() else None

    @property
    def course(self) -> dict[str, Any]:
        """History and best epoch: at the run's end, else at its last checkpoint; empty before. No tensor is read."""
        if self.result is not None:
            return self.result
        if not self.checkpoints:
            return {"best": None, "history": []}
        return read_state(self.checkpoints[-1])

    @property
    def history(self) -> list[dict[str, Any]]:
        """An entry for each epoch that was done: loss, validation r, gradient norm, rate."""
        return list(self.course["history"])

    @property
    def best(self) -> dict[str, Any] | None:
        """Epoch, checkpoint and validation r of the best epoch; None before the first."""
        return self.course["best"]

    @property
    def best_epoch(self) -> dict[str, Any]:
        """`best` of a run that has one.

        Raises
        ------
        RunError
            No epoch is finished.
        """
        if self.best is None:
            raise self._without_checkpoints()
        return self.best

    @property
    def checkpoints(self) -> list[Path]:
        """Folders of the checkpoints, oldest first."""
        folder = self.path / "checkpoints"
        return sorted(p for p in folder.glob("*-*") if not p.name.endswith(".partial"))

    def log(self) -> list[dict[str, Any]]:
        """Events in order."""
        path = self.path / "log.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    @cached_property
    def epochs(self) -> dict[int, Path]:
        """Checkpoints at the end of an epoch, by its number: all with training.keep_epochs, else the best and last."""
        return {read_state(folder)["epoch"]: folder for folder in self.checkpoints if ends_epoch(folder)}

    def checkpoint(self, which: str | int = "best") -> Checkpoint:
        """The model of the last or the best checkpoint, or of that at the end of an epoch.

        Raises
        ------
        RunError
            There is none.
        """
        if isinstance(which, int):
            if which not in self.epochs:
                raise RunError(
                    self.path,
                    f"no checkpoint of epoch {which}, only of {', '.join(map(str, self.epochs)) or 'none'}.",
                    "the checkpoint of each epoch.",
                    "Tune again with training.keep_epochs=true.",
                )
            return read_checkpoint(self.epochs[which])
        if not self.checkpoints:
            raise self._without_checkpoints()
        if which == "last":
            return read_checkpoint(self.checkpoints[-1])
        return read_checkpoint(self.path / "checkpoints" / self.best_epoch["checkpoint"])

    def require_whole(self) -> None:
        """RunError where a file is missing or damaged that scoring the best epoch reads."""
        _ = self.config, self.voxels, self.result, self.checkpoint("best")

    def _repr_html_(self) -> str:
        from brainwavlm.formatting.html import or_its_error
        from brainwavlm.runs.html import run_html

        return or_its_error(str(self.path), lambda: run_html(self))

    def _without_checkpoints(self) -> RunError:
        if self.result is None:
            return RunError(self.path, "no epoch yet.", "a run with at least one epoch.", "Resume it.")
        if self.result["best"] is None:
            remedy = "Tune again with training.epochs of 1 or more."
            return RunError(self.path, "no epoch was asked for.", "a run with at least one epoch.", remedy)
        return RunError(
            self.path / "checkpoints",
            "no checkpoint, although the run is finished.",
            f"that of the best epoch, {self.result['best']['checkpoint']}.",
            "Restore the folder, or tune again into another.",
        )


def voxels_key(listener: int) -> str:
    """Name of a listener's voxels in voxels.safetensors."""
    return f"voxels.{listener}" if listener else "voxels"


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
    format_of_run = read_json(run.path / "run.json").get("format")
    if format_of_run != FORMAT:
        raise RunError(
            run.path / "run.json",
            f"format {format_of_run}.",
            f"format {FORMAT}.",
            "Use the version that wrote it.",
        )
    return run
