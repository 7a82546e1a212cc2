"""The word demo as the name of a small data set."""

import importlib
import shutil

import pytest

from brainwavlm.encoding import tuning
from brainwavlm.evaluation import evaluator
from brainwavlm.runs.run import open_run
from tests.damage import described
from tests.trees import native_tree


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory):
    """Five stories of 30 s for the subjects of the embedded data set."""
    splits = dict.fromkeys(("bees", "dog"), "train") | {"chess": "validation"}
    splits |= dict.fromkeys(("museum", "flood"), "test")
    path = native_tree(tmp_path_factory.mktemp("demo"), ("sim01", "sim02"), splits).path
    described(lambda content: content.update(simulated=True))(path)
    return path


@pytest.fixture
def demo_is_small(small_demo, monkeypatch):
    """The word `demo` names these stories."""
    for reader in ("datasets.demo", "checks.dataset"):
        monkeypatch.setattr(f"brainwavlm.{reader}.demo_folder", lambda: small_demo)


@pytest.fixture
def small(tiny_wavlm):
    """Settings with which each step does what it does in full, on less."""
    return {
        "backbone.name": str(tiny_wavlm),
        "backbone.layer": 3,
        "windows.context": 1.0,
        "windows.stride": 2.0,
        "training.epochs": 1,
        "training.block_rows": 6,
        "ridge.folds": 2,
        "evaluation.shifts": 20,
        "device": "cpu",
    }


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory):
    """A folder for runs, and where in it that of a configuration is."""
    return tmp_path_factory.mktemp("kept-runs"), {}


@pytest.fixture
def work_is_done_once(kept_runs, features, monkeypatch):
    """Who tunes with a configuration that was tuned with before gets a copy of that run; a model hears a story once."""
    (folder, runs), tune, begin = kept_runs, tuning.tune, evaluator.Evaluator.__init__

    def kept(config, output, *others, **more):
        key = config.model_dump_json()
        if key in runs:
            return open_run(shutil.copytree(runs[key], output))
        run = tune(config, output, *others, **more)
        runs[key] = shutil.copytree(run.path, folder / str(len(runs)))
        return run

    def with_features(self, cache, *others, **more):
        begin(self, features, *others, **more)

    monkeypatch.setattr(tuning, "tune", kept)
    monkeypatch.setattr(evaluator.Evaluator, "__init__", with_features)


@pytest.fixture
def runs_are_small(demo_is_small, small, work_is_done_once, monkeypatch):
    """Also `load_config` of the library gives these settings, whatever it is asked for."""
    load = importlib.import_module("brainwavlm.config").load_config
    importlib.import_module("brainwavlm.study.cells")  # what imports it later would keep the other

    def quick(path=None, preset=None, overrides=None):
        return load(path, preset, {**(overrides or {}), **small})

    monkeypatch.setattr("brainwavlm.config.load_config", quick)
    monkeypatch.setattr("brainwavlm.cli.demo.load_config", quick)
