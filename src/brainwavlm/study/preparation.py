"""Before the cells begin: their identities, folders and steps, and the study's own files."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

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
from brainwavlm.study.folder import AGAIN, FORMAT, Entry
from brainwavlm.study.identity import feature_facts, identity, transcript_facts, transfer_facts
from brainwavlm.study.records import remedied


class Prepared(NamedTuple):
    """Folder and identity of a cell, and options of what follows tuning."""

    folder: str
    identity: str
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
        name = identity(cell.config, checksums, code)
        folder = there.get(name[:10], f"{cell.name}-{name[:10]}")
        steps: dict[str, dict[str, Any]] = {"evaluate": cell.evaluate.model_dump(mode="json")}
        if cell.evaluate.downstream:
            steps["evaluate"]["data"] = transcript_facts(cell.config, checksums)
        if cell.transfer is not None:
            data = transfer_facts(cell.config, cell.transfer, checksums)
            steps["transfer"] = {**cell.transfer.model_dump(mode="json"), "data": data}
        if cell.probe is not None:
            read = feature_facts(cell.config, cell.probe, checksums)
            steps["probe"] = {**cell.probe.model_dump(mode="json"), "data": read}
        prepared[cell.name] = Prepared(folder, name, steps)
    return prepared


def require_place(output: Path, study: Study) -> None:
    """Raise unless the folder is new, empty, or that of the same study, and not part of data or of a run."""
    require_apart(output)
    name: Any = study.name
    # Without study.json it was lost, or nothing was prepared yet; study.yaml may still say whose folder it is.
    if (output / "study.json").is_file():
        with remedied(AGAIN):
            described = read_json(output / "study.json", "study")["study"]
        name = described.get("name") if isinstance(described, dict) else described
    elif (output / "study.yaml").is_file():
        with suppress(BrainwavlmError):
            name = read_yaml(output / "study.yaml").get("name")
    elif output.exists() and not _is_new(output):
        raise RunError(
            output, "a folder with other files.", "a new or empty folder.", "Choose another folder."
        )
    if name != study.name:
        raise RunError(
            output, f"holds the study {name}, not {study.name}.", "its own folder.", "Choose another folder."
        )


def _is_new(output: Path) -> bool:
    """Whether nothing is there but what a kill left while the first study was prepared."""
    return output.is_dir() and all(
        file.name in ("lock", "checksums.json") or file.name.startswith(".") for file in output.iterdir()
    )


def write_study(study: Study, cells: Sequence[Cell], output: Path, progress: Progress) -> dict[str, Prepared]:
    """Identities of all cells, written with the description."""
    checksums, code = Checksums(output / "checksums.json"), code_version()
    shown = progress.over(cells, f"Computing identities of {len(cells)} cells; new data are read once")
    try:
        prepared = prepare(shown, output, checksums, code)
    finally:
        checksums.save()
    entries = [
        Entry(**dict(cell), folder=place.folder, identity=place.identity).model_dump(mode="json")
        for cell, place in ((cell, prepared[cell.name]) for cell in cells)
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
