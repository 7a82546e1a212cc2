"""One decoded length: headers are compared with what can be decoded, and never believed."""

import json
import os

import numpy as np
import pytest
import soundfile

from brainwavlm.checks.duplicates import ALIKE, best_overlap
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus import decoded_sound
from brainwavlm.stimulus.audio import SAMPLE_RATE, load_sound, sound_errors
from brainwavlm.stimulus.decoded_sound import sound_facts
from tests.trees import write_sound

SECONDS = 12


def speech(seconds=SECONDS, rate=SAMPLE_RATE, seed=0):
    """Noise whose loudness changes as that of speech does, between 2 and 8 times a second."""
    random = np.random.default_rng(seed)
    steps = int(seconds * 8) + 2
    loudness = np.interp(
        np.arange(round(seconds * rate)) / rate, np.arange(steps) / 8, random.gamma(1, 0.1, steps)
    )
    return (loudness.clip(max=0.9) * random.uniform(-1, 1, len(loudness))).astype(np.float32)


def written(path, sound, rate=SAMPLE_RATE, **kwargs):
    with soundfile.SoundFile(path, "w", rate, sound[:1].size, **kwargs) as file:
        for first in range(0, len(sound), rate):  # libsndfile crashes on long pieces of Vorbis
            file.write(sound[first : first + rate])
    return path


def cut(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def errors(path, channel="mean"):
    return dict(sound_errors(path, sound_facts(path, channel)))


def patched(path, **places):
    content = bytearray(path.read_bytes())
    for place, value in places.items():
        start = {"riff": 4, "data": content.index(b"data") + 4}[place]
        content[start : start + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.au", "a.w64", "a.rf64", "a.opus", "a.nist"]
)
def test_whole_files_of_every_kind_are_whole_and_cut_ones_are_cut(tmp_path, name):
    kind = {"a.opus": {"format": "OGG", "subtype": "OPUS"}, "a.rf64": {"format": "RF64"}}.get(name, {})
    path = written(tmp_path / name, speech(), **kind)
    facts = sound_facts(path)
    assert errors(path) == {}
    assert facts.doubt == ""
    assert facts.n_samples == len(load_sound(path)) == SECONDS * SAMPLE_RATE
    with pytest.raises(DatasetError, match="truncated") as caught:
        load_sound(cut(path))
    assert caught.value.path == str(path)
    assert errors(path)["sound"].found.startswith("truncated")


def test_the_ending_raw_says_nothing(tmp_path):  # soundfile raises a TypeError for it
    path = written(tmp_path / "a", speech(), format="MP3").rename(tmp_path / "a.RAW")
    assert len(load_sound(path)) == sound_facts(path).n_samples == SECONDS * SAMPLE_RATE
    path.write_bytes(bytes(range(256)) * 99)
    with pytest.raises(DatasetError, match="not readable as sound"):
        load_sound(path)


def test_what_cannot_be_compared_is_doubted(tmp_path):
    path = written(tmp_path / "a.voc", speech(), subtype="PCM_16")
    assert "cannot be told from a whole one" in sound_facts(path).doubt
    path = written(tmp_path / "a.ogg", speech())  # without its last page: libsndfile #809, #989
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"OggS")])
    assert errors(path) == {}
    assert "not marked as the last" in sound_facts(path).doubt


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (0x7FFFF024, 0x7FFFF000),  # sox, kaldi #1567
        (0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg
        (0, 0),  # tinyalsa #16, Python's wave
        (0x7FFFFFFF, 0x7FFFFFFF),  # oboe #2108
        (0x80000024, 0x80000000),  # arecord
        (7, None),  # SDRPlusPlus #1212: only the RIFF size is wrong
        (10**9, None),
    ],
)
def test_sizes_that_a_pipe_wrote_make_no_file_truncated(tmp_path, riff, data):
    sound = np.tile(speech()[:, None], (1, 2))
    whole = load_sound(written(tmp_path / "whole.wav", sound))
    places = {"riff": riff} if data is None else {"riff": riff, "data": data}
    path = patched(written(tmp_path / "a.wav", sound), **places)
    assert errors(path) == {}
    np.testing.assert_array_equal(load_sound(path), whole)


def test_bytes_after_the_data_are_no_sound_where_they_are_a_chunk_or_few(tmp_path):
    path = written(tmp_path / "a.wav", speech())
    whole = load_sound(path)
    for more in (b"LIST\x04\0\0\0INFO", b"\0\0\0\0", b"id3 \x02\0\0\0ab"):  # DeaDBeeF #1229 writes four more
        path.write_bytes(written(tmp_path / "b.wav", speech()).read_bytes() + more)
        np.testing.assert_array_equal(load_sound(path), whole)
        assert sound_facts(path).doubt == ""


