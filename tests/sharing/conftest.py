"""A model whose voxels lie on a surface."""

import pytest

from brainwavlm.config import load_config
from brainwavlm.encoding.tuning import tune
from brainwavlm.models import export


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory):
    """Of the embedded data set, on three stories, not tuned: folder of its export."""
    overrides = {
        "train": ["ferry"],
        "validation": ["chess"],
        "test": ["dog"],
        "training.epochs": 1,
        "training.block_rows": 100,
    }
    folder = tmp_path_factory.mktemp("demo")
    run = tune(load_config(preset="demo", overrides=overrides | {"ridge.folds": 2}), folder / "run")
    return export(run, folder / "model")
