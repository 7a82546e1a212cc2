from brainwavlm.config import load_config
from brainwavlm.evaluation.groups import LISTENER, grouped


def config(**overrides):
    return load_config(overrides={"subject": "S1", **{k.replace("__", "."): v for k, v in overrides.items()}})


def test_seeds_of_one_configuration_are_one_group():
    runs = [config(seed=0), config(seed=1), config(seed=2, device="cuda", ridge__memory_gb=4)]
    assert grouped(runs, {"seed"}) == {"all runs": [0, 1, 2]}


def test_groups_are_named_by_what_differs_and_by_nothing_else():
    runs = [config(adapter__rank=4), config(adapter__rank=8, seed=3), config(adapter__rank=4, seed=1)]
    assert grouped(runs, {"seed"}) == {"adapter.rank=4": [0, 2], "adapter.rank=8": [1]}
    assert len(grouped(runs, set())) == 3


def test_listeners_are_apart_unless_they_may_differ():
    runs = [config(), config(subject="S2", test=("a", "b"))]
    assert list(grouped(runs, {"seed"})) == ["subject=S1, test=null", "subject=S2, test=a+b"]
    assert grouped(runs, LISTENER) == {"all runs": [0, 1]}


def test_a_region_that_only_one_run_names_tells_them_apart():
    runs = [config(), config(regions={"AC": ["a", "b"]})]
    assert list(grouped(runs, {"seed"})) == ["regions.AC=null", "regions.AC=a+b"]
