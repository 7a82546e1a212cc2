"""Cells of one experiment that differ by nothing but seed and listener, and what tells the groups apart."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from brainwavlm.config import RunConfig
from brainwavlm.results.estimates import label
from brainwavlm.study.cells import points, tuners, value_of
from brainwavlm.study.claims.scores import CellScores
from brainwavlm.study.description import Experiment

# Within a group these may differ: spread over seeds is reported, and listeners are told apart by whose responses
# are scored.
WITHIN = ("seed", "subject")


@dataclass(frozen=True)
class Group:
    """Cells that are equal but for seed and listener.

    Attributes
    ----------
    label : str
        What tells it from the other groups of its experiment, by the values as the file gives them.
    values : dict
        By varied key, without seed and subject: what the cells' configurations say, whatever the file leaves unsaid.
    cells : list of CellScores
    """

    label: str
    values: dict[str, Any]
    cells: list[CellScores]

    @property
    def config(self) -> RunConfig:
        """That of its first cell; the others differ in seed and listener."""
        return self.cells[0].record.cell.config

    @property
    def datasets(self) -> set[str]:
        """Of all who tuned its models."""
        return {dataset for cell in self.cells for dataset, _ in tuners(cell.record.cell.config)}


def groups_of(experiment: str, description: Experiment, cells: Sequence[CellScores]) -> list[Group]:
    """The groups of an experiment's cells, in the order of its description: others are compared with the first."""
    keys = [key for key in description.varied_keys if key not in WITHIN]
    # Cells come in the order of the whole study, where another experiment may have named the second value first.
    order = points(description, experiment)
    by_values: dict[str, Group] = {}
    for cell in sorted(cells, key=lambda cell: _place(cell.record.cell.varied[experiment], order)):
        config = cell.record.cell.config.model_dump(mode="json")
        values = {key: value_of(config, key) for key in keys}
        given = {key: cell.record.cell.varied[experiment].get(key) for key in keys}
        group = Group(label(given) or "all cells", values, [])
        by_values.setdefault(json.dumps(values), group).cells.append(cell)
    groups = list(by_values.values())
    times = Counter(group.label for group in groups)
    return [
        group if times[group.label] == 1 else replace(group, label=_in_full(group.values)) for group in groups
    ]


def pairs_of(groups: Sequence[Group], contrasts: Sequence[str]) -> list[tuple[Group, Group]]:
    """All pairs of groups whose values differ in the contrast alone, in the order of the file."""
    alike: dict[str, list[Group]] = {}
    for group in groups:
        rest = {key: value for key, value in group.values.items() if key not in contrasts}
        alike.setdefault(json.dumps(rest), []).append(group)
    return [pair for some in alike.values() for pair in combinations(some, 2)] if contrasts else []


def _in_full(values: Mapping[str, Any]) -> str:
    """A label for groups that would share a shorter one."""
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in values.items())


def _place(varied: Mapping[str, Any], order: Sequence[Mapping[str, Any]]) -> int:
    """Which point of the description a cell came from."""
    fits = (
        place
        for place, point in enumerate(order)
        if all(varied.get(key) == value for key, value in point.items())
    )
    return next(fits, len(order))
