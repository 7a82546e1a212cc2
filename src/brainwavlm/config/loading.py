"""From files, presets and overrides to a configuration."""

import difflib
import re
from collections.abc import Hashable, Mapping
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    BaseModel,
    ValidationError,
)

from brainwavlm.config.schema import RunConfig, Step
from brainwavlm.errors import ConfigError


class OnceLoader(yaml.SafeLoader):
    """Notes a key that stands twice in a mapping: the second would silently win."""

    def __init__(self, text: str):
        super().__init__(text)
        self.repeated: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node, its repeated keys noted."""
        seen = set()
        for key, _ in getattr(node, "value", ()):
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.repeated.append(f"{key.value} a second time in line {key.start_mark.line + 1}")
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def parsed(text: str) -> Any:
    """The value that a YAML text stands for.

    Raises
    ------
    ValueError
        With the reason, and the line where it is known; also where a key stands twice.
    """
    value, repeated = parsed_with_repeats(text)
    if repeated:
        raise ValueError(f"lists {repeated[0]}.")
    return value


def parsed_with_repeats(text: str) -> tuple[Any, list[str]]:
    """The value that a YAML text stands for, and the keys that stand twice, for those who report every one.

    Raises
    ------
    ValueError
        With the reason, and the line where it is known.
    """
    loader = None
    try:
        loader = OnceLoader(text)
        return loader.get_single_data(), loader.repeated
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ValueError(f"not YAML: {reason}{where}.") from None
    except RecursionError:
        raise ValueError("not YAML: too deeply nested.") from None
    except (ValueError, TypeError, AttributeError) as error:  # a date of month 13, a tag on the wrong kind
        where = f" before line {loader.line + 1}" if loader and loader.line else ""
        raise ValueError(f"not YAML: {error}{where}.") from None


PRESETS = ("paper", "authors-2026", "recommended", "demo")


def load_config(
    path: str | Path | None = None,
    preset: str | None = None,
    overrides: dict[str, Any] | None = None,
    source: str | None = None,
    options: Mapping[str, str] | None = None,
) -> RunConfig:
    """One `RunConfig` from a preset, a file above it, and overrides above both.

    Parameters
    ----------
    path : str, Path or None
        YAML file. It may name its own base: `preset: recommended`.
    preset : str or None
        One of `PRESETS`; wins over the file's.
    overrides : dict or None
        Dotted keys, e.g. {"training.epochs": 3}. Strings are read as YAML.
    source : str or None
        What an error names; None: the file, or --set.
    options : mapping of str to str or None
        Options that an error names in place of the keys which they set, e.g. {"windows.stride": "--stride"}.

    Raises
    ------
    ConfigError
        Unknown key (the nearest known one is named), wrong value, unreadable file.
    """
    layers = read_yaml(Path(path)) if path is not None else {}
    source = source or (str(path) if path is not None else "--set")
    base = preset or layers.pop("preset", None)
    layers.pop("preset", None)
    values = _preset(base) if base else {}
    values = _merged(values, layers)
    for key, value in (overrides or {}).items():
        values = _merged(values, _nested(key, value))
    return validated(RunConfig, values, source, options)


def validated(
    model: type[Step], values: dict[str, Any], source: str, options: Mapping[str, str] | None = None
) -> Any:
    """`model(**values)`, with errors in this program's form; `options` as in `load_config`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "invalid_key":
            raise ConfigError(
                source, f"the key {key} is no text.", "keys that are text.", "Correct it, or quote it."
            ) from None
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _known_keys(model), n=1, cutoff=0.4)
            near = near or [k for k in _known_keys(model) if k.split(".")[-1] == key.split(".")[-1]][:1]
            hint = f"Did you mean {near[0]}?" if near else "See docs/reference/configuration.md for all keys."
            raise ConfigError(source, f"unknown key {key}.", "a known key.", hint) from None
        if first["type"] == "missing":
            raise ConfigError(
                source, f"{key} is not set.", f"a value for {key}.", f"Add `{key}: ...` or --set {key}=..."
            ) from None
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = first["msg"].removeprefix("Value error, ")
        # What is within a list is set with the whole list.
        settable = ".".join(str(part) for part in takewhile(lambda part: isinstance(part, str), first["loc"]))
        option = (options or {}).get(settable)
        raise ConfigError(
            option or source,
            # What several keys together break is told by the message; all keys would fill the screen.
            f"{key} = {first['input']!r}.{more}" if key else f"settings that exclude one another.{more}",
            f"{message[0].lower()}{message[1:]}.",
            f"Change {option}."
            if option
            else f"Change {settable or 'it'}, in the file or with --set {settable or 'KEY'}=...",
        ) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    ConfigError
        Missing file, not UTF-8, not YAML, or not a mapping.
    """
    try:
        if not path.is_file():
            known = ", ".join(PRESETS)
            remedy = f"Give its path, or use --preset ({known})."
            raise ConfigError(path, "no such file.", "a YAML file.", remedy)
        content = parsed(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(
            path, f"not UTF-8: {error}.", "a YAML mapping in UTF-8.", "Save as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(path, f"not readable: {error}.", "a YAML file.", "Check its permissions.") from None
    except ValueError as error:
        raise ConfigError(path, str(error), "a YAML mapping, each key once.", "Mend that line.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            path, f"a {type(content).__name__}.", "a YAML mapping.", "Write `key: value` lines."
        )
    return content


def parse_overrides(items: list[str]) -> dict[str, Any]:
    """{"a.b": value} from ["a.b=value"], values read as YAML."""
    overrides = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ConfigError("--set", repr(item), "key=value.", "For instance: --set training.epochs=3")
        try:
            overrides[key.strip()] = parsed(value)
        except ValueError as error:
            found = f"{item[:200]!r}, {error}"
            raise ConfigError("--set", found, "a YAML value after '='.", "Quote it.") from None
    return overrides


def gigabytes(text: str, source: str) -> float:
    """8.0 from 8GB, 8 or 8000MB; GB are 1e9 bytes.

    Parameters
    ----------
    text : str
    source : str
        Where it was given, for the error.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MB|GB|TB)?", text.strip(), re.IGNORECASE | re.ASCII)
    value = float(match[1]) * {"M": 1e-3, "G": 1.0, "T": 1e3}[(match[2] or "GB")[0].upper()] if match else 0.0
    if not 0 < value <= 1e6:
        raise ConfigError(source, repr(text), "an amount of memory, e.g. 8GB, 8 or 8000MB.", "Correct it.")
    return value


def _preset(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise ConfigError("preset", repr(name), f"one of {', '.join(PRESETS)}.", "Choose one of these.")
    text = (resources.files("brainwavlm") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _known_keys(field.annotation, f"{prefix}{name}.")
    return keys
