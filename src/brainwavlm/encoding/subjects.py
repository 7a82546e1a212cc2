"""The listeners of a run: one, or several who tune one speech model together.

A joint run is seen from each of its listeners in turn: the same configuration with that listener's subject, data and
stories in front and the others in `joint`. What reads one listener (alignment, controls, scores) gets such a view.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Subject
from brainwavlm.datasets.responses import Recording, Split
from brainwavlm.encoding.run_data import RunData, run_data
from brainwavlm.encoding.training_targets import TrainingTargets
from brainwavlm.errors import ConfigError
from brainwavlm.runs.subject_views import subject_views
from brainwavlm.stimulus.audio import same_content


@dataclass(frozen=True)
class Listener:
    """One listener of a run.

    Attributes
    ----------
    name : str
        The subject; with the data set where two subjects of a run have one name; empty where nobody else listens.
    config : RunConfig
        The run's, seen from this listener.
    data : RunData
    targets : TrainingTargets
    """

    name: str
    config: RunConfig
    data: RunData
    targets: TrainingTargets

    def keys(self, split: Split) -> dict[str, Recording]:
        """Recordings of a split by their name in the run: the story, in a joint run `listener/story`."""
        before = f"{self.name}/" if self.name else ""
        return {before + recording.story.name: recording for recording in self.data.splits[split]}

    def facts(self) -> dict[str, Any]:
        """What run.json says of the listener."""
        return {
            "splits": self.data.story_names(),
            "data": self.data.facts() | self.targets.facts(),
        }


def listeners_of(config: RunConfig, resolve: Callable[[RunConfig], RunData] = run_data) -> list[Listener]:
    """The listeners of a run with their data, the configured subject first.

    Parameters
    ----------
    config : RunConfig
    resolve : function from RunConfig to RunData
        How one listener's view is resolved.

    Raises
    ------
    ConfigError, DatasetError
        As `run_data` for each of them; one named twice; a test story of one that another is tuned on; or a shared
        readout without a common surface.
    """
    views = subject_views(config)
    settings = [resolve(view) for view in views]
    if len(views) > 1:
        _require_different(settings)
        _require_unheard(settings)
    if config.readout.shared:
        _require_one_space(settings)
        settings = _on_common_vertices(settings)
    subjects = Counter(data.subject.name for data in settings)
    return [
        Listener(_name(data, subjects), view, data, TrainingTargets(data, view))
        for view, data in zip(views, settings, strict=True)
    ]


def _name(data: RunData, subjects: Counter[str]) -> str:
    if subjects.total() == 1:
        return ""
    subject = data.subject.name
    return subject if subjects[subject] == 1 else f"{data.dataset.name}:{subject}"


def _require_different(settings: Sequence[RunData]) -> None:
    who = Counter((data.dataset.path, data.subject.name) for data in settings)
    again = [subject for (_, subject), times in who.items() if times > 1]
    if again:
        raise ConfigError(
            "joint",
            f"{again[0]} listens twice.",
            "each listener once, the run's subject not among them.",
            "Take the second one out of joint.",
        )


def _require_unheard(settings: Sequence[RunData]) -> None:
    """No listener's test story may tune the speech model through another listener."""
    files = {
        (number, split, recording.story.name): recording.story.audio
        for number, data in enumerate(settings)
        for split, recordings in data.splits.items()
        for recording in recordings
    }
    names = {"/".join(map(str, key)): key for key in files}
    sounds = same_content({name: files[key] for name, key in names.items()})
    used = {sounds[name]: key for name, key in names.items() if key[1] != "test"}
    for name, (number, split, story) in names.items():
        if split == "test" and sounds[name] in used:
            other, other_split, other_story = used[sounds[name]]
            who, whom = settings[number].subject.name, settings[other].subject.name
            raise ConfigError(
                "joint",
                f"{story} is a test story of {who}, and {whom} has its sound in {other_split} (as {other_story}).",
                "test stories that no listener is tuned on: the speech model is one for all.",
                f"Take {other_story} out of {other_split} of {whom}, or {story} out of test of {who}.",
            )


def _require_one_space(settings: Sequence[RunData]) -> None:
    trs = {data.dataset.tr: data.subject.name for data in settings}
    if len(trs) > 1:
        when = ", ".join(f"{subject} every {tr:g} s" for tr, subject in trs.items())
        raise ConfigError(
            "readout.shared",
            f"true, with {when}.",
            "one TR for all listeners: the readout's delays are counted in TRs.",
            "Set readout.shared=false for one readout each.",
        )
    surfaces = {data.subject.surface: data.subject.name for data in settings}
    if len(surfaces) > 1:
        where = ", ".join(f"{subject} on {surface}" for surface, subject in surfaces.items())
        raise _no_common_surface(f"true, with {where}.")


def _no_common_surface(found: str) -> ConfigError:
    return ConfigError(
        "readout.shared",
        found,
        "responses of all listeners on one common surface, e.g. fsaverage5.",
        "Bring the responses to a common surface, or set readout.shared=false for one readout each.",
    )


def _on_common_vertices(settings: Sequence[RunData]) -> list[RunData]:
    """The settings with their voxels narrowed to the vertices of a common surface that all of them have."""
    places = [_places(data) for data in settings]
    common = set.intersection(*map(set, places))
    kept = [[place for place in some if place in common] for some in places]
    found = None
    if not common:
        found = f"no vertex of the target in all of {', '.join(s.subject.name for s in settings)}"
    elif any(some != kept[0] for some in kept) or len(common) < len(kept[0]):
        found = "voxels that list their vertices in different orders, or one vertex twice"
    if found is not None:
        raise ConfigError(
            "readout.shared",
            f"true, with {found}.",
            "common vertices in one order, each once.",
            "Sort the columns of the responses by hemisphere and vertex, or set readout.shared=false.",
        )
    narrowed = []
    for data, some in zip(settings, places, strict=True):
        voxels = data.voxels.copy()
        voxels[voxels] = [place in common for place in some]
        narrowed.append(replace(data, voxels=voxels))
    return narrowed


def surface_places(subject: Subject, voxels: np.ndarray) -> list[tuple[int, int]] | None:
    """Hemisphere and vertex of chosen voxels (mask or indices) on a surface that others can have too, else None."""
    if subject.surface in (None, "native") or subject.hemisphere is None or subject.vertex is None:
        return None
    return list(zip(subject.hemisphere[voxels].tolist(), subject.vertex[voxels].tolist(), strict=True))


def _places(data: RunData) -> list[tuple[int, int]]:
    subject = data.subject
    places = surface_places(subject, data.voxels)
    if places is None:
        raise _no_common_surface(
            f"true, but {subject.name} has {'no' if subject.surface is None else 'its own'} surface, or no "
            "hemisphere and vertex for each voxel."
        )
    return places
