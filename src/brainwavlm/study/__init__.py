"""Studies: a grid of runs from one file, on this machine or on a Ray cluster."""

from importlib import import_module
from typing import Any

_HOME = {
    "Study": "description",
    "Experiment": "description",
    "load_study": "description",
    "Cell": "cells",
    "cells_of": "cells",
    "CellRecord": "folder",
    "StudyFolder": "folder",
    "open_study": "folder",
    "CellState": "records",
    "run_study": "run",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Public names, imported from their module when first used: torch stays out of `study status`."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
