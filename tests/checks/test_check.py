"""Each thing that can be wrong with a data set is told with file, what was found, and what to do; nothing is written."""

import json
import re
import shutil
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from brainwavlm.checks import check_dataset
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.anatomy import write_anatomy
from brainwavlm.encoding.run_data import run_data
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import load_sound
from tests.damage import cut, described, edited, gone, put, within, written
from tests.trees import N_VOXELS, responses, write_mask_thick, write_sound

ALICE = Path(__file__).parents[3] / "shared" / "data" / "alice2016"
POINTER = "/annex/objects/MD5E-s53000000--0123456789abcdef0123456789abcdef.wav\n"
OF_UTS03 = "derivative/preprocessed_data/UTS03"
SOULS, REPEATED = f"{OF_UTS03}/souls.hf5", f"{OF_UTS03}/wheretheressmoke.hf5"
GRID, TABLE = "derivative/TextGrids/souls.TextGrid", "derivative/respdict.json"
THICK = "derivative/pycortex-db/UTS03/transforms/UTS03_auto/mask_thick.nii.gz"
DOG, DOG_WAV, DOG_GRID = "responses/anna/dog.h5", "stimuli/dog.wav", "stimuli/dog.TextGrid"
ANNA, DESCRIPTION = "subjects/anna.h5", "dataset.yaml"
RATE = 16000


def only(report, severity, kind, path):
    """The one problem of that kind and file, which must be of that severity."""
    found = [problem for problem in report.problems if (problem.kind, problem.path) == (kind, path)]
    assert len(found) == 1, [str(problem) for problem in report.problems]
    assert found[0].severity == severity
    assert report.usable == (not report.errors)
    return str(found[0])


# --- changes of a folder


def folder_in_place_of(name):
    return lambda folder: (folder / name).unlink() or (folder / name).mkdir()


def moved(name, other):
    return lambda folder: (folder / name).rename(folder / other)


def linked(name):
    def change(folder):
        (folder / name).unlink()
        (folder / name).symlink_to("../.git/annex/objects/0K/1z/MD5E-s53000000--01234/MD5E-s53000000--01234")

    return change


def sound(change, **more):
    """The samples of dog, changed."""

    def write(folder):
        samples, rate = soundfile.read(folder / DOG_WAV)
        soundfile.write(folder / "stimuli/new", change(samples), rate, **{"format": "WAV", **more})
        (folder / "stimuli/new").rename(folder / DOG_WAV)

    return write


def stereo(second):
    """dog beside a second channel made of it."""
    return sound(lambda samples: np.stack([samples, second(samples)], 1))


def filled(where, value):
    def change(samples):
        samples[where] = value
        return samples

    return change


def recorded(seconds, **more):
    return lambda folder: write_sound(folder / DOG_WAV, seconds, **{"rate": RATE, **more})


def with_tiers(words, phones):
    def change(folder):
        for file in (folder / "stimuli").glob("*.TextGrid"):
            text = file.read_text().replace('name = "word"', f'name = "{words}"')
            file.write_text(text.replace('name = "phone"', f'name = "{phones}"'))

    return change


def in_ipa(*stories):
    def change(folder):
        for name in stories:
            for phone, sign in (("DH", "ð"), ("AH0", "ə"), ("D", "ɖ"), ("AO1", "ɔ")):
                edited(f"stimuli/{name}.TextGrid", f'"{phone}"', f'"{sign}"')(folder)

    return change


def unusable(folder):
    data = responses(5, N_VOXELS, seed=1)
    data[2, 0], data[:, 1], data[:, 2:5] = np.nan, np.inf, 3.0
    put(SOULS, "data", data)(folder)


