"""What heads on one model reach, for every seed: scores over all tested rows, and without each piece of them."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from brainwavlm.evaluation.speech_tasks.heads import Head, Loss, States, Training, outputs, trained
from brainwavlm.evaluation.speech_tasks.recognition import Counts, errors, recognised, recogniser
from brainwavlm.evaluation.speech_tasks.states import frames_of, sound_of, states_of
from brainwavlm.evaluation.speech_tasks.synthesis import (
    decoded_mels,
    distortion,
    frames_of_mel,
    mel_decoder,
    mel_of,
    vocoded,
)
from brainwavlm.evaluation.speech_tasks.tasks import ASR, Task
from brainwavlm.evaluation.statistics.auc import LABELS, jackknife_of_f1
from brainwavlm.evaluation.statistics.jackknife import left_out_pieces, sums_over
from brainwavlm.progress import Progress
from brainwavlm.speech.hidden_states import Backbone

BATCH = 32  # spans
KEPT_SOUNDS = 5  # of each model, of different stories or speakers


class HeadScores(NamedTuple):
    """What the heads of one model reach.

    scores (n_seeds, n_pieces + 1), over all tested rows and without each piece; shares of hidden states in the weighted
    sum, mean over seeds; of synthesis some sounds (n_samples,).
    """

    scores: dict[str, np.ndarray]
    shares: list[float]
    sounds: dict[str, np.ndarray]


class Heads:
    """Heads of a task on models of one shape; what does not depend on tuning is made once.

    `untuned` is in eval mode, where it computes; `frozen` are its scores.
    """

    def __init__(
        self,
        task: Task,
        untuned: Backbone,
        layers: Sequence[int],
        seeds: int,
        epochs: int,
        progress: Progress,
    ):
        self.task, self._untuned, self._layers, self._progress = task, untuned, layers, progress
        self._trainings = [Training(seed, epochs, untuned.device) for seed in range(seeds)]
        self._states = self._heard(untuned, "model as it is")
        self.frozen = self._scores(self._states, "model as it is")

    def scores_of(self, backbone: Backbone, name: str) -> HeadScores:
        """What heads on another model reach."""
        return self._scores(self._heard(backbone, name), name)

    def _heard(self, backbone: Backbone, who: str) -> States:
        return {
            split: [
                row
                for item in self._progress.over(items, f"Hearing utterances, {who}, {split}")
                for row in states_of(backbone, item, self._layers, self.task.sequences)
            ]
            for split, items in self.task.items.items()
        }

    def _scores(self, states: States, who: str) -> HeadScores:
        task, scores = self.task, list[dict[str, np.ndarray]]()
        shares, sounds = list[Tensor](), dict[str, np.ndarray]()
        for training in self._progress.over(self._trainings, f"Training heads, {who}"):
            if not task.sequences:
                head = classifier(task, states, training)
                scores.append(_of_classes(task, torch.cat(outputs(head, states["test"], BATCH)).numpy()))
            elif task.name == ASR:
                head = recogniser(task, states, training)
                scores.append(_rates(task, errors(task, recognised(head, states["test"], task.labels))))
            else:
                head = mel_decoder(self._mels, states, frames_of_mel(self._untuned), training)
                made = [vocoded(mel) for mel in decoded_mels(head, states["test"])]
                scores.append(_rates(task, self._off(made, training.seed)))
                sounds = sounds or self._kept(made)
            shares.append(head.shares.detach().cpu())
        together = {name: np.stack([one[name] for one in scores]) for name in scores[0]}
        return HeadScores(together, torch.stack(shares).mean(0).tolist(), sounds)

    @cached_property
    def references(self) -> dict[str, float]:
        """What scores are held against: the most frequent label, or the vocoder on the sounds' own energies."""
        if not self.task.sequences:
            sides = (self.task.items[split] for split in ("train", "test"))
            train, test = ([label for item in items for label in item.labels] for items in sides)
            return {"accuracy": test.count(max(self.task.labels, key=train.count)) / len(test)}
        if self.task.name == ASR:
            return {}
        rates = [_rates(self.task, self._off(self._vocoded, training.seed)) for training in self._trainings]
        return {name: float(np.mean([one[name][0] for one in rates])) for name in rates[0]}

    @cached_property
    def real_sounds(self) -> dict[str, dict[str, np.ndarray]]:
        """Of synthesis: the sounds themselves, and what the vocoder alone makes of them."""
        if not self.frozen.sounds:
            return {}
        real = [sound_of(item.utterance) for item in self.task.items["test"]]
        return {"real": self._kept(real), "vocoder": self._kept(self._vocoded)}

    @cached_property
    def _recognisers(self) -> list[Head]:
        """On the untuned model and real sounds, one a seed."""
        over = self._progress.over(self._trainings, "Training recognisers")
        return [recogniser(self.task, self._states, training) for training in over]

    @cached_property
    def _mels(self) -> States:
        splits = self.task.items.items()
        return {split: [mel_of(sound_of(item.utterance)) for item in items] for split, items in splits}

    @cached_property
    def _vocoded(self) -> list[Tensor]:
        return [vocoded(mel) for mel in self._mels["test"]]

    def _off(self, made: Sequence[Tensor], seed: int) -> Counts:
        """How far sounds are from the real ones, and what the recogniser hears in them."""
        pairs = zip(self._mels["test"], made, strict=True)
        far = [distortion(true, mel_of(sound)) for true, sound in pairs]
        heard = [frames_of(self._untuned, sound, self._layers) for sound in made]
        said = recognised(self._recognisers[seed], heard, self.task.labels)
        return {"mcd": np.array([(some.sum(), len(some)) for some in far]), **errors(self.task, said)}

    def _kept(self, made: Sequence[Tensor]) -> dict[str, np.ndarray]:
        """The first of each group, up to five."""
        _, firsts = np.unique(self.task.group_of_row, return_index=True)
        tested = [self.task.items["test"][n].utterance for n in firsts[:KEPT_SOUNDS]]
        return {
            f"{Path(one.source).stem} {one.start:.1f} s": made[n].clamp(-1, 1).numpy()
            for n, one in zip(firsts, tested, strict=False)
        }


