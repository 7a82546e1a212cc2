"""The recordings of a run in memory: few at a time where they are large, the next ones read while others are used."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch

from brainwavlm.compute import card_gb
from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import SPLITS, Channel, Split
from brainwavlm.encoding.downsampling import downsampled
from brainwavlm.encoding.prepared_stories import PreparedStory, add_frontend, planned_windows, read_story
from brainwavlm.encoding.subjects import TunedSubject
from brainwavlm.speech.features import sound_reader
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.stimulus.audio import SAMPLE_RATE

Step = TypeVar("Step")
TUNED_ON: tuple[Split, ...] = ("train", "validation")


class StoryLoader:
    """The recordings in memory: all of them where their frontend fits, or they fit on a card, else a few at a time.

    A thread decodes sound and reads responses ahead of their use. What it draws comes from generators of its own, one a
    story, so results do not depend on it. Subjects who heard one sound share its frontend.

    Parameters
    ----------
    subjects : sequence of TunedSubject
    backbone : Backbone
    config : RunConfig
    device : torch device
    """

    def __init__(
        self, subjects: Sequence[TunedSubject], backbone: Backbone, config: RunConfig, device: torch.device
    ):
        self._backbone, self._config, self.device = backbone, config, device
        self._subjects = subjects
        self._recordings = {
            key: (subject, recording)
            for subject in subjects
            for split in SPLITS
            for key, recording in subject.recordings(split).items()
        }
        self._held: dict[str, PreparedStory] = {}
        self._frontends: dict[tuple[Path, Channel], Sequence[torch.Tensor]] = {}
        self._expected: dict[str, Future[PreparedStory]] = {}
        self._reader: ThreadPoolExecutor | None = None

    def __getitem__(self, story: str) -> PreparedStory:
        if story in self._held:
            return self._held[story]
        keeps_all = self.keeps_all
        expected = self._expected.pop(story, None)
        prepared = self._read(story) if expected is None else expected.result()
        source = self._recordings[story][1].story
        sound = (source.audio, source.channel)
        prepared.frontend = self._frontends.get(sound)
        if prepared.frontend is None:
            add_frontend(prepared, source, self._backbone, self._config, keeps_all)
        if keeps_all and prepared.frontend is not None:
            self._frontends[sound] = prepared.frontend
        if keeps_all or self.on_card:
            self._held[story] = prepared
        return prepared

    def hold(self, stories: Sequence[str]) -> None:
        """Keep these stories until the next call and let go of the others, unless all fit in memory."""
        if not (self.keeps_all or self.on_card):
            self._held = {story: self[story] for story in stories}

    def expect(self, stories: Iterable[str]) -> None:
        """Begin to read stories that will be asked for next."""
        for story in stories:
            if story not in self._held and story not in self._expected:
                if self._reader is None:
                    self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
                self._expected[story] = self._reader.submit(self._read, story)

    def steps(
        self, groups: Sequence[tuple[Sequence[str], Sequence[Step]]], skip: int, then: Iterable[str]
    ) -> Iterator[Step]:
        """The steps of an epoch with their stories in memory, while those of the next group are read.

        Parameters
        ----------
        groups : sequence of (stories, steps)
            As `blocks.epoch_steps` gives them.
        skip : int
            Steps that are behind us.
        then : iterable of str
            Stories that are asked for after the last group.
        """
        following = [*(stories for stories, _ in groups[1:]), then]
        for (stories, steps), next_stories in zip(groups, following, strict=True):
            ahead = steps[skip:]
            skip = max(skip - len(steps), 0)
            if ahead:
                self.hold(stories)
                self.expect(next_stories)
                yield from ahead

    def each(self, stories: Sequence[str]) -> Iterator[PreparedStory]:
        """One story after the other, each read while the one before is used."""
        for number, story in enumerate(stories):
            prepared = self[story]
            self.expect(stories[number + 1 : number + 2])
            yield prepared

    def close(self) -> None:
        """Stop reading ahead."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)
        self._reader, self._expected = None, {}

    @property
    def keeps_all(self) -> bool:
        """Whether the frontend's output of all training and validation stories fits into the configured memory."""
        return self._needed <= self._config.training.frontend_cache_gb * 1e9

    @cached_property
    def on_card(self) -> bool:
        """Whether sound and responses of all these stories stay on the device: a card with four times their room."""
        if self.device.type != "cuda":
            return False
        return 4 * sum(self.sizes(TUNED_ON, 2)) <= card_gb(self.device) * 1e9

    def sizes(self, splits: Iterable[Split], response_bytes: int) -> list[float]:
        """Bytes of sound and responses of each recording, with so many bytes a response."""
        return [
            recording.shape[0]
            * (response_bytes * int(subject.data.voxels.sum()) + 4 * SAMPLE_RATE * recording.tr)
            for subject in self._subjects
            for split in splits
            for recording in subject.data.splits[split]
        ]

    @property
    def kept_bytes(self) -> int:
        """What of the frontend's output is kept in memory once all stories have been read."""
        return self._needed if self.keeps_all and self._config.training.frontend_folder is None else 0

    @cached_property
    def _needed(self) -> int:
        kind, windows = self._config.training.frontend_type, self._config.windows
        read = {
            (recording.story.audio, recording.story.channel): recording
            for subject in self._subjects
            for split in TUNED_ON
            for recording in subject.data.splits[split]
        }
        cut = (planned_windows(one, self._config, self._backbone.min_samples) for one in read.values())
        return sum(sound_reader(self._backbone, some, windows).kept_bytes(kind) for some in cut)

    def _read(self, story: str) -> PreparedStory:
        subject, recording = self._recordings[story]
        voxels, least = subject.data.voxels, self._backbone.min_samples
        prepared = read_story(recording, voxels, least, subject.config, self.device)
        prepared = downsampled(subject.targets.apply(prepared), recording, subject.config)
        # z-scores to three digits, half the room: the loss takes them in float32.
        responses = prepared.responses.half() if self.on_card else prepared.responses
        return replace(prepared, story=story, responses=responses)
