"""The table of features of the stimulus: what each is, what it needs, and the function that makes it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.features import acoustic, labels
from brainwavlm.stimulus.features.files import is_table, means_over_time, read_table, require_within, spans
from brainwavlm.stimulus.features.stimuli import Stimuli
from brainwavlm.stimulus.features.text_model import contextual_vectors, folder_and_layer, is_text_model
from brainwavlm.stimulus.features.units import Units, frame_means, rate
from brainwavlm.stimulus.intervals import Kind as Said
from brainwavlm.stimulus.word_vectors import vectors_path

FeatureKind = Literal["acoustic", "phonetic", "lexical", "semantic", "other"]
Scale = Literal["numbers", "labels", "classes"]
STRETCHES = "stretches"
_TAKEN = ("all", "dimension", "model", "stimulus", STRETCHES)  # what the program calls something else


@dataclass(frozen=True)
class Values:
    """A feature of some stories.

    Attributes
    ----------
    columns : tuple of str
        Names of its dimensions, or of the labels where it has some.
    units : dict of story to Units
    values : dict of story to array (n_units, n_columns) float32
        NaN: of a unit that has none.
    """

    columns: tuple[str, ...]
    units: dict[str, Units]
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class Feature:
    """A row of the table.

    Attributes
    ----------
    name : str
    kind : str
        acoustic, phonetic, lexical, semantic or other.
    needs : str
        sound, phones, words or file.
    unit : str
        What it is a value of: stretches of the sound between windows, phones, words, or a name of the feature's own.
    source : str
        Where its definition is from.
    values : function from Stimuli to Values
    scale : str
        numbers; labels (0 or 1, several at once); or classes (one label a unit).
    """

    name: str
    kind: FeatureKind
    needs: Literal["sound", "phones", "words", "file"]
    unit: str
    source: str
    values: Callable[[Stimuli], Values]
    scale: Scale = "numbers"

    @property
    def files(self) -> list[Path]:
        """Of the user's, that it is read from; of a text model those of its folder."""
        if self.needs != "file":
            return []
        path, _ = folder_and_layer(self.source)
        return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


def _of_sound(name: str, dims: int, source: str, frames: Callable[[torch.Tensor], np.ndarray]) -> Feature:
    def values(stimuli: Stimuli) -> Values:
        units = stimuli.stretches
        by_story = {story: frame_means(frames(stimuli.sound(story)), some) for story, some in units.items()}
        return Values(_numbered(dims), units, by_story)

    return Feature(name, "acoustic", "sound", STRETCHES, source, values)


def _of_labels(
    name: str,
    kind: FeatureKind,
    said: Said,
    source: str,
    vectors: Callable[[labels.Labels], labels.Vectors],
    scale: Scale = "numbers",
) -> Feature:
    def values(stimuli: Stimuli) -> Values:
        units = stimuli.said(said, name)
        of_label = vectors(Counter(label for some in units.values() for label in some.labels))
        by_story = {story: of_label.values(some.labels) for story, some in units.items()}
        return Values(of_label.columns, units, by_story)

    return Feature(name, kind, said, said, source, values, scale)


def _rate(name: str, kind: FeatureKind, said: Said) -> Feature:
    def values(stimuli: Stimuli) -> Values:
        spoken, units = stimuli.said(said, name), stimuli.stretches
        by_story = {story: rate(spoken[story], some) for story, some in units.items()}
        return Values((name,), units, by_story)

    return Feature(name, kind, said, STRETCHES, f"{said} a second", values)


FEATURES = {
    feature.name: feature
    for feature in (
        _of_sound("mel", acoustic.N_MELS, "Whisper's log-mel spectrogram", acoustic.mel),
        _of_sound("mfcc", acoustic.N_CEPSTRA, "DCT-II of the log-mel spectrum", acoustic.mfcc),
        _of_sound("envelope", 1, "root mean square of 10 ms", acoustic.envelope),
        _of_sound("flux", 1, "rises of the log-mel spectrum, summed", acoustic.flux),
        _of_sound("pitch", 1, "log2 of F0, Praat (praat-parselmouth)", acoustic.pitch),
        _of_sound("intensity", 1, "dB, Praat (praat-parselmouth)", acoustic.intensity),
        _of_labels("phones", "phonetic", "phones", "the transcript", labels.phones, "classes"),
        _of_labels(
            "articulation", "phonetic", "phones", "de Heer et al. 2017", labels.articulation, "labels"
        ),
        _rate("phone-rate", "phonetic", "phones"),
        _of_labels("words", "lexical", "words", "the transcript", labels.words, "classes"),
        _rate("word-rate", "lexical", "words"),
        _of_labels("frequency", "lexical", "words", "Zipf scale (wordfreq)", labels.frequency),
        _of_labels("word-length", "lexical", "words", "letters", labels.word_length),
    )
}


