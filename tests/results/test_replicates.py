import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.evaluation.contrasts import contrast, kept_replicates
from brainwavlm.evaluation.statistics.jackknife import jackknife_of_means
from brainwavlm.results.estimates import jackknife_interval
from brainwavlm.results.replicates import FILE, OWN_LAYER, gathered, read_replicates

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
    fewer, one = np.repeat("flood", 40), np.repeat("a", 15)
    rows = [
        row
        for run, seed, story in (("a", 1, fewer), ("b", 1, STORIES), ("c", 0, one))
        for row in rows_of(run, jackknifed(seed, story), story)
    ]
    kept = gathered(rows)
    assert_array_equal(np.isnan(kept.tuned).sum(1), [3, 3, 0, 0, 7, 7])
    assert [len(kept.of_row(place)[0]) for place in range(6)] == [4, 4, 7, 7, 0, 0]
