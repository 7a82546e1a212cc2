"""The controls: what each of them needs of a run's data, and the targets that it makes of a story."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import factorial
from typing import Any

import numpy as np

from brainwavlm.config import AlignmentConfig, RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.blocks import cut_blocks
from brainwavlm.encoding.controls import (
    block_permuted,
    exchanged,
    phase_randomised,
    shifted,
    spectrum_matched,
    story_generator,
    wrapped,
)
from brainwavlm.encoding.prepared_stories import PreparedStory, recording_clock, story_responses
from brainwavlm.encoding.run_data import RunData
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.features import acoustic, labels
from brainwavlm.stimulus.features.units import Units, frame_means, occupancy
from brainwavlm.stimulus.intervals import PHONES, Kind
from brainwavlm.stimulus.transcripts import labels_said

RESPONSE_SECONDS = 32.0  # of the canonical response; less than 1e-5 of its peak is left then


@dataclass(frozen=True)
class Control:
    """What takes the place of one subject's responses.

    Attributes
    ----------
    targets : function from PreparedStory, Recording and Generator to array (n_trs, n_targets)
    n_targets : int or None
        None: one a voxel.
    facts : dict
        What run.json says of it.
    """

    targets: Callable[[PreparedStory, Recording, np.random.Generator], np.ndarray]
    n_targets: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def _shifted(data: RunData, config: RunConfig) -> Control:
    def targets(story: PreparedStory, recording: Recording, generator: np.random.Generator) -> np.ndarray:
        least = int(np.ceil(config.control.seconds / recording.tr))
        return shifted(_responses(story), least, generator)

    return Control(targets)


def _block_permuted(data: RunData, config: RunConfig) -> Control:
    def block_rows(recording: Recording) -> int:
        return max(round(config.control.seconds / recording.tr), 1)

    for name, recording in tuned_on(data).items():
        n_trs = recording.shape[0]
        if len(cut_blocks(name, n_trs, block_rows(recording))) < 2:
            raise ConfigError(
                "control.seconds",
                f"{config.control.seconds:g} s, but {name} has {n_trs * recording.tr:g} s of responses: "
                "one block, which has no other place.",
                "two blocks or more in every training and validation story.",
                "Lower control.seconds, or leave the story out.",
            )
    return Control(
        lambda story, recording, generator: block_permuted(
            _responses(story), block_rows(recording), generator
        )
    )


def _phase_randomised(data: RunData, config: RunConfig) -> Control:
    return Control(lambda story, recording, generator: phase_randomised(_responses(story), generator))


def _other_story(data: RunData, config: RunConfig) -> Control:
    names, recordings = data.story_names(), tuned_on(data)
    if len(names["train"]) < 2:
        raise ConfigError(
            "control.kind",
            f"other-story, with {len(names['train'])} training story.",
            "two training stories or more, which exchange their responses.",
            "Name more with train: [...], or choose another control.",
        )
    pairs = exchanged(names["train"], names["validation"], config.seed)

    def targets(story: PreparedStory, recording: Recording, generator: np.random.Generator) -> np.ndarray:
        return wrapped(story_responses(recordings[pairs[story.story]], data.voxels), len(story.responses))

    return Control(targets, facts={"responses_of": pairs})


def _stimulus(data: RunData, config: RunConfig) -> Control:
    # One mixture for all stories: what a target is made of must not change from story to story.
    generator = story_generator(config.seed, "stimulus")
    mixture = generator.standard_normal((acoustic.N_MELS, int(data.voxels.sum())), dtype=np.float32)

    def targets(story: PreparedStory, recording: Recording, generator: np.random.Generator) -> np.ndarray:
        stretches = Units.stretches(story.windows.times, config.windows.stride)
        heard = frame_means(acoustic.mel(story.sound), stretches)
        mel = as_responses(heard, story.windows.times, recording, config.alignment)
        return spectrum_matched(mel @ mixture, _responses(story))

    return Control(targets)


def _spoken(data: RunData, config: RunConfig) -> Control:
    """Targets are the vectors of the words, or phones, that are said, on the clock of the responses."""
    kind: Kind = "phones" if config.control.kind == "phones" else "words"
    recordings = tuned_on(data)
    heard_stories = [recording.story for recording in recordings.values()]
    units = labels_said(heard_stories, kind, "control.kind", kind)
    said = Counter(label for some in units.values() for label in some.labels)
    facts: dict[str, Any]
    if kind == "phones":
        vectors = labels.phones(said)
        facts = {} if vectors.columns == PHONES else {"classes": list(vectors.columns)}
    else:
        # The configuration has seen to it that there is a file.
        vectors = labels.embeddings(config.control.embeddings or "", said)
        known = np.stack([vectors.of_label[word] for word in sorted(vectors.of_label)])
        facts = {"vectors": hashlib.sha256(known.tobytes()).hexdigest()}
    facts["unknown"] = {
        "of": said.total(),
        kind: sum(n for one, n in said.items() if one not in vectors.of_label),
    }

    def targets(story: PreparedStory, recording: Recording, generator: np.random.Generator) -> np.ndarray:
        times, said_there = story.windows.times, units[story.story]
        stretches = Units.stretches(times, config.windows.stride)
        heard = occupancy(said_there, vectors.values(said_there.labels), stretches)
        if not heard.any():
            raise DatasetError(
                recording.story.transcript or recording.story.audio,
                f"no {kind} with a value other than 0 in the {times[-1]:g} s of sound.",
                f"{kind} of that story, in seconds from its sound's onset.",
                "Mend the transcript or the vectors, or leave the story out of train and validation.",
            )
        return as_responses(heard, times, recording, config.alignment)

    return Control(targets, len(vectors.columns), facts)


# What each kind of control needs is checked, and its targets are made, by one function; what it is called in
# sentences stands in config.CONTROLS.
CONTROLS: dict[str, Callable[[RunData, RunConfig], Control]] = {
    "shifted": _shifted,
    "block-permuted": _block_permuted,
    "phase-randomised": _phase_randomised,
    "other-story": _other_story,
    "stimulus": _stimulus,
    "words": _spoken,
    "phones": _spoken,
}


def tuned_on(data: RunData) -> dict[str, Recording]:
    """Recordings whose targets a control replaces, by story: test stories keep their responses."""
    return {r.story.name: r for split in ("train", "validation") for r in data.splits[split]}


def _responses(story: PreparedStory) -> np.ndarray:
    return story.responses.cpu().numpy()


def canonical_response(seconds: np.ndarray) -> np.ndarray:
    """h(s) = s^5 exp(-s) / 5! - s^15 exp(-s) / (6 * 15!), zero before 0: peak at 5 s, undershoot at 15 s.

    References
    ----------
    Friston et al. 1998, NeuroImage 7, 30: the double gamma function of SPM.
    """
    s = np.maximum(np.asarray(seconds, dtype=np.float64), 0.0)
    return np.exp(-s) * (s**5 / factorial(5) - s**15 / (6 * factorial(15)))


def as_responses(
    stretches: np.ndarray, times: np.ndarray, recording: Recording, alignment: AlignmentConfig
) -> np.ndarray:
    """target[t] = z(sum_d h(d tr) x[t - d]), x the stretches resampled to TRs and z-scored like features.

    h is the canonical haemodynamic response: without it the delays of the design would look at sound from before the
    target.

    Parameters
    ----------
    stretches : array (n_windows, n_dims)
    times : array (n_windows,)
        Ends of the stretches, seconds from sound onset.
    recording : Recording
    alignment : AlignmentConfig
        Its clock; its delays are not those of the response.

    Returns
    -------
    array (n_trs, n_dims), float32, z-scored
    """
    lags = np.arange(int(np.ceil(RESPONSE_SECONDS / recording.tr)) + 1)
    lagged = alignment.model_copy(update={"delays": tuple(int(lag) for lag in lags)})
    design = recording_clock(recording, times, lagged).design(stretches)  # delay-major
    weights = canonical_response(lags * recording.tr)
    return zscored(np.einsum("tdk,d->tk", design.reshape(len(design), len(lags), -1), weights))
