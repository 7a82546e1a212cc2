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
import yaml

from brainwavlm.checks import check_dataset
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.anatomy import write_anatomy
from brainwavlm.encoding.run_data import run_data
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.audio import load_sound
from tests.trees import N_VOXELS, responses, write_mask_thick, write_sound

ALICE = Path(__file__).parents[3] / "shared" / "data" / "alice2016"
POINTER = "/annex/objects/MD5E-s53000000--0123456789abcdef0123456789abcdef.wav\n"
SOULS = "derivative/preprocessed_data/UTS03/souls.hf5"


def only(report, severity, kind, path):
    """The one problem of that kind and file, which must be of that severity."""
    found = [problem for problem in report.problems if (problem.kind, problem.path) == (kind, path)]
    assert len(found) == 1, [str(problem) for problem in report.problems]
    assert found[0].severity == severity
    assert report.usable == (not report.errors)
    return str(found[0])


# --- data that are as they should be


def test_a_whole_copy_of_ds003020_can_be_used(published, checked):
    report = checked(published)
    assert report.usable
    assert {(problem.kind, problem.severity) for problem in report.problems} == {("stereo", "warning")}
    assert "5 of 5 sounds are at 44100 Hz: resampled to 16000 Hz." in report.facts
    assert any("10 + 2 k s" in fact for fact in report.facts)
    assert any("2.0045" in fact for fact in report.facts)
    assert any("not verified" in fact for fact in report.facts)
    assert report.subjects[0]["subject"] == "UTS03"
    assert (report.subjects[0]["n_voxels"], report.subjects[0]["n_usable"]) == (N_VOXELS, N_VOXELS)
    assert report.subjects[0]["n_rows"] == 25


def test_a_native_folder_can_be_used_and_nothing_is_wrong_with_it(native, checked):
    report = checked(native)
    assert report.problems == ()
    assert report.as_dict()["usable"] is True
    assert json.loads(json.dumps(report.as_dict())) == report.as_dict()


def test_one_subject_can_be_checked_alone(published, checked):
    (published / "derivative/preprocessed_data/UTS09/souls.hf5").write_bytes(b"")
    assert checked(published, "UTS03").usable
    assert not checked(published, "UTS09").usable


def test_an_unknown_subject_is_the_users_error(native):
    with pytest.raises(ConfigError, match="anna, ben"):
        check_dataset(native, "carl")


@pytest.mark.skipif(not ALICE.is_dir(), reason="the recordings of alice2016 are not here")
def test_real_recordings_of_27_listeners_can_be_used(checked):
    report = checked(ALICE)
    assert report.problems == ()
    assert len(report.subjects) == 28
    assert {subject["n_rows"] for subject in report.subjects} == {340}


# --- files


def test_every_problem_is_told_at_once(published, checked):
    (published / SOULS).write_bytes(b"not HDF5")
    (published / "stimuli/stagefright.wav").write_text(POINTER)
    (published / "derivative/TextGrids/souls.TextGrid").write_bytes(b"")
    (published / "derivative/respdict.json").unlink()
    write_sound(published / "stimuli/souls.wav", 31.0, rate=4000)
    errors = {(problem.kind, problem.path) for problem in checked(published).errors}
    assert errors == {
        ("responses", SOULS),
        ("pointer", "stimuli/stagefright.wav"),
        ("table", "derivative/respdict.json"),
        ("rate", "stimuli/souls.wav"),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [("stimuli/dog.wav", "sound"), ("stimuli/dog.TextGrid", "transcript"), ("subjects/anna.h5", "mask")],
)
def test_a_missing_file_is_an_error_but_for_transcripts(native, checked, name, kind):
    (native / name).unlink()
    told = only(checked(native), "warning" if kind == "transcript" else "error", kind, name)
    assert told.startswith(f"{name}: no such file.\n    Expected ")


@pytest.mark.parametrize("name", [SOULS, "stimuli/souls.wav", "derivative/TextGrids/souls.TextGrid"])
@pytest.mark.parametrize("unlocked", [True, False])
def test_a_git_annex_pointer_says_how_to_fetch_the_content(published, checked, name, unlocked):
    (published / name).unlink()
    if unlocked:
        (published / name).write_text(POINTER)
    else:
        (published / name).symlink_to(
            "../.git/annex/objects/0K/1z/MD5E-s53000000--01234/MD5E-s53000000--01234.wav"
        )
    told = only(checked(published), "warning" if "TextGrid" in name else "error", "pointer", name)
    assert ("a git-annex pointer" if unlocked else "a link to content that is not here") in told
    assert "Expected a file of 53 MB." in told
    assert f"Fetch it:  datalad get {name}      (in the data set's folder)" in told


