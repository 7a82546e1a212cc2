"""Folders of sound with labels as utterances in splits; stories are cut at pauses."""

import numpy as np
import pytest

from brainwavlm.datasets import load_dataset
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.corpora import read_corpus
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.utterances import Utterance, parted, with_drawn_splits
from tests.trees import native_tree, write_sound

SPLITS = ("train", "validation", "test")


@pytest.fixture
def table(tmp_path):
    """A function that writes manifest.csv beside three sounds."""
    for name in "abc":
        write_sound(tmp_path / f"{name}.wav", 1.0)

    def write(text):
        (tmp_path / "manifest.csv").write_text(text)
        return tmp_path

    return write


def test_stories_are_cut_at_pauses_and_every_word_is_in_one_part(tmp_path):
    path = native_tree(tmp_path / "data", seconds=30.0).path
    corpus = read_corpus(path, {"dog": "test"})
    of_dog = [one for one in corpus.utterances if one.source == "dog"]
    assert corpus.kind == "stories"
    assert {one.split for one in of_dog} == {"test"}
    assert {one.split for one in corpus.utterances if one.source == "garden"} == {"validation"}
    assert all(one.end - one.start <= 10.2 for one in of_dog)
    assert len(of_dog) > 1
    # 28 words, at 1 s, 2 s, ... from the onset of the sound.
    starts = [one.start + word.start for one in of_dog for word in one.words]
    assert np.allclose(starts, np.arange(1.0, 29.0))
    assert [phone.text for phone in of_dog[0].phones[:4]] == ["D", "AO", "DH", "AH"]
    assert of_dog[0].text.startswith("dog the dog")
    assert load_dataset(path).stories["dog"].split == "train"


def test_a_story_is_cut_where_the_pause_is_longest():
    words = [Interval(t, t + 0.5, "a") for t in (0, 1, 2, 5, 6, 9, 10)]
    assert [len(part) for part in parted(words, longest=6)] == [3, 4]
    assert [len(part) for part in parted(words, longest=4)] == [3, 2, 2]
    assert [len(part) for part in parted([Interval(t, t + 1, "a") for t in range(8)], longest=4)] == [4, 4]


