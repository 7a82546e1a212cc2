import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.dataset_yaml import Description, read_description
from brainwavlm.datasets.folder import FolderDataset, Responses, write_folder, write_responses
from brainwavlm.datasets.responses import SPLITS
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.files import one_form
from tests.damage import described, edited

NAMES = (
    st.text(
        st.characters(max_codepoint=0x3FF, exclude_categories=("Cc",), exclude_characters="/\\:"),
        min_size=1,
        max_size=12,
    )
    .map(one_form)
    .filter(lambda name: name not in (".", "..") and len(name.encode()) < 100)
)


@st.composite
def folders(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    subjects = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    n_voxels = draw(st.integers(1, 4))
    kind = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    random = np.random.default_rng(draw(st.integers(0, 1000)))

    def responses(story):
        n_trs = draw(st.integers(2, 4))
        data = random.choice([0.5, -3.0, 1e4, np.nan, np.inf], (n_trs, n_voxels)).astype(kind)
        timed = draw(st.booleans())
        return Responses(
            data,
            tr_times=draw(st.floats(0, 20)) + 1.5 * np.arange(n_trs) if timed else None,
            start=draw(st.floats(-10, 10)),
            repeats=np.stack([data, data]) if draw(st.booleans()) else None,
        )

    heard = {subject: draw(st.lists(st.sampled_from(names), min_size=1, unique=True)) for subject in subjects}
    about = {"format": 1, "name": draw(NAMES), "licence": draw(st.text(max_size=5))}
    description = Description(
        **{**about, "tr": draw(st.floats(0.5, 3)), "simulated": draw(st.booleans())},
        stories={
            name: {"audio": f"stimuli/{k}.wav", "split": draw(st.sampled_from(SPLITS))}
            for k, name in enumerate(names)
        },
        subjects={
            subject: {
                "responses": f"responses/{k}",
                "anatomy": f"subjects/{k}.h5",
                "splits": draw(st.dictionaries(st.sampled_from(names), st.sampled_from(SPLITS))),
            }
            for k, subject in enumerate(subjects)
        },
    )
    anatomy = {
        subject: {
            "hemisphere": random.integers(0, 2, n_voxels),
            "rois": {"AC": random.random(n_voxels) < 0.5},
            "surface": draw(st.sampled_from([None, "fsaverage5"])),
            "vertex": random.integers(0, 10242, n_voxels),
        }
        for subject in subjects
    }
    responses_of = {subject: {story: responses(story) for story in heard[subject]} for subject in subjects}
    return description, responses_of, anatomy


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(folders())
def test_what_is_written_is_what_is_read(tmp_path_factory, content):
    description, responses, anatomy = content
    folder = tmp_path_factory.mktemp("folder")
    write_folder(folder, description, responses, anatomy)

    assert read_description(folder / "dataset.yaml") == (description, [])
    dataset = load_dataset(folder)
    for name in ("name", "tr", "simulated"):
        assert getattr(dataset, name) == getattr(description, name)
    assert dataset.subject_names == tuple(responses)
    for name, stories in responses.items():
        subject = dataset.subject(name)
        assert set(subject.recordings) == set(stories)
        for story, written in stories.items():
            read = subject.recordings[story]
            assert_array_equal(read.responses(), written.data.astype(np.float32))
            expected = written.start + description.tr * np.arange(len(written.data))
            assert_array_equal(read.tr_times, expected if written.tr_times is None else written.tr_times)
            assert read.story.split == description.subjects[name].splits.get(
                story, description.stories[story].split
            )
            if written.repeats is None:
                assert read.repeats() is None
            else:
                assert_array_equal(read.repeats(), written.repeats.astype(np.float32))
        assert_array_equal(subject.hemisphere, anatomy[name]["hemisphere"])
        assert_array_equal(subject.rois["AC"], anatomy[name]["rois"]["AC"])
        assert_array_equal(subject.vertex, anatomy[name]["vertex"])
        assert subject.surface == anatomy[name]["surface"]
        assert subject.ceiling is None


def test_opening_a_folder_reads_no_response(native):
    for file in native.glob("responses/*/*.h5"):
        file.write_bytes(b"")
    dataset = load_dataset(native)
    assert set(dataset.recordings("anna")) == {"dog", "ferry", "garden", "market"}
    with pytest.raises(DatasetError, match="not readable as HDF5"):
        dataset.recordings("anna")["dog"].responses()
    with pytest.raises(ConfigError, match="anna, ben"):
        dataset.subject("carl")


INSIDE = "stays in the data set's folder"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=2), "format = 2"),
        (lambda c: c.pop("format"), "format is not there"),
        *((lambda c, tr=tr: c.update(tr=tr), f"tr = {tr!r}") for tr in (0, "2", True, 101, np.nan)),
        (lambda c: c["stories"].update({"x" * 241: c["stories"]["dog"]}), "240 bytes or fewer"),
        (lambda c: c["stories"]["dog"].update(audio="x" * 256), "255 bytes or fewer"),
        (lambda c: c.update(colour="red"), "unknown key colour"),
        (lambda c: c["stories"]["dog"].update(split="trian"), "stories.dog.split = 'trian'"),
        (lambda c: c["stories"]["dog"].pop("audio"), "stories.dog.audio is not there"),
        (lambda c: c["stories"]["dog"].update(audio="/etc/dog.wav"), INSIDE),
        (lambda c: c["stories"]["dog"].update(audio="stimuli/../../dog.wav"), INSIDE),
        (lambda c: c["subjects"]["anna"].update(responses="/data/anna"), INSIDE),
        (lambda c: c["subjects"]["anna"].update(anatomy="C:/anna.h5"), INSIDE),
        (lambda c: c["stories"].update({"..": c["stories"]["dog"]}), "no separators"),
        (lambda c: c["subjects"].update({"a/b": c["subjects"]["anna"]}), "subjects has an entry 'a/b'"),
        (lambda c: c["stories"].update({12: c["stories"]["dog"]}), "12"),
        (lambda c: c["subjects"]["ben"].update(splits={"dgo": "test"}), "splits names dgo"),
        (lambda c: c.update(stories={}), "stories"),
        (lambda c: c.update(subjects=None), "subjects"),
    ],
)
def test_a_wrong_description_says_which_key(native, change, message):
    described(change)(native)
    with pytest.raises(DatasetError) as caught:
        load_dataset(native)
    assert caught.value.path == str(native / "dataset.yaml")
    assert message in str(caught.value)


