"""Word embeddings from a file that the user gives: vectors of the words that were said."""

import re
from collections.abc import Callable, Collection
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from brainwavlm.datasets.demo import demo_folder
from brainwavlm.datasets.hdf5 import NUMBERS, open_hdf5, stored
from brainwavlm.errors import DatasetError
from brainwavlm.files import is_listed, one_form, require_content

LARGEST = 1e15  # of a number: sums of squares of such numbers are finite in float32
HDF5 = (".hf5", ".h5", ".hdf5")


def spoken(text: str) -> str:
    """A transcript's word as vocabularies spell it: lower case, without marks and punctuation around it."""
    return re.sub(r"^\W+|[^\w']+$", "", _one_form(text).strip().lower())


def _one_form(text: str) -> str:
    return one_form(text).replace("’", "'")  # accents and apostrophes are typed in two ways


def vectors_path(name: str | Path) -> Path:
    """The file of that name; of `demo`, the vectors that come with the embedded data set."""
    return demo_folder() / "stimuli" / "word_vectors.npz" if str(name) == "demo" else Path(name).expanduser()


def read_embeddings(path: str | Path, words: Collection[str]) -> dict[str, np.ndarray]:
    """Vectors of some words; words that the file lacks are left out.

    Four forms are read, told apart by the file's ending:
    .npz with `words` (n_words,) text and `vectors` (n_words, n_dims);
    .hf5, .h5, .hdf5 with `vocab` (n_words,) and `data` (n_dims, n_words), as english1000sm.hf5 of ds003020;
    .bin: word2vec's binary form, a line "n_words n_dims", then each word, a space, and its numbers as float32;
    anything else: text, one word a line and its numbers after it, as GloVe; perhaps after a line "n_words n_dims", as
    in fastText's .vec.

    A word that is not there as it is spelled has the vector of the first that differs from it in case alone: of `Paris`
    for paris, of `DOG` for dog.

    Parameters
    ----------
    path : str or Path
    words : collection of str
        As `spoken` gives them.

    Returns
    -------
    dict of str to array (n_dims,) float32, finite, all of one length. Of a word that is there twice the first counts.

    Raises
    ------
    DatasetError
        Missing, of another form, cut, or with vectors of unequal length or that are no numbers.
    """
    path = Path(path)
    if not is_listed(path):
        raise _unusable(path, "a folder." if path.is_dir() else "no such file.")
    require_content(path)
    wanted, suffix = set(words), path.suffix.lower()
    spelled_so: dict[str, np.ndarray] = {}
    in_another_case: dict[str, np.ndarray] = {}

    def keep(text: str, vector: Callable[[], np.ndarray]) -> None:
        word = _one_form(text)
        if word in wanted:
            if word not in spelled_so:
                spelled_so[word] = vector().copy()
        elif (lower := word.lower()) in wanted and lower not in in_another_case:
            in_another_case[lower] = vector().copy()

    if suffix == ".npz":
        _from_arrays(path, *_npz(path), keep)
    elif suffix in HDF5:
        _from_arrays(path, *_hdf5(path), keep)
    elif suffix == ".bin":
        _binary(path, keep)
    else:
        _text(path, keep)
    vectors = in_another_case | spelled_so
    for word, vector in vectors.items():
        if not (np.abs(vector) <= LARGEST).all():
            raise _unusable(path, f"the vector of {word!r} is not finite, or has numbers above {LARGEST:g}.")
    if not vectors:
        told = ", ".join(map(repr, sorted(words)[:3]))
        raise _unusable(path, f"none of the {len(words):,} words that are said, as {told}.")
    return vectors


# Called with each word of a file, and what makes its vector.
Keep = Callable[[str, Callable[[], np.ndarray]], None]


