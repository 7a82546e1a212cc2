"""Streams without a length are heard to their end, and joined ones are refused: libsndfile stops early, and says none."""

import numpy as np
import pytest

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.audio import SAMPLE_RATE, load_sound
from brainwavlm.stimulus.decoded_sound import sound_facts
from tests.stimulus.test_sound_files import SECONDS, errors, speech, written

KINDS = {"a.mp3": {}, "a.ogg": {}, "a.opus": {"format": "OGG", "subtype": "OPUS"}}


def sound(tmp_path, name="a.mp3", seed=0, channels=1, rate=SAMPLE_RATE, counted=True):
    path = written(
        tmp_path / name, np.tile(speech(SECONDS, rate, seed)[:, None], (1, channels)), rate, **KINDS[name]
    )
    content = path.read_bytes()
    return content if counted else content.replace(b"Xing", b"\0\0\0\0", 1)


def test_an_mp3_of_variable_rate_without_a_length_is_heard_to_its_end(tmp_path):
    (tmp_path / "b.mp3").write_bytes(sound(tmp_path, counted=False))
    facts = sound_facts(tmp_path / "b.mp3")
    assert facts.seconds == pytest.approx(
        SECONDS, abs=0.2
    )  # it guesses 6 s from the bit rate of the first frame
    assert (facts.cut, facts.doubt) == ("", "")
    assert len(load_sound(tmp_path / "b.mp3")) == facts.n_samples


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\0\x0a" + bytes(10)])
@pytest.mark.parametrize("name", KINDS)
def test_files_joined_as_they_are_are_refused(tmp_path, name, tag):  # libsndfile #277
    first, second = sound(tmp_path, name, 1), sound(tmp_path, name, 2)
    between = tag if name == "a.mp3" else b""
    (tmp_path / "b").write_bytes(first + between + second)
    told = f"another sound follows the first in the same file, from byte {len(first + between)} on"
    for read in (sound_facts, load_sound):
        with pytest.raises(DatasetError, match=told):
            read(tmp_path / "b")


def test_mp3_without_lengths_may_be_joined_unless_rate_or_channels_change(tmp_path):
    first = sound(tmp_path, counted=False)
    (tmp_path / "b").write_bytes(first + sound(tmp_path, seed=2, counted=False))
    assert sound_facts(tmp_path / "b").seconds == pytest.approx(2 * SECONDS, abs=0.4)
    for other in ({"channels": 2}, {"rate": 32000}):
        (tmp_path / "b").write_bytes(first + sound(tmp_path, seed=2, counted=False, **other))
        assert "cannot be decoded to its end" in errors(tmp_path / "b")["sound"].found


@pytest.mark.parametrize("counted", [True, False])
def test_tags_before_and_behind_an_mp3_are_no_sound(tmp_path, counted):
    content, tag = sound(tmp_path, counted=counted), b"ID3\3\0\0\0\0\x0f\x50" + bytes(2000)
    (tmp_path / "plain").write_bytes(content)
    whole = load_sound(tmp_path / "plain")
    head = b"APETAGEX" + (2000).to_bytes(4, "little") + (3032).to_bytes(4, "little") + bytes(4)
    ape = head + b"\0\0\0\xa0" + bytes(8) + b"x" * 3000 + head + b"\0\0\0\x80" + bytes(8)
    for before, behind in (
        (tag, b""),
        (b"", b"TAG" + bytes(125)),
        (tag, ape + b"TAG" + bytes(125)),
    ):
        (tmp_path / "b").write_bytes(before + content + behind)
        np.testing.assert_array_equal(load_sound(tmp_path / "b"), whole)


def test_an_mp3_without_a_length_that_is_damaged_in_its_middle_is_no_shorter_one(tmp_path):
    content = bytearray(sound(tmp_path, counted=False))
    content[20000:30000] = bytes(10000)
    (tmp_path / "b").write_bytes(content)
    assert "cannot be decoded to its end" in errors(tmp_path / "b")["sound"].found
