"""From files, presets and overrides to a configuration."""

import difflib
import re
from collections.abc import Mapping
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    BaseModel,
    ValidationError,
)

from brainwavlm.config.schema import RunConfig
from brainwavlm.config.step import Step
from brainwavlm.config.yaml_files import parsed, read_yaml
from brainwavlm.errors import ConfigError

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
            raise ConfigError(
                "--set", f"{item[:200]!r}, {error}", "a YAML value after '='.", "Quote it."
            ) from None
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


def flattened(values: BaseModel | Mapping[str, Any], keep_empty: bool = False) -> dict[str, Any]:
    """{"training.epochs": 3} from {"training": {"epochs": 3}}, or from a configuration.

    Parameters
    ----------
    values : RunConfig or mapping
    keep_empty : bool
        A mapping without content keeps its key, else it is as if it were not there.
    """
    flat: dict[str, Any] = {}
    for key, value in (values.model_dump(mode="json") if isinstance(values, BaseModel) else values).items():
        if isinstance(value, Mapping) and (value or not keep_empty):
            flat |= {f"{key}.{below}": content for below, content in flattened(value, keep_empty).items()}
        else:
            flat[str(key)] = value
    return flat


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
