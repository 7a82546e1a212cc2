"""What the cells of a study scored, read back: measured means and their replicates, by listener and target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from brainwavlm.results.estimates import Score
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
