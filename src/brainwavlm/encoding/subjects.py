"""The subjects of a run: one, or several who tune one speech model together.

A joint run is seen from each of its subjects in turn: the same configuration with that subject, their data and
stories in front and the others in `joint`. What reads one subject (alignment, controls, scores) gets such a view.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording, Split
from brainwavlm.encoding.joint import on_common_vertices, require_different, require_unheard
from brainwavlm.encoding.losses import require_finite, temporal, without_gaps
from brainwavlm.encoding.prepared_stories import PreparedStory, planned_clock, read_story
from brainwavlm.encoding.run_data import RunData, run_data
from brainwavlm.encoding.run_model import configured_readout, predict
from brainwavlm.encoding.training_targets import TrainingTargets
from brainwavlm.errors import ConfigError
from brainwavlm.runs.environment import versions
from brainwavlm.runs.subject_views import subject_views
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.hidden_states import Backbone


@dataclass(frozen=True)
class TunedSubject:
    """One subject of a run: what is on disk of them, what is predicted, and by which readout.

    Attributes
    ----------
    name : str
        The subject; with the data set where two subjects of a run have one name; empty where nobody else is tuned on.
    config : RunConfig
        The run's, seen from this subject.
    data : RunData
    targets : TrainingTargets
    readout : Module
        That of this subject, or the one that all share; the identity until `with_readouts`.
    weights : tensor (n_voxels,) or None
        Of the voxels in the loss; None until `with_readouts` too.
    """

    name: str
    config: RunConfig
    data: RunData
    targets: TrainingTargets
    readout: torch.nn.Module = field(default_factory=torch.nn.Identity)
    weights: torch.Tensor | None = None

    def recordings(self, split: Split) -> dict[str, Recording]:
        """Recordings of a split by their name in the run: the story, in a joint run `subject/story`."""
        before = f"{self.name}/" if self.name else ""
        return {before + recording.story.name: recording for recording in self.data.splits[split]}

    @property
    def lengths(self) -> dict[str, int]:
        """TRs of the training recordings, by their name in the run."""
        return {key: recording.shape[0] for key, recording in self.recordings("train").items()}

    def facts(self) -> dict[str, Any]:
        """What run.json says of the subject."""
        return {"splits": self.data.story_names(), "data": self.data.facts() | self.targets.facts()}

    def residual_r(self, min_samples: int) -> dict[str, float] | None:
        """r[v] = sum_t target[t, v] true[t, v] / n over all n training rows, both z-scored within each story.

        What a control's targets still have in common with the responses that they replace: mean and deviation over
        voxels. None where the targets are the responses, or no voxels.
        """
        control = self.config.control
        if control.kind == "none" or not control.has_voxels:
            return None
        products: list[torch.Tensor] = []
        for recording in self.data.splits["train"]:
            story = read_story(recording, self.data.voxels, min_samples, self.config, torch.device("cpu"))
            products.append((story.responses * self.targets.apply(story).responses).sum(0).double())
        r = torch.stack(products).sum(0) / sum(self.lengths.values())
        r = r[~r.isnan()]
        return {"mean": float(r.mean()), "deviation": float(r.std(correction=0))}

    def validation_r(
        self, stories: Iterable[PreparedStory], backbone: Backbone, where: tuple[str, Path]
    ) -> float | None:
        """Mean over voxels of the correlation over all rows of the validation stories; None without any."""
        true, predicted = [], []
        for story in stories:
            rows = _scored_rows(len(story.responses), self.config.quirks.validation_rows)
            true.append(story.responses[rows].float())
            predicted.append(predict(backbone, self.readout, story, self.config)[rows])
            require_finite(predicted[-1], *where)
        return -float(temporal(torch.cat(predicted), without_gaps(torch.cat(true)))) if true else None


def tuned_subjects(
    config: RunConfig, resolve: Callable[[RunConfig], RunData] = run_data
) -> list[TunedSubject]:
    """The subjects of a run with their data and targets, the configured one first; readouts come later.

    Parameters
    ----------
    config : RunConfig
    resolve : function from RunConfig to RunData
        How one subject's view is resolved.

    Raises
    ------
    ConfigError, DatasetError
        As `run_data` for each of them; one named twice; a test story of one that another is tuned on; or a shared
        readout without a common surface.
    """
    views = subject_views(config)
    everyone = [resolve(view) for view in views]
    if len(views) > 1:
        require_different(everyone)
        require_unheard(everyone)
    if config.readout.shared:
        everyone = on_common_vertices(everyone)
    names = Counter(data.subject.name for data in everyone)
    return [
        TunedSubject(_name(data, names), view, data, TrainingTargets(data, view))
        for view, data in zip(views, everyone, strict=True)
    ]


def with_readouts(
    subjects: Sequence[TunedSubject], backbone: Backbone, config: RunConfig, device: torch.device
) -> list[TunedSubject]:
    """The subjects with their untrained readouts, drawn from torch's generator, and the weights of their voxels.

    One readout a subject, or the same one for all.

    Raises
    ------
    ConfigError, DatasetError, AlignmentError
        A recording does not fit its sound, or the delays.
    """
    different = subjects[:1] if config.readout.shared else subjects
    readouts = [configured_readout(config, backbone.n_dims, one.targets.n_targets) for one in different]
    readouts *= len(subjects) // len(readouts)
    for subject in subjects:
        _require_rows(config, subject.data.splits["train"])
        for recording in subject.data.recordings.values():
            planned_clock(recording, config, backbone.min_samples)  # raises what does not fit
    return [
        replace(subject, readout=readout.to(device), weights=subject.data.voxel_weights(config.loss, device))
        for subject, readout in zip(subjects, readouts, strict=True)
    ]


def run_manifest(config: RunConfig, subjects: Sequence[TunedSubject], backbone: Backbone) -> dict[str, Any]:
    """What run.json says: the configuration, the data, the untuned speech model and the versions.

    A joint run also has `listeners`: the configuration and the data as each subject sees it. A control has `residual_r`
    by subject.
    """
    untuned = load_backbone(config.backbone.name, config.backbone.layer)
    residuals = {one.data.subject.name: one.residual_r(backbone.min_samples) for one in subjects}
    seen = [{"config": one.config.model_dump(mode="json"), **one.facts()} for one in subjects]
    together = [{"name": one.name, **facts} for one, facts in zip(subjects, seen, strict=True)]
    return {
        **seen[0],
        **({"listeners": together} if len(seen) > 1 else {}),
        **({"residual_r": residuals} if any(residuals.values()) else {}),
        "backbone": {
            "family": backbone.family.name,
            "checksum": untuned.weights_checksum(),
            "train_noise": backbone.noise,
        },
        "versions": versions(),
    }


def _name(data: RunData, names: Counter[str]) -> str:
    if names.total() == 1:
        return ""
    name = data.subject.name
    return name if names[name] == 1 else f"{data.dataset.name}:{name}"


def _require_rows(config: RunConfig, recordings: Sequence[Recording]) -> None:
    """ConfigError where a delay is longer than every story: its part of the design would be empty."""
    longest = max(recording.shape[0] for recording in recordings)
    if max(config.alignment.delays) >= longest:
        raise ConfigError(
            "alignment.delays",
            f"{list(config.alignment.delays)}, where the longest training story has {longest} TRs.",
            "delays in TRs, each shorter than a training story.",
            "Set them to cover the haemodynamic response, e.g. alignment.delays=[1,2,3,4].",
        )


def _scored_rows(n_trs: int, first_of_500: int | None) -> np.ndarray:
    rows = np.arange(n_trs)
    return rows if first_of_500 is None else rows[rows % 500 < first_of_500]
