"""Word vectors from the files that people have: npz, the lab's hf5, GloVe and word2vec text."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.word_vectors import read_embeddings, spoken

WORDS = ["the", "dog", "isn't"]
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4) - 5.5
VOCABULARY = np.array([word.encode() for word in WORDS])


def arrays(words=WORDS, vectors=VECTORS):
    return lambda path: np.savez(path, words=np.array(words), vectors=vectors)


def hdf5(**content):
    def write(path):
        with h5py.File(path, "w") as file:
            for name, array in content.items():
                file[name] = array

    return write


HF5 = hdf5(data=VECTORS.T.astype(np.float64), vocab=VOCABULARY)


def glove(path, head=""):
    lines = [f"{word} {' '.join(map(str, vector))}\n" for word, vector in zip(WORDS, VECTORS, strict=True)]
    path.write_text(head + "".join(lines) + ". . . 1 2 3 4\ndog 0 0 0 0\n")


def binary(path, after=b"\n"):
    rows = [
        word.encode() + b" " + vector.tobytes() + after for word, vector in zip(WORDS, VECTORS, strict=True)
    ]
    path.write_bytes(b"4 4\n" + b"".join(rows) + b"dog " + VECTORS[0].tobytes() + after)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("v.npz", arrays()),
        ("google.bin", binary),
        ("gensim.bin", lambda path: binary(path, b"")),
        ("v.hf5", HF5),
        ("glove.txt", glove),
        ("w2v.vec", lambda path: glove(path, "5 4\n")),
    ],
)
def test_every_form_gives_the_same_vectors(tmp_path, name, write):
    write(tmp_path / name)
    found = read_embeddings(tmp_path / name, ["dog", "isn't", "cat", ". ."])
    assert set(found) == {"dog", "isn't"}
    assert_allclose(found["dog"], VECTORS[1])
    assert_allclose(found["isn't"], VECTORS[2])
    assert found["dog"].dtype == np.float32


def test_words_are_spelled_as_in_vocabularies():
    said = ["Dog", "dog,", "{dog}", "isn't", "'cause", "x-ray."]
    assert [spoken(text) for text in said] == ["dog", "dog", "dog", "isn't", "cause", "x-ray"]


def array(path):
    with path.open("wb") as file:
        np.save(file, VECTORS)


def content(some):
    return lambda path: path.write_bytes(some.encode() if isinstance(some, str) else some)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("v.npz", arrays(np.array(["a", None, "b"], dtype=object)), "no arrays `words` and `vectors`"),
        ("v.npz", content(b"PK\x03\x04" + bytes(50)), "no arrays"),
        ("v.npz", array, "no arrays"),
        ("v.npz", arrays(words=np.arange(3)), "words of type int64"),
        ("v.npz", arrays(vectors=VECTORS[:2]), "3 words beside"),
        ("v.npz", arrays(vectors=VECTORS * np.nan), "not finite"),
        ("v.npz", arrays(vectors=VECTORS.astype(float) * 1e300), "above 1e\\+15"),
        ("v.npz", arrays(vectors=VECTORS[:, :0]), "shape \\(3, 0\\)"),
        ("v.hf5", hdf5(data=VECTORS.T, vocab=np.arange(3)), "vocab of type int64"),
        ("v.hf5", hdf5(data=VECTORS, vocab=VOCABULARY), "3 words beside vectors of shape \\(4, 3\\)"),
        ("v.hf5", hdf5(), "holds nothing"),
        ("v.hf5", content("no"), "not readable as HDF5"),
        ("v.txt", content("the 1 2 3\ndog 1 2\n"), "line 2 has 3 fields"),
        ("v.txt", content("the 1 2 3\ndog 1 2 x\n"), "line 2: could not convert"),
        ("v.txt", content("the\n"), "line 1 has 1 fields"),
        ("v.vec", lambda path: glove(path, "6 4\n"), "5 lines after the first, which says 6"),
        ("v.vec", lambda path: glove(path, "5 3\n"), "line 2 has 5 fields, for a word and 3 numbers"),
        ("v.txt", content("dog 1 nan 2\n"), "'dog' is not finite"),
        ("v.txt", content("dög 1 2\n".encode("latin-1")), "not UTF-8"),
        ("v.bin", content(b"3 4\nthe " + bytes(16) + b"dog " + bytes(15)), "1 whole vectors of 3"),
        ("v.bin", content(b"the 1 2 3\n"), "no first line of two numbers"),
        ("v.bin", content(b""), "an empty file"),
        ("v.txt", lambda path: None, "no such file"),
        ("v.txt", lambda path: path.mkdir(), "a folder"),
        ("v.txt", content("zebra 1 2\n"), "none of the 3 words that are said, as"),
        ("v.txt", content("../.git/annex/objects/xx/SHA256E-s99-- x"), "git-annex pointer"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(tmp_path, name, write, words):
    write(tmp_path / name)
    with pytest.raises(DatasetError, match=words):
        read_embeddings(tmp_path / name, WORDS)


@pytest.mark.parametrize("suffix", [".txt", ".npz"])
def test_an_accent_typed_in_two_ways_is_one_word(tmp_path, suffix):
    path, typed = tmp_path / f"vectors{suffix}", "cafe\u0301"
    vector = np.array([1.0, 2.0], np.float32)
    if suffix == ".txt":
        path.write_text(f"{typed} 1 2\n", encoding="utf-8")
    else:
        np.savez(path, words=np.array([typed]), vectors=vector[None])
    assert list(read_embeddings(path, [spoken(typed)])) == ["caf\u00e9"]


def test_case_tells_words_apart_only_where_both_are_there(tmp_path):
    rows = {"DOG": 1, "Us": 2, "us": 3, "US": 4, "Paris": 5, "PARIS": 6, "don’t": 7}
    text = "".join(f"{word} {number} 0\n" for word, number in rows.items())
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    vectors = read_embeddings(tmp_path / "v.txt", ["dog", "us", "paris", spoken("Don't"), "cat"])
    numbers = {word: vector[0] for word, vector in vectors.items()}
    assert numbers == {"dog": 1, "us": 3, "paris": 5, "don't": 7}
