"""Features of phones and words: what a label stands for, as a vector."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainwavlm.errors import ConfigError
from brainwavlm.stimulus.intervals import PHONES
from brainwavlm.stimulus.word_vectors import read_embeddings

MOST_FREQUENT = 50
# Place, manner, voice, height and backness; a diphthong is what it begins with.
ARTICULATION = (
    *("bilabial", "labiodental", "dental", "alveolar", "postalveolar", "palatal", "velar", "glottal"),
    *("plosive", "affricate", "fricative", "nasal", "lateral", "approximant", "voiced", "unvoiced"),
    *("high", "mid", "low", "front", "central", "back"),
)
_ARTICULATED = {
    "bilabial plosive unvoiced": "P",
    "bilabial plosive voiced": "B",
    "bilabial nasal voiced": "M",
    "labiodental fricative unvoiced": "F",
    "labiodental fricative voiced": "V",
    "dental fricative unvoiced": "TH",
    "dental fricative voiced": "DH",
    "alveolar plosive unvoiced": "T",
    "alveolar plosive voiced": "D",
    "alveolar nasal voiced": "N",
    "alveolar fricative unvoiced": "S",
    "alveolar fricative voiced": "Z",
    "alveolar lateral voiced": "L",
    "alveolar approximant voiced": "R",
    "postalveolar affricate unvoiced": "CH",
    "postalveolar affricate voiced": "JH",
    "postalveolar fricative unvoiced": "SH",
    "postalveolar fricative voiced": "ZH",
    "palatal approximant voiced": "Y",
    "velar plosive unvoiced": "K",
    "velar plosive voiced": "G",
    "velar nasal voiced": "NG",
    "bilabial velar approximant voiced": "W",
    "glottal fricative unvoiced": "HH",
    "high front voiced": "IY IH",
    "mid front voiced": "EY EH",
    "low front voiced": "AE",
    "mid central voiced": "AH ER",
    "low central voiced": "AW AY",
    "high back voiced": "UW UH",
    "mid back voiced": "OW AO OY",
    "low back voiced": "AA",
}


@dataclass(frozen=True)
class Vectors:
    """What labels stand for.

    Attributes
    ----------
    columns : tuple of str
        Names of the dimensions.
    of_label : mapping of str to array (n_columns,) float32
    """

    columns: tuple[str, ...]
    of_label: Mapping[str, np.ndarray]

    def values(self, labels: Iterable[str]) -> np.ndarray:
        """Vectors of some labels, (n_labels, n_columns) float32; NaN of one that stands for nothing."""
        none = np.full(len(self.columns), np.nan, np.float32)
        return np.array([self.of_label.get(label, none) for label in labels]).reshape(-1, len(self.columns))


Labels = Counter[str]  # how often each is said, in all stories; "" is no label


def identity(labels: Iterable[str]) -> Vectors:
    """A dimension a label, 1 for its own."""
    columns = tuple(labels)
    return Vectors(columns, dict(zip(columns, np.eye(len(columns), dtype=np.float32), strict=True)))


def phones(labels: Labels) -> Vectors:
    """Identity of the 39 phones of ARPAbet, or of the labels where these are of another set."""
    return identity(PHONES if set(labels) <= {*PHONES, ""} else sorted(labels))


def articulation(labels: Labels) -> Vectors:
    """The 22 articulatory features of each phone of ARPAbet (the list of de Heer et al. 2017), 0 or 1.

    Affricates have a feature of their own; vowels are voiced; W is bilabial and velar.
    """
    if not set(labels) <= {*PHONES, ""}:
        raise ConfigError(
            "features",
            f"articulation, with phones such as {', '.join(sorted(set(labels) - {*PHONES, ''})[:5])}.",
            "phones of ARPAbet, whose articulation is in the table.",
            "Leave it out, or give a table of your own: NAME=FILE.csv with story,onset,offset and its columns.",
        )
    described = {phone: text.split() for text, some in _ARTICULATED.items() for phone in some.split()}
    rows = {
        phone: np.array([name in features for name in ARTICULATION], np.float32)
        for phone, features in described.items()
    }
    return Vectors(ARTICULATION, rows)


def words(labels: Labels) -> Vectors:
    """Identity of the 50 words that are said most often; of equally many the first by alphabet."""
    by_count = sorted(labels, key=lambda word: (-labels[word], word))
    return identity(sorted([word for word in by_count if word][:MOST_FREQUENT]))


def frequency(labels: Labels) -> Vectors:
    """log10 of how often a word is said in 10^9 words of English (Zipf scale, wordfreq); none of a word it has not."""
    try:
        from wordfreq import zipf_frequency
    except ImportError:
        raise ConfigError(
            "features",
            "frequency, without the package wordfreq.",
            "its counts of words.",
            "pip install 'brainwavlm[wordfreq]'   or leave it out.",
        ) from None
    return _numbers("zipf", labels, lambda word: zipf_frequency(word, "en") or np.nan)


def word_length(labels: Labels) -> Vectors:
    """Letters and digits of a word."""
    return _numbers("letters", labels, lambda word: sum(map(str.isalnum, word)))


def embeddings(path: str | Path, labels: Labels) -> Vectors:
    """Vectors of words from a file of the user's; see `read_embeddings` for its forms."""
    vectors = read_embeddings(path, set(labels) - {""})
    return Vectors(tuple(map(str, range(len(next(iter(vectors.values())))))), vectors)


def _numbers(name: str, labels: Labels, number: Callable[[str], float]) -> Vectors:
    return Vectors((name,), {word: np.array([number(word)], np.float32) for word in labels if word})
