import json
from pathlib import Path

import pytest

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.intervals import PHONES, nothing_said, phone_classes
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import read_transcript, said
from tests.trees import long_form

LONG = long_form(
    1.2,
    phone=[(0, 0.1, "SP"), (0.1, 0.4, "AY1"), (0.4, 1.2, "{NS}")],
    word=[(0, 0.1, "{SENTENCE_START}"), (0.1, 0.4, "I"), (0.4, 1.2, " ")],
)


def test_tiers_are_found_by_name_before_place(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(LONG.replace('"phone"', '"words "').replace('"word"', '"phones"'))
    assert read_transcript(path).words == [Interval(0.1, 0.4, "AY1")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"  \n", "empty file"),
        (
            LONG.replace('"I"', '"{BR}"').replace('"AY1"', '"sil"').encode(),
            "silences and noises only in 'word', 'phone'",
        ),
        (b"/annex/objects/MD5E-s1--2.TextGrid\n", "git-annex pointer"),
    ],
)
def test_what_is_no_transcript_is_named(tmp_path, content, said):
    path = tmp_path / "story.TextGrid"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said) as caught:
        read_transcript(path)
    assert caught.value.path == str(path)


# --- which tier is what


def tiers(path, **by_name):
    """A TextGrid (as praatIO's JSON) of tiers by name, each a list of (start, end, text) or (time, text)."""
    content = {name: {"type": "interval", "entries": entries} for name, entries in by_name.items()}
    path.write_text(json.dumps({"start": 0, "end": 9, "tiers": content}))
    return path


WORD, PHONE = [(0.0, 1.0, "ice"), (1.0, 2.0, "cream")], [(0.0, 0.5, "AY1"), (0.5, 1.0, "S")]


@pytest.mark.parametrize(
    "names",
    [
        ("words", "phones"),  # Montreal, Prosodylab: words first
        ("Phone", " WORD "),
        ("KAN-MAU", "ORT-MAU", "MAU"),  # WebMAUS
        ("anna - words", "anna - phones"),
        ("KY25A - phone", "KY25A - word"),  # FAVE
        ("phones", "syll", "words", "phono", "ortho"),  # EasyAlign
        ("TokensAlign", "PhonAlign", "Activity"),  # SPPAS
        ("A - B - words", "A - B - phones"),
    ],
)
def test_names_say_which_tier_is_what_wherever_it_stands(tmp_path, names):
    def entries(name):
        key = name.strip().lower().rpartition(" - ")[2]
        if key in ("words", "word", "ort-mau", "ort", "tokensalign"):
            return WORD
        return PHONE if key in ("phones", "phone", "mau", "phonalign") else [(0.0, 2.0, "other")]

    for order in (names, names[::-1]):
        transcript = read_transcript(tiers(tmp_path / "a", **{name: entries(name) for name in order}))
        assert [word.text for word in transcript.words] == ["ice", "cream"]
        assert [phone.text for phone in transcript.phones] == ["AY1", "S"]
        assert transcript.tiers == order


def test_speakers_are_joined_in_the_order_of_time(tmp_path):
    path = tiers(
        tmp_path / "a",
        **{
            "anna - words": [(0.0, 1.0, "who"), (4.0, 5.0, "oh")],
            "anna - phones": [(0.0, 1.0, "HH")],
            "ben - words": [(0.9, 2.0, "me"), (2.0, 3.0, "here")],
            "ben - phones": [(1.0, 2.0, "M")],
        },
    )
    transcript = read_transcript(path)
    assert [word.text for word in transcript.words] == ["who", "me", "here", "oh"]
    assert [phone.text for phone in transcript.phones] == ["HH", "M"]
    assert transcript.mended == {}  # two speakers may speak at once