def test_a_story_listed_twice_is_an_error_and_not_silently_the_second(native):
    text = (native / "dataset.yaml").read_text()
    again = "  dog:\n    audio: stimuli/dog.wav\n    split: test\nsubjects:"
    (native / "dataset.yaml").write_text(text.replace("subjects:", again))
    with pytest.raises(DatasetError, match=r"dog a second time in line \d+"):
        load_dataset(native)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tr: 2.0", "tr: 1_5", "lists 1_5 in line 4, which YAML takes for 15."),
        ("tr: 2.0", "tr: 1:30", "lists 1:30 in line 4, which YAML takes for 90."),
        ("  dog:", "  010:", "lists 010 in line 6, which YAML takes for 8."),
    ],
)
def test_numbers_that_yaml_takes_for_others_are_told_as_they_stand(native, old, new, message):
    edited("dataset.yaml", old, new)(native)
    with pytest.raises(DatasetError) as caught:
        load_dataset(native)
    assert message in caught.value.found


@pytest.mark.parametrize("tr", ["2", "+2.0", "02.0", "2.", "0x2", "0.2e+1"])
def test_numbers_that_are_what_they_look_like_are_read(native, tr):
    edited("dataset.yaml", "tr: 2.0", f"tr: {tr}")(native)
    assert load_dataset(native).tr == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stories: [", "not YAML"),
        (b"name: caf\xe9", "not UTF-8"),
        (b"- a list", "a list"),
        (b"!!python/object:os.system {}", "not YAML"),
    ],
)
def test_a_file_that_is_no_description_says_why(native, content, message):
    (native / "dataset.yaml").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        load_dataset(native)


