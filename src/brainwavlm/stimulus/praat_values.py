"""Values of a file of Praat, in their order: of its text forms and of its binary one.

A text file is a row of free-standing tokens: numbers, "strings" whose quotes are doubled, <flags>; all else, and what
stands behind an exclamation mark, is comment. The long and the short form are the same row of tokens.
"""

import math
import re
import struct
from typing import Any

from brainwavlm.files import one_form

_TOKEN = re.compile(
    r'(?<![^\s=?])(?:"(?P<text>[^"]*(?:""[^"]*)*)(?P<close>"?)|(?P<flag><\w+>)|(?P<number>[-+]?\.?\d\S*)|!.*)'
)
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:/(\d+))?(%?)")

_LONGEST = 18  # digits of a count


class Malformed(ValueError):
    """What is wrong within a TextGrid, as a sentence."""


class TextValues:
    """Values of a text file, in their order."""

    def __init__(self, text: str):
        self._text = text
        self._tokens = (match for match in _TOKEN.finditer(text) if match.lastgroup)
        self.ahead = next(self._tokens, None)

    def number(self) -> float:
        token = self._next("number", "a number")
        value = _NUMBER.fullmatch(token)
        divisor = float(value[2] or 1) if value else 0
        if value is None or not 0 < divisor < math.inf:
            raise self._wrong(f"{token[:40]!r} is no number")
        return float(value[1]) / divisor / (100 if value[3] else 1)

    def count(self) -> int:
        token = self._next("number", "a whole number")
        if not token.isdecimal() or len(token) > _LONGEST:
            raise self._wrong(f"{token[:40]!r} is no count")
        return int(token)

    def string(self) -> str:
        return one_form(self._next("text", "text in quotes").replace('""', '"'))

    kind = string

    def exists(self) -> bool:
        return self._next("flag", "<exists>") == "<exists>"

    def _next(self, group: str, expected: str) -> str:
        self._match = self.ahead
        if self._match is None:
            raise Malformed(f"it breaks off where {expected} is expected.")
        if self._match["text"] is not None:
            after = self._text[self._match.end() : self._match.end() + 1]
            if not self._match["close"] or after.strip():
                raise self._wrong("a quote that is not closed, or not doubled within a label")
        value = self._match[group]
        if value is None:
            raise self._wrong(f"{self._match[0][:40]!r} where {expected} is expected")
        self.ahead = next(self._tokens, None)
        return value

    def _wrong(self, what: str) -> Malformed:
        assert self._match is not None
        lines = re.findall(r"\r\n?|\n", self._text[: self._match.start()])
        return Malformed(f"{what}, line {len(lines) + 1}.")


class BinaryValues:
    """Values of Praat's binary form, in their order: big-endian, strings of one or two bytes a character."""

    def __init__(self, content: bytes):
        self._content, self._place = content, 0
        if self.kind() != "TextGrid":
            raise Malformed("binary, but no TextGrid.")
        self._place = 0

    def _next(self, form: str) -> Any:
        try:
            (value,) = struct.unpack_from(f">{form}", self._content, self._place)
        except struct.error:
            raise Malformed("it breaks off.") from None
        self._place += struct.calcsize(f">{form}")
        return value

    def number(self) -> float:
        return self._next("d")

    def count(self) -> int:
        return self._next("i")

    def exists(self) -> bool:
        return bool(self._next("B"))

    def kind(self) -> str:
        return self._next(f"{self._next('B')}s").decode("latin-1")

    def string(self) -> str:
        length = self._next("H")
        if length == 0xFFFF:
            text = self._next(f"{2 * self._next('H')}s").decode("utf-16-be", "replace")
            return one_form(text)
        return self._next(f"{length}s").decode("latin-1")