TOO_LATE = (
    "7 rows, from row 5 on, have no sound|12 rows, the last at 26.0 s; dog.wav ends at 10.0 s|"
    "write data[:5] and tr_times[:5] together"
)
OWN_TABLE = "the data set's own table says (ds003020: respdict.json less 20)"
UNUSABLE = "voxels cannot be used in"
FETCH = "Expected a file of 53 MB.|Fetch it:  datalad get {}      (in the data set's folder)"
lost_repeat = within(REPEATED, "individual_repeats", (3, 2, 7), np.nan)
# Of the native folder: severity, kind and file (None: the folder), of these changes with their words.
NATIVE = {
    ("error", "sound", DOG_WAV): [
        (gone(DOG_WAV), f"{DOG_WAV}: no such file.\n    Expected "),
        (sound(filled([5, 90], np.nan), subtype="FLOAT"), "2 samples are not finite"),
    ],
    ("warning", "stereo", DOG_WAV): [
        (recorded(30.0, channels=2), "2 channels.|mean is used"),
        (stereo(lambda sound: 0 * sound), "2 channels. They differ."),
        (stereo(lambda sound: sound + 0.01 * np.roll(sound, RATE)), "they are alike"),
    ],
    ("warning", "channels", DOG_WAV): [
        (stereo(lambda sound: 0.5 * np.roll(sound, RATE) - sound), "partly cancel"),
    ],
    ("warning", "clipping", DOG_WAV): [
        (sound(filled(np.r_[1000:1010, 2000:2005], 1.0)), "15 samples at full scale"),
    ],
    ("warning", "silence", DOG_WAV): [
        (sound(filled(slice(5 * RATE, 17 * RATE), 0)), "12 s of silence on end, from 5 s on"),
    ],
    ("warning", "transcript", DOG_GRID): [
        (recorded(25.0), "to 28.5 s"),
    ],
    ("error", "rows", DOG): [(recorded(10.0), TOO_LATE)],
    ("warning", "rows", DOG): [(recorded(70.0), "the last of 12 rows is at 26.0 s")],
    ("warning", "tr_times", DOG): [
        (put(DOG, "tr_times", 4 + 1.5 * np.arange(12)), "rows 1.5 s apart|2 s, the data set's tr"),
    ],
    ("error", "mask", ANNA): [
        (gone(ANNA), f"{ANNA}: no such file.\n    Expected "),
        (lambda folder: write_anatomy(folder / ANNA, hemisphere=np.arange(N_VOXELS) % 3), "0 left, 1 right"),
    ],
    ("warning", "stray", "responses/anna/dog.hdf5"): [
        (moved(DOG, "responses/anna/dog.hdf5"), "ending in .h5"),
    ],
    ("warning", "stray", "responses/anna/dgo.h5"): [
        (moved(DOG, "responses/anna/dgo.h5"), "a response file of no story"),
    ],
    ("error", "responses", DOG): [(folder_in_place_of(DOG), f"{DOG}: a folder.\n    Expected a file")],
    ("error", "split", None): [
        (gone("responses/anna/market.h5"), "anna has no test story"),
    ],
    ("warning", "split", None): [(gone("responses/anna/garden.h5"), "anna has no validation story")],
    ("error", "responses", None): [(gone("responses/anna"), "no response file of subject anna")],
    ("warning", "unheard", None): [
        (gone(DOG, "responses/ben/dog.h5"), "no subject has responses to dog"),
    ],
}
# Of a copy of ds003020.
PUBLISHED = {
    ("error", "responses", SOULS): [
        (cut(SOULS, -200), "truncated (|Download it again"),
    ],
    ("error", "rows", SOULS): [
        (put(SOULS, "data", responses(7, N_VOXELS, seed=1)), f"7 rows.|5 rows, as {OWN_TABLE}"),
    ],
    ("error", "table", TABLE): [
        (written(TABLE, '{"souls": 25, "souls": 26}'), "not a table of volumes: it lists 'souls' twice."),
    ],
    ("warning", "table", None): [(edited(TABLE, '"souls": 25, ', ""), "does not list souls.")],
    **{
        ("warning" if name in (GRID, THICK) else "error", "pointer", name): [
            (written(name, POINTER), f"a git-annex pointer|{FETCH.format(name)}"),
        ]
        for name in ("stimuli/souls.wav", GRID, THICK)
    },
    ("error", "pointer", SOULS): [
        (linked(SOULS), f"a link to content that is not here|{FETCH.format(SOULS)}"),
    ],
    ("warning", "voxels", SOULS): [
        (unusable, f"5 of 30 {UNUSABLE} data: 1 nan, 1 infinite, 3 constant.|nothing is filled with zeros"),
    ],
    ("error", "voxels", SOULS): [
        (put(SOULS, "data", np.full((5, N_VOXELS), np.nan)), f"30 of 30 {UNUSABLE}"),
    ],
    ("error", "columns", SOULS): [
        (put(SOULS, "data", responses(5, 29, seed=1)), "29 voxels.|30 voxels, as in alternateithicatom.hf5"),
    ],
    ("error", "repeats", REPEATED): [
        (put(REPEATED, "individual_repeats", np.ones((5, 4, 30))), "of shape (5, 4, 30) beside data of"),
    ],
    ("warning", "voxels", REPEATED): [
        (lost_repeat, f"1 of 30 {UNUSABLE} individual_repeats: 1 nan"),
    ],
    ("error", "mask", THICK): [
        (
            lambda folder: write_mask_thick(folder / "derivative", "UTS03", N_VOXELS + 2),
            "32 voxels.|30, the number of columns",
        )
    ],
    ("warning", "mask", THICK): [(written(THICK, zlib.compress(b"nothing")), "cannot be read")],
    ("error", "responses", None): [(gone(OF_UTS03, OF_UTS03.replace("03", "09")), "no subject")],
}


