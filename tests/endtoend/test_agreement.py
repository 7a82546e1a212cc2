"""Whatever check calls usable goes through ridge, tune and evaluate, and whatever it refuses fails there: no traceback."""

import shutil
import tempfile
from functools import partial
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


def at(pattern, story, change):
    """A change of a file of that story."""

    def apply(folder):
        path = folder / pattern.format(story)
        if path.exists():  # another mutation may have removed it
            change(path)

    return apply


def replaced(old, new):
    old, new = old.encode("latin-1"), new.encode("latin-1")
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new, 1))


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

MADE = {
    "data": responses(12, N_VOXELS, 3),
    "tr_times": 2.0 * np.arange(12),
    "individual_repeats": responses(3 * 12, N_VOXELS, 7).reshape(3, 12, N_VOXELS),
}


def array(name, function, path):
    """Change an array of a file, one that is made up where there is none; it goes where the function gives None."""
    with h5py.File(path, "a") as file:
        new = function(file[name][...] if name in file else MADE[name])
        file.pop(name, None)
        if new is not None:
            file[name] = new


def _start(value, holder="/", alone=True):
    def change(path):
        with h5py.File(path, "a") as file:
            if alone:
                file.pop("tr_times", None)
            if holder in file:
                file[holder].attrs["start"] = value

    return change


TIMES = [
    *(lambda t, s=s: t + s for s in (-1000, -33.5, -15, -8, -3, 2, 10, 20, 30, 1e6)),
    *(lambda t, s=s: t * s for s in (0.001, 0.3, 0.5, 0.99, 1.02, 1.5, 3, 1000)),
    lambda t: None,
    lambda t: t[::-1],
    lambda t: t[:-1],
    lambda t: np.arange(float(len(t))),
    lambda t: np.where(np.arange(len(t)) == 4, np.nan, t),
    lambda t: np.r_[t[:5], t[5:] + 7.3],
    lambda t: t + 0.4 * (np.arange(len(t)) % 2),
    lambda t: np.sort(responses(len(t), 1, 3)[:, 0] * 20),
    lambda t: np.array([b"x"] * len(t)),
    lambda t: np.round(t, 0),
    lambda t: np.round(4 + np.arange(len(t)) * 1.99, 1),
]
STARTS = [
    *(_start(value) for value in (0.0, -10.0, 25.0, np.inf, "two", [1.0, 2.0])),
    *(_start(value, "data") for value in (0.0, -10.0, 25.0, "two")),
    *(_start(value, "/", alone=False) for value in (4.0, 4.01, -10.0)),
    *(_start(value, "data", alone=False) for value in (4.0, 7.0)),
]


def _set(rows, columns, value):
    def change(old):
        new = old.astype(float)
        new[rows, columns] = value
        return new

    return change


EVERY = slice(None)
RESPONSES = [
    *(_set(EVERY, columns, value) for columns in (3, EVERY) for value in (np.nan, np.inf, 0.0, 5.0)),
    *(_set(rows, EVERY, np.nan) for rows in (4, slice(2, 6), slice(1, None), slice(2, None), slice(8, None))),
    *(_set(slice(3, 5), EVERY, value) for value in (0.0, -9999.0, 1e20, 1e39)),
    *(_set(slice(3, 5), slice(0, 20), value) for value in (-9999.0, 1e20, 1e39)),
    _set(slice(1, None), EVERY, -9999.0),
    _set(slice(1, None), slice(0, 29), 7.0),
    _set(5, 3, 1e6),
    _set(2, slice(0, 20), np.nan),
    *(lambda old, n=n: old[:n] for n in (0, 1, 2, 9)),
    lambda old: None,
    lambda old: old.T,
    lambda old: old[0],
    lambda old: np.tile(old, (4, 1)),
    lambda old: old[:, :7],
    lambda old: (100 * old).astype(np.int16),
    lambda old: old.astype(np.complex64),
    lambda old: old.astype(np.float16),
    lambda old: 1e300 * old.astype(float),
]
REPEATS = [
    lambda r: MADE["individual_repeats"],  # whose mean the data are not
    lambda r: None,
    lambda r: r[:1],
    lambda r: r[:0],
    lambda r: np.concatenate([r, r[:1]]),
    lambda r: r * np.array([0, 1, 1])[:, None, None],
    lambda r: r[:, :5],
    lambda r: r * np.nan,
    lambda r: r[0],
]
TRANSCRIPTS = [
    replaced("xmin = 0\nxmax = 30.0", "xmin = 4\nxmax = 34.0"),
    replaced('"the"', '"th\xe9"'),
    lambda path: path.write_bytes(b""),
]
YAML = [
    *(replaced("tr: 2.0", f"tr: {tr}") for tr in ("1.0", "2.01", "4.0", "0.5", "2000", "0", "two", "[2.0")),
    *(replaced("tr: 2.0", f"tr: {tr}") for tr in (".nan", "true", "1_0", "010", "0:02")),
    *(replaced("split: train", f"split: {split}") for split in ("validation", "test", "training")),
    replaced("split: validation", "split: train"),
    replaced("split: test", "split: train"),
    replaced("format: 1", "format: 2"),
    replaced("audio: stimuli/dog.wav", "audio: ../dog.wav"),
    replaced("audio: stimuli/dog.wav", "audio: stimuli/cat.wav"),
    replaced("  dog:", "  3:"),
    replaced("  dog:", "  ferry:"),
    replaced("licence: CC0", "license: CC0"),
    replaced("anatomy: subjects/anna.h5", "anatomy: subjects/ben.h5"),
]


def copied(story, other):
    def apply(folder):
        content = (folder / f"responses/anna/{story}.h5").read_bytes()
        (folder / f"responses/anna/{other}.h5").write_bytes(content)

    return apply


HDF5, story = "responses/anna/{}.h5", st.sampled_from(STORIES)
MUTATIONS = st.one_of(
    *(
        st.builds(at, st.just(pattern), which, st.sampled_from(changes))
        for pattern, which, changes in (
            ("stimuli/{}.wav", story, SOUNDS),
            ("stimuli/{}.TextGrid", story, TRANSCRIPTS),
            (HDF5, story, [partial(array, "tr_times", function) for function in TIMES] + STARTS),
            (HDF5, story, [partial(array, "data", function) for function in RESPONSES]),
            (HDF5, st.just("market"), [partial(array, "individual_repeats", one) for one in REPEATS]),
            ("dataset.yaml", story, YAML),
        )
    ),
    st.builds(copied, story, story),
)


@pytest.fixture(scope="module", params=[True, False], ids=["own ceiling", "ceiling of repeats"])
def whole(request, tmp_path_factory):
    """One subject, who has a ceiling or not."""
    folder = native_tree(tmp_path_factory.mktemp("whole"), ("anna",)).path
    if not request.param:
        replaced("    anatomy: subjects/anna.h5\n", "")(folder / "dataset.yaml")
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
