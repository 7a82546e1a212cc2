import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.config import EvaluationConfig, load_config
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.statistics.block_permutation import paired_block_p
from brainwavlm.evaluation.statistics.permutation_test import Null
from brainwavlm.evaluation.statistics.tests import (
    correlation_test,
    described_null,
    listener_rows,
)


def settings(**changes):
    return load_config(overrides={"subject": "S", "evaluation.shifts": 199, **changes}).evaluation


@pytest.mark.parametrize(("alternative", "size"), [("greater", lambda x: x), ("two-sided", np.abs)])
def test_the_p_of_a_mean_is_that_of_the_means_of_the_permutations(alternative, size):
    rng = np.random.default_rng(3)
    measured, values = rng.standard_normal(6), rng.standard_normal((50, 6))
    measured[2] = np.nan
    null = Null(50, 6, alternative, {"five": np.arange(6) < 5, "none": np.arange(6) == 2})
    null.add(slice(0, 3), measured[:3], values[:, :3])
    null.add(slice(3, 6), measured[3:], values[:, 3:])
    kept = [0, 1, 3, 4]
    sizes, found = size(values[:, kept].mean(1)), size(measured[kept].mean())
    mean, p, null95 = null.test().mean["five"]
    assert_allclose(mean, measured[kept].mean())
    assert_allclose(p, ((sizes >= found).sum() + 1) / 51)
    assert_allclose(null95, np.quantile(sizes, 0.95))
    assert np.isnan(null.test().mean["none"]).all()


def test_the_smallest_p_that_the_rows_allow_is_said():
    few = described_null(np.repeat("a", 60), settings(**{"evaluation.null": "blocks"}), 30, False)
    assert few["least_p"] == pytest.approx(1 / 2)  # two blocks, two orders
    assert few["least_p_difference"] == pytest.approx(1 / 2)  # of four swaps, pairs give one |T|
    many = described_null(np.repeat("a", 600), settings(), 30, False)
    assert many["least_p"] == many["least_p_difference"] == pytest.approx(1 / 200)
    one = described_null(np.repeat("a", 120), settings(), 30, False)
    assert one["least_p"] == pytest.approx(1 / 120)  # 120 offsets, however many are drawn
    # It is reached, and not undercut, by a model that is better everywhere.
    rng = np.random.default_rng(0)
    true, first, second = rng.standard_normal((3, 60, 4))
    test = paired_block_p(true, first, true + 0.1 * second, np.repeat("a", 60), 199, 0, 30)
    assert (np.abs(test.p - 0.5) < 0.1).all()


GAINS = {f"S{n}": {"cortex": 0.01 * n, "AC": 0.02 * (-1) ** n} for n in range(1, 6)}


def of_listeners(gains):
    """Rows of one kind of runs, two seeds a listener."""
    table = [
        {"run": f"{subject}-{seed}", "subject": subject, "target": target, "difference": gain + 0.001 * seed}
        for subject, targets in gains.items()
        for target, gain in targets.items()
        for seed in (0, 1)
    ]
    return listener_rows({"lora": [row["run"] for row in table], "nobody": []}, table, settings())


def test_five_listeners_are_tested_with_their_seeds_averaged_and_four_are_no_sample():
    cortex, ac = of_listeners(GAINS)
    keys = ("kind", "target", "n_listeners", "n_gain")
    assert [cortex[key] for key in keys] == ["lora", "cortex", 5, 5]
    assert cortex["p"] == 1 / 32
    assert cortex["difference"] == pytest.approx(0.0305)
    assert ac["p"] > 0.2
    assert cortex["p_max"] >= cortex["p"]
    assert of_listeners({name: GAINS[name] for name in list(GAINS)[:4]}) == []


def test_a_target_that_one_listener_lacks_is_left_out():
    lacking = {**GAINS, "S3": {"cortex": 0.03}}
    assert [row["target"] for row in of_listeners(lacking)] == ["cortex"]
    assert of_listeners({**lacking, "S4": {"cortex": math.nan, "AC": 0.02}}) == []


def test_blocks_that_cannot_move_are_refused():
    config = EvaluationConfig(null="blocks", block_rows=30, shifts=20)
    values = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    story = np.repeat(["a", "b"], 50)
    with pytest.raises(ConfigError, match=r"evaluation\.block_rows"):
        correlation_test(values, values, story, config, 0)
