"""Hours of a study: what one cell of each kind takes, scaled; jobs on workers."""

import sys

import pytest

from brainwavlm.errors import TuningError
from brainwavlm.study import calibrations, cells_of
from brainwavlm.study.cost import _amount, _kind, _span


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


def test_a_process_that_dies_while_it_times_is_an_error_of_the_cell(small_study, monkeypatch):
    dies = "import sys; print('no memory', file=sys.stderr); sys.exit(7)"
    monkeypatch.setattr(calibrations, "COMMAND", (sys.executable, "-c", dies))
    (cell,) = cells_of(small_study(one={}))
    with (
        pytest.raises(TuningError, match=r"-seed0: timing .* exit code 7: no memory"),
        calibrations.calibrations(1) as calibrated,
    ):
        calibrated(cell)


def test_the_amount_is_rows_times_epochs(small_study):
    study = small_study(some={"grid": {"training.epochs": [0, 1, 3]}})
    none, once, thrice = (_amount(cell.config) for cell in cells_of(study))
    assert none == 0
    assert thrice == 3 * once > 0
