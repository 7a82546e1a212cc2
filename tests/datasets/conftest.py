"""A copy of ds003020, a native folder, and a check that must leave both as they are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from brainwavlm.datasets.check import check_dataset
from brainwavlm.datasets.problems import Report
from tests.trees import ds003020_tree, native_tree


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return ds003020_tree(tmp_path / "ds003020")


@pytest.fixture
def native(tmp_path: Path) -> Path:
    return native_tree(tmp_path / "native").path


@pytest.fixture
def checked() -> Callable[..., Report]:
    """`check_dataset`, with the fact that it writes nothing."""

    def check(path: Path, subject: str | None = None) -> Report:
        before = _contents(path)
        report = check_dataset(path, subject)
        assert _contents(path) == before
        return report

    return check


def _contents(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(folder.rglob("*"))}