def features_named(names: Sequence[str]) -> list[Feature]:
    """Rows of the table by name, and NAME=FILE: vectors of words, or a table of the user's.

    Raises
    ------
    ConfigError
        A name that is not in the table, or one that is there twice.
    DatasetError
        A table that cannot be read.
    """
    features = [_from_file(*name.split("=", 1)) if "=" in name else _row(name) for name in names]
    rows = [feature.name for feature in features]
    if not rows or len(set(rows)) < len(rows):
        raise ConfigError(
            "features",
            f"{', '.join(rows) or 'none'}.",
            "one feature or more, each name once.",
            "For instance: mel,articulation,word-rate",
        )
    return features


def _row(name: str) -> Feature:
    if name not in FEATURES:
        similar = _similar(name)
        raise ConfigError(
            "features",
            f"{name!r}.",
            f"some of {', '.join(FEATURES)}, of probe also dimension, or NAME=FILE: vectors of words, or a table "
            ".csv, .tsv.",
            f"Did you mean {similar}?" if similar else "For instance: mel,articulation,glove=glove.txt",
        )
    return FEATURES[name]


def _similar(name: str) -> str:
    return next(iter(get_close_matches(name.lower(), [*FEATURES, "dimension"], n=1)), "")


def _from_file(name: str, path: str) -> Feature:
    taken = name in FEATURES or name in _TAKEN
    if not name or not path or taken:
        similar = _similar(name)
        remedy = f"Did you mean {similar}?" if similar else f"Give its file:  {name or 'glove'}=vectors.txt"
        raise ConfigError(
            "features",
            f"{name}={path}{', a name that is taken' * taken}.",
            "NAME=FILE with a name of its own: vectors of words, or a table .csv, .tsv.",
            f"For instance:  {f'my-{name}' if name else 'glove'}={path}" if path else remedy,
        )
    path = str(vectors_path(path))
    if is_text_model(path):
        return _of_text_model(name, path)
    if not is_table(path):
        vectors = partial(labels.embeddings, path)
        return replace(_of_labels(name, "semantic", "words", path, vectors), needs="file")
    table = read_table(path)
    if "time" in table:
        columns = tuple(str(column) for column in table if column not in ("story", "time"))

        def over_time(stimuli: Stimuli) -> Values:
            units = stimuli.stretches
            for story in units:
                require_within(Path(path), table, story, stimuli.seconds(story))
            by_story = {story: means_over_time(table, story, some) for story, some in units.items()}
            return Values(columns, units, by_story)

        return Feature(name, "other", "file", STRETCHES, path, over_time)
    names = sorted(set(table["label"].str.strip()) - {""}) if "label" in table else []
    columns = tuple(names or (str(column) for column in table if column not in ("story", "onset", "offset")))

    def of_spans(stimuli: Stimuli) -> Values:
        for story in stimuli.stories:
            require_within(Path(path), table, story, stimuli.seconds(story))
        both = {story: spans(table, story) for story in stimuli.stories}
        units = {story: some for story, (some, _) in both.items()}
        by_story = {story: numbers for story, (_, numbers) in both.items()}
        if names:
            by_story = {story: labels.identity(names).values(some.labels) for story, some in units.items()}
        kept = {story: some.middles <= stimuli.ends[story][-1] for story, some in units.items()}
        units = {story: some.within(stimuli.ends[story][-1]) for story, some in units.items()}
        return Values(columns, units, {story: by_story[story][keep] for story, keep in kept.items()})

    return Feature(name, "other", "file", name, path, of_spans, "classes" if names else "numbers")


def _of_text_model(name: str, path: str) -> Feature:
    def values(stimuli: Stimuli) -> Values:
        units = stimuli.said("words", name)
        by_story = {story: contextual_vectors(path, some.labels) for story, some in units.items()}
        return Values(_numbered(next(iter(by_story.values())).shape[1]), units, by_story)

    return Feature(name, "semantic", "file", "words", path, values)


def _numbered(n: int) -> tuple[str, ...]:
    return tuple(map(str, range(n)))
