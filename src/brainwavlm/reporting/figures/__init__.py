"""Figures for papers, from the files that other commands write: sizes in mm, one style file, values beside each."""

from importlib import import_module
from typing import Any

_HOME = {
    "KINDS": "kinds",
    "Choice": "kinds",
    "Drawing": "drawing",
    "draw_figure": "drawing",
    "write_figure": "save",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Public names, imported when first used: matplotlib and nilearn take seconds."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