def test_a_truncated_response_file_is_an_error(published, checked):
    file = published / SOULS
    file.write_bytes(file.read_bytes()[:-200])
    told = only(checked(published), "error", "responses", SOULS)
    assert f"truncated ({file.stat().st_size} bytes)" in told
    assert "Download it again" in told


def test_a_damaged_piece_inside_a_response_file_is_an_error(native, checked):
    name = "responses/anna/dog.h5"
    with h5py.File(native / name, "w") as file:
        file.create_dataset(
            "data", data=responses(200, N_VOXELS, 0), compression="gzip", chunks=(50, N_VOXELS)
        )
        offset = file["data"].id.get_chunk_info(2).byte_offset
    content = bytearray((native / name).read_bytes())
    content[offset : offset + 40] = bytes(40)
    (native / name).write_bytes(content)
    assert "cannot be read to its end" in only(checked(native), "error", "responses", name)


def test_a_response_file_without_data_is_an_error(published, checked):
    with h5py.File(published / SOULS, "w") as file:
        file["zscored"] = np.zeros((5, N_VOXELS))
    told = only(checked(published), "error", "responses", SOULS)
    assert "holds zscored (5, 30)" in told
    with h5py.File(published / SOULS, "w") as file:
        file.create_group("data")
    assert "an array `data`" in only(checked(published), "error", "responses", SOULS)


# --- rows and clock


def test_rows_that_disagree_with_respdict_are_an_error(published, checked):
    rewrite(published / SOULS, responses(7, N_VOXELS, seed=1))
    told = only(checked(published), "error", "rows", SOULS)
    assert "7 rows." in told
    assert "5 rows, as the data set's own table says (ds003020: respdict.json less 20)" in told


def test_rows_that_outlast_the_sound_are_an_error(native, checked):
    write_sound(native / "stimuli/dog.wav", 10.0, rate=16000)
    report = checked(native)
    for subject in ("anna", "ben"):
        told = only(report, "error", "rows", f"responses/{subject}/dog.h5")
        assert "7 rows, from row 5 on, have no sound" in told
        assert "12 rows, the last at 26.0 s; dog.wav ends at 10.0 s" in told
        assert "write data[:5] and tr_times[:5] together" in told


def test_rows_that_end_long_before_the_sound_are_a_warning(native, checked):
    write_sound(native / "stimuli/dog.wav", 70.0, rate=16000)
    told = only(checked(native, "anna"), "warning", "rows", "responses/anna/dog.h5")
    assert "the last of 12 rows is at 26.0 s" in told


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (4 + 2.0 * np.arange(11), "tr_times of shape (11,) beside 12 rows"),
        (np.r_[4.0, 6.0, 6.0, 10 + 2.0 * np.arange(9)], "not increasing at row 2 (6 s after 6 s)"),
        (np.r_[4.0, np.nan, 8 + 2.0 * np.arange(10)], "1 of 12 times are no numbers"),
        (np.array([b"x"] * 12), "12 of 12 times are no numbers"),
    ],
)
def test_times_that_do_not_fit_the_rows_are_an_error(native, checked, times, message):
    with h5py.File(native / "responses/anna/dog.h5", "a") as file:
        del file["tr_times"]
        file["tr_times"] = times
    assert message in only(checked(native), "error", "tr_times", "responses/anna/dog.h5")


@pytest.mark.parametrize("start", [[1.0, 2.0], h5py.Empty("f8"), "two"], ids=str)
def test_a_start_that_is_not_one_number_is_an_error(native, checked, start):
    with h5py.File(native / "responses/anna/dog.h5", "a") as file:
        del file["tr_times"]
        file.attrs["start"] = start
    assert "start = " in only(checked(native), "error", "tr_times", "responses/anna/dog.h5")


@pytest.mark.parametrize("value", [h5py.Empty("f8"), h5py.SoftLink("/nowhere")], ids=str)
@pytest.mark.parametrize(
    ("name", "kind"), [("tr_times", "tr_times"), ("data", "responses"), ("individual_repeats", "repeats")]
)
def test_arrays_without_values_are_errors(native, checked, name, kind, value):
    with h5py.File(native / "responses/anna/dog.h5", "a") as file:
        file.pop(name, None)
        file[name] = value
    assert name in only(checked(native), "error", kind, "responses/anna/dog.h5")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("responses/anna/dog.h5", "responses"),
        ("stimuli/dog.wav", "sound"),
        ("subjects/anna.h5", "mask"),
        ("dataset.yaml", "dataset"),
    ],
)
def test_files_that_may_not_be_read_are_errors(native, checked, forbid, name, kind):
    forbid(Path(name).name)
    if kind == "responses":
        assert (
            len([p for p in checked(native).errors if "permission denied" in p.found]) == 2
        )  # anna's, ben's
    else:
        assert "permission denied" in only(checked(native), "error", kind, name)


