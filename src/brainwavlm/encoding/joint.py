"""What a joint run asks of its subjects: each once, no test story heard through another, one space."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.encoding.run_data import RunData
from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.audio import same_content


def require_different(everyone: Sequence[RunData]) -> None:
    """ConfigError where one subject is named twice."""
    who = Counter((data.dataset.path, data.subject.name) for data in everyone)
    again = [subject for (_, subject), times in who.items() if times > 1]
    if again:
        raise ConfigError(
            "joint",
            f"{again[0]} is named twice.",
            "each subject once, the run's own not among them.",
            "Take the second one out of joint.",
        )


def require_unheard(everyone: Sequence[RunData]) -> None:
    """No subject's test story may tune the speech model through another subject."""
    files = {
        (number, split, recording.story.name): recording.story.audio
        for number, data in enumerate(everyone)
        for split, recordings in data.splits.items()
        for recording in recordings
    }
    names = {"/".join(map(str, key)): key for key in files}
    sounds = same_content({name: files[key] for name, key in names.items()})
    used = {sounds[name]: key for name, key in names.items() if key[1] != "test"}
    for name, (number, split, story) in names.items():
        if split == "test" and sounds[name] in used:
            other, other_split, other_story = used[sounds[name]]
            who, whom = everyone[number].subject.name, everyone[other].subject.name
            raise ConfigError(
                "joint",
                f"{story} is a test story of {who}, and {whom} has its sound in {other_split} (as {other_story}).",
                "test stories that no subject is tuned on: the speech model is one for all.",
                f"Take {other_story} out of {other_split} of {whom}, or {story} out of test of {who}.",
            )


def _require_one_space(everyone: Sequence[RunData]) -> None:
    trs = {data.dataset.tr: data.subject.name for data in everyone}
    if len(trs) > 1:
        when = ", ".join(f"{subject} every {tr:g} s" for tr, subject in trs.items())
        raise ConfigError(
            "readout.shared",
            f"true, with {when}.",
            "one TR for all subjects: the readout's delays are counted in TRs.",
            "Set readout.shared=false for one readout each.",
        )
    surfaces = {data.subject.surface: data.subject.name for data in everyone}
    if len(surfaces) > 1:
        where = ", ".join(f"{subject} on {surface}" for surface, subject in surfaces.items())
        raise _no_common_surface(f"true, with {where}.")


def _no_common_surface(found: str) -> ConfigError:
    return ConfigError(
        "readout.shared",
        found,
        "responses of all subjects on one common surface, e.g. fsaverage5.",
        "Bring the responses to a common surface, or set readout.shared=false for one readout each.",
    )


def on_common_vertices(everyone: Sequence[RunData]) -> list[RunData]:
    """The data with their voxels narrowed to the vertices of a common surface that all of them have."""
    _require_one_space(everyone)
    places = [_places(data) for data in everyone]
    common = set.intersection(*map(set, places))
    shared = [[place for place in some if place in common] for some in places]
    problem = None
    if not common:
        problem = f"no vertex of the target in all of {', '.join(data.subject.name for data in everyone)}"
    elif any(some != shared[0] for some in shared) or len(common) < len(shared[0]):
        problem = "voxels that list their vertices in different orders, or one vertex twice"
    if problem is not None:
        raise ConfigError(
            "readout.shared",
            f"true, with {problem}.",
            "common vertices in one order, each once.",
            "Sort the columns of the responses by hemisphere and vertex, or set readout.shared=false.",
        )
    narrowed = []
    for data, some in zip(everyone, places, strict=True):
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
