"""Wrong values of a cell are found before anything runs, with their place in the file and a next step that exists."""

import pytest
import torch

from brainwavlm.datasets.responses import Recording
from brainwavlm.errors import BrainwavlmError, ConfigError
from brainwavlm.study import cells_of, checks, run_study
from brainwavlm.study.checks import naming_cell, require_runnable


@pytest.mark.parametrize(
    ("experiment", "place", "words"),
    [
        ({"set": {"backbone.layer": 40}}, "backbone.layer", "hidden states from 0 to"),
        ({"set": {"adapter.layers": [1, 30]}}, "adapter.layers", "30"),
        ({"set": {"target": "nowhere"}}, "target", "nowhere"),
        ({"set": {"target": "ceiling>2"}}, "target", "ceiling>2"),
        ({"set": {"subject": "carla"}}, "subject", "anna"),
        ({"set": {"test": ["nothing"]}}, "splits", "nothing"),
        ({"set": {"joint": [{"subject": "carla"}]}}, "joint", "carla"),
        ({"set": {"joint": [{"subject": "anna"}]}}, "joint", "twice"),
        ({"set": {"train_minutes": 0.001}}, "train_minutes", "0.001"),
        ({"evaluate": {"layers": [40]}}, "evaluate.layers", "40"),
        ({"evaluate": {"layers": []}}, "evaluate.layers", "none"),
        ({"transfer": {"layer": 40}}, "transfer.layer", "hidden states from 0 to"),
        ({"transfer": {"minutes": [0.001]}}, "transfer.minutes", "shortest story"),
        ({"transfer": {"minutes": [-1]}}, "transfer.minutes", "more than 0"),
        ({"transfer": {"subjects": ["carla"]}}, "transfer.subjects", "carla"),
        ({"probe": {"features": ["mell"]}}, "probe.features", "mell"),
        ({"probe": {"features": ["mel"], "layers": [40]}}, "probe.layers", "40"),
        ({"probe": {"features": ["mel"], "controls": ["chance"]}}, "probe.controls", "chance"),
        ({"probe": {"features": ["meaning=nowhere.npz"]}}, "nowhere.npz", "no such file"),
        ({"transfer": {"test": ["nothing"]}}, "transfer.test", "nothing"),
        (
            {"set": {"control.kind": "block-permuted", "control.seconds": 1e6}},
            "control.seconds",
            "two blocks",
        ),
    ],
)
def test_a_wrong_value_is_named_before_anything_runs(small_study, tmp_path, experiment, place, words):
    study = small_study(right={}, wrong=experiment)
    with pytest.raises(BrainwavlmError, match=r"study\.yaml: experiments\.wrong") as caught:
        run_study(study, tmp_path / "out")
    assert caught.value.path.endswith(f": {place}")
    assert words in f"{caught.value.found} {caught.value.expected}"
    assert "--" not in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_no_response_is_read_one_model_is_loaded_and_random_numbers_of_the_caller_stay(
    small_study, monkeypatch
):
    monkeypatch.setattr(Recording, "responses", lambda *_, **__: pytest.fail("responses are read"))
    loaded, real = [], checks.configured_backbone
    monkeypatch.setattr(checks, "configured_backbone", lambda config: loaded.append(config) or real(config))
    study = small_study(
        many={
            "grid": {"seed": [0, 1], "subject": ["anna", "ben"], "training.epochs": [1, 2]},
            "transfer": {"minutes": [1]},
        }
    )
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    require_runnable(study, cells_of(study))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(loaded) == 1


def test_the_key_of_the_file_stands_in_place_of_the_name_that_a_step_has_for_it():
    with pytest.raises(ConfigError) as caught, naming_cell("a.yaml", {"splits": "transfer.test"}):
        raise ConfigError("splits", "x", "y", "Change it.")
    assert caught.value.path == "a.yaml: transfer.test"
