"""What is known to go wrong is said before the first story is read, which may take hours."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import AlignmentError, ConfigError, RunError
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.evaluation.transfer import transfer
from brainwavlm.runs.run import open_run
from tests.encoding.loops import KillAt, Killed


@pytest.fixture
def nothing_read(monkeypatch):
    def read(*_):
        raise AssertionError("a story was read")

    monkeypatch.setattr("brainwavlm.evaluation.evaluator.extract", read)
    monkeypatch.setattr("brainwavlm.evaluation.evaluator.cached", read)


@pytest.fixture
def run(tuned):
    """A run of one epoch, which each test may damage."""
    return tuned()


@pytest.mark.parametrize("score", [evaluate, transfer])
@pytest.mark.parametrize("file", ["result.json", "voxels.safetensors", "checkpoints"])
def test_a_file_of_the_run_that_is_cut_short(run, nothing_read, score, file):
    path = run.path / file
    if path.is_dir():
        path = run.checkpoints[-1] / "state.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError) as caught:
        score(run)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("score", [evaluate, transfer])
def test_a_second_run_that_is_damaged_stops_the_first(run, tmp_path, nothing_read, score):
    other = shutil.copytree(run.path, tmp_path / "other")
    (other / "result.json").write_text("{")
    with pytest.raises(RunError, match=r"other.result\.json"):
        score([run, open_run(other)])


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        ({"windows__stride": 14.0}, AlignmentError, "have no window within"),
        ({"ridge__memory_gb": 0.001}, ConfigError, r"0\.001 GB for a design of"),
        ({"ridge__folds": 40, "train": ["dog"], "validation": []}, ConfigError, "40 folds of 12 rows"),
        ({"evaluation__null": "blocks", "evaluation__block_rows": 10}, ConfigError, "two such blocks"),
        ({"test": []}, ConfigError, "0 stories to score"),
    ],
)
def test_settings_under_which_a_model_cannot_be_scored(settings, nothing_read, overrides, error, words):
    with pytest.raises(error, match=words):
        score_backbone(settings(**overrides))


@pytest.mark.parametrize("score", [evaluate, transfer])
def test_a_run_without_an_epoch(finished, nothing_read, score):
    with pytest.raises(RunError, match="no epoch was asked for"):
        score(finished(training__epochs=0))


@pytest.mark.parametrize("score", [evaluate, transfer])
def test_memory_that_cannot_hold_the_design(run, nothing_read, score):
    with pytest.raises(ConfigError, match=r"0\.001 GB for a design of 36 x 128"):
        score(run, memory_gb=0.001)


def test_an_amount_that_holds_no_story(run, nothing_read):
    with pytest.raises(ConfigError, match=r"the shortest story of anna has 0\.4 minutes"):
        transfer(run, minutes=[0.5, 0.1])


def test_a_closed_form_readout_that_cannot_be_solved(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("brainwavlm.encoding.story_loader.read_story", None)
    closed = {"readout__kind": "ridge-fixed", "train": ["dog"]}
    for overrides, words in (
        ({"ridge__memory_gb": 0.001}, "GB for a design of 12 x 128"),
        ({"ridge__folds": 40}, "40 folds"),
    ):
        with pytest.raises(ConfigError, match=words):
            tune(settings(**closed, **overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def reshaped(path):
    weights = load_file(path)
    weights["readout.expand.bias"] = torch.zeros(3)
    save_file(weights, path)


def without_one(path):
    weights = load_file(path)
    del weights["readout.expand.bias"]
    save_file(weights, path)


def of_another_rank(path):
    weights = load_file(path)
    save_file({name: t.repeat(2, *[1] * (t.ndim - 1)) for name, t in weights.items()}, path)


@pytest.mark.parametrize("damage", [reshaped, without_one, of_another_rank])
def test_a_checkpoint_of_another_model(run, nothing_read, damage):
    damage(run.checkpoints[-1] / "model.safetensors")
    with pytest.raises(RunError, match="of another model than the run's") as caught:
        evaluate(run)
    assert caught.value.path == str(run.checkpoints[-1])


@pytest.mark.parametrize("layer", [None, 1])
def test_a_checkpoint_of_another_model_in_transfer(run, layer):
    of_another_rank(run.checkpoints[-1] / "model.safetensors")
    with pytest.raises(RunError, match="of another model than the run's"):
        transfer(run, layer=layer)


def test_a_run_is_not_resumed_from_a_checkpoint_of_another_model(settings, tmp_path):
    config = settings(training__checkpoint_steps=1)
    with pytest.raises(Killed):
        tune(config, tmp_path / "run", progress=KillAt(2))
    (folder,) = (tmp_path / "run" / "checkpoints").iterdir()
    whole = {name: (folder / name).read_bytes() for name in ("model.safetensors", "optimiser.safetensors")}
    for damage in ("model", "random.torch", "adam.0.exp_avg"):
        for name, content in whole.items():
            (folder / name).write_bytes(content)
        if damage == "model":
            of_another_rank(folder / "model.safetensors")
        else:
            tensors = load_file(folder / "optimiser.safetensors")
            tensors[damage] = torch.zeros(2, dtype=tensors[damage].dtype)
            save_file(tensors, folder / "optimiser.safetensors")
        with pytest.raises(RunError) as caught:
            tune(config, tmp_path / "run", resume=True)
        assert caught.value.path == str(folder)
