import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.errors import RunError
from brainwavlm.evaluation.contrasts import contrast
from brainwavlm.evaluation.statistics.bootstrap import SEED, resampled_means
from brainwavlm.evaluation.transfer import transfer
from brainwavlm.results.resamples import FILE, OWN_LAYER, gathered, read_resamples, resample_rows
from tests.trees import native_tree

STORIES = np.repeat(["flood", "museum"], [40, 30])


def bootstrapped(seed, n_resamples=100):
    true, first, second = np.random.default_rng(seed).standard_normal((3, 70, 6))
    masks = {"cortex": np.ones(6, bool), "AC": np.arange(6) < 2}
    return resampled_means(true, {"frozen": first, "tuned": second}, STORIES, masks, n_resamples, SEED)


def test_intervals_follow_from_the_draws_that_are_kept(tmp_path):
    resampled = bootstrapped(0)
    rows = resample_rows("run-a", "anna", resampled.draw_pairs("frozen", "tuned"), resampled.drawn, STORIES)
    gathered(rows).save(tmp_path / FILE)
    kept = read_resamples(tmp_path / FILE)
    assert [row["target"] for row in kept.about] == ["cortex", "AC"]
    assert kept.about[0] == {
        "run": "run-a",
        "subject": "anna",
        "target": "cortex",
        "stories": "all",
        "unit": "7 blocks of at least 10 TRs within 2 test stories",
        "rows": "flood 40, museum 30",
        "layer": OWN_LAYER,
    }
    low, high = np.quantile(kept.tuned[1] - kept.frozen[1], [0.025, 0.975])
    row = contrast(resampled, "AC")
    assert_allclose([low, high], [row["low"], row["high"]], atol=1e-6)


def test_runs_that_asked_for_fewer_resamples_end_in_nan(tmp_path):
    rows = []
    for run, n_resamples in (("a", 100), ("b", 120)):
        resampled = bootstrapped(1, n_resamples)
        draws = resampled.draw_pairs("frozen", "tuned")
        rows += resample_rows(run, "anna", draws, resampled.drawn, STORIES)
    kept = gathered(rows)
    assert kept.frozen.shape == (4, 120)
    assert_array_equal(np.isnan(kept.tuned).sum(1), [20, 20, 0, 0])


def test_nothing_to_draw_leaves_no_draws():
    true, first, second = np.random.default_rng(0).standard_normal((3, 15, 4))
    models, targets = {"frozen": first, "tuned": second}, {"all": np.ones(4, bool)}
    resampled = resampled_means(true, models, np.repeat("a", 15), targets, 100, 0)
    assert np.isnan(resampled.draw_pairs("frozen", "tuned")["all"]).all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RunError, match=FILE):
        read_resamples(tmp_path / FILE)
    with pytest.raises(RunError, match="no such file"):
        read_resamples(tmp_path / "other.npz")


@pytest.fixture(scope="module")
def long_stories(tmp_path_factory):
    """Test stories of 21 TRs: two blocks each, so that there is something to draw."""
    return str(native_tree(tmp_path_factory.mktemp("long"), n_trs=21, seconds=50.0).path)


def test_runs_that_are_scored_apart_have_the_same_draws(evaluated, long_stories, tmp_path):
    kept, tables = [], []
    for seed in (0, 1):
        scores = evaluated(seed=seed, dataset=long_stories, train=["dog"])
        kept.append(read_resamples(scores.save(tmp_path / f"scores{seed}") / FILE))
        tables.append(scores.table)
    assert {row["rows"] for row in kept[0].about} == {row["rows"] for row in kept[1].about}
    # The untuned model is the same one: so are its means in every resample, whatever the seed of the run.
    assert_array_equal(kept[0].frozen, kept[1].frozen)
    assert np.isfinite(kept[0].frozen[0]).all()
    assert not np.array_equal(kept[0].tuned, kept[1].tuned)
    for one, table in zip(kept, tables, strict=True):
        assert [row["target"] for row in one.about] == list(table["target"])
        low, high = np.quantile(one.tuned - one.frozen, [0.025, 0.975], axis=1)
        assert_allclose([low, high], [table["low"], table["high"]], atol=1e-6)


def test_transfer_and_evaluate_draw_alike_in_the_listener_of_the_run(
    finished, evaluated, features, long_stories
):
    data = {"dataset": long_stories, "train": ["dog"]}
    run, own = finished(**data), evaluated(**data).resamples
    other = transfer(run, cache=features).resamples
    of_transfer = {
        row["target"]: other.tuned[place]
        for place, row in enumerate(other.about)
        if row["subject"] == run.config.subject and row["stories"] == "all"
    }
    for place, row in enumerate(own.about):
        assert_allclose(of_transfer[row["target"]], own.tuned[place], atol=1e-5)
    assert np.isfinite(own.tuned[0]).all()
