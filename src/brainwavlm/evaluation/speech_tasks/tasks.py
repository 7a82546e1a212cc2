"""What is asked of a model's hidden states: labels of spans or utterances, or sequences."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from brainwavlm.datasets.responses import SPLITS
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.statistics.jackknife import FEWEST_STORIES
from brainwavlm.stimulus.corpora import Corpus
from brainwavlm.stimulus.features.units import Units
from brainwavlm.stimulus.utterances import Utterance, with_drawn_splits

ASR, SYNTHESIS, SPEAKER = "asr", "synthesis", "speaker"
SPANS = ("phones", "words")
Tokens = Literal["phones", "characters"]
FEWEST_TESTED = 50  # labels, or tokens
FEWEST_OF_LABEL = 5  # among those that a head learns from


@dataclass(frozen=True)
class Item:
    """An utterance with what is asked of it: labels of each span, of the whole, or the tokens that are said, in order.

    Spans are in seconds from the start of the utterance; None: the whole of it.
    """

    utterance: Utterance
    labels: tuple[str, ...]
    spans: Units | None = None


@dataclass(frozen=True)
class Task:
    """A task on a corpus.

    Attributes
    ----------
    name : str
    sequences : bool
        Whether labels are said one after the other (CTC), rather than one a span.
    tokens : str
        phones or characters, of sequences.
    labels : tuple of str
        That heads know.
    items : dict of split to list of Item
        Those of a group next to each other.
    groups : str
        What an interval is over: stories, speakers or utterances.
    group_of_row : array (n_rows,) of str
        Of each tested span, or utterance.
    notes : list of str
    """

    name: str
    sequences: bool
    tokens: str
    labels: tuple[str, ...]
    items: dict[str, list[Item]]
    groups: str
    group_of_row: np.ndarray
    notes: list[str]

    def facts(self) -> dict[str, Any]:
        """For summary.json."""
        sizes = {split: sum(len(item.labels) for item in items) for split, items in self.items.items()}
        return {
            "labels": list(self.labels),
            "n_utterances": {split: len(items) for split, items in self.items.items()},
            "n_labels_said": sizes,
        }


def task_of(name: str, corpus: Corpus, tokens: Tokens | None = None) -> Task:
    """The task of that name on a corpus.

    phones or words (one label a span), speaker or a column of the table (one label an utterance), asr or synthesis.
    Tokens of sequences are phones where every utterance has some, else characters.

    Raises
    ------
    ConfigError
        No such task for these data, fewer than 50 labels to test, or fewer than two labels to tell apart.
    """
    utterances, notes = list(corpus.utterances), list(corpus.notes)
    sequences = name in (ASR, SYNTHESIS)
    if sequences:
        tokens = tokens or ("phones" if all(one.phones for one in utterances) else "characters")
        items = [Item(one, _sequence(one, tokens)) for one in utterances]
    elif name in SPANS:
        items = [_spans(one, name) for one in utterances]
    else:
        if name == SPEAKER and _new_speakers(utterances):
            utterances = with_drawn_splits(utterances, within_speakers=True)
            notes = ["Utterances of each speaker are drawn to train and to test: a speaker has to be known."]
        labels = [one.speaker if name == SPEAKER else one.columns.get(name, "") for one in utterances]
        items = [Item(one, (label,) if label else ()) for one, label in zip(utterances, labels, strict=True)]
    if not any(item.labels for item in items):
        raise _unknown(name, tokens, corpus)
    if n_empty := sum(not item.labels for item in items):
        notes.append(
            f"{n_empty:,} of {len(items):,} utterances have no {tokens if sequences else name}, and are left out."
        )
    said: dict[str, list[Item]] = {
        split: [item for item in items if item.utterance.split == split and item.labels] for split in SPLITS
    }
    counts = Counter(label for item in said["train"] for label in item.labels)
    known = tuple(sorted(label for label, n in counts.items() if sequences or n >= FEWEST_OF_LABEL))
    if not sequences:
        said, n_left_out = _of_known(said, set(known))
        if n_left_out:
            few = f"have a label with fewer than {FEWEST_OF_LABEL} to learn from"
            notes.append(f"{n_left_out:,} {name if name in SPANS else 'utterances'} {few}, and are left out.")
    n_tested = sum(len(item.labels) for item in said["test"])
    if n_tested < FEWEST_TESTED or len(known) < 2 or not said["validation"]:
        rare = [f"{label} {n}" for label, n in counts.most_common() if label not in known]
        few = f" ({FEWEST_OF_LABEL} to learn from needed: {', '.join(rare[:6])})" if rare else ""
        raise ConfigError(
            "downstream.data",
            f"{corpus.path}: {len(known)} labels to tell apart{few}; {n_tested} said in utterances that are tested, "
            f"{sum(len(item.labels) for item in said['validation'])} in those that choose the epoch.",
            f"two labels or more, {FEWEST_TESTED} or more to test, and one or more to choose the epoch.",
            "Name more data, or another task.",
        )
    groups, group_of = _groups([item.utterance for item in said["test"]], corpus.kind)
    said["test"].sort(key=lambda item: group_of(item.utterance))
    rows = [1 if sequences else len(item.labels) for item in said["test"]]
    group_of_row = np.repeat([group_of(item.utterance) for item in said["test"]], rows)
    return Task(name, sequences, tokens or "" if sequences else "", known, said, groups, group_of_row, notes)


def _sequence(one: Utterance, tokens: Tokens) -> tuple[str, ...]:
    if tokens == "phones":
        return tuple(phone.text for phone in one.phones)
    return tuple(re.sub(r"[^\w' ]+", "", one.text))


def _spans(one: Utterance, name: str) -> Item:
    spans = one.phones if name == "phones" else one.words
    labels = tuple(span.text for span in spans)
    return Item(one, labels, Units.said(spans, labels))


def _of_known(said: dict[str, list[Item]], known: set[str]) -> tuple[dict[str, list[Item]], int]:
    """Items with the labels that heads know, and how many were left out."""
    kept: dict[str, list[Item]] = {split: [] for split in said}
    n_left_out = 0
    for split, items in said.items():
        for item in items:
            keep = np.array([label in known for label in item.labels])
            n_left_out += int((~keep).sum())
            if keep.any():
                labels = tuple(np.array(item.labels, object)[keep])
                spans = item.spans and Units(item.spans.starts[keep], item.spans.ends[keep], labels)
                kept[split].append(replace(item, labels=labels, spans=spans))
    return kept, n_left_out


def _new_speakers(utterances: Sequence[Utterance]) -> bool:
    """Whether somebody who is tested says nothing to learn from."""
    of = {split: {one.speaker for one in utterances if one.split == split} for split in SPLITS}
    return not (of["test"] | of["validation"]) <= of["train"]


def _groups(tested: Sequence[Utterance], kind: str) -> tuple[str, Any]:
    """What an interval is over: stories; speakers where three or more are tested; else utterances."""
    if kind == "stories":
        return "stories", lambda one: one.source
    if len({one.speaker for one in tested}) >= FEWEST_STORIES:
        return "speakers", lambda one: one.speaker
    return "utterances", lambda one: f"{one.source} {one.start:010.3f}"


def _unknown(name: str, tokens: str | None, corpus: Corpus) -> ConfigError:
    utterances = corpus.utterances
    there = [kind for kind in SPANS if any(getattr(one, kind) for one in utterances)]
    there += [SPEAKER] if any(one.speaker for one in utterances) else []
    there += [ASR, SYNTHESIS] if any(one.text or one.phones for one in utterances) else []
    there += sorted({column for one in utterances for column in one.columns})
    what = f"{name} of {tokens}" if tokens else name
    return ConfigError(
        "downstream.task",
        f"{what}, for which {corpus.path} has no labels.",
        f"one of {', '.join(there) or 'none: it has no labels at all'}.",
        "Name one of them, or other data.",
    )
