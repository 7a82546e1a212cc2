"""Everything that Praat reads is read, whoever wrote it; everything else is told as what it is."""

import json
import struct
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.intervals import nothing_said
from brainwavlm.stimulus.textgrid import Interval, Tier, read_textgrid
from brainwavlm.stimulus.transcripts import Transcript, read_transcript
from brainwavlm.stimulus.word_vectors import spoken
from tests.stimulus.test_transcripts import LONG
from tests.trees import long_form, write_transcript

SHORT = (
    'File type = "ooTextFile short"|"TextGrid"||0|1.2|<exists>|2'
    '|"IntervalTier"|"phone"|0|1.2|3|0|0.1|"{LS}"|0.1|0.4|"AY1"|0.4|1.2|"sp"'
    '|"IntervalTier"|"word"|0|1.2|3|0|0.1|"{BR}"|0.1|0.4|"I"|0.4|1.2|""|'
).replace("|", "\n")

CHRONOLOGICAL = """"Praat chronological TextGrid text file"
0 1.2   ! Time domain.
3   ! Number of tiers.
"IntervalTier" "phone" 0 1.2
"IntervalTier" "word" 0 1.2
"TextTier" "marks!" 0 1.2
! phone:
1 0 0.1
"SP"
2 0 0.1
"{LG}"
1 0.1 0.4
"AY1"
2 0.1 0.4
"I"
3 0.2
"a ""mark""!"
1 0.4 1.2
"{NS}"
2 0.4 1.2
""
"""

TIERS = [
    Tier("phone", [Interval(0.0, 0.1, "SP"), Interval(0.1, 0.4, "AY1"), Interval(0.4, 1.2, "{NS}")]),
    Tier(
        "word",
        [Interval(0.0, 0.1, "{SENTENCE_START}"), Interval(0.1, 0.4, "I"), Interval(0.4, 1.2, " ")],
    ),
]


