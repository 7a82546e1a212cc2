"""What is asked of hidden states: units of stories, their values, and what controls ask in their place.

Everything here comes from sounds, transcripts and files of the user's, before any speech model is run: what is wrong
with them goes wrong here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.controls import story_generator
from brainwavlm.encoding.prepared_stories import planned_windows
from brainwavlm.encoding.ridge import require_memory
from brainwavlm.errors import BrainwavlmError
from brainwavlm.evaluation.probes.fits import linear_predictions
from brainwavlm.evaluation.probes.tasks import (
    DIMENSION,
    FEWEST_UNITS,
    GEOMETRY,
    LOW_LEVEL,
    PLAIN,
    RESIDUAL,
    SHUFFLED,
    SHUFFLES,
    UNSEEN,
    Rows,
    Task,
    task_notes,
    task_of,
)
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.stimulus.features import acoustic
from brainwavlm.stimulus.features.stimuli import Stimuli
from brainwavlm.stimulus.features.table import FEATURES, STRETCHES, Feature, features_named
from brainwavlm.stimulus.features.units import Units, frame_means, occupancy, rate
from brainwavlm.stimulus.intervals import Kind


@dataclass
class Question:
    """All tasks on the stories of a plan.

    Attributes
    ----------
    tasks : list of Task
    units : dict of story to dict of kind to Units
        Whose vectors are needed.
    notes : list of str
    stretches : Rows or None
        Those of the test stories, where the dimension of hidden states is asked for.
    """

    tasks: list[Task]
    units: dict[str, dict[str, Units]]
    notes: list[str]
    stretches: Rows | None = None

    @property
    def facts(self) -> list[dict]:
        """What summary.json says of each feature."""
        facts = [task.facts for task in self.tasks]
        if self.stretches is not None:
            about = {"name": DIMENSION, "kind": GEOMETRY, "unit": STRETCHES, "columns": []}
            facts.append(about | {"n_fitted": 0, "n_tested": len(self.stretches.story_of_row)})
        return facts


def asked_features(names: Sequence[str]) -> tuple[list[Feature], bool]:
    """Features of the stimulus by name (see `features_named`), and whether `dimension` is one of the names."""
    of_stimulus = [name for name in names if name != DIMENSION]
    dimension = len(of_stimulus) < len(names)
    return (features_named(of_stimulus) if of_stimulus or not dimension else []), dimension


def question_of(
    features: Sequence[Feature],
    plan: ScoringPlan,
    min_samples: int,
    n_dims: int,
    controls: Collection[str],
    dimension: bool = False,
) -> Question:
    """The tasks of a plan; `controls` are of `tasks.CONTROLS`, min_samples and n_dims of the speech model.

    Raises
    ------
    ConfigError
        A feature without a transcript, a package or labels that it needs, fewer than 50 test units, or too little
        memory for ridge.
    DatasetError
        A file that cannot be used, or a story in which nothing has a value.
    """
    (fit,) = plan.fits
    stimuli = stimuli_of([*fit.fitted, *fit.held_out], plan.config, min_samples)
    stories = stimuli.stories
    sides = tuple([one.story.name for one in some] for some in (fit.fitted, fit.held_out))
    values = [feature.values(stimuli) for feature in features]
    tasks = [task_of(one, some, stimuli, *sides) for one, some in zip(features, values, strict=True)]
    notes = [f"{task.feature.name}: {note}" for task in tasks for note in task_notes(task)]
    units: dict[str, dict[str, Units]] = {name: {} for name in stories}
    for task, some in zip(tasks, values, strict=True):
        require_memory((len(task.fitted.story_of_row), n_dims), plan.config.ridge)
        for name in stories:
            units[name][task.feature.unit] = some.units[name]
    if UNSEEN in controls:
        notes += [
            f"{task.feature.name}: {n} test words are of types that no fitted story has, too few for {UNSEEN}."
            for task in tasks
            if task.has_types and (n := int(task.unseen.sum())) < FEWEST_UNITS
        ]
    if SHUFFLED in controls:
        for task in tasks:
            task.asked[SHUFFLED] = shuffled(task)
    if {RESIDUAL, LOW_LEVEL} & set(controls):
        notes += _ask_low_level(
            [task for task in tasks if task.beside_low_level], stimuli, units, plan.config
        )
    stretches = None
    if dimension:
        for name in stories:
            units[name][STRETCHES] = stimuli.stretches[name]
        counts = {name: len(stimuli.stretches[name]) for name in sides[1]}
        kept = {name: np.arange(n) for name, n in counts.items()}
        stretches = Rows(kept, np.repeat(list(counts), list(counts.values())), np.array([]))
    return Question(tasks, units, notes, stretches)


def stimuli_of(recordings: Sequence[Recording], config: RunConfig, min_samples: int) -> Stimuli:
    """The stimuli of some recordings, cut into the windows of a configuration."""
    stories = {one.story.name: one.story for one in recordings}
    ends = {one.story.name: planned_windows(one, config, min_samples).times for one in recordings}
    return Stimuli(stories, ends, config.windows.stride)


def shuffled(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Values of the fitted units in other orders within each story, draw by draw; those of the test units as they are.

    The r of one draw is far from 0 where a state has few dimensions, whatever its weights: means over draws are scored.
    """
    fitted, tested = task.asked[PLAIN]
    orders = np.tile(np.arange(len(fitted)), (SHUFFLES, 1))
    for story in task.fitted.kept:
        rows = np.flatnonzero(task.fitted.story_of_row == story)
        generator = story_generator(0, f"{task.feature.name} {story}")
        orders[:, rows] = generator.permuted(np.tile(rows, (SHUFFLES, 1)), axis=1)
    return np.concatenate([fitted[order] for order in orders], axis=1), tested


