"""Before the cells begin: their identities, folders and steps, and the study's own files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from brainwavlm.datasets.files import replacing
from brainwavlm.errors import RunError
from brainwavlm.run_files import read_json, write_json
from brainwavlm.study.cells import Cell
from brainwavlm.study.description import Study
from brainwavlm.study.folder import FORMAT
from brainwavlm.study.identity import Checksums, code_version, facts_of, identity, transfer_facts


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
    cells: Sequence[Cell], output: Path, checksums: Checksums, code: dict[str, Any]
) -> dict[str, Prepared]:
    """Identity, folder and steps of cells, by their names. Nothing is written.

    A cell keeps the folder that it has, also where the study gives it another name now.
    """
    prepared = {}
    for cell in cells:
        facts = facts_of(cell.config, checksums, code)
        own = identity(facts)
        there = sorted((output / "records").glob(f"*-{own[:10]}.json"))
        folder = there[0].stem if there else f"{cell.name}-{own[:10]}"
        steps: dict[str, dict[str, Any]] = {"evaluate": cell.evaluate.model_dump(mode="json")}
        if cell.transfer is not None:
            data = transfer_facts(cell.config, cell.transfer, checksums)
            steps["transfer"] = {**cell.transfer.model_dump(mode="json"), "data": data}
        prepared[cell.name] = Prepared(folder, own, facts, steps)
    return prepared


def require_place(output: Path, study: Study) -> None:
    """Raise unless the folder is new, empty, or that of the same study, and not part of a data set."""
    inside = next((folder for folder in output.parents if (folder / "dataset.yaml").exists()), None)
    if inside is not None:
        raise RunError(output, f"in the data set {inside}.", "its own folder.", "Choose another --output.")
    path = output / "study.json"
    if path.is_file():
        name = read_json(path, "study")["study"].get("name")
        if name != study.name:
            raise RunError(
                output,
                f"holds the study {name}, not {study.name}.",
                "its own folder.",
                "Choose another --output.",
            )
    elif output.is_dir() and any(p.name not in ("lock", "checksums.json") for p in output.iterdir()):
        raise RunError(
            output, "a folder with other files.", "a new or empty folder.", "Choose another --output."
        )


def write_study(study: Study, cells: Sequence[Cell], output: Path) -> dict[str, Prepared]:
    """Identities of all cells, written with the description."""
    checksums, code = Checksums(output / "checksums.json"), code_version()
    try:
        prepared = prepare(cells, output, checksums, code)
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
