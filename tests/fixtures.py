"""Fixtures for tests of several folders: small real data sets, models with random weights, the command line."""

import copy
import functools
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from nilearn.plotting import plot_surf
from nilearn.surface import InMemoryMesh
from rich.console import Console
from torch.utils._python_dispatch import TorchDispatchMode

from brainwavlm import cli
from brainwavlm.checks import check_dataset
from brainwavlm.checks.report import Report
from brainwavlm.cli import console
from brainwavlm.config import load_config
from brainwavlm.encoding.tuning import tune
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.reporting.figures import brains
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.runs import provenance
from brainwavlm.runs.run import Run, open_run
from brainwavlm.speech import backbones
from brainwavlm.stimulus import decoded_sound
from tests.encoding.loops import KillAt, Killed, assert_identical, history, tensors
from tests.models import stock_model
from tests.trees import ds003020_tree, native_tree


@pytest.fixture(autouse=True, scope="session")
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What is kept of sounds and timings stays away from the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoded_sound, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture(autouse=True, scope="session")
def few_triangles() -> Iterator[None]:
    """Every fiftieth triangle of a brain is drawn: matplotlib takes seconds for each whole one."""
    draw = brains.plot_surf

    def drawn(surf_mesh, **options):
        few = InMemoryMesh(
            surf_mesh.coordinates, surf_mesh.faces[:: 50 if len(surf_mesh.faces) > 1000 else 1]
        )
        return draw(surf_mesh=few, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brains, "plot_surf", drawn)
        yield


@pytest.fixture
def every_triangle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brains, "plot_surf", plot_surf)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    ds003020_tree(folder / "published")
    native_tree(folder / "native")
    return folder


@pytest.fixture
def published(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "published", tmp_path / "published"))


@pytest.fixture
def native(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "native", tmp_path / "native"))


@pytest.fixture
def checked() -> Callable[..., Report]:
    """`check_dataset`, with the fact that it writes nothing."""

    def check(path: Path, subject: str | None = None) -> Report:
        before = _contents(path)
        report = check_dataset(path, subject)
        assert _contents(path) == before
        return report

    return check


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make files of a name unreadable: modes would not keep the superuser out, who may be running the tests."""
    allowed = Path.open

    def forbidden(name: str) -> None:
        def opened(path: Path, *args: Any, **kwargs: Any) -> Any:
            if path.name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return allowed(path, *args, **kwargs)

        monkeypatch.setattr(Path, "open", opened)

    return forbidden


def _contents(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Folder of a saved model, by kind."""
    folders = {}

    def folder(kind: str):
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp("models") / kind
            stock_model(kind).save_pretrained(folders[kind])
        return folders[kind]

    return folder


class Draws(TorchDispatchMode):
    """Notes what is drawn from PyTorch's generator, to draw as much `again`."""

    def __init__(self):
        super().__init__()
        self.drawn = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if torch.Tag.nondeterministic_seeded in function.tags and args[0].device.type == "cpu":
            self.drawn.append((function, args[0].shape, args[0].dtype, args[1:], kwargs or {}))
        return function(*args, **(kwargs or {}))

    def again(self):
        for function, shape, dtype, args, kwargs in self.drawn:
            function(torch.empty(shape, dtype=dtype), *args, **kwargs)


@pytest.fixture(autouse=True, scope="session")
def saved_models_are_read_once(tmp_path_factory):
    """A model of `saved` is a copy from its second load on, which takes a fifth of the time."""
    read, loads, folder = backbones.load_stock, {}, str(tmp_path_factory.getbasetemp() / "models")

    def load(name, train_noise=True):
        if not name.startswith(folder):
            return read(name, train_noise)
        key = name, train_noise
        if key in loads:
            # transformers draws numbers as it loads: what is drawn later must be as it is after a true load.
            loads[key][1].again()
        else:
            with Draws() as draws:
                loads[key] = read(name, train_noise), draws
        model, family = loads[key][0]
        return copy.deepcopy(model), family

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbones, "load_stock", load)
        yield


@pytest.fixture(autouse=True, scope="session")
def code_is_hashed_once():
    """What each run notes of the code, which takes a twentieth of its time: every file, and git."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "code_version", functools.cache(provenance.code_version))
        yield


@pytest.fixture(autouse=True, scope="session")
def commands_are_read_once():
    """typer makes all commands anew at each call, and again to word an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def tiny_wavlm(saved):
    return saved("wavlm")


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """Four stories of 30 s, rows from 4 s on, so that delays reach sound before the first row."""
    return native_tree(tmp_path_factory.mktemp("native")).path


