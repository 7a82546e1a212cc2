"""The command line called as a user does, in this process, and the data it is called on."""

import sys
from dataclasses import dataclass

import pytest

from brainwavlm import cli
from tests.encoding.conftest import settings, tree  # noqa: F401  fixtures
from tests.speech.conftest import saved, tiny_wavlm  # noqa: F401  fixtures


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def brainwavlm(monkeypatch, capsys):
    """`brainwavlm("check", folder)` as a function."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["brainwavlm", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Done(int(code), out, err)

    return run


@pytest.fixture(scope="session")
def small_settings(tiny_wavlm, tmp_path_factory):  # noqa: F811
    """A configuration file in which only the data set is missing, as a user of ds003020 would write it."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(
        f"""subject: UTS03
windows: {{context: 1.0, stride: 0.5, frame: mean}}
backbone: {{name: "{tiny_wavlm}", layer: 3}}
adapter: {{rank: 2}}
training: {{epochs: 1, block_rows: 10}}
ridge: {{alphas: [1.0, 100.0], folds: 2}}
evaluation: {{bootstraps: 100, shifts: 20}}
device: cpu
"""
    )
    return path
