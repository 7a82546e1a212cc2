from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from brainwavlm.encoding.readout import build_readout
from brainwavlm.evaluation.run_readout import delay_rows


@pytest.mark.parametrize("kind", ["bottleneck", "linear", "ridge-fixed"])
def test_delays_are_those_of_what_the_readout_does(settings, kind):
    config = settings(readout__kind=kind)
    readout = build_readout(config.readout, 4 * 6, 5)
    if kind == "ridge-fixed":
        readout.refresh(torch.randn(4 * 6, 5))
    with torch.no_grad():
        weights = (readout(torch.eye(24)) - readout(torch.zeros(1, 24))).T.numpy()
    norms = np.linalg.norm(weights.reshape(5, 4, 6), axis=2)
    share = norms / norms.sum(1, keepdims=True)
    rows, reason = delay_rows({"run": "a"}, SimpleNamespace(config=config, listener=0), readout, 2.0)
    assert reason == ""
    assert [row["seconds"] for row in rows] == [2.0 * delay for delay in config.alignment.delays]
    assert_allclose([row["median"] for row in rows], np.median(share, axis=0), rtol=1e-3)


@pytest.mark.parametrize("shared", [False, True])
def test_each_listener_of_a_joint_run_has_their_own_delays(settings, evaluated, shared):
    evaluation = evaluated(joint=[{"subject": "ben"}], readout__shared=shared)
    (anna, ben), delays = evaluation.runs, evaluation.delays
    medians = {run: list(rows["median"]) for run, rows in delays.groupby("run")}
    assert anna["no_delays"] == ""
    assert list(delays["seconds"].unique()) == [2.0 * delay for delay in settings().alignment.delays]
    if shared:
        assert list(medians) == [anna["name"]]
        assert ben["no_delays"] == "its readout is that of anna"
    else:
        assert medians[ben["name"]] != medians[anna["name"]]
