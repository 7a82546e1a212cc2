"""Hours of a study: what one cell of each kind takes, scaled; jobs on workers."""

import os
import sys
import tempfile

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


def test_the_amount_is_rows_times_epochs(small_study):
    study = small_study(some={"grid": {"training.epochs": [0, 1, 3]}})
    none, once, thrice = (_amount(cell.config) for cell in cells_of(study))
    assert none == 0
    assert thrice == 3 * once > 0