@pytest.mark.parametrize(
    ("tree", "fault", "change", "words"),
    [
        pytest.param(tree, fault, change, words, id=f"{fault[1]}-{words[:50]}")
        for tree, table in (("native", NATIVE), ("published", PUBLISHED))
        for fault, cases in table.items()
        for change, words in cases
    ],
)
def test_what_is_wrong_is_one_problem_of_its_kind_and_file(request, checked, tree, fault, change, words):
    folder, (severity, kind, name) = request.getfixturevalue(tree), fault
    change(folder)
    told = only(checked(folder), severity, kind, name or str(folder))
    for word in words.split("|"):
        assert word in told


def in_windows_1252(folder):
    text = (folder / DOG_GRID).read_text().replace('"the"', '"thé"')
    (folder / DOG_GRID).write_text(text, encoding="cp1252")


def poor_transcripts(folder):
    with_tiers("words", "other")(folder)
    edited(DOG_GRID, "xmax = 1.5\n", "xmax = 2.001\n")(folder)


MENDED = "1 overlaps of 2 ms or less joined, 0 intervals without length and 0 tiers that copy another left out (dog)."
TEST_OF_BEN = described(lambda content: content["subjects"]["ben"].update(splits={"dog": "test"}))
FACTS = {
    "native": [
        (
            TEST_OF_BEN,
            "dog is a test story of ben and a training story of anna: a speech model tuned on the latter",
        ),
        (in_windows_1252, "in neither UTF-8 nor UTF-16 and are read as Windows-1252 (dog), e.g. 'thé'."),
        (poor_transcripts, f"{MENDED}|4 transcripts have no tier that is known to hold phones"),
        (in_ipa("dog", "ferry", "garden"), "Phones of dog, ferry, garden are of another set"),
        (
            in_ipa("dog", "ferry", "garden", "market"),
            "another set than ARPAbet: 4 classes, called as in the transcripts: ð, ɔ, ɖ, ə.",
        ),
    ],
    "published": [
        (
            put(REPEATED.replace("03", "09"), "individual_repeats", None),
            "No ceiling can be computed from repeats of a test story for: UTS09.",
        ),
        (gone("derivative/TextGrids"), "5 of 5 stories have no transcript; only words and phones need one."),
    ],
}


@pytest.mark.parametrize(
    ("tree", "change", "words"),
    [
        pytest.param(tree, change, words, id=words[:50])
        for tree, cases in FACTS.items()
        for change, words in cases
    ],
)
def test_what_stops_nothing_is_a_fact(request, checked, tree, change, words):
    folder = request.getfixturevalue(tree)
    change(folder)
    report = checked(folder)
    assert report.usable
    assert [word for word in words.split("|") if word not in " ".join(report.facts)] == []


# --- data that are as they should be


def test_a_whole_copy_of_ds003020_can_be_used(published, checked):
    report = checked(published)
    assert report.usable
    assert {(problem.kind, problem.severity) for problem in report.problems} == {("stereo", "warning")}
    assert "5 of 5 sounds are at 44100 Hz: resampled to 16000 Hz." in report.facts
    said_of = "stagefright is a validation story of UTS09 and a training story of UTS03"
    for words in ("10 + 2 k s", "2.0045", "not verified", said_of):
        assert any(words in fact for fact in report.facts)
    assert report.subjects[0]["subject"] == "UTS03"
    assert (report.subjects[0]["n_voxels"], report.subjects[0]["n_usable"]) == (N_VOXELS, N_VOXELS)
    assert report.subjects[0]["n_rows"] == 25


def test_a_native_folder_can_be_used_and_nothing_is_wrong_with_it(native, checked):
    report = checked(native)
    assert report.problems == ()
    assert report.as_dict()["usable"] is True
    assert json.loads(json.dumps(report.as_dict())) == report.as_dict()