def grid(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_textgrid(path).tiers


def words(*entries):
    """The long form of one tier, `words`."""
    return long_form(9, words=entries)


def binary(tiers, flag=1):
    """As Praat writes it: big-endian, labels beyond Latin-1 in UTF-16."""

    def string(text):
        try:
            return struct.pack(">H", len(text)) + text.encode("ascii")
        except UnicodeEncodeError:
            return struct.pack(">HH", 0xFFFF, len(text)) + text.encode("utf-16-be")

    parts = [b"ooBinaryFile\x08TextGrid", struct.pack(">ddBi", 0, 9, flag, len(tiers))]
    for tier in tiers:
        kind = b"TextTier" if tier.points else b"IntervalTier"
        parts += [bytes([len(kind)]), kind, string(tier.name), struct.pack(">ddi", 0, 9, len(tier.intervals))]
        for one in tier.intervals:
            times = (one.start,) if tier.points else (one.start, one.end)
            parts += [struct.pack(f">{len(times)}d", *times), string(one.text)]
    return b"".join(parts)


@pytest.mark.parametrize(
    ("codec", "end", "encoding", "text"),
    [
        ("utf-8", "\r", "UTF-8", "café"),
        ("utf-8-sig", "\r\n", "UTF-8", "café"),
        ("utf-16", "\r\n", "UTF-16", "café"),
        ("utf-16-be", "\n", "UTF-16", "café"),
        ("cp1252", "\r\n", "Windows-1252", "it’s"),
        ("mac-roman", "\r", "Latin-1", "caf\x8f"),  # è: no byte of Windows
    ],
)
def test_encodings_and_ends_of_lines_of_any_machine_are_known(tmp_path, codec, end, encoding, text):
    written = "cafè" if codec == "mac-roman" else text
    mark = "\ufeff" if codec == "utf-16-be" else ""
    content = mark + LONG.replace('"I"', f'"{written}"').replace("\n", end)
    (tmp_path / "a").write_bytes(content.encode(codec))
    read = read_textgrid(tmp_path / "a")
    assert (read.encoding, read.tiers[1].intervals[1].text) == (encoding, text)


@pytest.mark.parametrize("form", ["text", "binary", "JSON"])
def test_an_accent_typed_in_two_ways_is_one_word_and_one_tier(tmp_path, form):
    composed, typed = "Wörter", unicodedata.normalize("NFD", "Wörter")
    tier = Tier(typed, [Interval(0.1, 0.4, typed)])
    content = {
        "text": words((0.1, 0.4, typed)).replace('"words"', f'"{typed}"'),
        "binary": binary([tier]),
        "JSON": json.dumps({"tiers": {typed: {"entries": [[0.1, 0.4, typed]]}}}),
    }
    assert grid(tmp_path / "a", content[form]) == [Tier(composed, [Interval(0.1, 0.4, composed)])]
    assert spoken(typed) == spoken(composed)


@pytest.mark.parametrize("xmin", [0, -2])
def test_the_ends_of_the_time_axis_are_those_of_the_file(tmp_path, xmin):
    long = LONG.replace("xmin = 0\nxmax = 1.2", f"xmin = {xmin}\nxmax = 1.2", 1)
    listed = {"xmin": xmin, "xmax": 1.2, "tiers": []}
    simple = {"start": xmin, "end": 1.2, "tiers": {}}
    short = CHRONOLOGICAL.replace("0 1.2   !", f"{xmin} 1.2   !", 1)
    for content in (long, short, json.dumps(listed), json.dumps(simple)):
        (tmp_path / "a").write_text(content)
        read = read_textgrid(tmp_path / "a")
        assert (read.start, read.end) == (xmin, 1.2)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("    ", "\t"),  # textgrid #7
        lambda text: " ".join(text.split()),  # one line
        lambda text: text.replace(" = ", "=").replace("? <", "?<"),
        lambda text: text.replace("xmin = 0.1", "xmin = 0.1 seconds (from the onset)"),
        lambda text: text.replace("xmin = 0.1", 'xmin = 0.1 ! of "I", 7 or so'),
        lambda text: text.replace("item []:", "! 3 tiers <absent>\nitem []:"),
        lambda text: text.replace("0.4", "4e-1"),
        lambda text: text.replace("0.4", "+.4"),
        lambda text: text.replace("0.4", "40%"),
        lambda text: text.replace("0.4", "2/5"),
    ],
)
def test_white_space_comments_and_forms_of_numbers_change_nothing(tmp_path, change):
    assert change(LONG) != LONG
    assert grid(tmp_path / "a", change(LONG)) == TIERS


def test_short_chronological_and_binary_forms_are_the_same_grid(tmp_path):
    assert [tier.intervals[1] for tier in grid(tmp_path / "a", SHORT)] == [
        tier.intervals[1] for tier in TIERS
    ]
    marks = Tier("marks!", [Interval(0.2, 0.2, 'a "mark"!')], points=True)
    chronological = grid(tmp_path / "b", CHRONOLOGICAL)
    assert [tier.intervals[1] for tier in chronological[:2]] == [tier.intervals[1] for tier in TIERS]
    assert chronological[2] == marks
    spoken = Tier("ə — words", [Interval(0.5, 1.5, "naïve ʃ")])
    assert grid(tmp_path / "c", binary([*TIERS, marks, spoken])) == [*TIERS, marks, spoken]
    assert grid(tmp_path / "d", binary([], flag=0)[:-4]) == []
    behind = words((0, 1, "a")) + '"'
    assert grid(tmp_path / "e", behind)[0].intervals == [Interval(0, 1, "a")]
    sized = words((0.5, "x")).replace("points: size", "intervals: size")  # TextGridTools #16
    assert grid(tmp_path / "f", sized) == [Tier("words", [Interval(0.5, 0.5, "x")], points=True)]


