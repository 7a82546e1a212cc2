"""Features of the stimulus: acoustic, of phones and words, and of the user's tables."""

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.features import acoustic, labels
from brainwavlm.stimulus.features.files import read_table
from brainwavlm.stimulus.features.stimuli import Stimuli
from brainwavlm.stimulus.features.table import FEATURES, features_named
from brainwavlm.stimulus.features.units import Units, frame_means, occupancy, rate
from brainwavlm.stimulus.intervals import PHONES, phone_classes
from brainwavlm.stimulus.textgrid import Interval

ENDS = np.arange(0.5, 60.5, 0.5)
STRETCHES = Units.stretches(ENDS, 0.5)
TIME = np.arange(60 * 16000) / 16000


@pytest.fixture(scope="module")
def stimuli(tree):
    """Four stories of 30 s: `dog` and `the` in turn, half a second from each whole one on."""
    stories = {name: one.story for name, one in load_dataset(tree).subject("anna").recordings.items()}
    return Stimuli(stories, dict.fromkeys(stories, ENDS[:60]), 0.5)


def test_a_stretch_counts_the_share_in_which_a_thing_is_said():
    said = Units(np.array([0.25, 1.0, 1.6]), np.array([0.75, 1.5, 1.7]))
    values = np.array([[1.0, 0.0], [0.0, 4.0], [np.nan, np.nan]])
    expected = [[0.5, 0], [0.5, 0], [0, 4], [0, 0], [0, 0]]
    assert_allclose(occupancy(said, values, Units.stretches(ENDS[:5], 0.5)), expected, atol=1e-6)


def test_all_that_is_said_within_the_sound_is_counted_once():
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 59, 200))
    said = Units(starts, starts + rng.uniform(0.01, 2.0, 200).clip(max=60 - starts))
    share = occupancy(said, np.eye(3)[np.arange(200) % 3], STRETCHES)
    assert_allclose(0.5 * share.sum(0), [(said.ends - starts)[k::3].sum() for k in range(3)], rtol=1e-5)
    assert_allclose(0.5 * rate(said, STRETCHES).sum(), 200, rtol=1e-5)


def test_words_of_two_speakers_at_once_take_what_is_said_in_each():
    """The longer word begins first and ends last: ends of units do not increase."""
    words = Units(np.array([0.0, 1.0, 3.0]), np.array([2.5, 2.0, 4.0]))
    phones = Units(np.array([0.0, 2.0]), np.array([1.0, 2.5]))
    share = occupancy(phones, np.eye(2), words)
    assert_allclose(share, [[0.4, 0.2], [0, 0], [0, 0]], atol=1e-6)


def test_the_energy_of_a_stretch_is_that_of_its_own_sound():
    sound = torch.from_numpy(0.1 * np.sin(2 * np.pi * 440 * TIME) * ((TIME > 20) & (TIME <= 30))).float()
    energy = frame_means(acoustic.mel(sound), STRETCHES)
    loud = energy.max(1) > energy.max(1).mean()
    assert energy.shape == (120, 80)
    assert_allclose(ENDS[loud], np.arange(20.5, 30.5, 0.5), atol=0.5)
    short = frame_means(acoustic.mel(sound), Units.stretches(np.array([20.001, 25.0]), 0.001))
    assert short[1].max() == pytest.approx(energy[50].max(), abs=0.05)


def test_loudness_its_rises_and_cepstra_follow_the_sound():
    sound = torch.from_numpy(np.sin(2 * np.pi * 440 * TIME) * np.where(TIME < 30, 0.1, 0.2)).float()
    loudness = acoustic.envelope(sound)[:, 0]
    assert_allclose(loudness[[100, 4000]], [0.1 / 2**0.5, 0.2 / 2**0.5], rtol=0.05)
    rises = acoustic.flux(sound)[:, 0]
    assert 2995 <= rises[10:-10].argmax() + 10 <= 3005
    mean = acoustic.mfcc(sound)[:, 0]
    assert_allclose(mean, acoustic.mel(sound).sum(1) / 80**0.5, rtol=1e-6)


