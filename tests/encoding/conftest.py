"""Small real things for the loop: a native data set and a WavLM with random weights."""

import pytest

from brainwavlm.config import load_config
from tests.speech.conftest import saved, tiny_wavlm  # noqa: F401  fixtures
from tests.trees import native_tree


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """Four stories of 30 s, rows from 4 s on, so that delays reach sound before the first row."""
    return native_tree(tmp_path_factory.mktemp("native")).path


@pytest.fixture
def settings(tree, tiny_wavlm):  # noqa: F811
    """A function from overrides to the configuration of a run of seconds."""

    def make(**overrides):
        base = {
            "dataset": str(tree),
            "subject": "anna",
            "device": "cpu",
            "windows": {"context": 1.0, "stride": 0.5, "frame": "mean"},
            "backbone": {"name": str(tiny_wavlm), "layer": 3},
            "adapter": {"rank": 2, "dropout": 0.1},
            "readout": {"width": 4},
            "training": {"epochs": 2, "block_rows": 5, "lr_backbone": 1e-2, "lr_readout": 1e-2},
            "ridge": {"alphas": [1.0, 100.0], "folds": 2},
            "evaluation": {"bootstraps": 100, "shifts": 20},
        }
        dotted = {
            f"{key}.{name}": v
            for key, value in base.items()
            if isinstance(value, dict)
            for name, v in value.items()
        }
        plain = {key: value for key, value in base.items() if not isinstance(value, dict)}
        changed = {key.replace("__", "."): value for key, value in overrides.items()}
        return load_config(overrides={**plain, **dotted, **changed})

    return make


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 0 0 2\nand 3 3 3 3\ndog 0 1 0.5 -1\n")
    return path


@pytest.fixture
def control(settings, vectors):
    """The configuration of a control of that kind, blocks of two TRs."""

    def make(kind, **more):
        return settings(
            **{"control__kind": kind, "control__seconds": 4.0, "control__embeddings": str(vectors), **more}
        )

    return make
