"""What a report needs beside the scores: each run's configuration, and where its voxels lie."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from brainwavlm.config import RunConfig, stored_config
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset, Subject
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.meshes import CARRIED, Mesh, mesh_of
from brainwavlm.reporting.surface_maps import unmappable
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.partition import Partition

OfVoxels = Evaluation | Partition  # results with a number for each voxel


@dataclass(frozen=True)
class Source:
    """Where a run's numbers come from.

    Attributes
    ----------
    config : RunConfig
    dataset, subject : Dataset, Subject or None
        None where they cannot be read any more, or are not those evaluated.
    mesh : Mesh or None
        The surface on which the voxels lie; a subject's own too, and one whose shapes are not here.
    no_map, no_mesh : str
        Why there can be no map on nilearn's surface, and no mesh, as part of a sentence; empty where there can.
    """

    config: RunConfig
    dataset: Dataset | None
    subject: Subject | None
    no_map: str
    mesh: Mesh | None = None
    no_mesh: str = ""


def sources_of(results: OfVoxels, subjects: Mapping[str, Subject] | None = None) -> dict[str, Source]:
    """The source of each run, by its name; where voxels lie is read from the data sets, unless `subjects` are given."""
    sources: dict[str, Source] = {}
    meshes: dict[tuple[str, str, str], tuple[Mesh | None, str]] = {}  # by subject
    for run in results.runs:
        source = _source(results, run, subjects)
        key = (run["subject"], source.no_map, str(source.dataset and source.dataset.path))
        mesh, reason = meshes[key] = meshes[key] if key in meshes else _mesh(source)
        sources[run["name"]] = replace(source, mesh=mesh, no_mesh=reason)
    return sources


def _mesh(source: Source) -> tuple[Mesh | None, str]:
    subject = source.subject
    if subject is None or (source.no_map and subject.surface == CARRIED):
        return None, source.no_map or "its anatomy is not known"
    try:
        return mesh_of(subject, source.dataset), ""
    except BrainwavlmError as error:
        return None, f"{error.path}: {error.found}"
    except (OSError, ValueError):
        unread = subject.unread.get("surfaces")
        reason = f"{unread.path}: {unread.found}" if unread else source.no_map
        return None, reason or "its surfaces cannot be read"


def _source(results: OfVoxels, run: Mapping[str, Any], subjects: Mapping[str, Subject] | None) -> Source:
    config = stored_config(run["config"], str(results.path / "summary.json"))
    dataset, subject, reason = None, None, ""
    try:
        dataset = load_dataset(config.dataset)
        subject = dataset.subject(run["subject"])
        reason = _another(results, run, dataset, subject)
    except (BrainwavlmError, OSError, ValueError) as error:
        told = f"{error.path}: {error.found}" if isinstance(error, BrainwavlmError) else error
        reason = f"the data set cannot be read any more ({told})"
    if reason:
        dataset, subject = None, None
    if subjects is not None:
        subject = subjects.get(run["subject"])
        reason = "" if subject else "its anatomy was not given"
    if subject is not None:
        reason = unmappable(subject) or ""
    voxel = results.of_run(run["name"]).voxel
    n_voxels = 0 if subject is None or subject.vertex is None else len(subject.vertex)
    if subject is not None and not reason and n_voxels <= voxel.max():
        reason = f"its anatomy has {n_voxels} voxels, the evaluation scored voxel {voxel.max()}"
    return Source(config, dataset, subject, reason)


def _another(results: OfVoxels, run: Mapping[str, Any], dataset: Dataset, subject: Subject) -> str:
    """Why the data set is not the one that was evaluated, as part of a sentence; empty where it is."""
    evaluated = run["frozen"]
    if dataset.name != evaluated["dataset"]:
        return f"the data set found is {dataset.name}, the one evaluated was {evaluated['dataset']}"
    # Whole cortex is scored: a column is scored or unusable, perhaps for several reasons at once.
    all_scored = run["config"].get("quirks", {}).get("nan_voxels")
    unusable = [] if all_scored else evaluated["unusable_voxels"].values()
    fewest, most = (evaluated["n_voxels"] + some for some in (max(unusable, default=0), sum(unusable)))
    largest = results.of_run(run["name"]).voxel.max()
    if not fewest <= subject.n_voxels <= most:
        had = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        return f"the data set found has {subject.n_voxels:,} voxels, the one evaluated had {had}"
    if largest >= subject.n_voxels:
        return f"the data set found has {subject.n_voxels:,} voxels, the evaluation scored voxel {largest}"
    return ""
