from brainwavlm.config import load_config
from brainwavlm.results.estimates import LISTENER, grouped


def config(**overrides):
    return load_config(overrides={"subject": "S1", **{k.replace("__", "."): v for k, v in overrides.items()}})


def test_seeds_of_one_configuration_are_one_group():
    assert grouped([config(seed=seed) for seed in range(3)], {"seed"}) == {"all runs": [0, 1, 2]}


def test_where_and_how_a_run_computes_makes_no_group():
    elsewhere = {"device": "cuda", "ridge__memory_gb": 3.0, "evaluation__targets": ["AC"]}
    assert grouped([config(), config(seed=1, **elsewhere)], {"seed"}) == {"all runs": [0, 1]}


def test_what_rounds_the_sound_makes_a_group():
    runs = [config(), config(training__frontend_type="float16")]
    assert len(grouped(runs, {"seed"})) == 2


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
