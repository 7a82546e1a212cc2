"""Runs of one kind: which configurations ask the same, what tells the others apart, and what scores all of them."""

from collections.abc import Collection, Sequence
from typing import Any

from brainwavlm.config import RunConfig, flattened

# What no trained weight depends on: where and how a run computes, and how it is scored afterwards.
WITHOUT_EFFECT = (
    *("device", "tracking", "evaluation", "ridge.memory_gb", "backbone.memory_gb", "backbone.batch_windows"),
    *("training.checkpoint_steps", "training.recompute", "training.frontend_cache_gb"),
    *("training.frontend_folder", "training.keep_epochs"),
)
LISTENER = ("subject", "train", "validation", "test")
_EVERYTHING = "all runs"


def grouped(configs: Sequence[RunConfig], apart_from: Collection[str]) -> dict[str, list[int]]:
    """Positions of the configurations that are equal but for some keys, by a name that says what differs.

    Parameters
    ----------
    configs : sequence of RunConfig
    apart_from : collection of str
        Dotted keys, or whole steps, that may differ within a group; `WITHOUT_EFFECT` always may.

    Returns
    -------
    dict from name to list of int, in the order of their first run. The name holds the keys in which groups differ,
    e.g. `adapter.method=lora`; with one group it is `all runs`.
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
        ", ".join(f"{key}={_shown(values.get(key))}" for key in differing) or _EVERYTHING: members
        for values, members in groups
    }


def _within(key: str, steps: Collection[str]) -> bool:
    return any(key == step or key.startswith(f"{step}.") for step in steps)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(_shown, value)) or "none"
    if isinstance(value, dict) and "subject" in value:
        return str(value["subject"])  # a further listener
    return "null" if value is None else str(value)
