"""A feature as a task: which units of which stories have a value, and what they are asked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.stimulus.features.stimuli import Stimuli
from brainwavlm.stimulus.features.table import Feature, Values

FEWEST_UNITS = 50  # that are tested
SHUFFLES = 10
FEWEST_OF_LABEL = 10  # with it and without it, among fitted and tested units
PLAIN, SHUFFLED, UNSEEN, RESIDUAL = "none", "shuffled", "unseen-types", "beyond-low-level"
# No feature of the stimulus: of the hidden states themselves, and its kind.
DIMENSION, GEOMETRY = "dimension", "geometry"
RANDOM, LOW_LEVEL = "random", "low-level"
CONTROLS = (SHUFFLED, UNSEEN, RESIDUAL, RANDOM, LOW_LEVEL)
# What a feature may say beside these has to be shown for features of words and meaning, which follow them.
_IN_THE_BAG = ("word-rate",)


def require_controls(controls: Collection[str]) -> None:
    """ConfigError unless all are of `CONTROLS`."""
    if not set(controls) <= set(CONTROLS):
        raise ConfigError(
            "controls",
            f"{', '.join(map(repr, controls))}.",
            f"some of {', '.join(CONTROLS)}; or none.",
            "Correct the name.",
        )


@dataclass(frozen=True)
class Rows:
    """Units of some stories that have a value, story after story.

    Attributes
    ----------
    kept : dict of story to int array
        Which of a story's units.
    story_of_row : array (n_rows,) of str
    labels : array (n_rows,) of str
        Empty for stretches.
    """

    kept: dict[str, np.ndarray]
    story_of_row: np.ndarray
    labels: np.ndarray

    def centred(self, by_story: Mapping[str, np.ndarray]) -> np.ndarray:
        """The rows of arrays (n_units, n) by story, less their mean in each story: what a recording is like is none."""
        parts = [by_story[story][kept] for story, kept in self.kept.items()]
        return np.concatenate([part - part.mean(0) for part in parts])


@dataclass
class Task:
    """A feature on the stories of a plan.

    Attributes
    ----------
    feature : Feature
    columns : tuple of str
        Its dimensions, or those labels that are said often enough.
    fitted, tested : Rows
    asked : dict of control to two arrays (n_fitted, n_columns), (n_tested, n_columns)
        `none`: the values themselves, numbers less their mean in each story. Of `shuffled` the first holds all draws.
    low_level : array (n_tested, n_columns) or None
        What low-level features alone predict.
    facts : dict
        What summary.json says.
    """

    feature: Feature
    columns: tuple[str, ...]
    fitted: Rows
    tested: Rows
    asked: dict[str, tuple[np.ndarray, np.ndarray]]
    low_level: np.ndarray | None = None
    facts: dict = field(default_factory=dict)

    @property
    def rows_key(self) -> tuple:
        """Tasks with the same key have the same rows."""
        kept = [some.tobytes() for rows in (self.fitted, self.tested) for some in rows.kept.values()]
        return self.feature.unit, *kept

    @property
    def has_types(self) -> bool:
        """Whether it is a value of words: a probe may have learned each word by heart."""
        return self.feature.unit == "words" and self.feature.scale == "numbers"

    @property
    def unseen(self) -> np.ndarray:
        """Test rows whose word is said in no fitted story, bool (n_tested,); none for what is no value of words."""
        some = ~np.isin(self.tested.labels, self.fitted.labels)
        return some & self.has_types

    @property
    def beside_low_level(self) -> bool:
        """Whether low-level features are another kind of information than this one."""
        return self.feature.kind in ("lexical", "semantic", "other") and self.feature.name not in _IN_THE_BAG


def valued_units(feature: Feature, values: Values, stimuli: Stimuli) -> dict[str, np.ndarray]:
    """Which units of each story have a value, bool (n_units,); DatasetError where a story has none."""
    valued = {name: ~np.isnan(some).any(1) for name, some in values.values.items()}
    for name, some in valued.items():
        if not some.any():
            story = stimuli.stories[name]
            places = {"file": Path(feature.source), "sound": story.audio}
            raise DatasetError(
                places.get(feature.needs, story.transcript or story.audio),
                f"{feature.name} has no value within the {stimuli.ends[name][-1]:g} s of {name}.",
                f"{feature.unit} with a value in every story.",
                "Mend the file, leave the feature out, or leave the story out of the run.",
            )
    return valued


def varying_columns(
    feature: Feature, values: Values, valued: Mapping[str, np.ndarray], sides: Sequence[Sequence[str]]
) -> np.ndarray:
    """Columns whose values vary within a story on each side, bool (n_columns,); ConfigError where none does."""
    columns = np.ones(len(values.columns), bool)
    for side in sides:
        columns &= np.any([np.ptp(values.values[name][valued[name]], axis=0) > 0 for name in side], axis=0)
        if not columns.any():
            raise ConfigError(
                "features",
                f"{feature.name} does not vary within {', '.join(side)}.",
                "numbers that vary within a story, among those that are fitted and among those that are tested.",
                f"Mend {feature.source}, or leave it out." if feature.needs == "file" else "Leave it out.",
            )
    return columns


def without_value(n: int, n_units: int, unit: str) -> str:
    """So many units, as a share of all: the subject of a sentence."""
    return f"{n:,} of {n_units:,} {unit} ({n / n_units:.1%})"


def task_of(feature: Feature, values: Values, stimuli: Stimuli, fitted: list[str], tested: list[str]) -> Task:
    """The task of a feature on the units of fitted and tested stories that have a value; see `question_of`."""
    known = valued_units(feature, values, stimuli)
    if feature.scale == "numbers":
        columns = varying_columns(feature, values, known, (fitted, tested))
    else:
        sides = [
            np.concatenate([values.values[name][known[name]] for name in some]) > 0.5
            for some in (fitted, tested)
        ]
        columns = np.all(
            [(side.sum(0) >= FEWEST_OF_LABEL) & ((~side).sum(0) >= FEWEST_OF_LABEL) for side in sides], axis=0
        )
        if feature.scale == "classes":
            known = {name: some & values.values[name][:, columns].any(1) for name, some in known.items()}
    kept = {name: np.flatnonzero(some) for name, some in known.items()}
    labels = {name: some.labels for name, some in values.units.items()}
    rows = [
        Rows(
            {name: kept[name] for name in some if len(kept[name])},
            np.repeat(some, [len(kept[name]) for name in some]),
            np.array([labels[name][k] for name in some if labels[name] for k in kept[name]]),
        )
        for some in (fitted, tested)
    ]
    n_tested = len(rows[1].story_of_row)
    if n_tested < FEWEST_UNITS or not columns.any():
        often = f" with a label that {FEWEST_OF_LABEL} have, and {FEWEST_OF_LABEL} lack, on both sides"
        often *= feature.scale != "numbers"
        raise ConfigError(
            "features",
            f"{feature.name}: {n_tested if columns.any() else 0} {feature.unit}{often} in the test stories.",
            f"{FEWEST_UNITS} or more.",
            "Name more test stories, or leave the feature out.",
        )
    if feature.scale == "numbers":
        truth = rows[0].centred(values.values)[:, columns], rows[1].centred(values.values)[:, columns]
    else:
        said = [[values.values[name][some] for name, some in one.kept.items()] for one in rows]
        truth = np.concatenate(said[0])[:, columns], np.concatenate(said[1])[:, columns]
    n_units = sum(len(some) for some in values.values.values())
    names = tuple(name for name, keep in zip(values.columns, columns, strict=True) if keep)
    facts = {
        "name": feature.name,
        "kind": feature.kind,
        "source": feature.source,
        "unit": feature.unit,
        "scale": feature.scale,
        "columns": list(names),
        "n_fitted": len(truth[0]),
        "n_tested": n_tested,
        "n_units": n_units,
        "n_without": n_units - len(truth[0]) - n_tested,
        "columns_left_out": int((~columns).sum()),
    }
    return Task(feature, names, rows[0], rows[1], {PLAIN: truth}, facts=facts)


def task_notes(task: Task) -> list[str]:
    """What was left out, in sentences."""
    facts, unit, notes = task.facts, task.feature.unit, []
    if n := facts["n_without"]:
        notes.append(
            f"{without_value(n, facts['n_units'], unit)} have no value, or a rare label, and are left out."
        )
    if n := facts["columns_left_out"]:
        few = f"labels that fewer than {FEWEST_OF_LABEL} fitted or tested {unit} have, or lack,"
        notes.append(
            f"{n} {'columns that do not vary' if task.feature.scale == 'numbers' else few} are left out."
        )
    return notes
