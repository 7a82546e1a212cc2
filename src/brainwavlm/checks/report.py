"""What `check` says: problems with file, found, expected and next step; facts; the verdict."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from brainwavlm.errors import BrainwavlmError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    kind : str
        Short word that is the same for all problems of one sort, e.g. pointer, rows, stereo.
    path : str
        The file, relative to the data set's folder where it lies in it.
    found, expected, remedy : str
    severity : str
        error: the data set cannot be used so. warning: it can, and this is what will be done about it.
    """

    kind: str
    path: str
    found: str
    expected: str
    remedy: str
    severity: Severity = "error"

    @classmethod
    def of(cls, error: BrainwavlmError, kind: str, severity: Severity = "error") -> "Problem":
        """The problem that an exception tells of."""
        return cls(kind, error.path, error.found, error.expected, error.remedy, severity)

    def __str__(self) -> str:
        return f"{self.path}: {self.found}\n    Expected {self.expected}\n    {self.remedy}"


class Problems(list[Problem]):
    """Problems in the order in which they are found."""

    def error(self, kind: str, path: Path, found: str, expected: str, remedy: str) -> None:
        """Add what stops the use of the data."""
        self.append(Problem(kind, str(path), found, expected, remedy))

    def warn(self, kind: str, path: Path, found: str, expected: str, remedy: str) -> None:
        """Add what does not."""
        self.append(Problem(kind, str(path), found, expected, remedy, "warning"))

    @contextmanager
    def told(self, kind: str, severity: Severity = "error") -> Iterator[None]:
        """A block that ends where something is raised, which is added."""
        try:
            yield
        except BrainwavlmError as error:
            self.append(Problem.of(error, kind, severity))


@dataclass(frozen=True)
class Report:
    """Everything that a check found.

    Attributes
    ----------
    dataset : str
        Name, empty when the data set could not be opened.
    path : str
    simulated : bool
    subjects : tuple of dict
        One a subject: subject, n_voxels, n_usable, n_rows, hours, and the stories of each split.
    problems : tuple of Problem
        Errors first.
    facts : tuple of str
        What is no problem but worth knowing: the clock, resampling, stories shared between subjects.
    """

    dataset: str
    path: str
    simulated: bool = False
    subjects: tuple[dict[str, Any], ...] = ()
    problems: tuple[Problem, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that stop the use of the data."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems that do not."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def usable(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        parts = {"usable": self.usable, **asdict(self)}
        return {name: list(part) if isinstance(part, tuple) else part for name, part in parts.items()}