@pytest.fixture
def own_tree(tree, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(tree, tmp_path / "data")


@pytest.fixture(scope="session")
def settings(tree, tiny_wavlm):
    """A function from overrides to the configuration of a run of seconds."""

    def make(**overrides):
        base = {
            "dataset": str(tree),
            "subject": "anna",
            "device": "cpu",
            "windows.context": 1.0,
            "windows.stride": 1.0,
            "windows.frame": "mean",
            "backbone.name": str(tiny_wavlm),
            "backbone.layer": 3,
            "adapter.rank": 2,
            "adapter.dropout": 0.1,
            "readout.width": 4,
            "training.epochs": 2,
            "training.block_rows": 5,
            "training.lr_backbone": 1e-2,
            "training.lr_readout": 1e-2,
            "ridge.alphas": [1.0, 100.0],
            "ridge.folds": 2,
            "evaluation.shifts": 20,
        }
        return load_config(overrides=base | {key.replace("__", "."): v for key, v in overrides.items()})

    return make


@pytest.fixture(scope="session")
def finished(settings, tmp_path_factory):
    """`finished(seed=1)`: a run of such settings, of one epoch unless told, tuned once for all tests: read only."""
    folders = {}

    def run(**overrides) -> Run:
        config = settings(**{"training__epochs": 1, **overrides})
        key = config.model_dump_json()
        if key not in folders:
            folders[key] = tune(config, tmp_path_factory.mktemp("finished") / "run").path
        return open_run(folders[key])

    return run


@pytest.fixture(scope="session")
def features(tmp_path_factory):
    """A folder for features, where each model reads each story once for all tests."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="session")
def evaluated(finished, features):
    """`evaluated(seed=1)`: the evaluation of a run of `finished`, made once for all tests: read only."""
    evaluations = {}

    def scores(**overrides) -> Evaluation:
        run = finished(**overrides)
        if run.path not in evaluations:
            evaluations[run.path] = evaluate(run, cache=features)
        return evaluations[run.path]

    return scores


@pytest.fixture
def tuned(finished, tmp_path):
    """`tuned("a", seed=1)`: a copy of such a run at tmp_path / "a", which a test may change."""

    def run(name="run", **overrides) -> Run:
        return open_run(shutil.copytree(finished(**overrides).path, tmp_path / name))

    return run


@pytest.fixture
def resumed(finished, tmp_path):
    """`resumed(3, seed=1)`: a run that was killed after three steps and resumed, which has to equal the unbroken one."""

    def run(killed_after, **overrides):
        unbroken, broken = finished(**overrides), tmp_path / "broken"
        with pytest.raises(Killed):
            tune(unbroken.config, broken, progress=KillAt(killed_after))
        torch.rand(7)  # the state of the generator is the checkpoint's
        made = tune(unbroken.config, broken, resume=True)
        assert_identical(tensors(made), tensors(unbroken))
        assert_identical(tensors(made, "best"), tensors(unbroken, "best"))
        assert made.result == unbroken.result
        assert history(made) == history(unbroken)
        return made

    return run


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 0 0 2\nand 3 3 3 3\ndog 0 1 0.5 -1\n")
    return path


@pytest.fixture
def control(settings, vectors):
    """The configuration of a control of that kind, blocks of two TRs."""

    def make(kind, **more):
        return settings(
            **{"control__kind": kind, "control__seconds": 4.0, "control__embeddings": str(vectors), **more}
        )

    return make


@dataclass(frozen=True)
class Done:
    """What a command printed."""

    out: str
    err: str


@pytest.fixture
def brainwavlm(monkeypatch, capsys):
    """`brainwavlm("check", folder, code=2)` as a function, which must end with that exit code."""

    def run(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["brainwavlm", *map(str, arguments)])
        capsys.readouterr()
        ended = 0
        try:
            cli.main()
        except SystemExit as stop:
            ended = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert ended == code, err
        return Done(out, err)

    return run


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a function prints in a terminal of that width."""

    def show(function, *arguments, width=80, **keywords):
        monkeypatch.setattr(console, "console", Console(width=width, highlight=False))
        capsys.readouterr()
        function(*arguments, **keywords)
        return capsys.readouterr().out

    return show


@pytest.fixture(scope="session")
def small_settings(tiny_wavlm, tmp_path_factory):
    """A configuration file in which only the data set is missing, as a user of ds003020 would write it."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(
        f"""subject: UTS03
windows: {{context: 1.0, stride: 1.0, frame: mean}}
backbone: {{name: "{tiny_wavlm}", layer: 3}}
adapter: {{rank: 2}}
training: {{epochs: 1, block_rows: 10}}
ridge: {{alphas: [1.0, 100.0], folds: 2}}
evaluation: {{shifts: 20}}
device: cpu
"""
    )
    return path