def test_a_table_names_sounds_with_text_and_any_labels(table):
    corpus = read_corpus(
        table(
            "path,onset,offset,split,speaker,text,mood\n"
            'a.wav,,,train,ann,"Yes, please!",good\na.wav,0.2,0.5,dev,ann,No.,bad\nb.wav,0,1,test,bob,No,\n'
        )
    )
    one, two, three = corpus.utterances
    assert (one.start, one.end, one.split, one.text) == (0.0, None, "train", "yes please")
    assert (two.start, two.end, two.split, two.columns) == (0.2, 0.5, "validation", {"mood": "bad"})
    assert (three.speaker, three.columns) == ("bob", {"mood": ""})
    assert read_corpus(corpus.path / "manifest.csv").utterances == corpus.utterances


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,split\na.wav,train\n", r"columns path, split, none of labels"),
        ("sound,text\na.wav,yes\n", r"columns sound, text, none of path"),
        ("path,text,split\na.wav,yes,trial\n", r"line 2: split 'trial'.*train, validation or test"),
        ("path,text,onset\na.wav,yes,soon\n", r"line 2: onset 'soon'.*numbers of seconds"),
        ("path,text,onset,offset\na.wav,yes,3,2\n", r"line 2: onset '3', offset '2'.*after the onset"),
        ("path,text\nd.wav,yes\n", r"d.wav: no such file"),
        ("path,text\na.wav,yes\n ,no\n", r"line 3: no path"),
        ("path,text,split\na.wav,yes,train\nb.wav,no,\n", r"a split for some sounds, and none for b.wav"),
        ("path,text,split\na.wav,yes,train\nb.wav,no,train\n", r"2 utterances, none of them of the split"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(table, text, message):
    with pytest.raises(DatasetError, match=f"(?s){message}"):
        read_corpus(table(text))


def test_librispeech_has_speakers_and_splits_in_its_names(tmp_path):
    for split in ("train-clean-100", "dev-clean", "test-other"):
        for chapter in ("84-1", "85-2"):
            folder = tmp_path / split / chapter.replace("-", "/")
            lines = [f"{chapter}-{n:04d} HE DIDN'T SAY" for n in range(2)]
            for line in lines:
                write_sound(folder / f"{line.split()[0]}.flac", 0.1)
            (folder / f"{chapter}.trans.txt").write_text("\n".join(lines) + "\n")
    corpus = read_corpus(tmp_path)
    assert corpus.kind == "LibriSpeech"
    assert {(one.split, one.speaker) for one in corpus.utterances} == {
        (s, k) for s in SPLITS for k in ("84", "85")
    }
    assert {one.text for one in corpus.utterances} == {"he didn't say"}
    transcript = tmp_path / "test-other/84/1/84-1.trans.txt"
    text = transcript.read_bytes()
    transcript.write_bytes(text.replace(b"SAY", b"S\xc9E"))
    with pytest.raises(DatasetError, match=r"84-1.trans.txt: not UTF-8"):
        read_corpus(tmp_path)
    transcript.write_bytes(text)
    next(tmp_path.rglob("84-1-0001.flac")).unlink()
    with pytest.raises(DatasetError, match=r"(?s)line 2: .*with no 84-1-0001.flac beside it"):
        read_corpus(tmp_path)


def test_timits_phones_are_folded_to_39_without_silence(tmp_path):
    for number, name in enumerate(("SI1.WAV", "SX2.WAV.wav", "SA1.WAV") * 10):
        folder = tmp_path / ("TEST" if number >= 27 else "TRAIN") / "DR1" / f"FCJF{number // 3}"
        write_sound(folder / name, 1.0)
        stem = folder / name.split(".")[0]
        stem.with_suffix(".PHN").write_text(
            "0 1600 h#\n1600 3200 tcl\n3200 4800 t\n4800 8000 ux\n8000 16000 ix\n"
        )
        stem.with_suffix(".WRD").write_text("3200 8000 two\n8000 16000 a\n")
    corpus = read_corpus(tmp_path)
    one = corpus.utterances[0]
    assert corpus.kind == "TIMIT"
    assert len(corpus.utterances) == 20
    assert one.phones == (Interval(0.2, 0.3, "T"), Interval(0.3, 0.5, "UW"), Interval(0.5, 1.0, "IH"))
    assert (one.text, one.speaker) == ("two a", "FCJF9")
    splits = [one.split for one in corpus.utterances]
    assert [splits.count(split) for split in SPLITS] == [17, 1, 2]  # each tenth to choose the epoch
    (tmp_path / "TRAIN/DR1/FCJF0/SI1.PHN").write_text("0 1600 h#\n3200 1600 t\n")
    with pytest.raises(DatasetError, match=r"(?s)SI1.PHN: line 2: '3200 1600 t'"):
        read_corpus(tmp_path)


@pytest.mark.parametrize(("n_speakers", "apart"), [(10, True), (3, False)])
def test_splits_are_drawn_once_and_by_speaker_where_there_are_enough(tmp_path, n_speakers, apart):
    utterances = [Utterance(tmp_path, str(n), speaker=str(n % n_speakers)) for n in range(60)]
    drawn = with_drawn_splits(utterances)
    assert drawn == with_drawn_splits(utterances)
    speakers = {split: {one.speaker for one in drawn if one.split == split} for split in SPLITS}
    assert (not speakers["train"] & speakers["test"]) == apart
    assert [sum(one.split == split for one in drawn) for split in SPLITS] == [42, 6, 12]
    within = with_drawn_splits(utterances, within_speakers=True)
    assert {one.speaker for one in within if one.split == "test"} == set(map(str, range(n_speakers)))


def test_a_place_without_any_is_told_what_may_be_there(tmp_path):
    for place in ("nowhere", "."):
        with pytest.raises(DatasetError, match=r"(?s)LibriSpeech.*TIMIT.*docs/how-to/speech-tasks.md"):
            read_corpus(tmp_path / place)