def _npz(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        with path.open("rb") as file:  # numpy leaves a file open that is no zip archive
            arrays = np.load(file, allow_pickle=False)
            words, vectors = arrays["words"], arrays["vectors"]
    except (OSError, ValueError, LookupError, BadZipFile, EOFError) as error:
        raise _unusable(path, f"no arrays `words` and `vectors` ({error}).") from None
    if words.ndim != 1 or words.dtype.kind != "U":
        raise _unusable(path, f"words of type {words.dtype}, shape {words.shape}.")
    return words.tolist(), vectors


def _hdf5(path: Path) -> tuple[list[str], np.ndarray]:
    with open_hdf5(path) as file:
        vocabulary: Any = stored(file, "vocab", path)
        data: Any = stored(file, "data", path)
        if getattr(vocabulary, "ndim", 0) != 1 or getattr(data, "ndim", 0) != 2:
            raise _unusable(path, f"holds {', '.join(file) or 'nothing'}.")
        if vocabulary.dtype.kind not in "SO":
            raise _unusable(path, f"vocab of type {vocabulary.dtype}.")
        words = [
            word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in vocabulary
        ]
        return words, data[()].T


def _from_arrays(path: Path, words: list[str], vectors: np.ndarray, keep: Keep) -> None:
    numbers = vectors.dtype.kind in NUMBERS
    if not numbers or vectors.ndim != 2 or len(vectors) != len(words) or not vectors.shape[1]:
        raise _unusable(path, f"{len(words)} words beside vectors of shape {vectors.shape}, {vectors.dtype}.")
    with np.errstate(over="ignore"):  # what is too large is told
        for word, vector in zip(words, vectors, strict=True):
            keep(word, partial(vector.astype, np.float32))


def _binary(path: Path, keep: Keep) -> None:
    if not path.stat().st_size:
        raise _unusable(path, "an empty file.")
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        head = re.match(rb"(\d+) (\d+) ?\n", content)
        if head is None or int(head[2]) == 0:
            raise _unusable(path, "no first line of two numbers, how many words and dimensions.")
        n_words, n_dims, place = int(head[1]), int(head[2]), head.end()
        for number in range(n_words):
            space = content.find(b" ", place)
            if space < 0 or space + 1 + 4 * n_dims > len(content):
                raise _unusable(path, f"{number:,} whole vectors of {n_words:,}: the file is cut.")
            # Some writers end each vector with a line feed.
            word = content[place:space].lstrip(b"\n").decode("utf-8", "replace")
            keep(word, partial(np.frombuffer, content, "<f4", n_dims, space + 1))
            place = space + 1 + 4 * n_dims


def _text(path: Path, keep: Keep) -> None:
    n_dims, n_words, number = None, None, 0
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                parts = line.rstrip().split(" ")
                if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                    n_words, n_dims = map(int, parts)
                    continue
                n_dims = len(parts) - 1 if n_dims is None else n_dims
                # Some words of GloVe have spaces.
                word = " ".join(parts[:-n_dims]) if n_dims > 0 else ""
                if not word or (len(parts) > n_dims + 1 and _is_number(parts[-n_dims - 1])):
                    raise _unusable(
                        path,
                        f"line {number} has {len(parts)} fields, for a word and {n_dims} numbers: {line[:60]!r}.",
                    )
                keep(word, partial(np.array, parts[-n_dims:], np.float32))
    except UnicodeDecodeError as error:
        raise _unusable(path, f"not UTF-8: {error}.") from None
    except ValueError as error:
        raise _unusable(path, f"line {number}: {error}.") from None
    if n_words is not None and n_words != number - 1:
        raise _unusable(
            path,
            f"{number - 1:,} lines after the first, which says {n_words:,}: the file is cut, or that line wrong.",
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unusable(path: Path, found: str) -> DatasetError:
    return DatasetError(
        path,
        found,
        ".npz (words, vectors), .hf5 (vocab, data), .bin of word2vec, or text with a word and its numbers a line, "
        "spaces between.",
        "Give another file of word vectors.",
    )