def test_a_folder_that_holds_a_data_set_is_not_overwritten(native):
    description, _ = read_description(native / "dataset.yaml")
    before = (native / "dataset.yaml").stat()
    with pytest.raises(DatasetError, match="holds a data set already"):
        write_folder(native, description, {})
    assert (native / "dataset.yaml").stat() == before


def test_files_given_are_copied_into_the_folder(tmp_path, native):
    description, _ = read_description(native / "dataset.yaml")
    files = {entry.audio: native / entry.audio for entry in description.stories.values()}
    copy = write_folder(tmp_path / "copy", description, {}, files=files)
    for story in copy.stories.values():
        assert story.audio.read_bytes() == (native / "stimuli" / story.audio.name).read_bytes()
    assert not list((tmp_path / "copy").rglob(".*"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"files": {"../../x": "dataset.yaml"}},
        {"anatomy": {"carl": {}}},
        {"responses": {"carl": {}}},
        {"responses": {"anna": {"../../x": Responses(np.zeros((4, 7), np.float32))}}},
    ],
)
def test_what_the_description_does_not_have_is_refused_before_anything_is_written(tmp_path, native, wrong):
    description, _ = read_description(native / "dataset.yaml")
    before = sorted(tmp_path.rglob("*"))
    files = {"stimuli/dog.wav": native / "stimuli/dog.wav"}
    files |= {name: native / source for name, source in wrong.get("files", {}).items()}
    given = {"responses": {}, **wrong, "files": files}
    with pytest.raises(DatasetError, match=r"no subject 'carl'|no story|stays in the data set's folder"):
        write_folder(tmp_path / "a/b", description, **given)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_write_leaves_no_file(tmp_path):
    with pytest.raises(DatasetError, match="repeats of shape"):
        write_responses(tmp_path / "dog.h5", Responses(np.zeros((4, 2)), repeats=np.zeros((3, 4, 3))))
    with pytest.raises(TypeError):
        write_responses(tmp_path / "dog.h5", Responses(np.zeros((4, 2)), attributes={"odd": object()}))
    assert list(tmp_path.iterdir()) == []


def test_neither_kind_of_data_set_says_what_was_looked_for(tmp_path):
    with pytest.raises(DatasetError, match=r"dataset\.yaml(.|\n)*preprocessed_data"):
        load_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        load_dataset(tmp_path / "absent")


@pytest.mark.parametrize(("form", "described"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_typed_in_two_ways_are_one_name(native, checked, form, described):
    """As where a folder was written on a Mac and is read elsewhere."""
    name = "b\u00e9b\u00e9"

    def in_form(text):
        return unicodedata.normalize(form, text)

    for path in list(native.rglob("dog.*")):
        path.rename(path.with_name(in_form(f"{name}{path.suffix}")))
    (native / "responses/ben").rename(native / "responses" / in_form("jos\u00e9"))
    (native / "subjects/ben.h5").rename(native / "subjects" / in_form("jos\u00e9.h5"))
    description = native / "dataset.yaml"
    text = description.read_text().replace("dog", name).replace("ben", "jos\u00e9")
    description.write_text(unicodedata.normalize(described, text), encoding="utf-8")
    dataset = FolderDataset(native)
    assert name in dataset.subject(unicodedata.normalize("NFD", "jos\u00e9")).recordings
    assert checked(native).problems == ()
    recordings = dataset.subject("jos\u00e9").recordings
    assert all(one.path.is_file() and one.story.audio.is_file() for one in recordings.values())


def test_two_stories_whose_names_differ_in_the_form_of_accents_are_one(native, checked):
    description = native / "dataset.yaml"
    text = description.read_text().replace("dog", "b\u00e9").replace("ferry", "be\u0301")
    description.write_text(text, encoding="utf-8")
    assert any("a second time" in problem.found for problem in checked(native).errors)