def _ask_low_level(
    tasks: Sequence[Task], stimuli: Stimuli, units: Mapping[str, Mapping[str, Units]], config: RunConfig
) -> list[str]:
    """What low-level features predict, and what they leave of the values, for tasks beside them; and notes of it.

    residual = y - p, p the ridge of y on the low-level features, fitted on the fitted units.
    """
    if not tasks:
        return []
    low_level = LowLevel(stimuli)
    for unit in dict.fromkeys(task.feature.unit for task in tasks):
        bag = {name: low_level.of(name, of_story[unit]) for name, of_story in units.items()}
        for task in tasks:
            if task.feature.unit != unit:
                continue
            fitted, tested = (rows.centred(bag) for rows in (task.fitted, task.tested))
            truth = task.asked[PLAIN]
            rows, stories = np.concatenate([fitted, tested]), task.fitted.story_of_row
            both = np.split(linear_predictions(fitted, rows, truth[0], stories, config), [len(fitted)])
            task.low_level = both[1]
            task.asked[RESIDUAL] = (truth[0] - both[0], truth[1] - both[1])
    return low_level.notes


class LowLevel:
    """Log-mel energies, phones and words a second, and which phones: whatever of these the stories have.

    Attributes
    ----------
    notes : list of str
        What the bag is without, and why.
    """

    def __init__(self, stimuli: Stimuli):
        self.notes: list[str] = []
        self._stimuli, self._said = stimuli, dict[Kind, dict[str, Units]]()
        kinds: tuple[Kind, ...] = ("phones", "words")
        for kind in kinds:
            try:
                self._said[kind] = stimuli.said(kind, "low-level features")
            except BrainwavlmError as error:
                self.notes.append(f"Low-level features are without {kind}: {error.path}: {error.found}")
        self._identity = FEATURES["phones"].values(stimuli).values if "phones" in self._said else None

    def of(self, story: str, units: Units) -> np.ndarray:
        """The bag within each unit of a story, (n_units, n) float32."""
        columns = [frame_means(acoustic.mel(self._stimuli.sound(story)), units)]
        columns += [rate(of_stories[story], units) for of_stories in self._said.values()]
        if self._identity is not None:
            columns.append(occupancy(self._said["phones"][story], self._identity[story], units))
        return np.concatenate(columns, axis=1)