def test_tiers_of_one_name_are_speakers_too(tmp_path):
    text = LONG.replace('"phone"', '"word"').replace('"I"', '"you"').replace("0.1", "0.2")
    (tmp_path / "a").write_text(text)
    assert [word.text for word in read_transcript(tmp_path / "a").words] == ["AY1", "you"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ("Mary", "Mary.phones.v2"),
            r"no tier that is known to hold words or phones; tiers: 'Mary', 'Mary.phones.v2'",
        ),
        (("KAN-MAU", "TRN"), "tiers: 'KAN-MAU', 'TRN'"),
        (("word", "words"), "several tiers that may hold words: 'word', 'words'"),
        ((), "tiers: none"),
    ],
)
def test_names_that_say_nothing_are_listed_with_the_setting_that_names_them(tmp_path, names, told):
    path = tiers(tmp_path / "story.TextGrid", **dict.fromkeys(names, WORD))
    with pytest.raises(DatasetError, match=told) as caught:
        read_transcript(path)
    assert "transcript: {file: story.TextGrid, words: TIER, phones: TIER}" in str(caught.value)


def test_settings_name_tiers_and_go_before_known_names(tmp_path):
    path = tiers(tmp_path / "a", Mary=WORD, Tom=[(3.0, 4.0, "yes")], lab=PHONE, words=[(0.0, 1.0, "draft")])
    transcript = read_transcript(path, ("Mary", "Tom"), ("lab",))
    assert [word.text for word in transcript.words] == ["ice", "cream", "yes"]
    assert [phone.text for phone in transcript.phones] == ["AY1", "S"]
    with pytest.raises(
        DatasetError, match=r"no tier of intervals 'Max', which dataset.yaml names; tiers: 'Mary'"
    ):
        read_transcript(path, ("Max",))


def test_points_are_no_words(tmp_path):
    path = tiers(tmp_path / "a", words=[(0.5, "x")], phones=PHONE)
    assert read_transcript(path).words == []
    with pytest.raises(DatasetError, match=r"'words' \(points\)"):
        read_transcript(tiers(tmp_path / "b", words=[(0.5, "x")]))


@pytest.mark.parametrize(("kind", "other"), [("words", "phones"), ("phones", "words")])
def test_one_kind_is_enough_for_what_needs_no_other(tmp_path, kind, other):
    path = tiers(tmp_path / "story.TextGrid", **{kind: WORD, "notes": WORD})
    story = Story("story", Path("story.wav"), path, "train")
    assert [one.text for one in said(story, kind)] == ["ice", "cream"]
    with pytest.raises(
        DatasetError, match=f"no tier that is known to hold {other}; tiers: '{kind}', 'notes'"
    ):
        said(story, other)


# --- times


@pytest.mark.parametrize(
    ("entries", "times", "mended"),
    [
        # Prosodylab-Aligner #59, #66; Montreal #456: boundaries that cross by rounding.
        ([(0, 1.002, "a"), (1.0, 2, "b")], [(0, 1.0), (1.0, 2)], {"joined": 1}),
        ([(1, 2, "b"), (0, 1.0005, "a")], [(0, 1), (1, 2)], {"joined": 1}),
        ([(0, 1.0000000001, "a"), (1.0, 2, "b")], [(0, 1.0), (1.0, 2)], {}),  # arithmetic
        # praatIO #56, Montreal #370: an end before its start.
        ([(0, 1, "a"), (1.0, 0.999, "x"), (1.0, 2, "b")], [(0, 1), (1, 2)], {"joined": 1, "dropped": 1}),
        # textgrid #1: labels of HTK that begin and end at once.
        ([(0, 1, "a"), (1, 1, "sp"), (1, 2, "b")], [(0, 1), (1, 2)], {"dropped": 1}),
        ([(0, 1, "a"), (1, 1, "b"), (1, 1, "c"), (1, 1 + 1e-15, "d")], [(0, 1)], {"dropped": 3}),
        ([(0, 0.001, "x"), (0, 1, "b")], [(0, 1)], {"joined": 1, "dropped": 1}),
    ],
)
def test_rounding_is_mended_and_counted(tmp_path, entries, times, mended):
    transcript = read_transcript(tiers(tmp_path / "a", words=entries))
    assert [(word.start, word.end) for word in transcript.words] == times
    assert transcript.mended == mended


