from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from brainwavlm.datasets.base import Subject
from brainwavlm.datasets.responses import Recording, Story
from brainwavlm.encoding.target_expressions import available_targets
from brainwavlm.encoding.targets import target_mask, target_masks, with_regions
from brainwavlm.errors import ConfigError


class Measured(Recording):
    shape = (10, 8)


@pytest.fixture
def subject():
    story = Story("one", Path("one.wav"), None, "train")
    rois = {
        "AC": np.array([1, 1, 0, 0, 1, 0, 0, 0], bool),
        "language": np.array([0, 1, 1, 0, 0, 1, 0, 0], bool),
        "G-S+x": np.array([0, 0, 0, 0, 0, 0, 0, 1], bool),
        "G": np.array([0, 0, 0, 1, 0, 0, 0, 1], bool),
        "empty": np.zeros(8, bool),
    }
    ceiling = np.array([0.9, 0.5, 0.4, np.nan, 0.1, 0.6, 0.0, 0.3])
    recordings = {"one": Measured("S1", story, Path("one.h5"), 2.0)}
    return Subject("S1", recordings, np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int8), rois, ceiling)


EXPRESSIONS = {
    "cortex": "01234567",
    "AC": "014",
    "LH": "0123",
    "RH": "4567",
    "cortex-AC": "23567",
    " AC + language ": "01245",
    "AC&LH": "01",
    "AC&LH+RH": "014567",
    "cortex-AC+AC": "01234567",
    "cortex-AC-language": "367",
    "ceiling>0.4": "015",
    "ceiling > .4 & LH": "01",
    "AC-ceiling>0.4": "4",
    "G-S+x": "7",
    "G-G-S+x": "3",
}


@pytest.mark.parametrize(("expression", "voxels"), EXPRESSIONS.items())
def test_expressions(subject, expression, voxels):
    assert "".join(map(str, np.flatnonzero(target_mask(expression, subject)))) == voxels


def test_a_measured_ceiling_replaces_the_one_that_came_with_the_data(subject):
    measured = np.full(8, 0.1)
    measured[6] = 0.7
    assert_array_equal(np.flatnonzero(target_mask("ceiling>0.4", subject, measured)), [6])


@pytest.mark.parametrize("name", ["my-mask.npy", "mask.txt"])
def test_mask_files(subject, tmp_path, name):
    mask = np.array([0, 0, 1, 0, 1, 0, 0, 1])
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, mask.astype(bool))
    else:
        np.savetxt(path, mask, fmt="%d")
    assert_array_equal(target_mask(str(path), subject), mask)
    assert_array_equal(np.flatnonzero(target_mask(f"{path}&RH", subject)), [4, 7])
    assert_array_equal(np.flatnonzero(target_mask(f"AC-{path}", subject)), [0, 1])


def archive(path):
    with path.open("wb") as file:
        np.savez(file, mask=np.ones(8, bool))


def array(values):
    return lambda path: np.save(path, values, allow_pickle=True)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (array(np.ones(9, bool)), r"9 values\.\n.*Expected 8"),
        (lambda path: path.write_bytes(b"not numpy"), "not readable"),
        (array(np.array([None] * 8)), "not readable"),  # and not unpickled
        (archive, "not readable"),
        *(
            (array(np.ones(8, dtype)), "values of type")
            for dtype in ([("a", "i4"), ("b", "f8")], "c16", "U1")
        ),
        (array(np.linspace(0, 1, 8)), "values other than 0 and 1"),
    ],
)
def test_a_file_that_is_no_mask_of_the_subject_is_named(subject, tmp_path, write, words):
    write(tmp_path / "mask.npy")
    with pytest.raises(ConfigError, match=rf"mask\.npy: {words}"):
        target_mask(str(tmp_path / "mask.npy"), subject)


@pytest.mark.parametrize("expression", ["AC+Broca", "AC+", "", "AC LH", "ceiling>", "ac", "gone.npy"])
def test_unknown_names_list_what_there_is(subject, expression):
    with pytest.raises(ConfigError, match=r"AC.*language|no such file"):
        target_mask(expression, subject)


def test_a_long_chain_of_regions_is_an_error_and_a_short_one_is_none(subject):
    chain = {f"r{n}": (f"r{n + 1}",) for n in range(200)} | {"r200": ("AC",)}
    chained = with_regions(subject, chain)
    assert_array_equal(target_mask("r190", chained), subject.rois["AC"])
    for expression in ("r0", "r0+LH", "r0 - r1"):
        with pytest.raises(
            ConfigError, match=r"regions\.r0: leads through more than 50 regions: r0, r1, r2, "
        ):
            target_mask(expression, chained)
    circle = with_regions(subject, {**chain, "r200": ("r0",)})
    with pytest.raises(ConfigError, match=r"regions\.r0: leads through"):
        target_mask("r0", circle)
    with pytest.raises(ConfigError, match=r"regions\.r190"):
        target_mask("r190", circle)
    assert "r190" in available_targets(chained)
    assert "r0" not in available_targets(chained)


def test_a_drawing_in_a_region_of_a_subject_without_drawings(subject):
    drawn = with_regions(subject, {"AC": ("overlay:AC",), "all": ("overlay:AC+LH",)})
    for name in ("AC", "all"):
        with pytest.raises(ConfigError, match=r"'overlay:AC.*nothing is drawn for it") as caught:
            target_mask(name, drawn)
        assert caught.value.path == f"regions.{name}"
        assert "overlays.svg" in caught.value.expected
        assert "AC?" not in caught.value.remedy  # the region that asks for it
        assert "--target" not in caught.value.remedy


def test_an_empty_target_is_an_error(subject):
    for expression in ("empty", "AC-cortex", "ceiling>0.95"):
        with pytest.raises(ConfigError, match="holds none of the 8 voxels of S1"):
            target_mask(expression, subject)


def test_without_hemispheres_or_ceiling_these_targets_are_missing(subject):
    bare = Subject("S2", subject.recordings, rois={"AC": subject.rois["AC"]})
    assert available_targets(bare) == ["cortex", "AC"]
    masks, missing = target_masks(["cortex", "LH", "AC", "ceiling>0.2", "language"], bare)
    assert list(masks) == ["cortex", "AC"]
    assert "S2 has no noise ceiling" in missing["ceiling>0.2"]
    assert set(missing) == {"LH", "ceiling>0.2", "language"}


def test_available_targets(subject):
    names = "cortex LH RH AC G G-S+x empty language ceiling>x"
    assert available_targets(subject) == names.split()
