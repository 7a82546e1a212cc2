"""The embedded data set's sound and its labels, as shipped."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
from praatio import textgrid

DEMO = Path(str(files("brainwavlm"))) / "assets" / "demo"
STORIES = sorted(path.stem for path in (DEMO / "stimuli").glob("*.ogg"))
VOWEL = re.compile(r"(AA|AE|AH|AO|AW|AY|EH|ER|EY|IH|IY|OW|OY|UH|UW)[012]")
CONSONANT = re.compile(r"B|CH|DH?|F|G|HH|JH|K|L|M|NG?|P|R|SH?|TH?|V|W|Y|ZH?")


@cache
def sound(story):
    return soundfile.read(DEMO / "stimuli" / f"{story}.ogg", dtype="float32")


@cache
def tiers(story):
    """{tier name: [(start, end, label)]} in the file's order, blanks included."""
    grid = textgrid.openTextgrid(str(DEMO / "stimuli" / f"{story}.TextGrid"), includeEmptyIntervals=True)
    return {
        tier.name: [(entry.start, entry.end, entry.label) for entry in tier.entries] for tier in grid.tiers
    }


def text_words(story):
    text = (DEMO / "texts" / f"{story}.txt").read_text(encoding="utf-8").lower()
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text)


def rms(samples, intervals):
    """Root mean square over all intervals, each shortened by 50 ms on both sides, the accuracy that is promised."""
    parts = [
        samples[round((start + 0.05) * 16_000) : round((end - 0.05) * 16_000)] for start, end in intervals
    ]
    return float(np.sqrt(np.mean(np.concatenate(parts).astype(np.float64) ** 2)))


def test_there_are_enough_stories_of_text_sound_and_labels_and_they_stay_small():
    assert len(STORIES) >= 14
    for folder, ending in (("texts", ".txt"), ("stimuli", ".TextGrid")):
        assert sorted(path.stem for path in (DEMO / folder).glob(f"*{ending}")) == STORIES
    assert sum(soundfile.info(DEMO / "stimuli" / f"{s}.ogg").duration for s in STORIES) >= 22 * 60
    assert sum((DEMO / "stimuli" / f"{s}.ogg").stat().st_size for s in STORIES) < 5_000_000


@pytest.mark.parametrize("story", STORIES)
def test_sound_is_16_khz_mono_at_one_loudness_without_clipping(story):
    samples, rate = sound(story)
    assert (rate, samples.ndim) == (16_000, 1)
    assert np.abs(samples).max() < 0.95
    assert 20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) == pytest.approx(-23, abs=0.5)


@pytest.mark.parametrize("story", STORIES)
def test_tiers_cover_the_sound_without_gaps_with_its_words_and_phones_of_arpabet_that_fill_them(story):
    samples, rate = sound(story)
    found = tiers(story)
    assert list(found) == ["phone", "word"]
    for intervals in found.values():
        assert intervals[0][0] == 0
        assert intervals[-1][1] == pytest.approx(samples.size / rate, abs=1e-3)
        assert [end for _, end, _ in intervals[:-1]] == [start for start, _, _ in intervals[1:]]
        assert all(end > start for start, end, _ in intervals)
    assert [label for _, _, label in found["word"] if label != "sp"] == text_words(story)
    labels = {label for _, _, label in found["phone"]} - {"sp"}
    assert {label for label in labels if not (VOWEL.fullmatch(label) or CONSONANT.fullmatch(label))} == set()
    phone_starts = {start for start, _, _ in found["phone"]}
    assert [word for word in found["word"] if word[0] not in phone_starts] == []
    assert [s for s in found["phone"] if s[2] == "sp"] == [s for s in found["word"] if s[2] == "sp"]


@pytest.mark.parametrize("story", STORIES)
def test_pauses_are_quiet_and_words_are_loud_from_start_to_end(story):
    samples, _ = sound(story)
    words = [interval for interval in tiers(story)["word"] if interval[1] - interval[0] > 0.2]
    third = samples.size / 16_000 / 3
    for part in range(3):
        inside = [w for w in words if part * third <= w[0] and w[1] <= (part + 1) * third]
        pauses = [(start, end) for start, end, label in inside if label == "sp"]
        spoken = [(start, end) for start, end, label in inside if label != "sp"]
        assert rms(samples, pauses) < 0.03 * rms(samples, spoken)  # 30 dB
