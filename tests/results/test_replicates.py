import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.evaluation.contrasts import contrast, kept_replicates
from brainwavlm.evaluation.statistics.jackknife import jackknife_of_means
from brainwavlm.evaluation.transfer import transfer
from brainwavlm.results.estimates import jackknife_interval
from brainwavlm.results.replicates import FILE, OWN_LAYER, gathered, read_replicates
from tests.trees import native_tree

SHARED = ["shared_difference", "shared_low", "shared_high"]
STORIES = np.repeat(["flood", "museum"], [40, 30])


def jackknifed(seed, story=STORIES):
    true, first, second = np.random.default_rng(seed).standard_normal((3, len(story), 6))
    masks = {"cortex": np.ones(6, bool), "AC": np.arange(6) < 2}
    return jackknife_of_means(true, {"frozen": first, "tuned": second}, story, masks)


def rows_of(run, jackknife, story=STORIES):
    return kept_replicates({"run": run, "subject": "anna"}, jackknife, story)


def test_intervals_follow_from_the_replicates_that_are_kept(tmp_path):
    jackknife = jackknifed(0)
    gathered(rows_of("run-a", jackknife)).save(tmp_path / FILE)
    kept = read_replicates(tmp_path / FILE)
    assert [row["target"] for row in kept.about] == ["cortex", "AC"]
    about = {"run": "run-a", "subject": "anna", "target": "cortex", "stories": "all", "layer": OWN_LAYER}
    about |= {"rows": "flood 40, museum 30", "readout": "voxelwise"}
    assert kept.about[0] == about | {"unit": "7 blocks of at least 10 TRs of these 2 test stories"}
    frozen, tuned = kept.of_row(1)
    row = contrast(jackknife, "AC")
    assert_allclose(jackknife_interval(row["difference"], tuned - frozen), [row["low"], row["high"]])


def test_runs_with_fewer_pieces_end_in_nan_that_is_not_read():
    fewer = np.repeat(["flood"], [40])
    rows = rows_of("a", jackknifed(1, fewer), fewer) + rows_of("b", jackknifed(1))
    kept = gathered(rows)
    assert_array_equal(np.isnan(kept.tuned).sum(1), [3, 3, 0, 0])
    assert [len(kept.of_row(place)[0]) for place in range(4)] == [4, 4, 7, 7]


def test_one_piece_leaves_no_replicates():
    alone = np.repeat("a", 15)
    assert len(gathered(rows_of("a", jackknifed(0, alone), alone)).of_row(0)[0]) == 0


@pytest.fixture(scope="module")
def long_stories(tmp_path_factory):
    """Test stories of 21 TRs: two blocks each, so that there are intervals."""
    return str(native_tree(tmp_path_factory.mktemp("long"), n_trs=21, seconds=50.0).path)


def test_runs_that_are_scored_apart_leave_out_the_same(evaluated, long_stories, tmp_path):
    kept, tables = [], []
    for seed in (0, 1):
        scores = evaluated(seed=seed, dataset=long_stories, train=["dog"])
        kept.append(read_replicates(scores.save(tmp_path / f"scores{seed}") / FILE))
        tables.append(scores.table)
    assert {row["rows"] for row in kept[0].about} == {row["rows"] for row in kept[1].about}
    # The untuned model is the same one: so are its means without each piece, whatever the seed of the run.
    assert_array_equal(kept[0].frozen, kept[1].frozen)
    assert np.isfinite(kept[0].frozen[0]).all()
    assert not np.array_equal(kept[0].tuned, kept[1].tuned)
    for one, table in zip(kept, tables, strict=True):
        assert [row["target"] for row in one.about] == 2 * list(table["target"])
        for start, columns in ((0, ["difference", "low", "high"]), (len(table), SHARED)):
            of_readout = table[columns].to_numpy()
            intervals = [
                jackknife_interval(difference, np.subtract(*one.of_row(start + place)[::-1]))
                for place, difference in enumerate(of_readout[:, 0])
            ]
            assert_allclose(intervals, of_readout[:, 1:], atol=1e-12)


def test_transfer_and_evaluate_agree_in_the_listener_of_the_run(finished, evaluated, features, long_stories):
    data = {"dataset": long_stories, "train": ["dog"]}
    run, own = finished(**data), evaluated(**data).replicates
    other = transfer(run, cache=features).replicates
    of_transfer = {
        (row["target"], row["readout"]): other.tuned[place]
        for place, row in enumerate(other.about)
        if row["subject"] == run.config.subject and row["stories"] == "all"
    }
    for place, row in enumerate(own.about):
        assert_allclose(of_transfer[row["target"], row["readout"]], own.tuned[place], atol=1e-5)
    assert np.isfinite(own.tuned[0]).all()
