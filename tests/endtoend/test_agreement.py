"""Whatever check calls usable goes through ridge, tune and evaluate, and whatever it refuses fails there: no traceback."""

import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from brainwavlm.checks import check_dataset
from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import BrainwavlmError
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from tests.trees import N_VOXELS, native_tree, responses, write_sound

STORIES = ("dog", "ferry", "garden", "market")


def sound(story, change):
    def apply(folder):
        path = folder / f"stimuli/{story}.wav"
        if path.exists():  # another mutation may have removed it
            change(path)

    return apply


def _resampled(seconds, rate, channels=1):
    # Another sound in each story: one recording in two splits is refused by check, and named by what runs on it.
    return lambda path: write_sound(path, seconds, rate, channels, seed=50 + STORIES.index(path.stem))


def _silent(path):
    soundfile.write(path, np.zeros(30 * 16000), 16000)


def _not_finite(path):
    samples = responses(30 * 16000, 1, len(path.stem) + ord(path.stem[0])) * 0.05
    samples[100] = np.nan
    soundfile.write(path, samples, 16000, subtype="FLOAT")


SOUNDS = [
    *(
        _resampled(s, r)
        for s, r in ((5, 16000), (20, 16000), (29, 22050), (60, 16000), (300, 8000), (30, 4000))
    ),
    _resampled(30, 44100, 2),
    _resampled(0.01, 16000),
    _silent,
    _not_finite,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-20000]),
    lambda path: path.write_text("/annex/objects/MD5E-s53000000--0123456789abcdef0123456789abcdef.wav\n"),
    lambda path: path.unlink(),
]


def hdf5(story, change):
    def apply(folder):
        path = folder / f"responses/anna/{story}.h5"
        if path.exists():
            with h5py.File(path, "a") as file:
                change(file)

    return apply


def clock(times):
    def change(file):
        old = file["tr_times"][...] if "tr_times" in file else np.arange(12) * 2.0
        file.pop("tr_times", None)
        new = times(old)
        if new is not None:
            file["tr_times"] = new

    return change


def _start(value, holder="/", alone=True):
    def change(file):
        if alone:
            file.pop("tr_times", None)
        if holder in file:
            file[holder].attrs["start"] = value

    return change


CLOCKS = [
    *(clock(lambda t, s=s: t + s) for s in (-1000, -33.5, -15, -8, -3, 2, 10, 20, 30, 1e6)),
    *(clock(lambda t, s=s: t * s) for s in (0.001, 0.3, 0.5, 0.99, 1.02, 1.5, 3, 1000)),
    clock(lambda t: None),
    clock(lambda t: t[::-1]),
    clock(lambda t: t[:-1]),
    clock(lambda t: np.arange(float(len(t)))),
    clock(lambda t: np.where(np.arange(len(t)) == 4, np.nan, t)),
    clock(lambda t: np.r_[t[:5], t[5:] + 7.3]),
    clock(lambda t: t + 0.4 * (np.arange(len(t)) % 2)),
    clock(lambda t: np.sort(responses(len(t), 1, 3)[:, 0] * 20)),
    clock(lambda t: np.array([b"x"] * len(t))),
    *(_start(value) for value in (0.0, -10.0, 25.0, np.inf, "two", [1.0, 2.0])),
    *(_start(value, "data") for value in (0.0, -10.0, 25.0, "two")),
    *(_start(value, "/", alone=False) for value in (4.0, 4.01, -10.0)),
    *(_start(value, "data", alone=False) for value in (4.0, 7.0)),
    clock(lambda t: np.round(t, 0)),
    clock(lambda t: np.round(4 + np.arange(len(t)) * 1.99, 1)),
]


def data(function):
    def change(file):
        if "data" not in file:
            return
        old = file["data"][...]
        del file["data"]
        new = function(old)
        if new is not None:
            file["data"] = new

    return change


def _set(rows, columns, value):
    def change(old):
        new = old.astype(float)
        new[rows, columns] = value
        return new

    return change


EVERY = slice(None)
RESPONSES = [
    *(data(_set(EVERY, 3, value)) for value in (np.nan, np.inf, 0.0, 5.0)),
    *(data(_set(EVERY, EVERY, value)) for value in (np.nan, np.inf, 0.0, 5.0)),
    *(
        data(_set(rows, EVERY, np.nan))
        for rows in (4, slice(2, 6), slice(1, None), slice(2, None), slice(8, None))
    ),
    *(data(_set(slice(3, 5), EVERY, value)) for value in (0.0, -9999.0, 1e20, 1e39)),
    *(data(_set(slice(3, 5), slice(0, 20), value)) for value in (-9999.0, 1e20, 1e39)),
    data(_set(slice(1, None), EVERY, -9999.0)),
    data(_set(slice(1, None), slice(0, 29), 7.0)),
    data(_set(5, 3, 1e6)),
    data(_set(2, slice(0, 20), np.nan)),
    data(lambda old: None),
    data(lambda old: old.T),
    data(lambda old: old[:1]),
    data(lambda old: old[:2]),
    data(lambda old: old[:9]),
    data(lambda old: np.tile(old, (4, 1))),
    data(lambda old: old[:, :7]),
    data(lambda old: old[:0]),
    data(lambda old: old[0]),
    data(lambda old: (100 * old).astype(np.int16)),
    data(lambda old: old.astype(np.complex64)),
    data(lambda old: old.astype(np.float16)),
    data(lambda old: 1e300 * old.astype(float)),
]


