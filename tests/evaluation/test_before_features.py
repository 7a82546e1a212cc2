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


@pytest.mark.parametrize("score", [evaluate, transfer])
def test_runs_that_cannot_be_scored(tuned, finished, tmp_path, nothing_read, score):
    run = tuned()
    for path in (
        run.path / "result.json",
        run.path / "voxels.safetensors",
        run.checkpoints[-1] / "state.json",
    ):
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        with pytest.raises(RunError) as caught:
            score(open_run(run.path))
        assert caught.value.path == str(path)
        path.write_bytes(whole)
    with pytest.raises(ConfigError, match=r"0\.001 GB for a design of 36 x 128"):
        score(run, memory_gb=0.001)
    with pytest.raises(RunError, match="no epoch was asked for"):
        score(finished(training__epochs=0))
    second = shutil.copytree(run.path, tmp_path / "second")
    (second / "result.json").write_text("{")
    with pytest.raises(RunError, match=r"second.result\.json"):
        score([run, open_run(second)])


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


def test_an_amount_that_holds_no_story(finished, nothing_read):
    with pytest.raises(ConfigError, match=r"the shortest story of anna has 0\.4 minutes"):
        transfer(finished(), minutes=[0.5, 0.1])


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


def without_one(weights):
    del weights["readout.expand.bias"]
    return weights


def of_another_rank(weights):
    return {name: t.repeat(2, *[1] * (t.ndim - 1)) for name, t in weights.items()}


def damage(path, change):
    save_file(change(load_file(path)), path)


@pytest.mark.parametrize("change", [without_one, of_another_rank])
def test_a_checkpoint_of_another_model(tuned, nothing_read, change):
    run = tuned()
    damage(run.checkpoints[-1] / "model.safetensors", change)
    with pytest.raises(RunError, match="of another model than the run's") as caught:
        evaluate(run)
    assert caught.value.path == str(run.checkpoints[-1])


@pytest.mark.parametrize("layer", [None, 1])
def test_a_checkpoint_of_another_model_in_transfer(tuned, features, layer):
    run = tuned()
    damage(run.checkpoints[-1] / "model.safetensors", of_another_rank)
    with pytest.raises(RunError, match="of another model than the run's"):
        transfer(run, layer=layer, cache=features)


def test_a_run_is_not_resumed_from_a_checkpoint_of_another_model(settings, tmp_path):
    config = settings(training__checkpoint_steps=1)
    with pytest.raises(Killed):
        tune(config, tmp_path / "run", progress=KillAt(2))
    (folder,) = (tmp_path / "run" / "checkpoints").iterdir()
    for name, change in (
        ("model.safetensors", of_another_rank),
        *(
            (
                "optimiser.safetensors",
                lambda tensors, key=key: {**tensors, key: torch.zeros(2).to(tensors[key])},
            )
            for key in ("random.torch", "adam.0.exp_avg")
        ),
    ):
        whole = (folder / name).read_bytes()
        damage(folder / name, change)
        with pytest.raises(RunError) as caught:
            tune(config, tmp_path / "run", resume=True)
        assert caught.value.path == str(folder)
        (folder / name).write_bytes(whole)
