"""From files, presets and overrides to a configuration."""

import difflib
import re
from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

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
        What an error names; None: the key that is wrong, or the file where it stands.

    Raises
    ------
    ConfigError
        Unknown key (the nearest known one is named), wrong value, unreadable file.
    """
    layers = read_yaml(Path(path)) if path is not None else {}
    base = preset or layers.pop("preset", None)
    layers.pop("preset", None)
    values = _preset(base) if base else {}
    values = _merged(values, layers)
    overrides = overrides or {}
    for key, value in overrides.items():
        values = _merged(values, _nested(key, value))
    return validated(RunConfig, values, source or path, () if source else overrides)


def stored_config(values: Mapping[str, Any], source: str) -> RunConfig:
    """The configuration that a run, an evaluation or a study wrote, also an earlier version of this program."""
    evaluation = values.get("evaluation")
    if isinstance(evaluation, dict) and "bootstraps" in evaluation:  # intervals were made by resamples
        values = {**values, "evaluation": {k: v for k, v in evaluation.items() if k != "bootstraps"}}
    return validated(RunConfig, dict(values), source)


def validated(
    model: type[Step], values: dict[str, Any], source: str | Path | None = None, apart: Collection[str] = ()
) -> Any:
    """`model(**values)`, with errors in this program's form.

    Parameters
    ----------
    model : subclass of Step
    values : dict
    source : str, Path or None
        Where the values stand, which errors name; None: they name the key.
    apart : collection of str
        Keys whose values do not stand there.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        # What is within a list is set with the whole list.
        settable = ".".join(takewhile(lambda part: isinstance(part, str), problem["loc"]))  # type: ignore[arg-type]
        is_apart = any(f"{other}.".startswith(f"{settable}.") for other in apart)
        place: str | Path = settable if source is None or is_apart else source
        value = f"{problem['input']!r}." if key == place else f"{key} = {problem['input']!r}."
        if problem["type"] == "invalid_key":
            raise ConfigError(
                place, f"the key {key} is no text.", "keys that are text.", "Correct it, or quote it."
            ) from None
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known_keys(model), n=1, cutoff=0.4)
            near = near or [k for k in known_keys(model) if k.split(".")[-1] == key.split(".")[-1]][:1]
            hint = f"Did you mean {near[0]}?" if near else "See docs/reference/configuration.md for all keys."
            raise ConfigError(place, f"unknown key {key}.", "a known key.", hint) from None
        if problem["type"] == "missing":
            remedy = "Add it; `check` lists those of a data set." if key == "subject" else "Add it."
            raise ConfigError(place, f"{key} is not set.", f"a value for {key}.", remedy) from None
        # What several keys together break is told by the message; all keys would fill the screen.
        if not key:
            value = "settings that exclude one another."
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(
            place or "configuration", f"{value}{more}", f"{message[0].lower()}{message[1:]}.", "Change it."
        ) from None


def parse_overrides(items: list[str]) -> dict[str, Any]:
    """{"a.b": value} from ["a.b=value"], values read as YAML."""
    overrides = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ConfigError("set", repr(item), "key=value.", "For instance: training.epochs=3")
        try:
            overrides[key.strip()] = parsed(value)
        except ValueError as error:
            raise ConfigError(
                "set", f"{item[:200]!r}, {error}", "a YAML value after '='.", "Quote it."
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


@cache  # parsing it takes longer than all else that a cell of a study asks for
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


def known_keys(model: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    """All dotted keys of a configuration, and of the steps that hold them."""
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += known_keys(field.annotation, f"{prefix}{name}.")
    return keys