@pytest.mark.skipif(not ALICE.is_dir(), reason="the recordings of alice2016 are not here")
def test_real_recordings_of_27_listeners_can_be_used(checked):
    report = checked(ALICE)
    assert report.problems == ()
    assert len(report.subjects) == 28
    assert {subject["n_rows"] for subject in report.subjects} == {340}


# --- files


def test_every_problem_is_told_at_once(published, checked):
    written(SOULS, b"not HDF5")(published)
    written("stimuli/stagefright.wav", POINTER)(published)
    written(GRID, b"")(published)
    gone(TABLE)(published)
    write_sound(published / "stimuli/souls.wav", 31.0, rate=4000)
    errors = {(problem.kind, problem.path) for problem in checked(published).errors}
    assert errors == {
        ("responses", SOULS),
        ("pointer", "stimuli/stagefright.wav"),
        ("table", TABLE),
        ("rate", "stimuli/souls.wav"),
    }


@pytest.mark.parametrize(("name", "n_files"), [(DOG, 2), (DESCRIPTION, 1)])
def test_files_that_may_not_be_read_are_errors_that_say_how_to_allow_it(
    native, checked, forbid, name, n_files
):
    forbid(Path(name).name)  # of dog.h5: anna's, ben's
    errors = [one for one in checked(native).errors if "permission denied" in one.found]
    assert len(errors) == n_files
    assert f"chmod -R u+rX {Path(name).name}" in errors[0].remedy


# --- voxels


def test_a_subject_of_which_no_voxel_can_be_used_in_all_stories_is_an_error(native, checked):
    within(DOG, "data", (slice(None), slice(0, 15)), np.nan)(native)
    within("responses/anna/ferry.h5", "data", (slice(None), slice(15, 30)), np.nan)(native)
    report = checked(native)
    assert "none of the 30 voxels of anna" in only(report, "error", "voxels", str(native))
    assert report.subjects[0]["n_usable"] == 0


# --- sound


def test_another_sampling_rate_is_a_fact_and_a_very_low_one_an_error(native, checked):
    for seed, (name, rate) in enumerate({"dog": 22050, "ferry": 4000, "garden": 11025}.items()):
        write_sound(native / f"stimuli/{name}.wav", 30.0, rate=rate, seed=seed)
    with pytest.raises(DatasetError, match="a sampling rate of 4000 Hz"):
        load_sound(native / "stimuli/ferry.wav")
    report = checked(native)
    assert "1 of 4 sounds are at 22050 Hz: resampled to 16000 Hz." in report.facts
    assert "a sampling rate of 4000 Hz" in only(report, "error", "rate", "stimuli/ferry.wav")
    assert "nothing above 5512 Hz" in only(report, "warning", "rate", "stimuli/garden.wav")
    assert not [problem for problem in report.problems if problem.path == DOG_WAV]


def test_channels_that_cancel_are_an_error_until_a_channel_is_chosen(native, checked):
    sound(lambda samples: np.stack([samples, -samples], 1))(native)
    assert "Set channel: left" in only(checked(native), "error", "channels", DOG_WAV)
    described(lambda content: content["stories"]["dog"].update(channel="left"))(native)
    assert checked(native).problems == ()
    described(lambda content: content.update(channel=2))(
        native
    )  # of each story that names none: only dog has two
    errors = checked(native).errors
    names = {f"stimuli/{name}.wav" for name in ("ferry", "garden", "market")}
    assert {error.path for error in errors} == names
    assert "1 channel, where dataset.yaml asks for channel 2" in errors[0].found
    described(lambda content: content["stories"]["dog"].update(channel="middle"))(native)
    assert "channel = 'middle'" in only(checked(native), "error", "dataset", DESCRIPTION)


@pytest.mark.parametrize(
    ("change", "severity", "kind", "message"),
    [
        (lambda sound: 8 * sound, "warning", "level", "above full scale, which WAV FLOAT can hold"),
        (lambda sound: sound + 0.1, "warning", "offset", "an offset (DC)"),
        (lambda sound: 0.01 * sound, "warning", "level", "too quiet: its largest sample is 5"),
    ],
)
def test_levels_say_what_they_mean_and_nothing_else_is_wrong(
    native, checked, change, severity, kind, message
):
    sound(change, subtype="FLOAT")(native)
    report = checked(native)
    assert message in only(report, severity, kind, DOG_WAV)
    assert {problem.kind for problem in report.problems} == {kind}


