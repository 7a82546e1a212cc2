"""Word vectors from the files that people have: npz, the lab's hf5, GloVe and word2vec text."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.word_vectors import read_embeddings, spoken

WORDS = ["the", "dog", "isn't"]
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4) - 5.5


def npz(path):
    np.savez(path, words=np.array(WORDS), vectors=VECTORS)


def hf5(path):
    with h5py.File(path, "w") as file:
        file["data"] = VECTORS.T.astype(np.float64)
        file["vocab"] = np.array([word.encode() for word in WORDS])


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
        ("v.npz", npz),
        ("google.bin", binary),
        ("gensim.bin", lambda path: binary(path, b"")),
        ("v.hf5", hf5),
        ("v.H5", hf5),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dog", "dog"),
        ("dog,", "dog"),
        ("{dog}", "dog"),
        ("isn't", "isn't"),
        ("'cause", "cause"),
        ("x-ray.", "x-ray"),
    ],
)
def test_words_are_spelled_as_in_vocabularies(text, expected):
    assert spoken(text) == expected


def objects(path):
    np.savez(path, words=np.array(["a", None], dtype=object), vectors=np.zeros((2, 3)))


def array(path):
    with path.open("wb") as file:
        np.save(file, VECTORS)


def swapped(path):
    with h5py.File(path, "w") as file:
        file["data"], file["vocab"] = VECTORS, np.array([word.encode() for word in WORDS])


def numbered(path):
    with h5py.File(path, "w") as file:
        file["data"], file["vocab"] = VECTORS.T, np.arange(3)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("v.npz", objects, "no arrays `words` and `vectors`"),
        ("v.npz", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "no arrays"),
        ("v.npz", lambda path: path.write_bytes(b""), "no arrays"),
        ("v.npz", array, "no arrays"),
        ("v.npz", lambda path: np.savez(path, words=np.arange(3), vectors=VECTORS), "words of type int64"),
        ("v.npz", lambda path: np.savez(path, words=np.array(WORDS), vectors=VECTORS[:2]), "3 words beside"),
        ("v.npz", lambda path: np.savez(path, words=np.array(WORDS), vectors=VECTORS * np.nan), "not finite"),
        (
            "v.npz",
            lambda path: np.savez(path, words=np.array(WORDS), vectors=VECTORS.astype(float) * 1e300),
            "above 1e\\+15",
        ),
        (
            "v.npz",
            lambda path: np.savez(path, words=np.array(WORDS), vectors=VECTORS[:, :0]),
            "shape \\(3, 0\\)",
        ),
        ("v.hf5", numbered, "vocab of type int64"),
        ("v.hf5", swapped, "3 words beside vectors of shape \\(4, 3\\)"),
        ("v.hf5", lambda path: h5py.File(path, "w").close(), "holds nothing"),
        ("v.hf5", lambda path: path.write_text("no"), "not readable as HDF5"),
        ("v.txt", lambda path: path.write_text("the 1 2 3\ndog 1 2\n"), "line 2 has 3 fields"),
        ("v.txt", lambda path: path.write_text("the 1 2 3\ndog 1 2 3 4\n"), "line 2 has 5 fields"),
        ("v.txt", lambda path: path.write_text("the 1 2 3\ndog 1 2 x\n"), "line 2: could not convert"),
        ("v.txt", lambda path: path.write_text("the\n"), "line 1 has 1 fields"),
        ("v.vec", lambda path: glove(path, "6 4\n"), "5 lines after the first, which says 6"),
        ("v.vec", lambda path: glove(path, "5 3\n"), "line 2 has 5 fields, for a word and 3 numbers"),
        ("v.vec", lambda path: path.write_text("5 3\n"), "0 lines after the first"),
        ("v.txt", lambda path: path.write_text("the 1 2\n\n"), "line 2 has 1 fields"),
        ("v.txt", lambda path: path.write_text("dog 1 nan 2\n"), "'dog' is not finite"),
        ("v.txt", lambda path: path.write_bytes("dög 1 2\n".encode("latin-1")), "not UTF-8"),
        (
            "v.bin",
            lambda path: path.write_bytes(b"3 4\nthe " + bytes(16) + b"dog " + bytes(15)),
            "1 whole vectors of 3",
        ),
        ("v.bin", lambda path: path.write_bytes(b"the 1 2 3\n"), "no first line of two numbers"),
        ("v.bin", lambda path: path.write_bytes(b""), "an empty file"),
        ("v.txt", lambda path: None, "no such file"),
        ("v.txt", lambda path: path.mkdir(), "a folder"),
        ("v.txt", lambda path: path.write_text("zebra 1 2\n"), "none of the 3 words that are said, as"),
        (
            "v.txt",
            lambda path: path.write_text("../.git/annex/objects/xx/SHA256E-s99-- x"),
            "git-annex pointer",
        ),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(tmp_path, name, write, words):
    write(tmp_path / name)
    with pytest.raises(DatasetError, match=words):
        read_embeddings(tmp_path / name, WORDS)


@pytest.mark.parametrize("suffix", [".txt", ".bin", ".npz"])
def test_an_accent_typed_in_two_ways_is_one_word(tmp_path, suffix):
    path, typed = tmp_path / f"vectors{suffix}", "cafe\u0301"
    vector = np.array([1.0, 2.0], np.float32)
    if suffix == ".txt":
        path.write_text(f"{typed} 1 2\n", encoding="utf-8")
    elif suffix == ".bin":
        path.write_bytes(b"1 2\n" + typed.encode() + b" " + vector.tobytes())
    else:
        np.savez(path, words=np.array([typed]), vectors=vector[None])
    assert list(read_embeddings(path, [spoken(typed)])) == ["caf\u00e9"]


@pytest.mark.parametrize("suffix", [".txt", ".npz"])
def test_case_tells_words_apart_only_where_both_are_there(tmp_path, suffix):
    path, rows = (
        tmp_path / f"v{suffix}",
        {"DOG": 1, "Us": 2, "us": 3, "US": 4, "Paris": 5, "PARIS": 6, "don’t": 7},
    )
    if suffix == ".txt":
        path.write_text("".join(f"{word} {number} 0\n" for word, number in rows.items()), encoding="utf-8")
    else:
        np.savez(
            path, words=np.array(list(rows)), vectors=np.array([[number, 0.0] for number in rows.values()])
        )
    vectors = read_embeddings(path, ["dog", "us", "paris", spoken("Don't"), "cat"])
    assert {word: vector[0] for word, vector in vectors.items()} == {
        "dog": 1,
        "us": 3,
        "paris": 5,
        "don't": 7,
    }