@pytest.mark.parametrize(
    ("suffix", "name", "order"),
    [("wav", b"_PMX", "little"), ("wav", b"data", "little"), ("aiff", b"ID3 ", "big")],
)
def test_metadata_behind_the_sound_may_be_long_and_a_second_sound_is_none(tmp_path, suffix, name, order):
    path = written(tmp_path / f"a.{suffix}", speech())
    whole, size = load_sound(path), 200_000
    path.write_bytes(path.read_bytes() + name + size.to_bytes(4, order) + b"<" * size)
    if name == b"data":
        with pytest.raises(DatasetError, match=r"bytes follow behind the sound|not readable as sound"):
            load_sound(path)
    else:
        np.testing.assert_array_equal(load_sound(path), whole)


def test_what_stands_behind_the_sound_of_the_header_is_refused_or_a_tag(tmp_path):  # libsndfile #277
    def behind(content, suffix):
        path = tmp_path / f"b.{suffix}"
        path.write_bytes(content)
        for read in (sound_facts, load_sound):
            with pytest.raises(DatasetError, match="bytes follow behind the sound that its header tells of"):
                read(path)

    flac = bytearray(written(tmp_path / "a.flac", speech()).read_bytes())
    flac[22:26] = bytes(4)
    (tmp_path / "c.flac").write_bytes(flac)  # of a pipe
    assert sound_facts(tmp_path / "c.flac").seconds == SECONDS
    flac[22:26] = (5 * SAMPLE_RATE).to_bytes(4, "big")
    behind(flac, "flac")
    behind(patched(written(tmp_path / "a.wav", speech()), data=5 * 2 * SAMPLE_RATE).read_bytes(), "wav")
    tag = b"ID3\3\0\0\0\0\x0f\x50" + bytes(2000)
    for name, kind in {"a.mp3": {}, "a.ogg": {}, "a.opus": {"format": "OGG", "subtype": "OPUS"}}.items():
        content = written(tmp_path / name, speech(seed=1), **kind).read_bytes()
        behind(content + content, name[2:])
    mp3 = (tmp_path / "a.mp3").read_bytes()
    behind(mp3 + tag + mp3, "mp3")
    behind(
        mp3.replace(b"Xing", bytes(4), 1), "mp3"
    )  # half of it: a guess from the bit rate of the first frame


@pytest.mark.parametrize("counted", [True, False])
def test_tags_before_and_behind_an_mp3_are_no_sound(tmp_path, counted):
    constant = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    content = written(tmp_path / "a.mp3", speech(), **constant).read_bytes()
    content = content if counted else content.replace(b"Info", bytes(4), 1)
    tag = b"ID3\3\0\0\0\0\x0f\x50" + bytes(2000)
    (tmp_path / "plain").write_bytes(content)
    whole = load_sound(tmp_path / "plain")
    assert len(whole) == pytest.approx(SECONDS * SAMPLE_RATE, rel=0.02)
    for before, behind in (
        (tag, b""),
        (b"", b"TAG" + bytes(125)),
        (tag, b"APETAGEX" + bytes(500) + b"TAG" + bytes(125)),
    ):
        (tmp_path / "b").write_bytes(before + content + behind)
        np.testing.assert_array_equal(load_sound(tmp_path / "b"), whole)
    (tmp_path / "b").write_bytes(content[:20000] + bytes(10000) + content[30000:])  # is no shorter sound
    assert "cannot be decoded to its end" in errors(tmp_path / "b")["sound"].found


def test_a_header_that_says_too_much_is_a_cut_file(tmp_path):
    flac = written(tmp_path / "a.flac", speech())
    content = bytearray(flac.read_bytes())
    content[22:26] = (20 * SAMPLE_RATE).to_bytes(4, "big")
    flac.write_bytes(content)
    assert errors(flac)["sound"].found == "truncated: it decodes to 12.0 s; its header says 20.0 s."
    assert "bytes fewer" in errors(patched(written(tmp_path / "a.wav", speech()), data=10**6))["sound"].found


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 44101])
def test_the_length_that_windows_are_planned_on_is_the_one_that_is_loaded(tmp_path, rate):  # lhotse #1064
    for less in (0, 1, 17):
        path = written(tmp_path / f"{less}.wav", speech(3, rate)[: 3 * rate - less], rate)
        assert sound_facts(path).n_samples == len(load_sound(path))


