"""kill -9 at any moment: resume ends bit-identical to an unbroken run, and no file is unreadable."""

import multiprocessing
import random
import sys
import time

import pytest
import torch
import yaml
from safetensors.torch import load_file

from brainwavlm import cli
from brainwavlm.encoding.tuning import tune
from brainwavlm.files import read_json
from brainwavlm.runs.run import open_run


def require_readable(folder):
    """Every file that is not marked as partial can be read whole."""
    for path in folder.rglob("*"):
        if not path.is_file() or "partial" in str(path) or path.name.startswith("."):
            continue
        if path.suffix == ".json":
            read_json(path)
        elif path.suffix == ".safetensors":
            load_file(path)
    open_run(folder).log()


def command(arguments):
    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    sys.argv = ["brainwavlm", *arguments]
    cli.main()


def killed(start, config_path, folder, n_events, seconds):
    """Start the program, kill it `seconds` after its log has `n_events` lines; returns whether it was still at work."""
    arguments = ["tune", str(config_path), "--output", str(folder)]
    process = multiprocessing.get_context(start).Process(target=command, args=(arguments,))
    process.start()
    log = folder / "log.jsonl"
    while process.is_alive() and (not log.exists() or log.read_bytes().count(b"\n") < n_events):
        time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    process.join()
    unfinished = not (folder / "result.json").exists()
    require_readable(folder)
    return unfinished


@pytest.fixture
def one_thread():
    """As many as the process that is killed has: sums in another order would differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def compare(settings, folder, n_kills, seed, start):
    """Kills at random events, and random moments between two; returns the share that hit a run at work.

    What is killed is the command; the library goes on with it, and makes the unbroken run. Moments are counted in events of the log: counted
    in seconds, a run that happens to be faster would be over.
    """
    config = settings(training__checkpoint_steps=2)
    config_path = folder / "config.yaml"
    config_path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    whole = tune(config, folder / "whole")
    events = whole.log()
    pause = (events[-1]["time"] - events[0]["time"]) / len(events)
    moments = random.Random(seed)
    broken = 0
    for number in range(n_kills):
        n_events = moments.randint(1, len(events) * 3 // 4)
        place = folder / f"broken-{number}"
        broken += killed(start, config_path, place, n_events, moments.uniform(0, pause))
        run = tune(config, place, resume=True)
        assert run.manifest["config"] == whole.manifest["config"]
        for which in ("last", "best"):
            left, right = whole.checkpoint(which), run.checkpoint(which)
            assert left.state["history"] == right.state["history"]
            for one, other in ((left.model, right.model), (left.optimiser, right.optimiser)):
                assert one.keys() == other.keys()
                assert [key for key in one if not torch.equal(one[key], other[key])] == []
        assert run.result == whole.result
    return broken / n_kills


# From Python 3.12 on a fork beside threads is warned of; this process uses none of the parent's.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("one_thread")
def test_a_run_of_the_command_that_is_killed_and_resumed_is_that_of_the_library_bit_for_bit(
    settings, tmp_path
):
    assert compare(settings, tmp_path, n_kills=1, seed=0, start="fork") > 0


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_twenty_kills_at_random_moments_all_resume_bit_identical(settings, tmp_path):
    """Of processes that know nothing of this one."""
    assert compare(settings, tmp_path, n_kills=20, seed=1, start="spawn") > 0.5
