"""Hours of a study: what one cell of each kind takes, scaled; jobs on workers."""

import os
import sys
import tempfile
import time

import pytest
import torch

from brainwavlm.errors import RunError, TuningError
from brainwavlm.study import calibrations, cells_of
from brainwavlm.study.cost import _amount, _kind, _span, estimate


def test_jobs_in_order_on_the_first_free_worker():
    assert _span([3.0, 1.0, 1.0, 1.0], 1) == 6
    assert _span([3.0, 1.0, 1.0, 1.0], 2) == 3
    assert _span([1.0, 1.0, 3.0], 2) == 4
    assert _span([1.0], 5) == 1
    assert _span([], 2) == 0


def test_cells_that_differ_in_seed_listener_epochs_small_target_or_low_rank_are_timed_once(small_study):
    study = small_study(
        same={
            "grid": {
                "seed": [0, 1],
                "subject": ["anna", "ben"],
                "training.epochs": [1, 4],
                "loss.mse": [0, 1],
                "target": ["cortex", "LH"],
                "adapter.rank": [2, 8],
            }
        },
        ranks={"grid": {"adapter.rank": [64, 65]}},
        other={"grid": {"adapter.method": ["full", "frozen"], "backbone.layer": [2, 3]}},
    )
    kinds = {}
    for cell in cells_of(study):
        kinds.setdefault(_kind(cell.config), []).append(cell)
    assert sorted(map(len, kinds.values())) == [1, 1, 1, 1, 1, 1, 64]


# From Python 3.12 on a fork beside threads is warned of; these processes use none of the parent's.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_dies_while_it_times_is_an_error_of_the_cell_and_the_next_is_timed(
    small_study, monkeypatch, tmp_path
):
    torch.set_num_threads(1)  # a pool of threads does not survive a fork

    def dies(config):
        if config["seed"] == 0:
            os.write(2, b"no memory\n")
            sys.exit(7)
        return {"plan": {"seed": config["seed"]}}

    monkeypatch.setattr(calibrations, "planned", dies)
    dead, alive = cells_of(small_study(two={"grid": {"seed": [0, 1]}}))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with calibrations.calibrations(1) as calibrated:
        with pytest.raises(TuningError, match=r"-seed0: timing .* exit code 7: no memory"):
            calibrated(dead)
        assert calibrated(alive) == {"seed": 1}
        # Nobody could remove a file with a name when this process is killed.
        assert list(temporary.iterdir()) == []


def test_a_place_that_the_study_could_not_take_is_refused_before_anything_is_timed(small_study, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="a folder with other files"):
        estimate(small_study(some={}), tmp_path / "mine", calibrated=None)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_cell_took_is_kept_for_a_day(small_study, user_cache, monkeypatch):
    torch.set_num_threads(1)
    took = {"hours_of_run": 1.0, "memory_gb": 1.0, "timed_at": "2026-05-31 09:30"}
    monkeypatch.setattr(calibrations, "planned", lambda config: {"plan": took})
    one, other = cells_of(small_study(two={"grid": {"seed": [0, 1]}}))
    timed = []
    with calibrations.calibrations(1, timed.append) as calibrated:
        for cell, size in ((one, 10), (one, 10), (other, 10), (one, 11)):
            assert calibrated(cell, size) == took
        assert timed == [one.name, other.name, one.name]
        yesterday = time.time() - 25 * 3600
        for file in (user_cache / "timings").iterdir():
            os.utime(file, (yesterday, yesterday))
        calibrated(one, 10)
    with calibrations.calibrations(2, timed.append) as calibrated:
        calibrated(one, 10)
    assert timed[3:] == [one.name, one.name]


def test_the_amount_is_rows_times_epochs(small_study):
    study = small_study(some={"grid": {"training.epochs": [0, 1, 3]}})
    none, once, thrice = (_amount(cell.config) for cell in cells_of(study))
    assert none == 0
    assert thrice == 3 * once > 0
