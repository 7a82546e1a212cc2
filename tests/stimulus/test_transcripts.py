import pytest

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.transcripts import Interval, Transcript, read_transcript, write_transcript

TRANSCRIPT = Transcript(
    phones=[Interval(0.1, 0.25, "HH"), Interval(0.25, 0.4, "AY1"), Interval(0.7, 1.0, "OW0")],
    words=[Interval(0.1, 0.4, "hi"), Interval(0.7, 1.0, 'say "o"')],
)

SHORT = """File type = "ooTextFile short"
"TextGrid"

0
1.2
<exists>
2
"IntervalTier"
"phone"
0
1.2
3
0
0.1
"{LS}"
0.1
0.4
"AY1"
0.4
1.2
"sp"
"IntervalTier"
"word"
0
1.2
3
0
0.1
"{BR}"
0.1
0.4
"I"
0.4
1.2
""
"""

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "phone"
        xmin = 0
        xmax = 1.2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = "SP"
        intervals [2]:
            xmin = 0.1
            xmax = 0.4
            text = "AY1"
        intervals [3]:
            xmin = 0.4
            xmax = 1.2
            text = "{NS}"
    item [2]:
        class = "IntervalTier"
        name = "word"
        xmin = 0
        xmax = 1.2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = "{SENTENCE_START}"
        intervals [2]:
            xmin = 0.1
            xmax = 0.4
            text = "I"
        intervals [3]:
            xmin = 0.4
            xmax = 1.2
            text = " "
"""

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
    assert read_transcript(tmp_path / "a.TextGrid") == TRANSCRIPT


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


def test_accents_survive(tmp_path):
    write_transcript(tmp_path / "a.TextGrid", Transcript([], [Interval(0.0, 1.0, "café")]), seconds=1.0)
    assert read_transcript(tmp_path / "a.TextGrid").words[0].text == "café"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"  \n", "empty file"),
        (LONG.replace('"I"', '"caf\xe9"').encode("latin-1"), "bytes that are not UTF-8"),
        (b"File type = nothing of the kind\n", "no readable TextGrid"),
        (LONG[:300].encode(), "no readable TextGrid|tiers"),
        (CHRONOLOGICAL[:200].encode(), "no readable TextGrid|no words"),
        (CHRONOLOGICAL.replace("0.1 0.4", "0.1 x").encode(), "no readable TextGrid"),
        (LONG.replace('"I"', '"{BR}"').encode(), "no words"),
        (b"/annex/objects/MD5E-s1--2.TextGrid\n", "git-annex pointer"),
    ],
    ids=[
        "empty",
        "blank",
        "latin-1",
        "text",
        "cut",
        "cut-chronological",
        "bad-number",
        "no-words",
        "pointer",
    ],
)
def test_what_is_no_transcript_is_named(tmp_path, content, said):
    path = tmp_path / "story.TextGrid"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said) as caught:
        read_transcript(path)
    assert caught.value.path == str(path)
