"""What a report needs beside the scores: each run's configuration, and where its voxels lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brainwavlm.config import RunConfig, validated
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset, Subject
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.maps import unmappable
from brainwavlm.reporting.results import Results


@dataclass(frozen=True)
class Source:
    """Where a run's numbers come from.

    Attributes
    ----------
    config : RunConfig
    dataset : Dataset or None
        None where it cannot be read any more.
    subject : Subject or None
        None where it is not known.
    no_map : str
        Why there can be no map, as part of a sentence; empty where there can.
    """

    config: RunConfig
    dataset: Dataset | None
    subject: Subject | None
    no_map: str


def sources_of(results: Results, subjects: Mapping[str, Subject] | None = None) -> dict[str, Source]:
    """The source of each run, by the run's name.

    Parameters
    ----------
    results : Results
    subjects : mapping of str to Subject, or None
        None: read from the data sets.
    """
    return {run["name"]: _source(results, run, subjects) for run in results.runs}


def _source(results: Results, run: Mapping[str, Any], subjects: Mapping[str, Subject] | None) -> Source:
    config = validated(RunConfig, run["config"], str(results.path / "summary.json"))
    dataset, subject, reason = None, None, ""
    try:
        dataset = load_dataset(config.dataset)
        subject = dataset.subject(run["subject"])
    except BrainwavlmError as error:
        reason = f"the data set cannot be read any more ({error.path}: {error.found})"
    if subjects is not None:
        subject = subjects.get(run["subject"])
        reason = "" if subject else "its anatomy was not given"
    if subject is not None:
        reason = unmappable(subject) or ""
    return Source(config, dataset, subject, reason)