def test_facts_are_kept_by_the_content_and_decoded_once(tmp_path, user_cache, monkeypatch):
    path = written(tmp_path / "a.wav", speech(seed=9))
    first = sound_facts(path)
    (kept,) = (user_cache / "sounds").glob(f"{decoded_sound.audio_checksum(path)}*")
    again = tmp_path / "copy.wav"
    again.write_bytes(path.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(decoded_sound, "opened", lambda path: pytest.fail("decoded again"))
        assert sound_facts(path) == sound_facts(again) == first
    kept.write_text(json.dumps({"rate": "damaged"}))
    os.utime(again, ns=(1, 1))
    assert sound_facts(again) == first
    with monkeypatch.context() as patch:  # a home that cannot be written
        patch.setattr(decoded_sound, "cache_folder", lambda: path / "nowhere")
        assert sound_facts(written(tmp_path / "b.wav", speech(seed=8))).seconds == SECONDS


def test_channels_are_heard_as_asked(tmp_path):
    left, right = speech(seed=1), speech(seed=2)
    path = written(tmp_path / "a.wav", np.stack([left, right], 1), subtype="FLOAT")
    for channel, sound in {"left": left, 2: right, "mean": (left + right) / 2}.items():
        np.testing.assert_allclose(load_sound(path, channel), sound, atol=1e-7)
    with pytest.raises(DatasetError, match=r"2 channels, where .* asks for channel 3"):
        load_sound(path, 3)
    with pytest.raises(DatasetError, match="1 channel, where"):
        load_sound(written(tmp_path / "b.wav", left), "right")


@pytest.mark.parametrize(
    "mix",
    [
        lambda left, other: [left, -left],
        lambda left, other: [left, -left + 0.01 * other],
        lambda left, other: [left, -left, other * 1e-4, -1e-4 * other],
    ],
)
def test_channels_that_cancel_are_named_with_the_setting(tmp_path, mix):  # whisperX #750
    path = written(tmp_path / "a.wav", np.stack(mix(speech(seed=1), speech(seed=2)), 1), subtype="FLOAT")
    error = errors(path)["channels"]
    assert "cancel" in error.found
    assert "channel: left" in error.remedy
    with pytest.raises(DatasetError, match="cancel"):
        load_sound(path)
    np.testing.assert_allclose(load_sound(path, "left"), speech(seed=1), atol=1e-7)


@pytest.mark.parametrize(
    ("sound", "kind", "found"),
    [
        (lambda: np.round(speech() * 32767), "scale", "not scaled"),
        (lambda: np.full(SAMPLE_RATE, 0.25), "silence", "every sample is 0.25"),
        (lambda: speech() * 1e-5, "silence", "nothing above -70 dB"),
        (lambda: np.where(np.arange(SAMPLE_RATE) == 7, -np.inf, 0.1), "sound", "1 samples are not finite"),
    ],
)
def test_levels_that_make_a_sound_useless_are_errors_everywhere(tmp_path, sound, kind, found):
    path = written(tmp_path / "a.wav", sound(), subtype="FLOAT")
    assert found in errors(path)[kind].found
    with pytest.raises(DatasetError, match=found):
        load_sound(path)


def alike(one, other):
    r, lag = best_overlap(sound_facts(one).loudness, sound_facts(other).loudness)
    return r > ALIKE, lag


def test_one_recording_is_found_in_other_bytes(tmp_path):
    seconds, rate = 24, 44100
    sound = speech(seconds, rate, seed=1)
    original = written(tmp_path / "a.wav", sound, rate)
    silence = np.zeros(2 * rate, np.float32)
    copies = {
        "encoded.mp3": (sound, rate, 0),
        "softer.ogg": (sound * 0.1, rate, 0),
        "coarse.wav": (np.stack([sound[::4]] * 2, 1), rate // 4, 0),
        "trimmed.wav": (sound[round(3.37 * rate) :], rate, 3.37),
        "delayed.wav": (np.concatenate([silence, sound]), rate, -2),
        "part.wav": (sound[seconds * rate // 4 : -seconds * rate // 8], rate, seconds / 4),
    }
    for name, (copy, copy_rate, lag) in copies.items():
        same, where = alike(original, written(tmp_path / name, copy, copy_rate))
        assert same, name
        assert where == pytest.approx(lag, abs=0.1), name
    write_sound(tmp_path / "b.wav", float(seconds), seed=2)
    for other in (written(tmp_path / "c.wav", speech(seconds, rate, seed=3), rate), tmp_path / "b.wav"):
        assert not alike(original, other)[0]


def test_what_is_too_short_or_silent_in_common_is_no_recording(tmp_path):
    short = written(tmp_path / "a.wav", speech(9))
    assert alike(short, short) == (False, 0.0)
    quiet = np.concatenate([speech(20, seed=1), np.zeros(40 * SAMPLE_RATE, np.float32)])
    other = np.concatenate([np.zeros(40 * SAMPLE_RATE, np.float32), speech(20, seed=2)])
    assert not alike(written(tmp_path / "b.wav", quiet), written(tmp_path / "c.wav", other))[0]
