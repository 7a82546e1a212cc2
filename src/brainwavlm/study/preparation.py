"""Before the cells begin: their identities, folders and steps, and the study's own files.

identity = SHA-256 of a cell's configuration, the content of its data, its speech model and the code that computes it.
Where the study lies is no part of it, nor what is scored after tuning.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from brainwavlm.config import RunConfig, read_yaml
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Subject, split_recordings
from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.evaluation.probes.question import asked_features
from brainwavlm.files import read_json, replacing, write_json
from brainwavlm.progress import Progress
from brainwavlm.runs.checksums import Checksums, files_of, files_of_run, named_files
from brainwavlm.runs.environment import code_version
from brainwavlm.runs.output_paths import require_apart
from brainwavlm.runs.subject_views import subject_views
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.study.cells import Cell
from brainwavlm.study.description import Study
from brainwavlm.study.folder import AGAIN, FORMAT, Entry
from brainwavlm.study.options import ProbeOptions, TransferOptions
from brainwavlm.study.records import remedied


def identity(config: RunConfig, checksums: Checksums, code: dict[str, Any]) -> str:
    """The identity of a cell, from its anchored configuration and `code_version`.

    BrainwavlmError for data or a speech model that is not there.
    """
    data = [_data_facts(view, checksums) for view in subject_views(config)]
    return _digest(
        {
            "format": 1,
            "config": _digest(config.model_dump(mode="json")),
            "data": _digest([data, {name: checksums.of(Path(name)) for name in named_files(config)}]),
            "model": _model_checksum(config.backbone.name, config.backbone.layer),
            "code": {key: code[key] for key in ("version", "source")},
        }
    )


def transfer_facts(config: RunConfig, options: TransferOptions, checksums: Checksums) -> str:
    """A digest of the data of all listeners that a transfer may score."""
    dataset = load_dataset(config.dataset)
    digests = {}
    for name in options.subjects or dataset.subject_names:
        dataset.require_subject(name)
        recordings = dataset.recordings(name).values()
        files = files_of(dataset, name, recordings, recordings, False)
        digests[name] = {key: checksums.of(path) for key, path in files.items()}
    return _digest(digests)


def transcript_facts(config: RunConfig, checksums: Checksums) -> str:
    """A digest of the transcripts of the stories that the listeners of a run heard."""
    digests = {}
    for view in subject_views(config):
        dataset = load_dataset(view.dataset)
        files = files_of(dataset, view.subject, (), dataset.recordings(view.subject).values(), True)
        digests[f"{view.dataset} {view.subject}"] = {
            name: checksums.of(path) for name, path in files.items() if name.startswith("transcript/")
        }
    return _digest(digests)


def feature_facts(config: RunConfig, options: ProbeOptions, checksums: Checksums) -> str:
    """A digest of the transcripts and of the files that features of the stimulus are read from."""
    features, _ = asked_features(options.features)
    files = [checksums.of(file) for feature in features for file in feature.files]
    return _digest([transcript_facts(config, checksums), files])


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
    subject = Subject(config.subject, dataset.recordings(config.subject))
    splits = split_recordings(subject, config.train, config.validation, config.test)
    names = {split: [recording.story.name for recording in some] for split, some in splits.items()}
    files = {name: checksums.of(path) for name, path in files_of_run(dataset, config).items()}
    return {"splits": names, "tr": dataset.tr, "simulated": dataset.simulated, "files": files}


@cache
def _model_checksum(name: str, layer: int) -> str:
    return load_backbone(name, layer).weights_checksum()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