def test_a_folder_whose_name_is_too_long_is_told_and_not_raised(tmp_path):
    assert "too long" in str(check_dataset(tmp_path / ("x" * 300)).problems[0])


def test_times_that_disagree_with_the_tr_are_a_warning(native, checked):
    with h5py.File(native / "responses/anna/dog.h5", "a") as file:
        file["tr_times"][...] = 4 + 1.5 * np.arange(12)
    told = only(checked(native), "warning", "tr_times", "responses/anna/dog.h5")
    assert "rows 1.5 s apart" in told
    assert "2 s, the data set's tr" in told


def test_a_table_of_volumes_that_is_missing_is_an_error(published, checked):
    (published / "derivative/respdict.json").unlink()
    assert "no such file" in only(checked(published), "error", "table", "derivative/respdict.json")


def test_a_table_of_volumes_that_lists_a_story_twice_is_an_error(published, checked):
    (published / "derivative/respdict.json").write_text('{"souls": 25, "souls": 26}')
    error = only(checked(published), "error", "table", "derivative/respdict.json")
    assert "not a table of volumes: it lists 'souls' twice." in error


def test_a_table_of_volumes_without_a_story_is_a_warning(published, checked):
    table = published / "derivative/respdict.json"
    table.write_text(
        json.dumps(
            {story: count for story, count in json.loads(table.read_text()).items() if story != "souls"}
        )
    )
    assert "does not list souls." in only(checked(published), "warning", "table", str(published))


# --- voxels


def test_voxels_without_usable_numbers_are_counted_and_left_out(published, checked):
    data = responses(5, N_VOXELS, seed=1)
    data[2, 0] = np.nan
    data[:, 1] = np.inf
    data[:, 2:5] = 3.0
    rewrite(published / SOULS, data)
    report = checked(published)
    told = only(report, "warning", "voxels", SOULS)
    assert "5 of 30 voxels cannot be used in data: 1 nan, 1 infinite, 3 constant." in told
    assert "nothing is filled with zeros" in told
    assert report.subjects[0]["n_usable"] == 25
    assert report.usable


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.0])
def test_a_file_of_which_no_voxel_can_be_used_is_an_error(published, checked, value):
    rewrite(published / SOULS, np.full((5, N_VOXELS), value))
    assert "30 of 30 voxels cannot be used" in only(checked(published), "error", "voxels", SOULS)


def test_a_subject_of_which_no_voxel_can_be_used_in_all_stories_is_an_error(native, checked):
    for story, lost in (("dog", slice(0, 15)), ("ferry", slice(15, 30))):
        with h5py.File(native / f"responses/anna/{story}.h5", "a") as file:
            file["data"][:, lost] = np.nan
    report = checked(native)
    told = only(report, "error", "voxels", str(native))
    assert "none of the 30 voxels of anna" in told
    assert report.subjects[0]["n_usable"] == 0


def test_stories_with_another_number_of_voxels_are_errors(published, checked):
    rewrite(published / SOULS, responses(5, 29, seed=1))
    told = only(checked(published), "error", "columns", SOULS)
    assert "29 voxels." in told
    assert "30 voxels, as in alternateithicatom.hf5" in told


@pytest.mark.parametrize("shape", [(5, 4, N_VOXELS), (5, 5, N_VOXELS - 1), (5, N_VOXELS)])
def test_repeats_of_another_shape_are_an_error(published, checked, shape):
    name = "derivative/preprocessed_data/UTS03/wheretheressmoke.hf5"
    with h5py.File(published / name, "a") as file:
        del file["individual_repeats"]
        file["individual_repeats"] = np.ones(shape)
    told = only(checked(published), "error", "repeats", name)
    assert f"individual_repeats of shape {shape} beside data of shape (5, 30)" in told


def test_repeats_that_hold_no_numbers_are_a_warning(published, checked):
    name = "derivative/preprocessed_data/UTS03/wheretheressmoke.hf5"
    with h5py.File(published / name, "a") as file:
        file["individual_repeats"][3, 2, 7] = np.nan
    told = only(checked(published), "warning", "voxels", name)
    assert "1 of 30 voxels cannot be used in individual_repeats: 1 nan" in told


def test_a_test_story_without_repeats_is_a_fact(published, checked):
    with h5py.File(published / "derivative/preprocessed_data/UTS09/wheretheressmoke.hf5", "a") as file:
        del file["individual_repeats"]
    report = checked(published)
    assert report.usable
    assert "No ceiling can be computed from repeats of a test story for: UTS09." in report.facts


