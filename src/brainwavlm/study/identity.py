"""What a cell is: its configuration, the content of its data, its speech model and the code that computes it.

identity = SHA-256 of these four. Where the study lies is no part of it, nor what is scored after tuning.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Subject, split_recordings
from brainwavlm.evaluation.probes.question import asked_features
from brainwavlm.runs.checksums import Checksums, files_of, files_of_run, named_files
from brainwavlm.runs.subject_views import subject_views
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.study.options import ProbeOptions, TransferOptions


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
