"""What check says of transcripts: where their time begins, how they are encoded, which labels count for nothing."""

import pytest

from brainwavlm.datasets import load_dataset
from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.transcripts import said

DOG = "stimuli/dog.TextGrid"  # beside 30 s of sound


def axis(native, xmin, xmax, change=lambda time: time):
    """The transcript of dog on another axis, its times changed."""
    lines = []
    for line in (native / DOG).read_text().splitlines():
        key, equals, value = line.partition(" = ")
        if equals and key.strip() in ("xmin", "xmax"):
            end = {0.0: xmin, 30.0: xmax}.get(float(value), change(float(value)))
            line = f"{key} = {end!r}"
        lines.append(line)
    (native / DOG).write_text("\n".join(lines))


def told(report):
    return [problem for problem in report.problems if problem.path == DOG]


@pytest.mark.parametrize("start", [4.25, -3.0])
def test_times_of_a_longer_recording_are_named_and_stop_what_needs_words(native, checked, start):
    """Praat keeps times when it extracts a part of a TextGrid; the sound of that part begins at 0."""
    axis(native, start, 30.0 + start, lambda time: time + start)
    [warning] = [one for one in told(checked(native)) if "xmin" in one.found]
    assert (
        f"from xmin = {start:g} to xmax = {30 + start:g} s, as long as the sound, which lasts 30.00 s"
        in warning.found
    )
    assert f"Take {start:g} s from all of them" in warning.remedy
    with pytest.raises(DatasetError) as raised:
        said(load_dataset(native).stories["dog"], "words")
    assert raised.value.found == warning.found


@pytest.mark.parametrize(
    ("xmin", "xmax"),
    [(0.05, 30.05), (-1.0, 60.0)],  # as praatIO writes them: ends of the labels
)
def test_an_axis_that_begins_elsewhere_is_told_and_its_times_are_used(native, checked, xmin, xmax):
    axis(native, xmin, xmax)
    [warning] = told(checked(native))
    assert f"from xmin = {xmin:g} to xmax = {xmax:g} s; dog.wav lasts 30.0 s" in warning.found
    assert "used as they are" in warning.remedy
    assert said(load_dataset(native).stories["dog"], "words")[0].start == 1.0


def test_labels_left_out_and_words_that_may_be_none_are_counted(native, checked):
    text = (native / DOG).read_text()
    text = text.replace('text = "dog"', 'text = "sp"', 3).replace('text = "the"', 'text = "nan"', 2)
    (native / DOG).write_text(text.replace('text = "D"', 'text = "LG"', 1).replace('"the"', '"LG"', 1))
    facts = checked(native).facts
    assert "Left out of the words as silence or noise: 'sp' 3 times." in facts
    assert "Left out of the phones as silence or noise: 'LG' 1 times." in facts
    assert "Taken for words: 'nan' 2 times. If nothing is said there, write empty labels." in facts
    words = [word.text for word in said(load_dataset(native).stories["dog"], "words")]
    assert (words.count("nan"), words.count("LG"), words.count("sp")) == (2, 1, 0)
