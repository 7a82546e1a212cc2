"""From experiments to cells: each run once, under a name of its own."""

from pathlib import Path

import pytest

from brainwavlm.errors import ConfigError
from brainwavlm.study import cells_of

METHODS_AND_SEEDS = {"grid": {"adapter.method": ["lora", "full"], "seed": [0, 1, 2]}}


def test_cells_are_the_grid_in_the_order_of_the_file_without_what_is_excluded_then_what_is_included(
    small_study,
):
    experiment = {
        **METHODS_AND_SEEDS,
        "exclude": [{"adapter.method": "full", "seed": 2}, {"seed": 1}],
        "include": [{"adapter.method": "reinit"}],
    }
    cells = cells_of(small_study(a=experiment))
    settings = [(cell.config.adapter.method, cell.config.seed) for cell in cells]
    assert settings == [("lora", 0), ("lora", 2), ("full", 0), ("reinit", 0)]
    assert cells[-1].varied == {"a": {"adapter.method": "reinit", "seed": 0}}
    study = small_study(one={"set": {"seed": 5}}, more={"include": [{"seed": 6}, {"seed": 7}]})
    assert [cell.config.seed for cell in cells_of(study)] == [5, 6, 7]  # without a grid


def test_an_experiment_without_cells_is_refused(small_study):
    with pytest.raises(ConfigError, match="no cell is left"):
        cells_of(small_study(a={"grid": {"seed": [1]}, "exclude": [{"seed": 1}]}))


def test_experiments_that_ask_for_the_same_run_share_a_cell(small_study):
    study = small_study(
        a=METHODS_AND_SEEDS,
        b={
            "grid": {"training.block_rows": [5, 10]},
            "set": {"seed": 1},
            "transfer": {"minutes": [1.0]},
            "evaluate": {"downstream": ["words"]},
        },
        c={"set": {"training": {"block_rows": 5}, "seed": 1}, "evaluate": {"layers": "all"}},
    )
    cells = cells_of(study)
    assert len(cells) == 7
    shared = next(cell for cell in cells if cell.config.seed == 1 and cell.config.adapter.method == "lora")
    assert shared.experiments == ("a", "b", "c")
    assert shared.varied["b"] == {"training.block_rows": 5}
    assert shared.transfer.minutes == (1.0,)
    assert (shared.evaluate.layers, shared.evaluate.downstream) == ("all", ("words",))
    assert cells[0].transfer is None


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [("transfer", {"draws": 2}, {"draws": 3}), ("evaluate", {"layers": "all"}, {"layers": [1]})],
)
def test_one_run_cannot_be_scored_in_two_ways(small_study, key, first, second):
    with pytest.raises(
        ConfigError, match=rf"experiments\.b.*\n?.*{key}(\.layers)? in another way than in experiment a"
    ):
        cells_of(small_study(a={key: first}, b={key: second}))


def test_two_spellings_of_a_folder_are_one_cell(small_study, base, monkeypatch):
    folder = Path(base["dataset"])
    monkeypatch.chdir(folder.parent)
    spellings = [str(folder), folder.name, f"./{folder.name}/"]
    cells = cells_of(small_study(a={"grid": {"dataset": spellings}}))
    assert len(cells) == 1
    assert cells[0].config.dataset == str(folder.resolve())


def test_names_are_unique_and_say_what_differs(small_study):
    listeners = [[{"subject": "ben"}], [{"subject": "ben", "train_from": "end"}]]
    study = small_study(
        a={"grid": {"seed": [0, 1]}},
        b={"grid": {"alignment.delays": [[1, 2], [1, 2, 3]]}},
        c={"grid": {"backbone.name": ["/models/wavlm", "/elsewhere/wavlm"]}},
        d={"set": {"train_minutes": 1}, "grid": {"joint": listeners}},
    )
    names = [cell.name for cell in cells_of(study)]
    assert len(set(names)) == 8
    assert names[:2] == ["anna-cortex-lora-seed0", "anna-cortex-lora-seed1"]
    for said in ("delays1+2", "jointben", "jointben_end"):
        assert f"anna-cortex-lora-{said}-seed0" in names
    assert all("/" not in name for name in names)