def classifier(task: Task, states: States, training: Training) -> Head:
    """A linear head that tells labels, by cross entropy."""
    number = {label: n for n, label in enumerate(task.labels)}

    def loss(targets: Tensor, frames: Tensor, _: Tensor, rows: Sequence[int]) -> Tensor:
        return nn.functional.cross_entropy(frames[:, 0], targets[list(rows)].to(frames.device))

    losses: Mapping[str, Loss] = {
        split: partial(loss, torch.tensor([number[label] for item in items for label in item.labels]))
        for split, items in task.items.items()
    }
    return trained(len(task.labels), False, losses, states, BATCH, training)


def _of_classes(task: Task, decided: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy and macro-F1 of the largest decision, (n_rows, n_labels)."""
    truth = np.array([task.labels.index(label) for item in task.items["test"] for label in item.labels])
    right = np.stack([decided.argmax(1) == truth, np.ones(len(truth))], 1)
    f1 = jackknife_of_f1({"head": decided}, np.eye(len(task.labels), dtype=bool)[truth], task.group_of_row)
    return {**_rates(task, {"accuracy": right}), "f1": f1.means[LABELS]["head"]}


def _rates(task: Task, counts: Counts) -> dict[str, np.ndarray]:
    """Sum by sum over all tested rows, and without each piece of them, (n_pieces + 1,)."""
    pieces, _ = left_out_pieces(task.group_of_row)
    sums = {name: sums_over(some, pieces) for name, some in counts.items()}
    # One piece alone leaves nothing, and no interval.
    return {name: some[:, 0] / np.where(some[:, 1] > 0, some[:, 1], np.nan) for name, some in sums.items()}
