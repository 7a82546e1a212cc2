"""Responses to sounds as files: the same numbers in every format, read part by part, gone on with where they stopped."""

from dataclasses import replace
from types import SimpleNamespace

import h5py
import nibabel
import numpy as np
import pytest
import soundfile

from brainwavlm.encoding.clock import story_clock
from brainwavlm.errors import BrainwavlmError
from brainwavlm.models import export, load, prediction_files, sound_rows
from brainwavlm.models.prediction_files import predict_files
from brainwavlm.progress import Progress
from brainwavlm.stimulus.audio import SoundParts, array_sound, load_sound
from tests.models import noise


@pytest.fixture(scope="module")
def model(finished, features, tmp_path_factory):
    return load(export(finished(), tmp_path_factory.mktemp("exported") / "model", cache=features))


BLOCK = 16  # rows that are read at once


@pytest.fixture
def sound(tmp_path, monkeypatch):
    """80 s at a rate that is resampled, of which several blocks of rows are read."""
    monkeypatch.setattr(sound_rows, "BLOCK", BLOCK)
    path = tmp_path / "long.wav"
    soundfile.write(path, 0.5 * noise(1, seconds=110.0)[0].numpy(), 22050)
    return path


@pytest.mark.parametrize("rate", [16000, 22050])
def test_parts_of_a_sound_are_those_of_the_whole_in_any_order(tmp_path, rate):
    path = tmp_path / "sound.flac"
    soundfile.write(path, noise(2, seconds=40.0).numpy().T, rate)
    whole, parts = load_sound(path), SoundParts(path)
    array = array_sound(*soundfile.read(path, dtype="float32"))
    assert len(parts) == len(array) == len(whole)
    for start, stop in (
        (0, 100),
        (200_000, 300_000),
        (150_000, 250_000),
        (10, 20),
        (len(whole) - 5, len(whole) + 9),
    ):
        np.testing.assert_array_equal(parts[start:stop].numpy(), whole[start:stop])
        np.testing.assert_allclose(array[start:stop].numpy(), whole[start:stop], atol=1e-6)
        parts.forget(start)


def test_a_long_sound_is_predicted_as_the_arithmetic_says(model, sound):
    """Against one matrix over the whole sound, delays, and the readout's weights."""
    times, states = model.features(sound)
    told = model.predict(sound, tr=2.0)
    clock = story_clock(times, told.times, model.alignment.delays, model.alignment.lobes, tr=2.0)
    np.testing.assert_allclose(told.values, clock.design(states) @ model.subject().weights, atol=1e-4)
    np.testing.assert_array_equal(told.times, 2.0 * np.arange(len(told.times)))
    assert len(told.times) == int(len(load_sound(sound)) / 32000)


class StopAt(Progress):
    def __init__(self, block):
        self.block = block

    def over(self, items, title):
        for number, item in enumerate(items):
            if number == self.block:
                raise KeyboardInterrupt
            yield item


class Counting(Progress):
    def over(self, items, title):
        self.n = len(items)
        return items


def test_what_was_broken_off_goes_on_and_ends_the_same(model, sound, tmp_path):
    predict_files(model, [sound], tmp_path / "unbroken.h5")
    with pytest.raises(KeyboardInterrupt):
        predict_files(model, [sound], tmp_path / "broken.h5", progress=StopAt(2))
    assert not (tmp_path / "broken.h5").exists()
    counting = Counting()
    predict_files(model, [sound], tmp_path / "broken.h5", progress=counting)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.h5", "long.wav", "unbroken.h5"]
    with h5py.File(tmp_path / "unbroken.h5") as one, h5py.File(tmp_path / "broken.h5") as other:
        np.testing.assert_allclose(one["data"][:], other["data"][:], atol=1e-6)
        assert counting.n == -(-(len(one["tr_times"]) + 4) // BLOCK) - 2


def test_every_format_holds_the_same_numbers(brainwavlm, model, published_model, sound, tmp_path):
    brainwavlm("predict", published_model, sound, "-o", tmp_path / "p.nii.gz")
    opened = load(published_model)
    told, who = opened.predict(sound), opened.subject()
    volumes = nibabel.load(tmp_path / "p.nii.gz")
    mask = nibabel.load(who.mask)
    assert volumes.shape == (*mask.shape, len(told.times))
    assert volumes.header.get_zooms()[3] == who.tr
    places = np.argwhere(np.asarray(mask.dataobj).T > 0)[:, ::-1][told.voxel]
    np.testing.assert_allclose(volumes.get_fdata()[tuple(places.T)].T, told.values, atol=1e-6)
    told = model.predict(sound)
    predict_files(model, [sound], tmp_path / "p.npy")
    predict_files(model, [sound], tmp_path / "p.h5")
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), told.values, atol=1e-6)
    with h5py.File(tmp_path / "p.h5") as file:
        np.testing.assert_allclose(file["data"][:], told.values, atol=1e-6)
        np.testing.assert_array_equal(file["position"][:], model.subject().position[told.voxel])
        np.testing.assert_array_equal(file["voxel"][:], told.voxel)
        np.testing.assert_array_equal(file["tr_times"][:], told.times)