# --- sound


@pytest.mark.parametrize("rate", [1, 2_000_000_000])
def test_a_rate_that_no_recorder_has_is_an_error(native, checked, rate):
    with (native / "stimuli/dog.wav").open("r+b") as file:
        file.seek(24)
        file.write(rate.to_bytes(4, "little"))
    assert f"a sampling rate of {rate} Hz" in only(checked(native), "error", "rate", "stimuli/dog.wav")


def test_another_sampling_rate_is_a_fact_and_a_very_low_one_an_error(native, checked):
    write_sound(native / "stimuli/dog.wav", 30.0, rate=22050, seed=0)
    write_sound(native / "stimuli/ferry.wav", 30.0, rate=4000, seed=1)
    with pytest.raises(DatasetError, match="a sampling rate of 4000 Hz"):
        load_sound(native / "stimuli/ferry.wav")
    write_sound(native / "stimuli/garden.wav", 30.0, rate=11025, seed=2)
    report = checked(native)
    assert "1 of 4 sounds are at 22050 Hz: resampled to 16000 Hz." in report.facts
    assert "a sampling rate of 4000 Hz" in only(report, "error", "rate", "stimuli/ferry.wav")
    assert "nothing above 5512 Hz" in only(report, "warning", "rate", "stimuli/garden.wav")
    assert not [problem for problem in report.problems if problem.path == "stimuli/dog.wav"]


def test_a_sound_without_a_sampling_rate_is_an_error(native, checked):
    with (native / "stimuli/dog.wav").open("r+b") as file:
        file.seek(24)
        file.write(bytes(4))
    assert "a sampling rate of 0 Hz in its header" in only(
        checked(native), "error", "rate", "stimuli/dog.wav"
    )


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "not readable as sound"), (b"ID3" * 1000, "not readable as sound")]
)
def test_a_file_that_is_no_sound_is_an_error(native, checked, content, message):
    (native / "stimuli/dog.wav").write_bytes(content)
    assert message in only(checked(native), "error", "sound", "stimuli/dog.wav")


def test_a_sound_without_samples_is_an_error(native, checked):
    soundfile.write(native / "stimuli/dog.wav", np.zeros(0), 16000)
    assert "no samples" in only(checked(native), "error", "sound", "stimuli/dog.wav")


def test_a_truncated_sound_is_an_error(native, checked):
    file = native / "stimuli/dog.wav"
    file.write_bytes(file.read_bytes()[:-1000])
    assert "truncated: 1000 bytes fewer" in only(checked(native), "error", "sound", "stimuli/dog.wav")


def test_stereo_is_a_warning_that_says_what_is_done(native, checked):
    write_sound(native / "stimuli/dog.wav", 30.0, rate=16000, channels=2)
    told = only(checked(native), "warning", "stereo", "stimuli/dog.wav")
    assert "2 channels." in told
    assert "mean is used" in told


def test_clipped_samples_are_counted(native, checked):
    sound, rate = soundfile.read(native / "stimuli/dog.wav")
    sound[1000:1010] = 1.0
    sound[2000:2005] = -1.0
    soundfile.write(native / "stimuli/dog.wav", sound, rate, subtype="PCM_16")
    assert "15 samples at full scale" in only(checked(native), "warning", "clipping", "stimuli/dog.wav")


def test_silence_is_an_error_and_a_long_pause_a_warning(native, checked):
    soundfile.write(native / "stimuli/dog.wav", np.zeros(30 * 16000), 16000)
    sound, rate = soundfile.read(native / "stimuli/ferry.wav")
    sound[5 * rate : 17 * rate] = 0
    soundfile.write(native / "stimuli/ferry.wav", sound, rate)
    report = checked(native)
    assert "every sample is zero" in only(report, "error", "silence", "stimuli/dog.wav")
    assert "12 s of silence on end, from 5 s on" in only(report, "warning", "silence", "stimuli/ferry.wav")


def test_samples_that_are_no_numbers_are_an_error(native, checked):
    sound, rate = soundfile.read(native / "stimuli/dog.wav")
    sound[[5, 90]] = np.nan
    soundfile.write(native / "stimuli/dog.wav", sound, rate, subtype="FLOAT")
    assert "2 samples are not finite" in only(checked(native), "error", "sound", "stimuli/dog.wav")


def damaged(native, name, sound, rate=16000, **kwargs):
    soundfile.write(native / "stimuli/new", sound, rate, **kwargs)
    (native / "stimuli/new").rename(native / f"stimuli/{name}.wav")


def noise(native, name="dog"):
    return soundfile.read(native / f"stimuli/{name}.wav")[0]


