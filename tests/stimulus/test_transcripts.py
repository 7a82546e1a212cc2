import json
from pathlib import Path

import pytest

from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.spoken_labels import PHONES, nothing_said, phone_classes
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import Transcript, read_transcript, said
from tests.trees import long_form, write_transcript

TRANSCRIPT = Transcript(
    phones=[Interval(0.1, 0.25, "HH"), Interval(0.25, 0.4, "AY1"), Interval(0.7, 1.0, "OW0")],
    words=[Interval(0.1, 0.4, "hi"), Interval(0.7, 1.0, 'say "o"')],
)

SHORT = (
    'File type = "ooTextFile short"|"TextGrid"||0|1.2|<exists>|2'
    '|"IntervalTier"|"phone"|0|1.2|3|0|0.1|"{LS}"|0.1|0.4|"AY1"|0.4|1.2|"sp"'
    '|"IntervalTier"|"word"|0|1.2|3|0|0.1|"{BR}"|0.1|0.4|"I"|0.4|1.2|""|'
).replace("|", "\n")


LONG = long_form(
    1.2,
    phone=[(0, 0.1, "SP"), (0.1, 0.4, "AY1"), (0.4, 1.2, "{NS}")],
    word=[(0, 0.1, "{SENTENCE_START}"), (0.1, 0.4, "I"), (0.4, 1.2, " ")],
)

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

FORMS = {"short": SHORT, "long": LONG, "chronological": CHRONOLOGICAL}


def test_what_is_written_is_read_again(tmp_path):
    write_transcript(tmp_path / "a.TextGrid", TRANSCRIPT, seconds=1.5)
    again = read_transcript(tmp_path / "a.TextGrid")
    assert (again.phones, again.words) == (TRANSCRIPT.phones, TRANSCRIPT.words)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_form_of_praat_gives_the_same_without_silences_and_noises(tmp_path, form, encoding):
    path = tmp_path / "a.TextGrid"
    path.write_text(FORMS[form], encoding=encoding)
    transcript = read_transcript(path)
    assert transcript.phones == [Interval(0.1, 0.4, "AY1")]
    assert transcript.words == [Interval(0.1, 0.4, "I")]


def test_tiers_are_found_by_name_before_place(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(LONG.replace('"phone"', '"words "').replace('"word"', '"phones"'))
    assert read_transcript(path).words == [Interval(0.1, 0.4, "AY1")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"  \n", "empty file"),
        (b"File type = nothing of the kind\n", "no TextGrid: it begins with .File type = nothing"),
        (LONG[:300].encode(), "no readable TextGrid: .*line|breaks off"),
        (CHRONOLOGICAL[:200].encode(), "breaks off"),
        (CHRONOLOGICAL.replace("0.1 0.4", "0.1 x").encode(), "no readable TextGrid"),
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
        ("phone", "word"),  # ds003020, Penn: phones first
        ("Phone", " WORD "),
        ("KAN-MAU", "ORT-MAU", "MAU"),  # WebMAUS
        ("MAU", "KAN", "ORT", "TRN"),
        ("utterances", "words", "phones"),
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
        (("tier 1", "tier 2"), "tiers: 'tier 1', 'tier 2'"),
        (("Wörter", "Laute"), "tiers: 'Wörter', 'Laute'"),
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
        ([(0, 1.001, "a"), (1.0, 2, "b")], [(0, 1.0), (1.0, 2)], {"joined": 1}),
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


def test_a_tier_that_copies_another_is_read_once(tmp_path):
    path = tiers(tmp_path / "a", **{"anna - words": WORD, "words": WORD, "ben - words": [(5.0, 6.0, "yes")]})
    transcript = read_transcript(path)
    assert [word.text for word in transcript.words] == ["ice", "cream", "yes"]
    assert transcript.mended == {"copies": 1}


@pytest.mark.parametrize("time", ["NaN", "Infinity"])
def test_times_that_are_no_numbers_are_refused(tmp_path, time):
    (tmp_path / "a").write_text(f'{{"tiers": {{"words": {{"entries": [[1, {time}, "a"], [2, 3, "b"]]}}}}}}')
    with pytest.raises(DatasetError, match="its times are no numbers"):
        read_transcript(tmp_path / "a")


def test_a_label_of_nothing_in_json_is_no_word(tmp_path):
    entries = '[[0, 1, null], [1, 2, "b"], [2, 3, NaN]]'
    (tmp_path / "a").write_text(f'{{"tiers": {{"words": {{"entries": {entries}}}}}}}')
    assert [word.text for word in read_transcript(tmp_path / "a").words] == ["b"]


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            [(0, 1.01, "a"), (1.0, 2, "b")],
            r"tier 'words', interval 2 \('b', 1.000 to 2.000 s\): it overlaps interval 1 \('a', 0.000 to 1.010 s\) by 10 ms",
        ),
        ([(0, 2, "a"), (0.5, 1, "b")], r"interval 2 .* overlaps interval 1"),
        (
            [(5.26, 2.611995, "tushadi")],
            r"interval 1 \('tushadi', 5.260 to 2.612 s\): it ends before it starts",
        ),  # 851
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


def test_other_tiers_may_overlap_as_they_like(tmp_path):  # Montreal #953: a tier of silences
    read_transcript(tiers(tmp_path / "a", words=WORD, silences=[(0, 2, "a"), (0.5, 1, "b")]))


# --- what is said


SILENT = (
    "sil SIL sp SP spn <unk> <eps> [noise] {LG} {BR} <p:> # _ <s> </s> !SIL h# (laughs) sentence_start NSN"
)
SILENT = [
    *SILENT.split(),
    *["<usb>", "<nib>", "(0.5)", "...", "-", "⟨x⟩", "*cough*", "xxx", "[]", "[bracketed]"],
]


@pytest.mark.parametrize("kind", ["words", "phones"])
@pytest.mark.parametrize("label", [*("", " ", "((inaudible))", "[breath] [noise]", "{ sl }"), *SILENT])
def test_nothing_is_said_in_brackets_and_marks(label, kind):
    assert nothing_said(label, kind)


@pytest.mark.parametrize(
    "label", ["silence", "Noise", "laugh", "sil_S", "oov_S", "SPN_S", "LG", "ns", "br", "www", "pau", "cg"]
)
def test_a_noise_is_a_mark_among_phones_but_a_word_among_words(label):
    assert nothing_said(label, "phones")
    assert not nothing_said(label, "words")


@pytest.mark.parametrize(
    "label", ["@", "{", "}", "?", "3:", "&", "9", "ə", "ʔ", "tʃ", "AH0", "s_B", "a~", "ˈa", "t_h"]
)
def test_signs_are_phones_of_sampa_and_ipa(label):
    assert not nothing_said(label, "phones")


@pytest.mark.parametrize("label", ["[the] dog", "dog (barks)", "o'clock", "24", "über", "好", "a", "I'm <b>"])
def test_words_are_said(label):
    assert not nothing_said(label, "words")


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
