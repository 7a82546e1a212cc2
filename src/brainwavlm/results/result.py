"""What results have in common: tables and a summary in a folder; as JSON, and in a notebook."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from brainwavlm.files import Part
from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.results import tables
from brainwavlm.results.replicates import FILE, read_if_there


class Result(ABC):
    """Tables and `summary` in a folder, `path`; each kind is a frozen dataclass of them, some with `replicates`."""

    FILES: ClassVar[Mapping[str, str]]  # of the tables, by attribute
    PERHAPS: ClassVar[Collection[str]] = ()  # tables that are written where they have rows
    SUMMARY: ClassVar[type[Part]]
    AGAIN: ClassVar[str]  # how to make the folder again, for errors
    summary: dict[str, Any]
    path: Path

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """The result in a folder.

        Raises
        ------
        RunError
            A file is missing or damaged, or of a version that this one cannot read.
        """
        folder = Path(folder)
        parts: dict[str, Any] = {}
        parts["summary"] = tables.read_summary(folder / "summary.json", cls.SUMMARY, cls.AGAIN)
        for name, file in cls.FILES.items():
            if name in cls.PERHAPS:
                parts[name] = tables.read_if_any(folder / file, parts["summary"], cls.AGAIN)
            else:
                further = cls._further(name, parts)
                parts[name] = tables.read_table(folder / file, parts["summary"], cls.AGAIN, further)
        if hasattr(cls, "replicates"):
            parts["replicates"] = read_if_there(folder / FILE, parts["summary"])
        return cls(**parts, path=folder)  # type: ignore[call-arg]

    @classmethod
    def _further(cls, name: str, parts: Mapping[str, pd.DataFrame]) -> Sequence[str]:
        """Columns of numbers that a table has besides those of every such file, by the parts before it."""
        return ()

    def save(self, folder: str | Path) -> Path:
        """Write all tables that there are, and summary.json, each whole or not at all; the summary last."""
        folder = Path(folder)
        for name, file in self.FILES.items():
            write = tables.write_if_any if name in self.PERHAPS else tables.write_frame
            write(folder / file, getattr(self, name))
        if (replicates := getattr(self, "replicates", None)) is not None:
            replicates.save(folder / FILE)
        tables.write_summary(folder / "summary.json", self.summary, self.SUMMARY)
        return folder

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, above its rows."""

    @property
    def simulated(self) -> bool:
        """Whether any of the responses are simulated."""
        return bool(self.summary["simulated"])

    def as_dict(self) -> dict[str, Any]:
        """All tables and the summary, for `--json`."""
        rows = {name: tables.frame_rows(getattr(self, name)) for name in self.FILES}
        return {**self.summary, "tables": rows}

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """The most telling columns, for people."""

    def _html(self) -> list[str]:
        return [table(self.rows())]

    def _repr_html_(self) -> str:
        marks, notes = simulated_badge(bool(self.summary.get("simulated"))), self.summary.get("notes", [])
        return block(self.title, marks, *self._html(), *map(sentence, notes))
