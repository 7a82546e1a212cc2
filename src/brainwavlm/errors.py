"""Errors a user can act on: which file, what was found, what was expected, what to do next."""

from pathlib import Path


class BrainwavlmError(Exception):
    """Bad input or configuration. The command line prints it and leaves with exit code 2.

    Parameters
    ----------
    path : str or Path
        What is wrong. A Path: a file or folder. A text: a key of a configuration (windows.stride), or an argument
        of a function (width), by the function's name where a study's file has it too (evaluate.layers).
    found : str
        What is there.
    expected : str
        What should be there.
    remedy : str
        The next thing to do.
    """

    exit_code = 2

    def __init__(self, path: str | Path, found: str, expected: str, remedy: str):
        self.path = str(path)
        self.key = path if isinstance(path, str) else ""
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(self.told(self.path))

    def told(self, place: str) -> str:
        """The message, with another name for what is wrong: the option of a command that sets a key."""
        parts = (indented(self.found), f"Expected {indented(self.expected)}", indented(self.remedy))
        return f"{printable(place)}: " + "\n    ".join(parts)

    def as_dict(self) -> dict[str, str]:
        """The four parts by name, for `--json`."""
        return {
            "path": self.path,
            "found": self.found,
            "expected": self.expected,
            "remedy": self.remedy,
        }


class ConfigError(BrainwavlmError):
    """A configuration, option or preset that cannot be used."""


class DatasetError(BrainwavlmError):
    """A file of a data set that cannot be used."""


class AlignmentError(BrainwavlmError):
    """Sound and responses that cannot be put on one clock."""


class BackboneError(BrainwavlmError):
    """A speech model that cannot be loaded or adapted as asked."""


class RunError(BrainwavlmError):
    """A run folder that cannot be used: locked, foreign, finished or damaged."""


class TuningError(BrainwavlmError):
    """A run that failed while it computed, for instance because its loss is no number."""

    exit_code = 1


def printable(text: object) -> str:
    r"""The text on one line; signs that control a terminal or turn the direction of reading as escapes (\n, \u202e)."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(text)
    )


def indented(text: object, by: int = 4) -> str:
    """The same of text with several lines, each further one indented."""
    return ("\n" + " " * by).join(printable(line) for line in str(text).splitlines())
