"""The small data set and model of the tuning tests, and a subject whose responses follow known features."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import soundfile

from brainwavlm.config import load_config
from brainwavlm.datasets.base import Subject
from brainwavlm.datasets.responses import Recording, Story
from brainwavlm.encoding.prepared_stories import recording_clock
from brainwavlm.encoding.run_data import RunData
from brainwavlm.evaluation.encoding_score import score_features
from brainwavlm.evaluation.evaluate import scored_alone
from brainwavlm.evaluation.scoring_plan import ModelSize, ScoringPlan
from brainwavlm.speech.features import StoryFeatures

N_VOXELS, N_DIMS, TR, LAYER = 40, 5, 2.0, 2
SILENT = slice(30, 40)  # voxels that carry nothing
LENGTHS = {"a": 60, "b": 45, "c": 70, "d": 50, "e": 55, "f": 64, "g": 58}
SPLITS = {"a": "train", "b": "train", "c": "train", "d": "train", "e": "validation", "f": "test", "g": "test"}


@dataclass
class Planted:
    """Features, and the data of a subject who follows them with known weights; `noise` by voxel."""

    features: dict
    data: RunData
    config: object
    noise: np.ndarray

    def plan(self, leave_one_out=False, ceiling=None, **changes):
        data = replace(self.data, subject=replace(self.data.subject, ceiling=ceiling), **changes)
        vars(data)["ceiling"] = ceiling  # also none, although there are repeats
        return ScoringPlan.of(data, self.config, ModelSize(N_DIMS, 400), leave_one_out)

    def score(self, **changes):
        plan = self.plan(**changes)
        return scored_alone(plan, score_features(plan, self.features))


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    tmp_path, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(0)
    asked = {"subject": "S1", "backbone.layer": LAYER, "ridge.folds": 3, "windows.stride": 0.5}
    asked |= {"evaluation.shifts": 200, "evaluation.targets": ["cortex", "AC", "cortex-AC", "language"]}
    config = load_config(overrides=asked)
    weights = rng.standard_normal((4 * N_DIMS, N_VOXELS))
    weights[:, SILENT] = 0
    noise = np.linspace(0.5, 3.0, N_VOXELS) * np.sqrt(4 * N_DIMS)
    features, recordings = {}, {}
    (tmp_path / "planted").mkdir()
    for name, n_trs in LENGTHS.items():
        times = np.arange(0.5, 10 + TR * n_trs, 0.5)
        noise_of_windows = rng.standard_normal((len(times), N_DIMS))
        smooth = np.stack([np.convolve(d, np.hanning(9), "same") for d in noise_of_windows.T], axis=1)
        features[name] = StoryFeatures(times, {LAYER: (smooth + 3).astype(np.float32), 1: noise_of_windows})
        story = Story(name, tmp_path / f"{name}.wav", None, SPLITS[name])
        soundfile.write(story.audio, np.zeros(4000 * (len(times) + 1), np.int16), 8000)
        recording = Recording("S1", story, tmp_path / f"{name}.h5", TR, start=4.0)
        with h5py.File(recording.path, "w") as file:
            file["data"] = np.zeros((n_trs, N_VOXELS))
        design = recording_clock(recording, times, config.alignment).design(features[name].layers[LAYER])
        signal = design @ weights
        repeats = signal + noise * rng.standard_normal((5, n_trs, N_VOXELS))
        with h5py.File(recording.path, "w") as file:
            file["data"] = repeats.mean(0) if name == "f" else repeats[0]
            if name == "f":
                file["individual_repeats"] = repeats
        with h5py.File(tmp_path / "planted" / "S1.h5", "a") as file:
            file[f"clean/{name}"] = signal
        recordings[name] = Recording("S1", story, recording.path, TR, start=4.0)
    rois = {"AC": np.arange(N_VOXELS) < 12}
    subject = Subject("S1", recordings, rois=rois)
    splits = {
        split: [recordings[name] for name in SPLITS if SPLITS[name] == split]
        for split in ("train", "validation", "test")
    }
    dataset = SimpleNamespace(simulated=False, path=tmp_path, name="planted", licence="", facts=())
    return Planted(features, RunData(dataset, subject, splits, np.ones(N_VOXELS, bool), {}), config, noise)
