"""Settings of all tests; what they share is in tests/fixtures.py."""

import gc
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("tests", deadline=None)  # a machine may be busy
hypothesis.settings.load_profile("tests")

TESTS = Path(__file__).parent
# Folders with files that take long.
LONG = ("endtoend", "encoding", "evaluation", "reporting", "study", "speech", "cli", "runs", "results")


def pytest_configure(config: pytest.Config) -> None:
    """What hands the files to the workers runs no test: it need not import PyTorch, which takes seconds."""
    gc.disable()  # until all is imported: looking through it again and again takes a fifth of the time
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        config.pluginmanager.import_plugin("tests.fixtures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that at the end no worker is left with one while the others have nothing to do."""
    rank = {folder: number for number, folder in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(TESTS).parts[0], len(LONG)))


def pytest_collection_finish() -> None:
    """What was imported stays: half a million objects that no full pass of the garbage collector need look through."""
    gc.collect()
    gc.freeze()
    gc.enable()
