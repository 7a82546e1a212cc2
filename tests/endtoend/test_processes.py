"""Two processes that share the windows of blocks give the loss curve of one."""

import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from accelerate import Accelerator, debug_launcher
from accelerate.state import AcceleratorState

from brainwavlm.datasets.demo import DEMO_MODEL
from brainwavlm.encoding.tuning import tune
from brainwavlm.runs.run import open_run
from tests.encoding.loops import KillAt, Killed

# From Python 3.12 on a fork beside threads is warned of; these processes use none of the parent's.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def launched(config, folder, *arguments):
    path = folder.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    command = [*LAUNCH, "-m", "brainwavlm", "tune", str(path), "--output", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def shared(settings):
    """Three blocks a story in steps of two, so that some have one block."""

    def make(**overrides):
        return settings(adapter__dropout=0.0, **({"training__blocks_per_step": 2} | overrides))

    return make


def tuned_together(config, folder):
    """`tune` in one of two forked processes, which inherit what accelerate knows of one."""
    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    AcceleratorState._reset_state(reset_partial_state=True)
    tune(config, folder)
    assert AcceleratorState().num_processes == 2


def require_same_curve(config, folder):
    """The losses of all steps, the scores of all epochs and the weights are those of one process."""
    debug_launcher(tuned_together, (config, folder / "two"), num_processes=2)
    two, one = open_run(folder / "two"), tune(config, folder / "one")
    steps = [[event["loss"] for event in run.log() if event["event"] == "step"] for run in (one, two)]
    assert len(steps[0]) == len(steps[1]) > 2
    assert steps[0] == pytest.approx(steps[1], abs=1e-5)
    for left, right in zip(one.result["history"], two.result["history"], strict=True):
        assert left == pytest.approx(right, abs=1e-4)
    for key, value in one.checkpoint("last").model.items():
        torch.testing.assert_close(two.checkpoint("last").model[key], value, atol=1e-3, rtol=1e-2)


def test_listeners_who_share_a_model_give_the_same_curve_in_two_processes(shared, tmp_path):
    """A readout without a block in a step must keep still in both processes, as it does in one."""
    require_same_curve(shared(joint=[{"subject": "ben"}], training__epochs=1), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("n_blocks", [1, 2])
@pytest.mark.parametrize("mode", ["windows", "stream"])
def test_two_processes_give_the_loss_curve_of_one(shared, tmp_path, n_blocks, mode):
    require_same_curve(shared(training__blocks_per_step=n_blocks, windows__mode=mode), tmp_path)


@pytest.mark.slow
def test_two_processes_go_on_where_one_stopped_within_an_epoch(shared, tmp_path):
    config = shared(training__checkpoint_steps=1)
    whole = tune(config, tmp_path / "whole")
    with pytest.raises(Killed):
        tune(config, tmp_path / "part", progress=KillAt(2))
    part = open_run(tmp_path / "part")
    assert part.checkpoint("last").state["step"] == 1
    assert part.checkpoint("last").state["epoch"] == 0
    done = launched(config, part.path, "--resume")
    assert done.returncode == 0, done.stderr
    for left, right in zip(whole.result["history"], open_run(part.path).result["history"], strict=True):
        assert left == pytest.approx(right, abs=1e-4)


@pytest.mark.slow
def test_a_taken_place_is_refused_by_every_process(shared, finished, tmp_path):
    taken = shutil.copytree(finished().path, tmp_path / "taken")
    done = launched(shared(training__epochs=1), taken)
    assert done.returncode != 0
    assert "a finished run is here" in done.stderr


def test_commands_that_cannot_share_their_work_are_refused(brainwavlm, tmp_path, monkeypatch):
    monkeypatch.setattr(Accelerator, "num_processes", 2)
    output = ["--output", tmp_path / "output"]
    for command in (
        ["features", "demo", "--backbone", DEMO_MODEL, *output],
        ["plan", "--preset", "demo"],
        ["demo", *output],
    ):
        done = brainwavlm(*command, code=2)
        assert "only `tune` shares its work" in done.err
        assert not (tmp_path / "output").exists()
