"""What the cells of a study scored, read back: measured means and their replicates, by listener and target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from brainwavlm.results.estimates import Score
from brainwavlm.study.folder import CellRecord

Step = Literal["evaluation", "transfer", "probes"]
# What a step that may be asked for is called in the file of a study, and where its scores are.
STEPS: dict[Step, tuple[str, str]] = {
    "evaluation": ("evaluate", "scores"),
    "transfer": ("transfer", "transfers"),
    "probes": ("probe", "probes"),
}


@dataclass(frozen=True)
class CellScore(Score):
    """Frozen and tuned model of one cell in one listener and target.

    Attributes
    ----------
    cell : str
    listener : str
        Whose responses are predicted, by a name that nobody else has in the study.
    subject : str
        The same person's name in their data set.
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
    scores, layers, tasks, transfers, probes : tuple of CellScore
        From the table, from layers.csv, from downstream.csv, in other listeners, and of features that were read off;
        empty where that is not there.
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
    layers: tuple[CellScore, ...] = ()
    tasks: tuple[CellScore, ...] = ()
    transfers: tuple[CellScore, ...] = ()
    probes: tuple[CellScore, ...] = ()
    minutes: tuple[dict[str, Any], ...] = ()
    simulated: bool | None = None
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Of the cell."""
        return self.record.cell.name


def missing(cells: Sequence[CellScores], step: Step) -> Iterator[CellScores]:
    """Cells without the scores of a step, of those that should have them."""
    name, scores = STEPS[step]
    for cell in cells:
        if name in cell.record.cell.steps and not getattr(cell, scores):
            yield cell
