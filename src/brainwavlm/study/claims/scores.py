"""Groups of cells that differ by nothing but seed and listener, and what cells scored, by listener and target."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from brainwavlm.config import RunConfig
from brainwavlm.results.estimates import Score, label
from brainwavlm.study.cells import points, tuners, value_of
from brainwavlm.study.description import Experiment
from brainwavlm.study.folder import CellRecord

Step = Literal["evaluation", "transfer", "probes"]
# Of the table, of layers.csv and downstream.csv, in other listeners, and of features that were read off.
Kind = Literal["gain", "layer", "task", "transfer", "probe"]
# What a step is called in the file of a study, and the scores that it always has.
STEPS: dict[Step, tuple[str, Kind]] = {
    "evaluation": ("evaluate", "gain"),
    "transfer": ("transfer", "transfer"),
    "probes": ("probe", "probe"),
}


@dataclass(frozen=True)
class CellScore(Score):
    """Frozen and tuned model of one cell in one listener and target.

    Attributes
    ----------
    kind : str
        gain, layer, task, transfer or probe.
    cell : str
    listener, subject : str
        Whose responses are predicted, by a name that nobody else has in the study, and by that in their data set.
    tuned_on : str
        Whose responses tuned the model, joined by +.
    is_tuner : bool
    target : str
        Or the task that the model was asked, or the feature that was read off.
    stories : str
        `all`, or `unheard`: test stories that tuning did not use; `clips` of them for a task; the control of a probe.
    layer : int
        `OWN_LAYER`, or the hidden state that is scored.
    readout : str
        `voxelwise` or `shared`; of a probe the score: r, auc.
    unit : str
        What its interval is over: test stories, or blocks of one or two.
    best_epoch : int or None
        That was chosen; None in another listener.
    information : str
        Kind of the feature that was read off: acoustic, phonetic, lexical, semantic, other, geometry.
    """

    kind: Kind
    cell: str
    listener: str
    subject: str
    tuned_on: str
    is_tuner: bool
    target: str
    stories: str
    layer: int
    readout: str
    unit: str
    best_epoch: int | None
    information: str = ""


@dataclass(frozen=True)
class CellScores:
    """One cell as far as it was scored.

    Attributes
    ----------
    record : CellRecord
    tuned_on : str
        Whose responses tuned the model, joined by +.
    scores : tuple of CellScore
    minutes : tuple of dict
        listener, target, full_minutes, minutes_needed, in listeners who did not tune the model.
    simulated : bool or None
        None where nothing was scored.
    errors : tuple of (step, str)
        Why a step that is there could not be read.
    """

    record: CellRecord
    tuned_on: str
    scores: tuple[CellScore, ...] = ()
    minutes: tuple[dict[str, Any], ...] = ()
    simulated: bool | None = None
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Of the cell."""
        return self.record.cell.name

    def of(self, kind: Kind) -> list[CellScore]:
        """Its scores of one kind."""
        return [score for score in self.scores if score.kind == kind]


def missing(cells: Sequence[CellScores], step: Step) -> Iterator[CellScores]:
    """Cells without the scores of a step, of those that should have them."""
    name, kind = STEPS[step]
    for cell in cells:
        if name in cell.record.cell.steps and not cell.of(kind):
            yield cell


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
