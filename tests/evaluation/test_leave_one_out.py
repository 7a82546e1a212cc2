from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation import leave_one_out
from brainwavlm.evaluation.leave_one_out import chance_test, turned
from brainwavlm.evaluation.scores import correlation
from brainwavlm.evaluation.statistics.permutation_test import Null
from brainwavlm.progress import Progress
from tests.evaluation.conftest import LENGTHS


def test_turning_rolls_a_storys_rows_by_each_offset():
    values = np.arange(10.0).reshape(5, 2)
    found = turned(values, np.array([0, 1, 4])).reshape(5, 3, 2)
    for place, offset in enumerate((0, 1, 4)):
        assert_array_equal(found[:, place], np.roll(values, offset, axis=0))


def test_each_draw_is_a_fit_to_turned_responses(planted, monkeypatch):
    plan = planted.plan(leave_one_out=True)
    designs, drawn = plan.designs(planted.features), []
    true = plan.true()

    class Kept(Null):
        def add(self, columns, measured, values):
            drawn.append(values)
            super().add(columns, measured, values)

    monkeypatch.setattr(leave_one_out, "Null", Kept)
    chance_test(plan, designs, true, plan.ridge(designs, shared=False).predicted, Progress())
    generator, story = np.random.default_rng(planted.config.seed), plan.story_of_row
    names = list(dict.fromkeys(story))
    offsets = {name: generator.integers(0, LENGTHS[name], size=200) for name in names}
    rolled = np.concatenate([np.roll(true[story == name], offsets[name][7], axis=0) for name in names])
    predicted = np.empty_like(rolled)
    for name in names:
        others = story != name
        design = np.concatenate([designs[other] for other in names if other != name])
        (fit,) = ridge_batches(
            design, lambda columns, y=rolled[others]: y[:, columns], 40, story[others], planted.config.ridge
        )
        own = designs[name] @ fit.weights
        predicted[story == name] = (own - own.mean(0)) / own.std(0)
    assert_allclose(np.concatenate(drawn, axis=1)[7], correlation(rolled, predicted), atol=1e-4)


def test_what_does_not_fit_into_memory_is_refused(planted):
    plan = planted.plan(leave_one_out=True)
    small = replace(plan, config=plan.config.model_copy(update={"ridge": RidgeConfig(memory_gb=1e-4)}))
    with pytest.raises(ConfigError, match=r"ridge\.memory_gb"):
        chance_test(small, plan.designs(planted.features), plan.true(), plan.true(), Progress())