def test_json_of_praatio_is_read_in_both_forms(tmp_path):
    entries = [[0.1, 0.4, "I"]]
    simple = {"start": 0, "end": 1, "tiers": {"words": {"type": "interval", "entries": entries}}}
    listed = {"xmin": 0, "xmax": 1, "tiers": [{"class": "IntervalTier", "name": "words", "entries": entries}]}
    points = {"start": 0, "end": 1, "tiers": {"m": {"type": "point", "entries": [[0.1, "x"]]}}}
    for content in (simple, listed):
        assert grid(tmp_path / "a", json.dumps(content)) == [Tier("words", [Interval(0.1, 0.4, "I")])]
    assert grid(tmp_path / "a", json.dumps(points)) == [Tier("m", [Interval(0.1, 0.1, "x")], points=True)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"tiers": {"words": {"entries": []}, "words": {"entries": [[0, 1, "a"]]}}}', "lists 'words' twice"),
        ('{"tiers": 3', "not readable as JSON: Expecting ',' delimiter"),
        ('{"tiers": {"a": [1]}}', "JSON with tiers, no TextGrid"),
        ("<!DOCTYPE html>\n<title>404</title>", "a web page"),
        ('\ufeff<?xml version="1.0"?><ANNOTATION_DOCUMENT/>', "XML, as ELAN writes it"),
        ('#!MLF!#\n"*/a.lab"\n', "a label file of HTK"),
        (b"\x1f\x8b\x08\0", "compressed by gzip"),
        (LONG.replace('"TextGrid"', '"PitchTier"'), "Praat's PitchTier, no TextGrid"),
        (b"ooBinaryFile\x05Sound", "binary, but no TextGrid"),
        (binary(TIERS)[:60], "it breaks off"),
        ("0.1 0.4 I\n0.4 0.9 am\n", "no TextGrid: it begins with '0.1 0.4 I"),
        (words((0, 1, 'say "so" now')), "not doubled within a label, line 18"),
        (words(("0,5", 1, "a")), "'0,5' is no number, line 16"),
        (words(("1/0", 1, "a")), "'1/0' is no number"),
        (words((0, 1, "a")).replace("intervals: size = 1", f"intervals: size = {'1' * 5000}"), "is no count"),
        (
            words((0, 1, "a"), (1, 2, "b")).replace("intervals: size = 2", "intervals: size = 1"),
            "'1' follows",
        ),
        (
            words((0, 1, "a")).replace("size = 1\n        intervals [", "size = 2\n        intervals ["),
            "breaks off",
        ),
        (words((0, 1, "a"), (1, 2, "b")).replace('"a"', ""), "'1' where text in quotes is expected, line 20"),
        (CHRONOLOGICAL.replace("3 0.2", "7 0.2"), "an interval of tier 7, of 3"),
    ],
)
def test_what_is_no_textgrid_is_told_as_what_it_is(tmp_path, content, told):
    with pytest.raises(DatasetError, match=told):
        grid(tmp_path / "a", content)


# praatIO #24, textgrid's README, TextGridTools #6, and what looks like another line of the file.
HOSTILE = ("zao\nchen\nliu", 'say "so"', '"', "xmin = 3\nintervals [7]:", "! no comment <exists>")


@settings(max_examples=40)
@given(st.data())
def test_what_is_written_is_read_again_whatever_is_said(tmp_path_factory, data):
    def some(kind):
        times = sorted(data.draw(st.sets(st.integers(0, 10**7), min_size=2, max_size=12)))
        labels = st.text(min_size=1, max_size=12) | st.sampled_from(HOSTILE)
        labels = labels.filter(lambda text: not nothing_said(text, kind))
        return [
            Interval(start / 1e4, end / 1e4, unicodedata.normalize("NFC", data.draw(labels)))
            for start, end in zip(times[::2], times[1::2], strict=False)
        ]

    path = tmp_path_factory.mktemp("written") / "a.TextGrid"
    transcript = Transcript(some("phones"), some("words"))
    write_transcript(path, transcript, 1001.0)
    again = read_transcript(path)
    assert (again.phones, again.words, again.mended) == (transcript.phones, transcript.words, {})
