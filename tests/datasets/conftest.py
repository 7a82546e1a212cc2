"""A copy of ds003020, a native folder, and a check that must leave both as they are."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainwavlm.datasets.check import check_dataset
from brainwavlm.datasets.problems import Report
from tests.trees import ds003020_tree, native_tree


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