def repeats(function):
    def change(file):
        file.pop("individual_repeats", None)
        new = function(responses(3 * 12, N_VOXELS, 7).reshape(3, 12, N_VOXELS))
        if new is not None:
            file["individual_repeats"] = new

    return change


REPEATS = [
    repeats(lambda r: r),
    repeats(lambda r: None),
    repeats(lambda r: r[:1]),
    repeats(lambda r: r[:0]),
    repeats(lambda r: np.concatenate([r, r[:1]])),
    repeats(lambda r: r * np.array([0, 1, 1])[:, None, None]),
    repeats(lambda r: r[:, :5]),
    repeats(lambda r: r * np.nan),
    repeats(lambda r: r[0]),
]


def yaml(old, new):
    def apply(folder):
        path = folder / "dataset.yaml"
        path.write_text(path.read_text().replace(old, new, 1))

    return apply


def transcript(story, change):
    def apply(folder):
        path = folder / f"stimuli/{story}.TextGrid"
        path.write_bytes(change(path.read_bytes()))

    return apply


TRANSCRIPTS = [
    lambda text: text.replace(b"xmin = 0\nxmax = 30.0", b"xmin = 4\nxmax = 34.0", 1),
    lambda text: text.replace(b'"the"', b'"th\xe9"'),
    lambda text: b"",
]


def copied(story, other):
    def apply(folder):
        content = (folder / f"responses/anna/{story}.h5").read_bytes()
        (folder / f"responses/anna/{other}.h5").write_bytes(content)

    return apply


YAML = [
    *(
        yaml("tr: 2.0", f"tr: {tr}")
        for tr in ("1.0", "2.01", "4.0", "0.5", "2000", "0", "two", ".nan", "true", "1_0", "010", "0:02")
    ),
    *(yaml("split: train", f"split: {split}") for split in ("validation", "test", "training")),
    yaml("split: validation", "split: train"),
    yaml("split: test", "split: train"),
    yaml("format: 1", "format: 2"),
    yaml("audio: stimuli/dog.wav", "audio: ../dog.wav"),
    yaml("audio: stimuli/dog.wav", "audio: stimuli/cat.wav"),
    yaml("  dog:", "  3:"),
    yaml("  dog:", "  ferry:"),
    yaml("licence: CC0", "license: CC0"),
    yaml("anatomy: subjects/anna.h5", "anatomy: subjects/ben.h5"),
    yaml("tr: 2.0", "tr: [2.0"),
]

story = st.sampled_from(STORIES)
MUTATIONS = st.one_of(
    st.builds(sound, story, st.sampled_from(SOUNDS)),
    st.builds(hdf5, story, st.sampled_from(CLOCKS)),
    st.builds(hdf5, story, st.sampled_from(RESPONSES)),
    st.builds(hdf5, st.just("market"), st.sampled_from(REPEATS)),
    st.builds(transcript, story, st.sampled_from(TRANSCRIPTS)),
    st.builds(copied, story, story),
    st.sampled_from(YAML),
)


@pytest.fixture(scope="module", params=[True, False], ids=["own ceiling", "ceiling of repeats"])
def whole(request, tmp_path_factory):
    """One subject, who has a ceiling or not."""
    folder = native_tree(tmp_path_factory.mktemp("whole"), ("anna",)).path
    if not request.param:
        yaml("    anatomy: subjects/anna.h5\n", "")(folder)
    return folder


def refusal(folder, configured):
    """What ridge, tune or evaluate says when it fails; None where all three are done."""
    config = configured(dataset=str(folder), training__epochs=1, training__block_rows=4)
    try:
        score_backbone(config)
        evaluate(tune(config, folder / "run"))
    except BrainwavlmError as error:
        return str(error)
    return None


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(mutations=st.lists(MUTATIONS, min_size=1, max_size=2))
@pytest.mark.filterwarnings("ignore")
def test_check_and_the_run_agree(whole, settings, mutations):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(whole, Path(place) / "data"))
        for mutate in mutations:
            mutate(folder)
        report, said = check_dataset(folder, None), None
        said = refusal(folder, settings)
    # A transcript or a sound of nobody stops what reads it, not these commands.
    told = [str(problem) for problem in report.errors]
    assert bool(told) == (said is not None), (told, said)