@pytest.mark.parametrize("kind", ["FLAC", "MP3", "OGG"])
def test_a_cut_file_is_one_error_beside_those_of_the_other_files(native, checked, kind):
    damaged(native, "dog", noise(native), format=kind)
    file = native / "stimuli/dog.wav"
    file.write_bytes(file.read_bytes()[: int(0.6 * file.stat().st_size)])
    (native / "stimuli/ferry.wav").write_bytes(b"")
    report = checked(native)
    assert "truncated" in only(report, "error", "sound", "stimuli/dog.wav")
    assert "not readable as sound" in only(report, "error", "sound", "stimuli/ferry.wav")
    with pytest.raises(DatasetError, match="truncated"):
        load_sound(file)


def test_channels_that_cancel_are_an_error_until_a_channel_is_chosen(native, checked):
    sound = noise(native)
    damaged(native, "dog", np.stack([sound, -sound], 1), format="WAV")
    told = only(checked(native), "error", "channels", "stimuli/dog.wav")
    assert "Set channel: left" in told
    described = yaml.safe_load((native / "dataset.yaml").read_text())
    described["stories"]["dog"]["channel"] = "left"
    (native / "dataset.yaml").write_text(yaml.safe_dump(described))
    assert checked(native).problems == ()
    described["channel"] = 2  # of every story that names none: only dog has two
    (native / "dataset.yaml").write_text(yaml.safe_dump(described))
    errors = checked(native).errors
    assert {error.path for error in errors} == {
        f"stimuli/{name}.wav" for name in ("ferry", "garden", "market")
    }
    assert "1 channel, where dataset.yaml asks for channel 2" in errors[0].found
    described["stories"]["dog"]["channel"] = "middle"
    (native / "dataset.yaml").write_text(yaml.safe_dump(described))
    assert "channel = 'middle'" in only(checked(native), "error", "dataset", "dataset.yaml")


@pytest.mark.parametrize(
    ("channels", "kind", "message"),
    [
        (lambda one, other: [one, -one + 0.5 * other], "channels", "partly cancel"),
        (lambda one, other: [one, other], "stereo", "2 channels. They differ."),
        (lambda one, other: [one, 0 * one], "stereo", "2 channels. They differ."),
        (lambda one, other: [one, one + 0.01 * other], "stereo", "they are alike"),
    ],
)
def test_channels_that_differ_are_told_from_those_that_are_alike(native, checked, channels, kind, message):
    damaged(native, "dog", np.stack(channels(noise(native), noise(native, "ferry")), 1), format="WAV")
    assert message in only(checked(native), "warning", kind, "stimuli/dog.wav")


@pytest.mark.parametrize(
    ("change", "severity", "kind", "message"),
    [
        (lambda sound: np.round(sound * 32767), "error", "scale", "samples up to"),
        (lambda sound: 8 * sound, "warning", "level", "above full scale, which WAV FLOAT can hold"),
        (lambda sound: np.clip(8 * sound, -1, 1), "warning", "clipping", "samples at full scale"),
        (lambda sound: sound + 0.1, "warning", "offset", "an offset (DC)"),
        (lambda sound: 0.01 * sound, "warning", "level", "too quiet: its largest sample is 5"),
        (lambda sound: 0 * sound + 0.5, "error", "silence", "every sample is 0.5"),
        (lambda sound: 0.0005 * sound, "error", "silence", "nothing above -70 dB"),
    ],
)
def test_levels_say_what_they_mean(native, checked, change, severity, kind, message):
    damaged(native, "dog", change(noise(native)), subtype="FLOAT", format="WAV")
    report = checked(native)
    assert message in only(report, severity, kind, "stimuli/dog.wav")
    assert {problem.kind for problem in report.problems} == {kind}


def test_one_recording_in_other_bytes_in_two_splits_is_an_error(native, checked):
    damaged(native, "market", noise(native)[3 * 16000 :] * 0.5, format="OGG")
    told = only(checked(native, "anna"), "error", "split", "stimuli/dog.wav")
    assert "anna heard the same recording" in told
    assert "3.0 s later in the first; the files differ) as dog (train) and market (test)." in told


# --- transcripts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        ('File type = "ooTextFile"\nObject class = "TextGrid"\n café'.encode("latin-1"), "breaks off"),
        (b"once upon a time", "no TextGrid: it begins with 'once upon a time'"),
    ],
)
def test_a_transcript_that_cannot_be_read_is_a_warning_until_something_needs_it(
    published, checked, content, message
):
    name = "derivative/TextGrids/souls.TextGrid"
    (published / name).write_bytes(content)
    report = checked(published)
    assert message in only(report, "warning", "transcript", name)
    assert report.usable


