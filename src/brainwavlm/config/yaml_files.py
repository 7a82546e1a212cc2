"""YAML as users write it: a key that stands twice is an error, and so are numbers that mean others, and no mapping."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from brainwavlm.errors import ConfigError
from brainwavlm.files import one_form


class OnceLoader(yaml.SafeLoader):
    """Notes a key that stands twice in a mapping, where the second would silently win, and numbers that YAML 1.1 takes
    for others: 010 is 8, 1_5 is 15, 1:30 is 90.
    """

    def __init__(self, text: str):
        super().__init__(text)
        self.faults: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node, its repeated keys noted."""
        seen = set()
        for key, _ in getattr(node, "value", ()):
            if isinstance(key, yaml.ScalarNode):
                if one_form(key.value) in seen:
                    self.faults.append(f"{key.value} a second time in line {key.start_mark.line + 1}")
                seen.add(one_form(key.value))
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """The number of a node, noted where it is another than it looks."""
        whole = node.tag.endswith("int")
        value = self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)
        if re.search(r"[_:]|^[-+]?0\d" if whole else "[_:]", node.value):
            self.faults.append(
                f"{node.value} in line {node.start_mark.line + 1}, which YAML takes for {value:g}"
            )
        return value


for _kind in ("int", "float"):
    OnceLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", OnceLoader.construct_number)


def parsed(text: str) -> Any:
    """The value that a YAML text stands for.

    Raises
    ------
    ValueError
        With the reason, and the line where it is known; also where a key stands twice, or a number means another.
    """
    value, faults = parsed_with_faults(text)
    if faults:
        raise ValueError(f"lists {faults[0]}.")
    return value


def parsed_with_faults(text: str) -> tuple[Any, list[str]]:
    """The value that a YAML text stands for, and the keys that stand twice and numbers that mean others, for those who
    report every one.

    Raises
    ------
    ValueError
        With the reason, and the line where it is known.
    """
    loader = None
    try:
        loader = OnceLoader(text)
        return loader.get_single_data(), loader.faults
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ValueError(f"not YAML: {reason}{where}.") from None
    except RecursionError:
        raise ValueError("not YAML: too deeply nested.") from None
    except (ValueError, TypeError, AttributeError, LookupError) as error:  # month 13, a tag on the wrong kind
        where = f" before line {loader.line + 1}" if loader and loader.line else ""
        raise ValueError(f"not YAML: {error}{where}.") from None


def read_mapping(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The mapping in a YAML file, and its faults as of `parsed_with_faults`.

    Raises
    ------
    ValueError
        What is wrong, in words: missing file, not UTF-8, not YAML, or not a mapping.
    OSError
        It cannot be read.
    """
    if not path.is_file():
        raise ValueError("no such file.")
    try:
        content, faults = parsed_with_faults(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte {error.object[error.start]:#04x} at {error.start}.") from None
    if not isinstance(content, dict | None):
        raise ValueError(f"holds a {type(content).__name__}, no mapping of keys to values.")
    return content or {}, faults


def read_yaml(path: Path) -> dict[str, Any]:
    """The same; ConfigError where anything is wrong."""
    try:
        content, faults = read_mapping(path)
        if not faults:
            return content
        problem = f"lists {faults[0]}."
    except (ValueError, OSError) as error:
        problem = str(error)
    raise ConfigError(
        path, problem, "a YAML mapping in UTF-8, each key once.", "Mend it, or give another path."
    )
