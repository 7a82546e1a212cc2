"""What the files of results hold: columns of every table, and summary.json. Writers and readers share it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from brainwavlm.config import ControlKind
from brainwavlm.files import Part

FORMAT: Literal[1] = 1  # of summary.json and the tables beside it; files of earlier versions do not say it
AGAIN = "Evaluate again: brainwavlm evaluate RUN... --output FOLDER"
COMPARE_AGAIN = "Compare again: brainwavlm compare RUN... --output FOLDER"
RIDGE_AGAIN = "Score again: brainwavlm ridge DATASET ... --output FOLDER"
PROBE_AGAIN = "Probe again: brainwavlm probe RUN... --features NAMES --output FOLDER"
PARTITION_AGAIN = "Make it again: brainwavlm partition RUN... --features ... --output FOLDER"
DOWNSTREAM_AGAIN = "Make it again: brainwavlm downstream RUN... --task TASK --output FOLDER"
TRANSFER_AGAIN = "Transfer again: brainwavlm transfer RUN... --output FOLDER"

REPLICATES = "replicates.npz"  # beside the tables
_CHANGE = ("difference", "low", "high")
_ENDS = ("low_frozen", "high_frozen", "low_tuned", "high_tuned")  # of both models' intervals
_SPREAD = ("n_runs", "mean", "deviation", "lowest", "highest")
_CELL = ("run", "tuned_on", "scored_on")
# Columns that a table has at least. Evaluations of earlier versions lack the others.
COLUMNS = {
    "table.csv": (
        *("run", "subject", "seed", "target", "n_voxels", "r_frozen", "r_tuned", *_CHANGE),
        *("r_readout", "normalised_frozen", "normalised_tuned"),
    ),
    "scores.csv": ("subject", "voxel", "split", "r", "shared_r"),
    "voxels.csv.gz": ("run", "subject", "voxel", "r_frozen", "r_tuned"),
    "layers.csv": ("run", "subject", "seed", "layer", "target", "r_frozen", "r_tuned", *_CHANGE),
    "downstream.csv": (
        *("run", "subject", "seed", "task", "layer", "n_labels", "n_clips", "auc_frozen", "auc_tuned"),
        *_CHANGE,
    ),
    "delays.csv": ("run", "subject", "seed", "seconds", "median", "low", "high"),
    "ridge_epochs.csv": ("run", "subject", "seed", "epoch", "target", "r"),
    "runs.csv": ("group", "run", "subject", "seed", "target", "r_frozen", "r_tuned"),
    "groups.csv": ("group", "target", "n_voxels", *_SPREAD, "r_frozen", "gain", "low", "high"),
    "epochs.csv": ("group", "epoch", "score", "target", *_SPREAD),
    "differences.csv": ("first", "second", "target", *_CHANGE, "deviation_over_seeds"),
    "matrix.csv": (
        *(*_CELL, "seed", "layer", "stories", "target", "n_voxels", "r_frozen", "r_tuned"),
        *(*_CHANGE, "r_readout"),
    ),
    "partition.csv": (
        *("run", "subject", "seed", "target", "measure", "space", "n_voxels", "r2_frozen", "r2_tuned"),
        *(*_CHANGE, *_ENDS),
    ),
    "partition_voxels.csv": ("run", "subject", "voxel"),
    "curve.csv": (*_CELL, "asked", "minutes", "target", "r_frozen", "r_tuned"),
    "probes.csv": (
        *("run", "subject", "seed", "layer", "feature", "kind", "control", "score", "score_frozen"),
        *("score_tuned", *_CHANGE, "p", "q", *_ENDS),
        *("n_stories", "n_units", "n_labels"),
    ),
    "seeds.csv": (
        *("group", "subject", "layer", "feature", "kind", "control", "score", "n_runs", "score_frozen"),
        *("score_tuned", *_CHANGE, "deviation", "seed_low", "seed_high"),
    ),
    "speech_task.csv": (
        *("run", "subject", "seed", "task", "score", "n_seeds", "reference", "score_frozen", "score_tuned"),
        *(*_CHANGE, "deviation", "seed_low", "seed_high", *_ENDS),
        *("n_units", "n_groups"),
    ),
    "needed.csv": (*_CELL, "target", "full_minutes", "r_frozen", "minutes_needed"),
}
# A column is of one kind in whichever table it stands: text, whole numbers, else numbers (empty: NaN).
TEXT = frozenset(
    {
        *(*_CELL, "subject", "target", "task", "stories", "group", "score", "first", "second", "split"),
        *("feature", "kind", "control", "measure", "space"),
    }
)
WHOLE = frozenset(
    {
        *("seed", "layer", "epoch", "voxel", "n_voxels", "n_runs", "n_labels", "n_clips", "n_stories"),
        *("n_units", "n_groups", "n_seeds"),
    }
)

_Name = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=0)]


class _Rows(Part):
    held_out: _Count
    fitted: _Count


class _Data(Part):  # what maps need to know of the responses
    dataset: str
    licence: str
    unusable_voxels: dict[str, _Count]
    n_voxels: _Count
    normalised_by: str


class _Model(_Data):  # what was computed with the frozen model
    facts: list[str]
    voxels_without_r: _Count
    tr: Annotated[float, Field(gt=0)]
    tr_reference: str
    rows: _Rows
    folds: str


class _Best(Part):
    epoch: int


class _Epoch(_Best):
    loss: float | None = None
    validation_r: Annotated[float, Field(ge=-1, le=1)] | None = None


class _Split(Part):
    name: _Name
    subject: _Name
    target: _Name
    seed: int
    method: str
    simulated: bool
    control: ControlKind
    splits: dict[Literal["train", "validation", "test"], list[str]]
    intervals: str = "test stories"
    config: dict[str, Any]
    frozen: _Data


class _Run(_Split):
    best: _Best | None
    history: list[_Epoch]
    frozen: _Model


class _Summary(Part):
    """What every summary.json says."""

    format: Literal[1] = FORMAT
    files: dict[str, str] | None = None  # SHA-256 of those beside it; earlier versions do not say it
    simulated: bool
    notes: list[str]
    versions: dict[str, str]


class EvaluationSummary(_Summary):
    """summary.json of an evaluation."""

    runs: Annotated[list[_Run], Field(min_length=1)]


class RidgeSummary(_Summary, _Model):
    """summary.json of `ridge`: one model, as it is."""

    subject: _Name
    target: _Name
    seed: int
    splits: dict[Literal["train", "validation", "test"], list[str]]
    intervals: str
    config: dict[str, Any]
    targets: Annotated[list[dict[str, Any]], Field(min_length=1)]


class _Group(Part):
    group: str
    runs: list[str]
    seeds: list[int]
    subject: str


class ComparisonSummary(_Summary):
    """summary.json of a comparison."""

    groups: list[_Group]


class _Space(Part):
    name: _Name
    kind: str


class PartitionSummary(_Summary):
    """summary.json of a partition."""

    runs: Annotated[list[_Split], Field(min_length=1)]
    features: list[_Space]


class _Cell(Part):
    run: str
    scored_on: str
    dataset: str
    target: str


class TransferSummary(_Summary):
    """summary.json of a transfer."""

    cells: list[_Cell]


class _Layer(Part):
    layer: int


class _ProbedConfig(Part):
    backbone: _Layer


class _ProbedRun(Part):
    name: _Name
    path: str
    subject: _Name
    seed: int
    layers: list[int]
    splits: dict[Literal["train", "validation", "test"], list[str]]
    config: _ProbedConfig


class _ProbedFeature(_Space):
    unit: str
    columns: list[str]
    n_fitted: _Count
    n_tested: _Count


class ProbesSummary(_Summary):
    """summary.json of probes."""

    controls: list[str]
    runs: Annotated[list[_ProbedRun], Field(min_length=1)]
    features: Annotated[list[_ProbedFeature], Field(min_length=1)]


class _HeadRun(Part):
    name: _Name
    path: str
    layers: list[int]
    shares_frozen: list[float]
    shares_tuned: list[float]


class SpeechTaskSummary(_Summary):
    """summary.json of `downstream`."""

    task: _Name
    labels: list[str]
    runs: Annotated[list[_HeadRun], Field(min_length=1)]