def test_words_after_the_end_of_the_sound_are_a_warning(native, checked):
    write_sound(native / "stimuli/dog.wav", 25.0, rate=16000)
    told = only(checked(native), "warning", "transcript", "stimuli/dog.TextGrid")
    assert "to 28.5 s" in told


def test_stories_without_transcripts_are_a_fact(published, checked):
    shutil.rmtree(published / "derivative/TextGrids")
    report = checked(published)
    assert report.usable
    assert "5 of 5 stories have no transcript; only probes need one." in report.facts


def rename_tiers(native, words, phones):
    for file in (native / "stimuli").glob("*.TextGrid"):
        text = file.read_text().replace('name = "word"', f'name = "{words}"')
        file.write_text(text.replace('name = "phone"', f'name = "{phones}"'))


def test_tiers_of_unknown_names_are_listed_until_dataset_yaml_names_them(native, checked):
    rename_tiers(native, "Wörter", "Laute")
    told = only(checked(native), "warning", "transcript", "stimuli/dog.TextGrid")
    assert "tiers: 'Laute', 'Wörter'" in told
    assert "transcript: {file: dog.TextGrid, words: TIER, phones: TIER}" in told
    described = yaml.safe_load((native / "dataset.yaml").read_text())
    for name, story in described["stories"].items():
        story["transcript"] = {"file": f"stimuli/{name}.TextGrid", "words": "Wörter", "phones": ["Laute"]}
    (native / "dataset.yaml").write_text(yaml.safe_dump(described))
    assert checked(native).problems == ()
    described["stories"]["dog"]["transcript"]["phones"] = 2
    (native / "dataset.yaml").write_text(yaml.safe_dump(described))
    assert "the name of a tier, or a list of names" in only(
        checked(native), "error", "dataset", "dataset.yaml"
    )


def test_what_was_mended_and_what_tiers_lack_are_facts(native, checked):
    rename_tiers(native, "words", "other")
    file = native / "stimuli/dog.TextGrid"
    file.write_text(file.read_text().replace("xmax = 1.5\n", "xmax = 1.501\n"))
    report = checked(native)
    assert report.problems == ()
    facts = " ".join(report.facts)
    assert (
        "1 overlaps of 2 ms or less joined, 0 intervals without length and 0 tiers that copy another left out (dog)."
        in facts
    )
    assert "4 transcripts have no tier that is known to hold phones" in facts
    assert "tiers of dog: other, words." in facts


def test_other_phones_than_those_of_arpabet_are_a_fact(native, checked):
    for name in ("dog", "ferry", "garden", "market"):
        file = native / f"stimuli/{name}.TextGrid"
        text = file.read_text()
        for phone, sign in (("DH", "ð"), ("AH0", "ə"), ("D", "ɖ"), ("AO1", "ɔ")):
            text = text.replace(f'"{phone}"', f'"{sign}"')
        if name == "market":
            assert "Phones of dog, ferry, garden are of another set" in " ".join(checked(native).facts)
        file.write_text(text)
    facts = checked(native).facts
    assert "another set than ARPAbet: 4 classes, called as in the transcripts: ð, ɔ, ɖ, ə." in " ".join(facts)


# --- masks


def test_a_volume_mask_of_another_size_is_an_error(published, checked):
    write_mask_thick(published / "derivative", "UTS03", N_VOXELS + 2)
    name = "derivative/pycortex-db/UTS03/transforms/UTS03_auto/mask_thick.nii.gz"
    told = only(checked(published), "error", "mask", name)
    assert "32 voxels." in told
    assert "30, the number of columns" in told


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b broken", zlib.compress(b"nothing")])
def test_a_volume_mask_that_cannot_be_read_is_a_warning(published, checked, damage):
    name = "derivative/pycortex-db/UTS03/transforms/UTS03_auto/mask_thick.nii.gz"
    (published / name).write_bytes(damage)
    assert "cannot be read" in only(checked(published), "warning", "mask", name)