def test_of_json_a_label_of_nothing_is_no_word_and_times_that_are_no_numbers_are_refused(tmp_path):
    def write(entries):
        (tmp_path / "a").write_text(f'{{"tiers": {{"words": {{"entries": {entries}}}}}}}')
        return tmp_path / "a"

    words = read_transcript(write('[[0, 1, null], [1, 2, "b"], [2, 3, NaN]]')).words
    assert [word.text for word in words] == ["b"]
    for time in ("NaN", "Infinity"):
        with pytest.raises(DatasetError, match="its times are no numbers"):
            read_transcript(write(f'[[1, {time}, "a"], [2, 3, "b"]]'))


def test_a_tier_that_copies_another_is_read_once(tmp_path):
    path = tiers(tmp_path / "a", **{"anna - words": WORD, "words": WORD, "ben - words": [(5.0, 6.0, "yes")]})
    transcript = read_transcript(path)
    assert [word.text for word in transcript.words] == ["ice", "cream", "yes"]
    assert transcript.mended == {"copies": 1}


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            [(0, 1.01, "a"), (1.0, 2, "b")],
            r"tier 'words', interval 2 \('b', 1.000 to 2.000 s\): it overlaps interval 1 \('a', 0.000 to 1.010 s\) by 10 ms",
        ),
        ([(0, 2, "a"), (0.5, 1, "b")], r"interval 2 .* overlaps interval 1"),
        (
            [(0, 1, "sil"), (3482.860, 3482.827755, "x")],
            "interval 2 .*it ends before it starts",
        ),  # Montreal #63
        ([(0, 3, ""), (1, 2, "b")], "overlaps interval 1 .'', 0.000 to 3.000 s. by 2e.03 ms"),
    ],
)
def test_beyond_rounding_the_message_names_tier_interval_and_times(tmp_path, entries, told):
    with pytest.raises(DatasetError, match=told):
        read_transcript(tiers(tmp_path / "a", words=entries, notes=[(0, 2, "a"), (0.5, 1, "b")]))


# --- what is said


NOTHING = "sil SP spn <unk> <eps> [noise] {LG} {BR} <p:> # _ </s> !SIL h# (laughs) sentence_start NSN <usb>"
NOTHING = [*NOTHING.split(), "", " ", "(0.5)", "...", "⟨x⟩", "*cough*", "xxx", "[]"]
NOTHING += ["[breath] [noise]", "{ sl }"]
# Marks among phones, words among words.
NOISES = ["silence", "Noise", "laugh", "sil_S", "oov_S", "SPN_S", "LG", "ns", "br", "www", "pau", "cg"]
# Of SAMPA and IPA.
SIGNS = ["@", "{", "}", "?", "3:", "&", "9", "ə", "ʔ", "tʃ", "AH0", "s_B", "a~", "ˈa", "t_h"]
SAID = ["[the] dog", "dog (barks)", "o'clock", "24", "über", "好", "a", "I'm <b>"]


@pytest.mark.parametrize(
    ("kind", "nothing", "something"),
    [("words", NOTHING, [*NOISES, *SAID]), ("phones", [*NOTHING, *NOISES], SIGNS)],
)
def test_marks_and_brackets_say_nothing_and_signs_and_words_something(kind, nothing, something):
    assert [label for label in nothing if not nothing_said(label, kind)] == []
    assert [label for label in something if nothing_said(label, kind)] == []


def phones(*labels):
    return [Interval(float(k), k + 1.0, label) for k, label in enumerate(labels)]


def test_arpabet_in_any_dress_is_39_classes():
    labels, classes = phone_classes([phones("AH0", "DH", "ah_B", "ZH_E", "iy1"), phones("T", "ax")])
    assert labels == [["AH", "DH", "AH", "ZH", "IY"], ["T", ""]]
    assert classes == PHONES


@pytest.mark.parametrize(
    "stories",
    [
        ("ð ə d ɒ ɡ", "s t b"),  # Montreal: the second story alone would pass for ARPAbet
        ("D @ d Q g", "S s t T"),  # WebMAUS: case tells phones apart
        ("zh ong1 g uo2",),
    ],
)
def test_other_sets_of_phones_keep_their_labels(stories):
    stories = [story.split() for story in stories]
    labels, classes = phone_classes([phones(*some) for some in stories])
    assert labels == stories
    assert classes == tuple(sorted({label for some in stories for label in some}))
