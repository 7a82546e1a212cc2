"""What the readout learns to predict: the responses, or what a control puts in their place.

Training and validation stories only: test stories keep their responses, and scores never pass through here. The same
(seed, story) always gives the same targets, in every epoch and after a resume.
"""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
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
from brainwavlm.encoding.prepared_stories import PreparedStory, story_responses
from brainwavlm.encoding.run_data import RunData
from brainwavlm.encoding.stimulus_targets import (
    N_MELS,
    Said,
    as_responses,
    heard,
    mel_of_stretches,
    said,
)
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.transcripts import PHONES, Transcript, phone_class, read_transcript
from brainwavlm.stimulus.word_vectors import read_embeddings, spoken


class TrainingTargets:
    """The targets of a run, by story.

    Parameters
    ----------
    data : RunData
    config : RunConfig

    Attributes
    ----------
    n_targets : int
        Columns: the run's voxels, phone classes, or dimensions of the word embeddings.

    Raises
    ------
    ConfigError, DatasetError
        The control cannot be made of these stories: too short, too few, without a transcript.
    """

    def __init__(self, data: RunData, config: RunConfig):
        self._data, self._config = data, config
        self._stories = {r.story.name: r for split in ("train", "validation") for r in data.splits[split]}
        self._said: dict[str, Said] = {}
        self._vectors = np.zeros((0, 0), np.float32)
        self._facts: dict[str, Any] = {}
        self.n_targets = int(data.voxels.sum())
        kind = config.control.kind
        if kind in ("words", "phones") and config.loss.ceiling_weighted:
            raise ConfigError(
                "loss.ceiling_weighted",
                f"true, with control.kind {kind}, whose targets are no voxels.",
                "false: only voxels have a noise ceiling.",
                "Set loss.ceiling_weighted=false, or choose another control.",
            )
        if kind == "block-permuted":
            self._require_blocks()
        elif kind == "other-story":
            self._exchange()
        elif kind == "stimulus":
            # One mixture for all stories: what a target is made of must not change from story to story.
            generator = story_generator(config.seed, "stimulus")
            self._vectors = generator.standard_normal((N_MELS, self.n_targets), dtype=np.float32)
        elif kind == "phones":
            self._listen_to_phones()
        elif kind == "words":
            self._listen_to_words()

    def facts(self) -> dict[str, Any]:
        """What run.json says of it."""
        control = self._config.control
        known = {"kind": control.kind, "n_targets": self.n_targets, "voxels": control.has_voxels}
        return {"control": known | self._facts}

    def apply(self, prepared: PreparedStory) -> PreparedStory:
        """A story with its targets in place of its responses."""
        if self._config.control.kind == "none" or prepared.story not in self._stories:
            return prepared
        targets = np.ascontiguousarray(self._targets(prepared))
        return replace(prepared, responses=torch.from_numpy(targets).to(prepared.responses.device))

    def _targets(self, prepared: PreparedStory) -> np.ndarray:
        """Targets of one story, (n_trs, n_targets) float32, z-scored."""
        control, recording = self._config.control, self._stories[prepared.story]
        generator = story_generator(self._config.seed, prepared.story)
        responses = prepared.responses.cpu().numpy()
        if control.kind == "shifted":
            return shifted(responses, int(np.ceil(control.seconds / recording.tr)), generator)
        if control.kind == "block-permuted":
            return block_permuted(responses, self._block_rows(recording), generator)
        if control.kind == "phase-randomised":
            return phase_randomised(responses, generator)
        if control.kind == "other-story":
            other = self._stories[self._facts["responses_of"][prepared.story]]
            return wrapped(story_responses(other, self._data.voxels), len(responses))
        times, stride = prepared.windows.times, self._config.windows.stride
        if control.kind == "stimulus":
            stretches = mel_of_stretches(prepared.sound, times, stride)
            mel = as_responses(stretches, times, recording, self._config.alignment)
            return spectrum_matched(mel @ self._vectors, responses)
        stretches = heard(self._said[prepared.story], self._vectors, times, stride)
        if not stretches.any():
            raise DatasetError(
                recording.story.transcript or recording.story.audio,
                f"nothing known is said within the {times[-1]:g} s of sound.",
                f"{control.kind} of that story, in seconds from its sound's onset.",
                "Mend the transcript, or leave the story out of train and validation.",
            )
        return as_responses(stretches, times, recording, self._config.alignment)

    def _block_rows(self, recording: Recording) -> int:
        return max(round(self._config.control.seconds / recording.tr), 1)

    def _require_blocks(self) -> None:
        for name, recording in self._stories.items():
            rows, n_trs = self._block_rows(recording), recording.shape[0]
            if len(cut_blocks(name, n_trs, rows)) < 2:
                raise ConfigError(
                    "control.seconds",
                    f"{self._config.control.seconds:g} s, but {name} has {n_trs * recording.tr:g} s of responses: "
                    "one block, which has no other place.",
                    "two blocks or more in every training and validation story.",
                    "Lower control.seconds, or leave the story out.",
                )

    def _exchange(self) -> None:
        names = self._data.story_names()
        if len(names["train"]) < 2:
            raise ConfigError(
                "control.kind",
                f"other-story, with {len(names['train'])} training story.",
                "two training stories or more, which exchange their responses.",
                "Name more with train: [...], or choose another control.",
            )
        self._facts["responses_of"] = exchanged(names["train"], names["validation"], self._config.seed)

    def _listen_to_phones(self) -> None:
        known = {phone: row for row, phone in enumerate(PHONES)}
        for name in self._stories:
            phones = self._transcript(name).phones
            self._said[name] = said(phones, [phone_class(phone.text) for phone in phones], known)
        self._vectors, self.n_targets = np.eye(len(PHONES), dtype=np.float32), len(PHONES)
        self._count("phones", "are none of the 39 ARPAbet classes")

    def _listen_to_words(self) -> None:
        path = self._config.control.embeddings or ""  # the configuration has seen to it that there is one
        words = {name: self._transcript(name).words for name in self._stories}
        texts = {name: [spoken(word.text) for word in some] for name, some in words.items()}
        found = read_embeddings(path, {text for some in texts.values() for text in some})
        known = {word: row for row, word in enumerate(sorted(found))}
        self._said = {name: said(words[name], texts[name], known) for name in words}
        if found:
            self._vectors = np.stack([found[word] for word in known])
        self.n_targets = self._vectors.shape[1]
        self._count("words", f"are not in {path}")
        self._facts["vectors"] = hashlib.sha256(self._vectors.tobytes()).hexdigest()

    def _count(self, what: str, unknown_why: str) -> None:
        total = sum(len(some.rows) for some in self._said.values())
        unknown = sum(some.unknown for some in self._said.values())
        if unknown == total:
            raise ConfigError(
                "control.kind",
                f"{what}, but all {total} {what} of the training and validation stories {unknown_why}.",
                f"{what} that are known.",
                "Look at the transcripts, and give another file with control.embeddings."
                if what == "words"
                else "Look at the phone tier of the transcripts, or choose another control.",
            )
        self._facts["unknown"] = {"of": total, what: unknown}

    def _transcript(self, name: str) -> Transcript:
        path = self._stories[name].story.transcript
        if path is None:
            raise ConfigError(
                "control.kind",
                f"{self._config.control.kind}, but {name} has no transcript.",
                "a TextGrid for every training and validation story.",
                "Add it to the data set, leave the story out of train and validation, or choose another control.",
            )
        return read_transcript(path)