def test_a_damaged_volume_mask_is_a_warning(published, checked):
    name = "derivative/pycortex-db/UTS03/transforms/UTS03_auto/mask_thick.nii.gz"
    content = (published / name).read_bytes()
    (published / name).write_bytes(content[: len(content) // 2])
    assert "cannot be read" in only(checked(published), "warning", "mask", name)


@pytest.mark.parametrize("array", ["hemisphere", "ceiling", "vertex", "rois"])
def test_labels_of_another_size_are_an_error(native, checked, array):
    labels = {"hemisphere": np.arange(N_VOXELS) > 9, "vertex": np.arange(N_VOXELS)}
    labels[array] = {"AC": np.ones(31, bool)} if array == "rois" else np.ones(31)
    write_anatomy(native / "subjects/anna.h5", **labels)
    told = only(checked(native), "error", "mask", "subjects/anna.h5")
    assert f"{'rois/AC' if array == 'rois' else array} has 31 values." in told
    assert "30 values, one a column of the responses" in told


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rois", np.ones(N_VOXELS), "rois is an array"),
        ("rois", h5py.SoftLink("/nowhere"), "rois cannot be opened"),
        ("rois/AC", np.full(N_VOXELS, b"x"), "rois/AC is of type"),
        ("hemisphere", np.zeros(N_VOXELS, complex), "hemisphere is of type complex128"),
        ("ceiling", np.full(N_VOXELS, b"x"), "ceiling is of type"),
        ("ceiling", np.zeros(N_VOXELS, complex), "ceiling is of type complex128"),
        ("ceiling", np.full(N_VOXELS, 1.5), "30 values below 0 or above 1"),
        ("ceiling", np.full(N_VOXELS, -np.inf), "30 values below 0 or above 1"),
        ("ceiling", h5py.SoftLink("/nowhere"), "ceiling cannot be opened"),
        ("vertex", np.full(N_VOXELS, b"x"), "vertex is of type"),
        ("vertex", np.full(N_VOXELS, np.nan), "30 values that are no vertex"),
        ("vertex", np.arange(N_VOXELS) - 1, "1 values that are no vertex"),
        ("vertex", np.arange(N_VOXELS) + 10242 - 29, "1 values that are no vertex"),
        ("vertex", np.full(N_VOXELS, 0.5), "30 values that are no vertex"),
        ("surface", 5, "surface = "),
        ("surface", h5py.Empty("f8"), "surface = "),
        ("surface", ["a", "b"], "surface = "),
    ],
)
def test_labels_that_cannot_be_are_errors_and_not_loaded(native, checked, name, value, message):
    with h5py.File(native / "subjects/anna.h5", "a") as file:
        if name == "surface":
            file.attrs["surface"] = value
        else:
            del file[name]
            file[name] = value
    assert message in only(checked(native), "error", "mask", "subjects/anna.h5")
    with pytest.raises(DatasetError, match=re.escape(message)):
        load_dataset(native).subject("anna")


def test_a_ceiling_may_be_nan_and_the_surface_text_of_fixed_length(native):
    with h5py.File(native / "subjects/anna.h5", "a") as file:
        file["ceiling"][:3] = np.nan
        file.attrs["surface"] = np.bytes_("fsaverage5")
        file["vertex"][0] = 10241
    assert check_dataset(native).usable
    assert load_dataset(native).subject("anna").surface == "fsaverage5"


def test_hemispheres_other_than_left_and_right_are_an_error(native, checked):
    write_anatomy(native / "subjects/anna.h5", hemisphere=np.arange(N_VOXELS) % 3)
    assert "0 left, 1 right" in only(checked(native), "error", "mask", "subjects/anna.h5")


# --- descriptions and splits


def test_a_story_name_that_leaves_the_folder_is_told_with_the_other_problems(native, checked):
    description = yaml.safe_load((native / "dataset.yaml").read_text())
    description["stories"]["../../escape"] = description["stories"]["dog"]
    description["stories"]["ferry"]["audio"] = "/etc/hostname"
    (native / "dataset.yaml").write_text(yaml.safe_dump(description))
    (native / "stimuli/dog.wav").write_text(POINTER)
    report = checked(native)
    told = [(problem.path, problem.found) for problem in report.errors]
    assert ("dataset.yaml", "stories has an entry '../../escape'.") in told
    assert ("dataset.yaml", "stories.ferry.audio = '/etc/hostname'.") in told
    assert [problem.kind for problem in report.errors].count("pointer") == 1


@pytest.mark.parametrize("content", [b"stories: [", b"caf\xe9", b"", b"format: 1"])
def test_a_description_that_cannot_be_read_is_told_and_not_raised(native, checked, content):
    (native / "dataset.yaml").write_bytes(content)
    report = checked(native)
    assert not report.usable
    assert {problem.path for problem in report.problems} == {"dataset.yaml"}


def test_a_folder_that_is_no_data_set_is_told_and_not_raised(tmp_path, checked):
    report = checked(tmp_path)
    assert not report.usable
    assert "neither dataset.yaml nor derivative/preprocessed_data" in report.problems[0].found


def test_a_story_in_two_splits_is_an_error(native, checked):
    text = (native / "dataset.yaml").read_text()
    again = "  dog:\n    audio: stimuli/dog.wav\n    split: test\nsubjects:"
    (native / "dataset.yaml").write_text(text.replace("subjects:", again))
    assert "dog a second time in line" in only(checked(native), "error", "dataset", "dataset.yaml")


