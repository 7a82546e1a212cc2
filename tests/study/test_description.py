"""The file of a study: each mistake is named with its place, none of them late."""

import pytest
import yaml

from brainwavlm.errors import ConfigError
from brainwavlm.study import cells_of, load_study
from brainwavlm.study.description import study_from

BOTH = "loss or loss.spatial, not both"


@pytest.mark.parametrize(
    ("experiment", "place", "words"),
    [
        ({"grids": {}}, "", "Did you mean grid?"),
        ({"set": {"adapter.metod": "lora"}}, "", "unknown key adapter.metod"),
        ({"grid": {"seed": [0, -1]}}, " (seed=-1)", "seed = -1"),
        ({"include": [{"loss.spatail": 1}]}, " (loss.spatail=1)", "loss.spatial?"),
        ({"grid": {"seed": 3}}, "", "grid.seed = 3"),
        ({"grid": {"seed": [1, 1]}}, "", "each once"),
        ({"grid": {"seed": []}}, "", "one value or more"),
        ({"contrast": "seed"}, "", "contrast seed, which no cell varies"),
        ({"transfer": {"subject": "x"}}, "", "unknown key transfer.subject"),
        ({"exclude": [{"seed": 4}]}, "", "no cell of the grid is"),
        ({"claim": 99}, "", "from 1 to 18"),
        ({"grid": {"loss.spatial": [0, 1], "loss": [{"mse": 1}]}}, "", BOTH),
        ({"include": [{"loss": {"mse": 1}, "loss.spatial": 0}]}, "", BOTH),
    ],
)
def test_a_mistake_is_named_with_file_experiment_and_key(tmp_path, experiment, place, words):
    refused(tmp_path, {"experiments": {"a": experiment}}, f"experiments.a{place}", words)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"experimets": {}}, "study.yaml", "Did you mean experiments?"),
        ({"base": {"trainin": {"epochs": 3}}}, "experiments.b", "Did you mean training"),
        ({"experiments": {"a/b": {}}}, "study.yaml", "'a/b' is not"),
        ({"experiments": {}}, "study.yaml", "experiments"),
        ({"format": 2}, "study.yaml", "format = 2"),
        ({"preset": "papr"}, "preset", "papr"),
    ],
)
def test_a_mistake_outside_of_experiments_is_named_too(tmp_path, change, place, words):
    refused(tmp_path, change, place, words)


def refused(tmp_path, change, place, words):
    path = tmp_path / "study.yaml"
    content = {"format": 1, "name": "x", "preset": "demo", "experiments": {"b": {}}}
    path.write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(ConfigError) as caught:
        cells_of(load_study(path))
    assert place in caught.value.path
    assert words in str(caught.value)


def test_a_key_that_an_experiment_varies_cannot_be_set_for_all(small_study):
    study = small_study(seeds={"grid": {"seed": [0, 1]}}, losses={"grid": {"loss": [{"mse": 1.0}]}})
    for key in ("seed", "loss.mse"):
        with pytest.raises(ConfigError, match=r"varied by experiment (seeds|losses)"):
            study.with_settings({key: 0})


def test_what_is_set_for_all_counts_above_the_experiment_however_it_is_written(small_study):
    study = small_study(one={"set": {"training": {"epochs": 3}}}).with_settings({"training.epochs": 7})
    assert [cell.config.training.epochs for cell in cells_of(study)] == [7]


def test_the_description_survives_its_way_through_study_json(small_study):
    study = small_study(one={"grid": {"seed": [0, 1]}, "contrast": "seed", "transfer": {"minutes": [1]}})
    content = study.model_dump(mode="json")
    assert study_from(content, "again").model_dump() == study.model_dump()
    assert [cell.config for cell in cells_of(study_from(content, "again"))] == [
        cell.config for cell in cells_of(study)
    ]