def test_one_sound_in_two_splits_is_an_error_in_other_bytes_too(native, checked):
    shutil.copyfile(native / DOG_WAV, native / "stimuli/market.wav")
    found = [str(problem) for problem in checked(native).errors]
    assert len(found) == 2
    assert "anna heard the same sound as dog (train) and market (test)" in found[0]
    samples, _ = soundfile.read(native / DOG_WAV)
    soundfile.write(native / "stimuli/new", samples[3 * RATE :] * 0.5, RATE, format="OGG")
    moved("stimuli/new", "stimuli/market.wav")(native)
    told = only(checked(native, "anna"), "error", "split", DOG_WAV)
    assert "anna heard the same recording" in told
    assert "3.0 s later in the first; the files differ) as dog (train) and market (test)." in told


# --- transcripts


def test_tiers_of_unknown_names_are_listed_until_dataset_yaml_names_them(native, checked):
    with_tiers("Wörter", "Laute")(native)
    told = only(checked(native), "warning", "transcript", DOG_GRID)
    assert "tiers: 'Laute', 'Wörter'" in told
    assert "transcript: {file: dog.TextGrid, words: TIER, phones: TIER}" in told

    def name_them(content):
        for name, story in content["stories"].items():
            tiers = {"words": "Wörter", "phones": ["Laute"]}
            story["transcript"] = {"file": f"stimuli/{name}.TextGrid", **tiers}

    described(name_them)(native)
    assert checked(native).problems == ()
    described(lambda content: content["stories"]["dog"]["transcript"].update(phones=2))(native)
    told = only(checked(native), "error", "dataset", DESCRIPTION)
    assert "the name of a tier, or a list of names" in told


# --- masks


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rois", np.ones(N_VOXELS), "rois is an array"),
        ("rois/AC", np.ones(31, bool), "rois/AC has 31 values"),
        ("hemisphere", np.ones(31), "hemisphere has 31 values"),
        ("hemisphere", np.zeros(N_VOXELS, complex), "hemisphere is of type complex128"),
        ("ceiling", np.full(N_VOXELS, 1.5), "30 values below 0 or above 1"),
        ("ceiling", h5py.SoftLink("/nowhere"), "ceiling cannot be opened"),
        ("vertex", np.full(N_VOXELS, np.nan), "30 values that are no vertex"),
        ("position", np.zeros(N_VOXELS), "position has 30 values"),
        ("position", np.full((N_VOXELS, 3), np.inf), "90 values beyond 1000 mm"),
        ("@surface", 5, "surface = "),
    ],
)
def test_labels_that_cannot_be_are_errors_and_not_loaded(native, checked, name, value, message):
    put(ANNA, name, value)(native)
    assert message in only(checked(native), "error", "mask", ANNA)
    with pytest.raises(DatasetError, match=re.escape(message)):
        load_dataset(native).subject("anna")


def test_a_ceiling_may_be_nan_and_the_surface_text_of_fixed_length(native):
    within(ANNA, "ceiling", slice(0, 3), np.nan)(native)
    within(ANNA, "vertex", 0, 10241)(native)
    put(ANNA, "@surface", np.bytes_("fsaverage5"))(native)
    assert check_dataset(native).usable
    assert load_dataset(native).subject("anna").surface == "fsaverage5"


# --- descriptions and splits


def test_a_story_name_that_leaves_the_folder_is_told_with_the_other_problems(native, checked):
    def leave(content):
        content["stories"]["../../escape"] = content["stories"]["dog"]
        content["stories"]["ferry"]["audio"] = "/etc/hostname"

    described(leave)(native)
    written(DOG_WAV, POINTER)(native)
    report = checked(native)
    told = [(problem.path, problem.found) for problem in report.errors]
    assert (DESCRIPTION, "stories has an entry '../../escape'.") in told
    assert (DESCRIPTION, "stories.ferry.audio = '/etc/hostname'.") in told
    assert [problem.kind for problem in report.errors].count("pointer") == 1


def test_one_array_of_responses_under_two_names_is_an_error(native, checked, settings):
    shutil.copyfile(native / DOG, native / "responses/anna/market.h5")
    found = only(checked(native), "error", "same", "responses/anna/market.h5")
    assert "the responses to market are those to dog, to the last bit" in found
    with pytest.raises(DatasetError, match="to the last bit"):
        run_data(settings(dataset=str(native)))


def test_one_array_of_responses_of_two_subjects_is_an_error(native, checked):
    shutil.copyfile(native / DOG, native / "responses/ben/market.h5")
    found = only(checked(native), "error", "same", "responses/ben/market.h5")
    assert "the responses of ben to market are those of anna to dog, to the last bit" in found
    assert checked(native, "ben").usable
