"""Studies of seconds: the small native data set and the WavLM with random weights of the tests of tuning."""

import sys
from contextlib import contextmanager
from dataclasses import asdict

import pytest
import yaml

from brainwavlm.study import calibrations, load_study
from brainwavlm.study.records import CellState
from brainwavlm.study.work import run_cell


@pytest.fixture
def base(settings):
    """Settings of a run of seconds, as the file of a study gives them."""
    config = settings(training__epochs=1).model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in config.items() if key != "subject"} | {"subject": "anna"}


@pytest.fixture
def in_this_process(monkeypatch):
    """A context in which cells are worked on, or timed, in this process: one of its own imports for ten seconds.

    For what a study decides and what its cells compute; what processes are for is tested with processes.
    """

    def work_on(tasks, workers, retries, finished, gpus):
        for task in tasks:
            finished(CellState.model_validate(run_cell(asdict(task))))

    @contextmanager
    def timings(cpus, timed):
        yield lambda cell, *sizes: calibrations.planned(cell.config.model_dump(mode="json"))["plan"]

    @contextmanager
    def context():
        with monkeypatch.context() as patch:
            patch.setattr("brainwavlm.study.engines.run_local", work_on)
            patch.setattr(calibrations, "calibrations", timings)
            yield

    return context


@pytest.fixture
def cells_do(monkeypatch):
    """`cells_do(code)`: the process of a cell, which has its `task`, does that and says that it is done."""

    def do(code):
        done = "print(json.dumps({'folder': task['folder'], 'identity': task['identity'], 'state': 'done'}))"
        begin = "import json, os, pathlib, sys, time\ntask = json.loads(sys.stdin.readline())"
        command = (sys.executable, "-c", f"{begin}\n{code}\n{done}")
        monkeypatch.setattr("brainwavlm.study.engines.local.COMMAND", command)

    return do


@pytest.fixture
def study_file(base, tmp_path):
    """A function from experiments to the file of a study."""

    def write(name="study.yaml", above=None, **experiments):
        path = tmp_path / name
        content = {
            "format": 1,
            "name": "small",
            "base": {**base, **(above or {})},
            "experiments": experiments,
        }
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture
def small_study(study_file):
    """The same, read."""

    def make(above=None, **experiments):
        return load_study(study_file(above=above, **experiments))

    return make
