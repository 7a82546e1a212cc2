"""Before the cells begin: their identities, folders and steps, and the study's own files."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from brainwavlm.config import read_yaml
from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.files import read_json, replacing, write_json
from brainwavlm.progress import Progress
from brainwavlm.runs.checksums import Checksums
from brainwavlm.runs.environment import code_version
from brainwavlm.runs.output_paths import require_apart
from brainwavlm.study.cells import Cell
from brainwavlm.study.description import Study
from brainwavlm.study.folder import AGAIN, FORMAT
from brainwavlm.study.identity import facts_of, identity, transcript_facts, transfer_facts
from brainwavlm.study.records import remedied

OWN_FILES = ("lock", "checksums.json", "study.yaml", "study.json")


@dataclass(frozen=True)
class Prepared:
    """A cell with its identity and its place.

    Attributes
    ----------
    folder, identity : str
    facts : dict
        What the identity was made of.
    steps : dict of str to dict
        Options of what follows tuning.
    """

    folder: str
    identity: str
    facts: dict[str, Any]
    steps: dict[str, dict[str, Any]]


def prepare(
    cells: Iterable[Cell], output: Path, checksums: Checksums, code: dict[str, Any]
) -> dict[str, Prepared]:
    """Identity, folder and steps of cells, by their names. Nothing is written.

    A cell keeps the folder that it has, also where the study gives it another name now.
    """
    records = sorted((output / "records").glob("*-*.json"), reverse=True)
    there = {record.stem.rpartition("-")[2]: record.stem for record in records}
    prepared = {}
    for cell in cells:
        facts = facts_of(cell.config, checksums, code)
        own = identity(facts)
        folder = there.get(own[:10], f"{cell.name}-{own[:10]}")
        steps: dict[str, dict[str, Any]] = {"evaluate": cell.evaluate.model_dump(mode="json")}
        if cell.evaluate.downstream:
            steps["evaluate"]["data"] = transcript_facts(cell.config, checksums)
        if cell.transfer is not None:
            data = transfer_facts(cell.config, cell.transfer, checksums)
            steps["transfer"] = {**cell.transfer.model_dump(mode="json"), "data": data}
        prepared[cell.name] = Prepared(folder, own, facts, steps)
    return prepared


def require_place(output: Path, study: Study) -> None:
    """Raise unless the folder is new, empty, or that of the same study, and not part of data or of a run."""
    require_apart(output)
    for own in OWN_FILES:
        if (output / own).is_dir():
            raise RunError(
                output / own, "a folder.", "a file of the study.", "Move it, or choose another folder."
            )
    path = output / "study.json"
    name = None
    if path.is_file():
        with remedied(AGAIN):
            described = read_json(path, "study")["study"]
        name = described.get("name") if isinstance(described, dict) else described
    elif output.exists() and not output.is_dir():
        raise RunError(output, "a file.", "a new or empty folder.", "Choose another folder.")
    elif output.is_dir() and any(not _is_own(file.name) for file in output.iterdir()):
        # Without study.json: it was lost, and study.yaml still says whose folder it is; or it is somebody else's.
        with suppress(BrainwavlmError):
            name = read_yaml(output / "study.yaml").get("name")
        if name is None:
            raise RunError(
                output, "a folder with other files.", "a new or empty folder.", "Choose another folder."
            )
    if name not in (None, study.name):
        raise RunError(
            output,
            f"holds the study {name}, not {study.name}.",
            "its own folder.",
            "Choose another folder.",
        )


def _is_own(name: str) -> bool:
    """Whether a file is of a study that began here, or a half-written one that a kill left behind."""
    return name in OWN_FILES or any(re.fullmatch(rf"\.{re.escape(own)}\..+", name) for own in OWN_FILES)


def write_study(study: Study, cells: Sequence[Cell], output: Path, progress: Progress) -> dict[str, Prepared]:
    """Identities of all cells, written with the description."""
    checksums, code = Checksums(output / "checksums.json"), code_version()
    shown = progress.over(cells, f"Computing identities of {len(cells)} cells; new data are read once")
    try:
        prepared = prepare(shown, output, checksums, code)
    finally:
        checksums.save()
    entries = [
        {**cell.as_dict(), "folder": prepared[cell.name].folder, "identity": prepared[cell.name].identity}
        for cell in cells
    ]
    source = Path(study.source)
    if source.suffix != ".json":
        text = (
            source.read_text(encoding="utf-8")
            if source.is_file()
            else yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)
        )
        with replacing(output / "study.yaml") as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_json(
        output / "study.json",
        {"format": FORMAT, "study": study.model_dump(mode="json"), "code": code, "cells": entries},
    )
    return prepared
