"""Runs of one kind: which configurations ask the same, what tells the others apart, and what scores all of them."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from brainwavlm.config import RunConfig, flattened

# What no trained weight depends on: where and how a run computes, and how it is scored afterwards.
WITHOUT_EFFECT = (
    *("device", "tracking", "evaluation", "ridge.memory_gb", "backbone.memory_gb", "backbone.batch_windows"),
    *("training.checkpoint_steps", "training.recompute", "training.frontend_cache_gb"),
    *("training.frontend_folder", "training.keep_epochs", "backbone.compile"),
)
LISTENER = ("subject", "train", "validation", "test")


def grouped(configs: Sequence[RunConfig], apart_from: Collection[str]) -> dict[str, list[int]]:
    """Positions of the configurations that are equal but for some keys, in order, by a name that says what differs.

    `apart_from`: dotted keys, or whole steps, that may differ within a group; `WITHOUT_EFFECT` always may. The name
    holds the keys in which groups differ, e.g. `adapter.method=lora`; with one group it is `all runs`.
    """
    hidden = (*WITHOUT_EFFECT, *apart_from)
    settings = [
        {key: value for key, value in flattened(config).items() if not _within(key, hidden)}
        for config in configs
    ]
    groups: list[tuple[dict[str, Any], list[int]]] = []
    for position, values in enumerate(settings):
        members = next((members for known, members in groups if known == values), None)
        if members is None:
            groups.append((values, [position]))
        else:
            members.append(position)
    keys = dict.fromkeys(key for values, _ in groups for key in values)
    differing = [
        key for key in keys if any(values.get(key) != groups[0][0].get(key) for values, _ in groups[1:])
    ]
    return {
        label({key: values.get(key) for key in differing}) or "all runs": members
        for values, members in groups
    }


def named_groups(
    configs: Sequence[RunConfig], names: Sequence[str], ignored: Collection[str]
) -> dict[str, list[str]]:
    """The same, as names of the runs."""
    groups = grouped(configs, ignored)
    return {group: [names[position] for position in members] for group, members in groups.items()}


def _within(key: str, steps: Collection[str]) -> bool:
    return any(key == step or key.startswith(f"{step}.") for step in steps)


def label(values: Mapping[str, Any]) -> str:
    """`adapter.method=lora, training.slow=2`: what tells a group from others."""
    return ", ".join(f"{key}={_of_key(key, value)}" for key, value in values.items())


def _of_key(key: str, value: Any) -> str:
    if key == "train_minutes" and value is None:
        return "all"
    if key == "joint" and isinstance(value, list | tuple):
        return _shown([_who(one) for one in value])
    return _shown(value)


def _who(subject: Mapping[str, Any]) -> str:
    """A further subject: sim02, with another data set other:sim02, with other stories sim02 from the end."""
    name, dataset = str(subject["subject"]), subject.get("dataset")
    who = name if dataset is None else f"{Path(dataset).name}:{name}"
    return who if subject.get("train_from", "start") == "start" else f"{who} from the end"


def _shown(value: Any) -> str:
    """A value in a label: everything that it says, a list of nothing as `none`."""
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_shown(some)}" for key, some in value.items()) or "none"
    if isinstance(value, list | tuple):
        return "+".join(map(_shown, value)) or "none"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
