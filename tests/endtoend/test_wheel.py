"""The wheel in a bare environment: what a user installs does the whole job, without the source beside it."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A function that runs a command of an environment that holds the wheel alone, in a path with spaces."""
    folder = tmp_path_factory.mktemp("a path with spaces")
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    subprocess.run([sys.executable, *map(str, build)], check=True)
    (wheel,) = folder.glob("brainwavlm-*.whl")
    venv.create(folder / "bare env", with_pip=True)
    bin_folder = folder / "bare env/bin"
    pip = ("-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
    subprocess.run([bin_folder / "python", *map(str, pip)], check=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*command):
        done = subprocess.run(
            [bin_folder / command[0], *map(str, command[1:])],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_wheel_does_the_whole_job(installed, tmp_path):
    demo = tmp_path / "demo output"
    out = installed("brainwavlm", "demo", "--epochs", 1, "--output", demo)
    assert "minutes on this machine" in out.splitlines()[0] + out.splitlines()[1]
    assert (demo / "report.html").is_file()
    assert not list(ROOT.glob("src/brainwavlm/**/frontends"))
    run = demo / "tuned-on-cortex"
    installed("brainwavlm", "export", run, "--output", tmp_path / "model")
    sound = next((ROOT / "src/brainwavlm/assets/demo").rglob("*.ogg"))
    installed("brainwavlm", "predict", tmp_path / "model", sound, "--output", tmp_path / "predicted.npy")
    installed("brainwavlm", "report", demo / "evaluation", "--output", tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size > 100_000


def test_version_and_digest_are_those_of_the_source(installed):
    from brainwavlm.runs.environment import code_version

    here = code_version()
    assert installed("brainwavlm", "--version").strip() == f"{here['version']} (code {here['source'][:10]})"
