"""Cells of one experiment that differ by nothing but seed and listener, and what tells the groups apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from brainwavlm.study.cell_scores import CellScores
from brainwavlm.study.cells import points
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
        What tells it from the other groups of its experiment.
    values : dict
        By varied key, without seed and subject.
    cells : list of CellScores
    """

    label: str
    values: dict[str, Any]
    cells: list[CellScores]


def groups_of(experiment: str, description: Experiment, cells: Sequence[CellScores]) -> list[Group]:
    """The groups of an experiment, in the order of its description: the first is what others are compared with.

    Parameters
    ----------
    experiment : str
    description : Experiment
    cells : sequence of CellScores
        Of that experiment.
    """
    keys = [key for key in description.varied_keys if key not in WITHIN]
    groups: list[Group] = []
    for cell in cells:
        varied = cell.record.cell.varied[experiment]
        values = {key: varied.get(key) for key in keys}
        for group in groups:
            if group.values == values:
                group.cells.append(cell)
                break
        else:
            groups.append(Group(label(values), values, [cell]))
    # Cells come in the order of the whole study, where another experiment may have named the second value first.
    order = [label({key: point.get(key) for key in keys}) for point in points(description, experiment)]
    return sorted(groups, key=lambda group: order.index(group.label) if group.label in order else len(order))


def pairs_of(groups: Sequence[Group], contrasts: Sequence[str]) -> list[tuple[Group, Group]]:
    """All pairs of groups whose values differ in the contrast alone, in the order of the file."""
    alike: dict[str, list[Group]] = {}
    for group in groups:
        rest = {key: value for key, value in group.values.items() if key not in contrasts}
        alike.setdefault(label(rest), []).append(group)
    return [pair for some in alike.values() for pair in combinations(some, 2)] if contrasts else []


def label(values: Mapping[str, Any]) -> str:
    """`adapter.method=lora, training.slow=2`; `all cells` where nothing differs."""
    return ", ".join(f"{key}={shown(value)}" for key, value in values.items()) or "all cells"


def shown(value: Any) -> str:
    """A value in a label: weights of zero are left out and those of one not said, a list of nothing is `none`."""
    if isinstance(value, Mapping):
        kept = {key: some for key, some in value.items() if some not in (0, None, {}, [])}
        return " ".join(key if some == 1 else f"{key} {shown(some)}" for key, some in kept.items()) or "none"
    if isinstance(value, list | tuple):
        return "+".join(map(shown, value)) or "none"
    if value is None:
        return "all"
    return f"{value:g}" if isinstance(value, float) else str(value)