def test_one_sound_under_two_names_in_two_splits_is_an_error(native, checked):
    shutil.copyfile(native / "stimuli/dog.wav", native / "stimuli/market.wav")
    found = [str(problem) for problem in checked(native).errors]
    assert len(found) == 2
    assert "anna heard the same sound as dog (train) and market (test)" in found[0]


def test_one_array_of_responses_under_two_names_is_an_error(native, checked, settings):
    shutil.copyfile(native / "responses/anna/dog.h5", native / "responses/anna/market.h5")
    found = only(checked(native), "error", "same", "responses/anna/market.h5")
    assert "the responses to market are those to dog, to the last bit" in found
    with pytest.raises(DatasetError, match="to the last bit"):
        run_data(settings(dataset=str(native)))


@pytest.mark.parametrize("story", ["dog", "market"])
def test_one_array_of_responses_of_two_subjects_is_an_error(native, checked, story):
    shutil.copyfile(native / "responses/anna/dog.h5", native / f"responses/ben/{story}.h5")
    found = only(checked(native), "error", "same", f"responses/ben/{story}.h5")
    assert f"the responses of ben to {story} are those of anna to dog, to the last bit" in found
    assert checked(native, "ben").usable


def test_a_story_whose_file_has_another_ending_is_not_lost_without_a_word(native, checked):
    path = native / "responses/anna/ferry.h5"
    path.rename(path.with_suffix(".hdf5"))
    assert "ending in .h5" in only(checked(native), "warning", "stray", "responses/anna/ferry.hdf5")


def test_a_test_story_that_another_subject_trains_on_is_a_fact(native, checked):
    description = yaml.safe_load((native / "dataset.yaml").read_text())
    description["subjects"]["ben"]["splits"] = {"dog": "test"}
    (native / "dataset.yaml").write_text(yaml.safe_dump(description))
    report = checked(native)
    assert report.usable
    assert (
        "dog is a test story of ben and a training story of anna: a speech model tuned on the latter has heard it."
        in report.facts
    )


def test_the_validation_story_of_uts09_is_stated_as_one_that_others_train_on(published, checked):
    assert any(
        fact.startswith("stagefright is a validation story of UTS09 and a training story of UTS03")
        for fact in checked(published).facts
    )


@pytest.mark.parametrize(
    ("story", "split", "severity"), [("market", "test", "error"), ("garden", "validation", "warning")]
)
def test_a_subject_without_a_held_out_story_is_told(native, checked, story, split, severity):
    (native / f"responses/anna/{story}.h5").unlink()
    told = only(checked(native), severity, "split", str(native))
    assert f"anna has no {split} story" in told


def test_a_subject_without_a_training_story_is_told(native, checked):
    (native / "responses/anna/dog.h5").unlink()
    (native / "responses/anna/ferry.h5").unlink()
    assert "anna has no train story" in only(checked(native), "error", "split", str(native))


def test_a_subject_without_responses_is_an_error(native, checked):
    shutil.rmtree(native / "responses/anna")
    assert "no response file of subject anna" in only(checked(native), "error", "responses", str(native))


def test_a_response_file_of_no_story_is_a_warning(native, checked):
    (native / "responses/anna/dog.h5").rename(native / "responses/anna/dgo.h5")
    assert "a response file of no story" in only(checked(native), "warning", "stray", "responses/anna/dgo.h5")


def test_a_story_that_nobody_heard_is_a_warning(native, checked):
    for subject in ("anna", "ben"):
        (native / f"responses/{subject}/dog.h5").unlink()
    assert "no subject has responses to dog" in only(checked(native), "warning", "unheard", str(native))


def test_a_copy_of_ds003020_without_subjects_is_an_error(published, checked):
    shutil.rmtree(published / "derivative/preprocessed_data/UTS03")
    shutil.rmtree(published / "derivative/preprocessed_data/UTS09")
    assert "no subject" in only(checked(published), "error", "responses", str(published))


def test_a_volume_mask_that_is_a_pointer_is_a_warning(published, checked):
    name = "derivative/pycortex-db/UTS03/transforms/UTS03_auto/mask_thick.nii.gz"
    (published / name).write_text(POINTER)
    assert f"datalad get {name}" in only(checked(published), "warning", "pointer", name)


def rewrite(path, data):
    with h5py.File(path, "w") as file:
        file["data"] = data


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 3000], ids=["endless number", "endless nesting"])
def test_yaml_that_only_breaks_while_it_is_read_is_told_and_not_raised(native, checked, value):
    path = native / "dataset.yaml"
    path.write_text(path.read_text().replace("tr: 2.0", f"tr: {value}"))
    report = checked(native)
    assert not report.usable
    assert "not YAML" in str(report.errors[0])
