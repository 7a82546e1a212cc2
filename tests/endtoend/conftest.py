"""The word demo as the name of a small data set."""

import importlib

import pytest
import yaml

from tests.trees import native_tree


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory):
    """Seven stories of 30 s for the subjects of the embedded data set."""
    splits = dict.fromkeys(("bees", "dog", "ferry", "play"), "train") | {"chess": "validation"}
    splits |= dict.fromkeys(("museum", "flood"), "test")
    path = native_tree(tmp_path_factory.mktemp("demo"), ("sim01", "sim02"), splits).path
    description = path / "dataset.yaml"
    content = yaml.safe_load(description.read_text())
    description.write_text(yaml.safe_dump(content | {"simulated": True}))
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


@pytest.fixture
def runs_are_small(demo_is_small, small, monkeypatch):
    """Also `load_config` of the library gives these settings, whatever it is asked for."""
    load = importlib.import_module("brainwavlm.config").load_config
    importlib.import_module("brainwavlm.study.cells")  # what imports it later would keep the other

    def quick(path=None, preset=None, overrides=None):
        return load(path, preset, {**(overrides or {}), **small})

    monkeypatch.setattr("brainwavlm.config.load_config", quick)
    monkeypatch.setattr("brainwavlm.cli.demo.load_config", quick)
