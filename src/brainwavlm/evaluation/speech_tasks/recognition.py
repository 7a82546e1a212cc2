"""Sequences of phones or characters from frames: connectionist temporal classification, and its errors."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from brainwavlm.evaluation.speech_tasks.heads import Head, Loss, States, Training, outputs, trained
from brainwavlm.evaluation.speech_tasks.tasks import Item, Task

BATCH = 8  # utterances
Counts = dict[str, np.ndarray]  # by score, (n_rows, 2): what is summed, and what it is divided by


def recogniser(task: Task, states: States, training: Training) -> Head:
    """A head whose frames say a token or nothing (output 0), trained by CTC on the training utterances."""
    losses = {split: _ctc(task.items[split], task.labels) for split in ("train", "validation")}
    return trained(len(task.labels) + 1, True, losses, states, BATCH, training)


def recognised(head: Head, states: Sequence[Tensor], labels: Sequence[str]) -> list[tuple[str, ...]]:
    """The tokens of each row: the likeliest of each frame, repeats joined, then what says nothing left out."""
    return [
        tuple(labels[best - 1] for best, _ in groupby(frames.argmax(1).tolist()) if best)
        for frames in outputs(head, states, BATCH)
    ]


def errors(task: Task, said: Sequence[tuple[str, ...]]) -> Counts:
    """Of each tested utterance, by score: edits (substitutions, deletions, insertions) and tokens that were to be said.

    per of phones; cer and wer of characters. rate = sum of edits / sum of tokens, above 1 where too much is said.
    `said` is what was recognised, an utterance each.
    """
    true = [item.labels for item in task.items["test"]]
    pairs = list(zip(true, said, strict=True))
    if task.tokens == "phones":
        return {"per": np.array([_edits(*pair) for pair in pairs])}
    words = [["".join(some).split() for some in pair] for pair in pairs]
    return {
        "wer": np.array([_edits(*pair) for pair in words]),
        "cer": np.array([_edits(*pair) for pair in pairs]),
    }


def _edits(true: Sequence[str], said: Sequence[str]) -> tuple[int, int]:
    """How many tokens have to change, and how many there are, by jiwer."""
    import jiwer

    # Any token stands for a word: a space is a token too where characters are.
    numbers = {token: str(n) for n, token in enumerate(dict.fromkeys([*true, *said]))}
    reference, hypothesis = (" ".join(numbers[token] for token in some) for some in (true, said))
    counts = jiwer.process_words(reference, hypothesis)
    return counts.substitutions + counts.deletions + counts.insertions, len(true)


def _ctc(items: Sequence[Item], labels: Sequence[str]) -> Loss:
    """CTC by token; an utterance with more tokens than frames counts 0, a token not in `labels` is passed over."""
    number = {label: n for n, label in enumerate(labels, start=1)}
    targets = [torch.tensor([number[t] for t in item.labels if t in number]) for item in items]

    def loss(frames: Tensor, lengths: Tensor, rows: Sequence[int]) -> Tensor:
        chosen = [targets[n] for n in rows]
        sizes = torch.tensor([len(some) for some in chosen])
        log_p = frames.log_softmax(2).transpose(0, 1)
        return nn.functional.ctc_loss(
            log_p, torch.cat(chosen).to(frames.device), lengths.cpu(), sizes, zero_infinity=True
        )

    return loss