def test_praat_measures_pitch_and_intensity():
    pytest.importorskip("parselmouth")
    voiced = TIME < 30
    sound = torch.from_numpy(0.1 * np.sign(np.sin(2 * np.pi * 150 * TIME)) * voiced).float()
    octaves = frame_means(acoustic.pitch(sound), STRETCHES)[:, 0]
    assert_allclose(octaves[2:58], np.log2(150), atol=0.01)
    assert np.isnan(octaves[62:]).all()
    loudness = frame_means(acoustic.intensity(sound), STRETCHES)[:, 0]
    assert_allclose(loudness[2:58], 20 * np.log10(0.1 / 2e-5), atol=0.1)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("pitch", "parselmouth", "praat"), ("frequency", "wordfreq", "wordfreq")],
)
def test_a_feature_whose_package_is_missing_names_it(stimuli, monkeypatch, name, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{name}, without the package.*{package}") as caught:
        FEATURES[name].values(stimuli)
    assert f"pip install 'brainwavlm[{extra}]'" in caught.value.remedy


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_has_a_value_of_each_column_for_each_unit(stimuli, name):
    try:
        feature = FEATURES[name].values(stimuli)
    except ConfigError as error:
        pytest.skip(str(error))  # without an extra package
    assert feature.units.keys() == feature.values.keys() == stimuli.stories.keys()
    for story, values in feature.values.items():
        assert values.shape == (len(feature.units[story]), len(feature.columns))
        assert not np.isinf(values).any()  # NaN: a unit without a value


def test_phones_lose_their_stress_and_unknown_ones_have_no_value():
    intervals = [Interval(k, k + 1.0, text) for k, text in enumerate(("AH0", "dh", "XX", "ZH", "T"))]
    names = phone_classes([intervals])[0][0]
    vectors = labels.phones(Counter(names))
    assert vectors.columns == PHONES
    of_rows = [None if np.isnan(row).any() else PHONES[row.argmax()] for row in vectors.values(names)]
    assert of_rows == ["AH", "DH", None, "ZH", "T"]
    assert labels.phones(Counter(["ɑ", "b"])).columns == ("b", "ɑ")


def test_every_phone_has_an_articulation_of_its_own_and_affricates_are_affricates():
    vectors = labels.articulation(Counter(PHONES))
    table = {phone: set(np.array(vectors.columns)[row > 0]) for phone, row in vectors.of_label.items()}
    assert set(table) == set(PHONES)
    assert len(vectors.columns) == 22
    assert table["CH"] == {"postalveolar", "affricate", "unvoiced"}
    assert table["JH"] == {"postalveolar", "affricate", "voiced"}
    consonants = [frozenset(table[phone]) for phone in PHONES if not table[phone] & {"high", "mid", "low"}]
    assert len(set(consonants)) == len(consonants) == 24
    assert all(sum(name in features for features in table.values()) for name in vectors.columns)
    with pytest.raises(ConfigError, match="articulation, with phones such as b, ɑ"):
        labels.articulation(Counter(["ɑ", "b"]))


def test_words_are_the_most_frequent_and_have_a_length_and_a_frequency():
    said = Counter({f"w{k:02}": 100 - k for k in range(60)} | {"": 500})
    columns = labels.words(said).columns
    assert columns == tuple(f"w{k:02}" for k in range(50))
    assert labels.word_length(Counter(["isn't"])).of_label["isn't"] == 4
    pytest.importorskip("wordfreq")
    values = labels.frequency(Counter(["the", "dog", "xqzzvk"])).values(["the", "dog", "xqzzvk"])[:, 0]
    assert values[0] > 7 > values[1] > 4
    assert np.isnan(values[2])


def test_what_is_said_before_or_after_the_sound_is_no_unit():
    units = Units(np.array([-3.0, -0.1, 9.5, 9.9]), np.array([-2.0, 0.3, 9.8, 11.0]), ("a", "b", "c", "d"))
    assert units.within(10.0).labels == ("b", "c")


def test_rates_and_vectors_are_those_of_the_transcript(stimuli, tmp_path):
    per_second = FEATURES["word-rate"].values(stimuli).values["dog"][:, 0]
    assert_allclose(per_second[2:58:2], 2, rtol=1e-5)
    assert_allclose(per_second[3:58:2], 0, atol=1e-5)
    assert_allclose(FEATURES["phone-rate"].values(stimuli).values["dog"][2:58:2, 0], 4, rtol=1e-5)
    path = tmp_path / "v.txt"
    path.write_text("dog 1 2\n")
    (vectors,) = features_named([f"glove={path}"])
    assert (vectors.kind, vectors.needs, vectors.unit) == ("semantic", "file", "words")
    values = vectors.values(stimuli)
    assert_array_equal(values.values["dog"][0], [1, 2])
    assert np.isnan(values.values["dog"][1]).all()
    assert values.units["dog"].labels[:2] == ("dog", "the")


def table(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return features_named([f"mine={path}"])[0]


def test_a_table_over_time_is_averaged_within_stretches(stimuli, tmp_path):
    rows = [
        f"{story},{0.1 * k:.1f},{k},{-k if k % 2 else ''}" for story in ("dog", "ferry") for k in range(1, 21)
    ]
    feature = table(tmp_path / "t.csv", ["story,time,up,down", *rows])
    values = feature.values(stimuli)
    assert values.columns == ("up", "down")
    assert_allclose(values.values["dog"][:4, 0], [3, 8, 13, 18])
    assert_allclose(values.values["ferry"][:2, 1], [-3, -8])
    assert np.isnan(values.values["dog"][4:]).all()
    assert np.isnan(values.values["market"]).all()


def test_a_table_of_spans_gives_labels_or_values(stimuli, tmp_path):
    rows = ["dog\t0\t1\tann", "dog\t1\t2.5\tben", "ferry\t0\t3\tann", "dog\t29\t30.9\tann"]
    feature = table(tmp_path / "t.tsv", ["story\tonset\toffset\tlabel", *rows])
    values = feature.values(stimuli)
    assert (feature.scale, values.columns) == ("classes", ("ann", "ben"))
    assert_array_equal(values.values["dog"], [[1, 0], [0, 1], [1, 0]])
    assert values.units["dog"].labels == ("ann", "ben", "ann")
    feature = table(tmp_path / "t.csv", ["story,onset,offset,surprise", "dog,0,1,2.5", "dog,1,2,nan"])
    assert feature.scale == "numbers"
    assert_array_equal(feature.values(stimuli).values["dog"], [[2.5], [np.nan]])


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["story,time,x", "dog,1,2", "dog,0.5,3"], "line 3: time is before that of the line above"),
        (["story,onset,offset,label", "dog,1,2,a", "ferry,0,1,b", "dog,0,1,a"], "line 4: onset is before"),
        (["story,onset,offset,label", "dog,1,1,a"], "line 2: offset is not after onset"),
        (["story,time,x", "dog,1,many"], "line 2: x is 'many'"),
        (["story,time,x", "dog,inf,1"], "line 2: time is 'inf'"),
        (["time,x", "1,2"], "columns time, x"),
        (["story,onset,offset,label", "dog,1,2,", "dog,2,3, "], "no label in any row"),
        (["story,time,x,", "dog,1,2,3"], "columns story, time, x, : one has no name"),
        (["story,time,x", "dog,1,1e39"], "line 2: x is '1e39'"),
        (["story,time,onset,offset", "dog,1,1,2"], "columns story, time, onset, offset"),
        (
            ["story,onset,offset,label", "dog,1,9,a", "dog,2,3,b", "dog,4,10,a"],
            "line 3: it begins at 2 s, before",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_its_line(tmp_path, lines, problem):
    with pytest.raises(DatasetError, match=problem) as caught:
        table(tmp_path / "t.csv", lines)
    assert "story,onset,offset" in caught.value.expected


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ["story,time,x", "ferry,1,2", "dog,1,2", "dog,1500,2", "dog,2000,2"],
            "line 4: 1500 s, where the sound of dog",
        ),
        (["story,time,x", "dog,-1,2"], "line 2: -1 s"),
        (["story,onset,offset,label", "dog,1,1.5,a", "dog,29,31.5,a"], "line 3: 29 to 31.5 s.* lasts 30.0 s"),
    ],
)
def test_times_outside_a_sound_are_told(stimuli, tmp_path, lines, problem):
    feature = table(tmp_path / "t.csv", lines)
    with pytest.raises(DatasetError, match=problem) as caught:
        feature.values(stimuli)
    assert "are they seconds" in caught.value.remedy


def test_a_story_is_the_same_however_its_accents_were_typed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("story,time,x\nbe\u0301b\u00e9,1,2\n bébé ,2,3\n", encoding="utf-8")
    assert set(read_table(path)["story"]) == {"bébé"}


@pytest.mark.parametrize(
    ("names", "problem", "remedy"),
    [
        (["mell"], "'mell'", "Did you mean mel?"),
        (["mel", "mel"], "mel, mel", "For instance: mel,"),
        ([], "none", "For instance: mel,"),
        (["=v.txt"], "=v.txt", "glove=v.txt"),
        (["Mel="], "Mel=", "Did you mean mel?"),
    ],
)
def test_features_that_there_are_not_are_an_error(names, problem, remedy):
    with pytest.raises(ConfigError, match=problem) as caught:
        features_named(names)
    assert remedy in caught.value.remedy
    assert caught.value.key == "features"


def test_a_story_without_transcript_is_named(stimuli):
    without = {**stimuli.stories, "ferry": replace(stimuli.stories["ferry"], transcript=None)}
    with pytest.raises(ConfigError, match="word-rate, but ferry has no transcript"):
        FEATURES["word-rate"].values(Stimuli(without, stimuli.ends, 0.5))