@pytest.fixture
def published_model(published, small_settings, brainwavlm, tmp_path):
    """Of a copy of ds003020, whose voxels are those of a volume."""
    run, folder = tmp_path / "run", tmp_path / "exported"
    splits = "train=[alternateithicatom,souls,stagefright]", "validation=[fromboyhoodtofatherhood]"
    own = [word for one in (f"dataset={published}", *splits) for word in ("--set", one)]
    brainwavlm("tune", small_settings, *own, "--output", run)
    told = brainwavlm("export", run, "-o", folder)
    assert "Written" in told.out
    for place in (folder, run):
        brainwavlm("verify", place)
    return folder


def test_several_sounds_get_a_file_each_and_surfaces_a_map_a_tr(
    brainwavlm, features, sound, tmp_path, simulated_model
):
    other = tmp_path / "short.wav"
    soundfile.write(other, 0.5 * noise(1, seconds=20.0)[0].numpy(), 16000)
    tmp_path = tmp_path / "made" / "here"
    brainwavlm("predict", simulated_model, other, sound, "-o", tmp_path / "p.func.gii", "--tr", "4")
    names = [f"p_{stem}_hemi-{half}.func.gii" for stem in ("short", "long") for half in "LR"]
    assert all((tmp_path / name).is_file() for name in names)
    image = nibabel.load(tmp_path / names[0])
    assert len(image.darrays) == 5
    assert "SIMULATED" in image.meta["Description"]
    opened = load(simulated_model)
    told, who = opened.predict(other, tr=4.0), opened.subject()
    vertex = who.vertex[told.voxel][0]
    side = names[who.hemisphere[told.voxel][0]]
    same = (who.vertex[told.voxel] == vertex) & (who.hemisphere[told.voxel] == who.hemisphere[told.voxel][0])
    map_ = nibabel.load(tmp_path / side).darrays[3].data
    np.testing.assert_allclose(map_[vertex], told.values[3, same].mean(), atol=1e-5)


def test_bad_input_is_told_before_the_model_runs_and_nothing_is_left(
    model, sound, tmp_path, monkeypatch, brainwavlm
):
    monkeypatch.setattr(type(model.backbone), "frontend", None)
    nowhere = replace(model.subject(), surface=None, mask=None)
    model = replace(model, readouts={"anna": lambda: nowhere})
    silent, empty, short = (tmp_path / f"{name}.wav" for name in ("silent", "empty", "short"))
    soundfile.write(silent, np.zeros(160_000), 16000)
    soundfile.write(empty, np.zeros(0), 16000)
    soundfile.write(short, noise(1, seconds=3.0)[0].numpy(), 16000)
    (tmp_path / "there.h5").write_text("x")
    before = sorted(tmp_path.iterdir())
    cases = [
        ([tmp_path / "nothing.wav"], "p.h5", {}, r"nothing\.wav: no such file"),
        ([silent], "p.h5", {}, "silence"),
        ([empty], "p.h5", {}, "no samples"),
        ([sound, short], "p.h5", {}, "sound of two TRs"),
        ([sound], "p.h5", {"subject": "carl"}, "'carl' is not in"),
        ([sound], "p.h5", {"tr": 1e-9}, "0.01 s or more between two rows"),
        ([sound], "folder/.npy", {}, r"ends in \.h5"),
        ([sound], "p.h5", {"tr": 0.01}, "no window within"),
        ([sound], "p.h5", {"readout": "none"}, "ridge or trained"),
        ([sound], "there.h5", {}, "is there already"),
        ([sound, sound], "p.h5", {}, "two sounds of one name"),
        ([sound], "p.nii.gz", {}, "no volume"),
        ([sound], "p.func.gii", {}, "no surface"),
    ]
    for sounds, name, options, told in cases:
        with pytest.raises(BrainwavlmError, match=told) as caught:
            predict_files(model, sounds, tmp_path / name, **options)
        assert caught.value.expected
        assert caught.value.remedy
    for array, rate, told in (
        (np.zeros(16000, np.float32), 16000, "silence"),
        (np.ones((2, 2, 2)), 16000, "an array"),
        (np.full(9, np.nan), 16000, "no numbers"),
        (noise(1)[0].numpy(), None, "0 Hz"),
    ):
        with pytest.raises(BrainwavlmError, match=told):
            model.features(array, rate=rate)
    assert sorted(tmp_path.iterdir()) == before
    brainwavlm("predict", tmp_path, sound, "-o", tmp_path / "p.h5", code=2)


def test_a_disk_without_room_is_told_before_hdf5_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_files, "disk_usage", lambda folder: SimpleNamespace(free=10**6))
    prediction_files._require_room(tmp_path / "p.h5", 10**5)
    with pytest.raises(OSError, match=r"No space(.|\n)*p\.h5"):
        prediction_files._require_room(tmp_path / "p.h5", 10**6)
