"""Scores by hidden state: one pass over a story, the same ridge, and what tuning cannot have reached is as it was."""

import pytest
import torch
from numpy.testing import assert_allclose

from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation import evaluator
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.evaluation.layers import chosen_layers
from brainwavlm.speech.backbones import load_backbone


@pytest.fixture(scope="module")
def run(finished):
    return finished()


@pytest.fixture(scope="module")
def every_state(run, features):
    """Scores of the run at all hidden states."""
    return evaluate(run, cache=features, layers="all")


def of_cortex(scores):
    return scores.layers[scores.layers["target"] == "cortex"].set_index("layer")


def test_all_states_of_both_models_are_scored(every_state):
    scores, table = every_state, of_cortex(every_state)
    assert list(table.index) == [0, 1, 2, 3, 4]
    assert set(scores.layers["target"]) == set(scores.table["target"])
    assert_allclose(table["difference"], table["r_tuned"] - table["r_frozen"], atol=1e-12)
    # The input of the first block lies before everything that was tuned.
    assert table.loc[0, "difference"] == 0
    assert not table.loc[0, "adapted"]
    assert (table.loc[1:, "difference"] != 0).all()
    assert table.loc[1:, "adapted"].all()


def test_a_state_is_scored_as_a_run_of_its_own_would_be(run, every_state, settings, evaluated, features):
    alone = score_backbone(settings(backbone__layer=4))
    assert_allclose(of_cortex(every_state).loc[4, "r_frozen"], alone.r.mean(), atol=1e-5)
    scores = evaluate(run, cache=features, layers=[3])
    own, table = scores.layers.set_index("target"), scores.table.set_index("target")
    for key in ("n_voxels", "r_frozen", "r_tuned", "difference", "low", "high"):
        assert_allclose(own[key], table[key], rtol=1e-12, equal_nan=True)
    plain = evaluated().table.set_index("target")
    assert_allclose(table[["r_frozen", "r_tuned"]], plain[["r_frozen", "r_tuned"]], rtol=1e-12)
    with_others = every_state.table.set_index("target")
    assert_allclose(with_others[["r_frozen", "r_tuned"]], plain[["r_frozen", "r_tuned"]], atol=1e-5)


def test_each_story_goes_through_each_model_once_and_two_runs_share_the_untuned_one(run, monkeypatch, tuned):
    other = tuned("other", seed=3, target="AC")
    read, extract = [], evaluator.extract

    def counted(backbone, sound, *rest):
        read.append((id(backbone), str(sound), backbone.layers))
        return extract(backbone, sound, *rest)

    monkeypatch.setattr(evaluator, "extract", counted)
    scores = evaluate([run, other], layers="all")
    assert len(set(read)) == len(read) == 3 * 4  # three models, four stories
    assert {layers for _, _, layers in read} == {(0, 1, 2, 3, 4)}
    table = scores.layers.set_index(["run", "layer", "target"]).sort_index()
    assert_allclose(table.loc[("run", 4), "r_frozen"], table.loc[("other", 4), "r_frozen"], rtol=1e-12)
    assert (table.loc[("run", 4), "r_tuned"] != table.loc[("other", 4), "r_tuned"]).any()


def test_deeper_states_come_from_the_tuned_blocks_and_then_from_untouched_ones(run, tiny_wavlm):
    tuned, untuned = tuned_backbone(run, layers=[1, 4]), load_backbone(tiny_wavlm, [1, 3, 4])
    assert tuned.layers == (1, 3, 4)
    sound = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.no_grad():
        states, before = tuned(sound), untuned(sound)
        alone = tuned_backbone(run)(sound)[3]
        # The last block's weights are those of the untuned model: it turns the tuned state 3 into state 4.
        own = dict(tuned.model.encoder.layers[3].named_parameters())
        stock = dict(untuned.model.encoder.layers[3].named_parameters())
    assert own.keys() == stock.keys()
    assert all(torch.equal(own[name], stock[name]) for name in own)
    torch.testing.assert_close(states[3], alone, atol=1e-6, rtol=1e-5)
    assert (states[4] - before[4]).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("overrides", "first"),
    [({"adapter__method": "frozen"}, 5), ({"adapter__method": "reinit", "adapter__layers": [3, 3]}, 3)],
)
def test_states_before_the_first_block_that_was_trained_stay_as_they_are(
    finished, features, overrides, first
):
    table = of_cortex(evaluate(finished(**overrides), layers="all", cache=features))
    assert list(table["adapted"]) == [state >= first for state in range(5)]
    assert ((table["difference"] != 0) == table["adapted"]).all()


def test_the_states_that_are_asked_for():
    assert chosen_layers(None, 12) == ()
    assert chosen_layers("all", 2) == (0, 1, 2)
    assert chosen_layers([9, 0, 3], 12) == (0, 3, 9)
    for layers in ([], [-1, 2], [1, 1]):
        with pytest.raises(ConfigError, match="hidden states from 0 to 4"):
            chosen_layers(layers, 4)
