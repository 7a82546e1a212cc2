"""Transcripts that list words: tables, and the JSON of Gentle and of WhisperX."""

import json

import pytest

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import read_transcript

WORDS = [Interval(0.5, 0.9, "The"), Interval(0.9, 1.4, "dog,")]
THE = {"alignedWord": "the", "case": "success", "start": 0.5, "end": 0.9, "word": "The"}
THE["phones"] = [{"duration": 0.25, "phone": "dh_B"}, {"duration": 0.15, "phone": "ah_E"}]
DOG = {"case": "success", "start": 0.9, "end": 1.4, "word": "dog,", "phones": []}
UM = {"case": "not-found-in-audio", "word": "um"}
GENTLE = {"transcript": "The dog, um", "words": [THE, DOG, UM]}
FIRST = {"start": 0.5, "end": 0.9, "text": "The"}
FIRST["words"] = [{"word": "The", "start": 0.5, "end": 0.9, "score": 0.9}]
SECOND = {"start": 0.9, "end": 1.4, "text": "dog, 12"}
SECOND["words"] = [{"word": "dog,", "start": 0.9, "end": 1.4}, {"word": "12"}]
WHISPERX = {"segments": [FIRST, SECOND], "word_segments": []}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'onset,offset,word\n0.5,0.9,The\n0.9,1.4,"dog,"\n'),
        ("t.TSV", "\ufeffword\tonset\toffset\tspeaker\nThe\t.5\t.9\tann\ndog,\t.9\t1.4\tann\n"),
        ("t.json", GENTLE),
        ("t.json", WHISPERX),
    ],
)
def test_words_are_read_with_their_times(tmp_path, name, content):
    transcript = read_transcript(write(tmp_path / name, content))
    assert transcript.words == WORDS
    assert transcript.mended == ({"dropped": 1} if name == "t.json" else {})
    phones = [(phone.start, phone.text) for phone in transcript.phones]
    assert phones == ([(0.5, "dh_B"), (0.75, "ah_E")] if content is GENTLE else [])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("t.csv", "start,end,word\n1,2,a\n", "columns start, end, word"),
        ("t.csv", "", "columns none"),
        ("t.csv", "onset,offset,word\n1,x,a\n", "line 2: onset '1', offset 'x'"),
        ("t.csv", "onset,offset,word\n1\n", "line 2 has 1 fields, for the 3 names onset, offset, word"),
        ("t.csv", "onset,offset,word\n1,2,a\n0.5,0.7,b\n", "line 3: onset 0.5 s is before"),
        ("t.csv", "onset,offset,word\n", "no|silences"),
        ("t.json", {"words": ["I"]}, "another form than Gentle's or WhisperX's"),
        ("t.json", {"segments": [{"text": "I"}]}, "another form than Gentle's or WhisperX's"),
        ("t.json", {"words": [{"word": "I", "start": "now"}]}, "another form"),
        ("t.json", {"words": [{"word": "I", "start": 10**400, "end": 1}]}, "another form"),
        ("t.json", {"text": "I"}, "JSON with text, no TextGrid"),
        ("t.json", "{", "not readable as JSON"),
        ("t.csv", "onset,offset,word,word\n1,2,a,b\n", "column 'word' twice"),
        ("t.csv", 'onset,offset,word\n1,2,"a\n', "line 2: unexpected end of data"),
        ("t.tsv", 'onset\toffset\tword\n1\t2\t"a\n2\t3\tb"\n', "line 3: a quote before it"),
    ],
)
def test_a_list_of_another_form_is_refused_with_the_reason(tmp_path, name, content, problem):
    with pytest.raises(DatasetError, match=problem) as caught:
        read_transcript(write(tmp_path / name, content))
    assert "a table onset,offset,word" in caught.value.expected
    assert "Praat" not in caught.value.remedy


def test_null_is_as_good_as_nothing_and_accents_are_of_one_form(tmp_path):
    words = [
        {"word": "cafe\u0301", "start": 0.5, "end": 0.9, "phones": None},
        {"word": "um", "start": None, "end": None},
    ]
    transcript = read_transcript(write(tmp_path / "t.json", {"words": words}))
    assert transcript.words == [Interval(0.5, 0.9, "café")]
    assert transcript.mended == {"dropped": 1}


def test_bytes_of_another_encoding_are_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes("onset,offset,word\n0,1,für\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_transcript(tmp_path / "t.csv")
