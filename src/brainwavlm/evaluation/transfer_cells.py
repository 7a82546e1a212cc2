"""Every run in every listener: what is scored on what, and what of it tuning has heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.setting import Setting
from brainwavlm.evaluation.bench import Bench, frozen_key, over_cortex, run_names
from brainwavlm.evaluation.held_out import held_out_fits
from brainwavlm.evaluation.other_listener import heard_by, seen_while_tuning
from brainwavlm.runs import Run


@dataclass(frozen=True)
class Cell:
    """One run in one listener; cells with the same key are scored against the same untuned model on the same rows."""

    run: Run
    name: str
    subject: str
    config: RunConfig
    setting: Setting
    key: str
    shared: list[str]

    def about(self) -> dict[str, Any]:
        """What rows of every table begin with."""
        return {"run": self.name, "tuned_on": self.run.config.subject, "scored_on": self.subject}


def transfer_cells(
    runs: list[Run],
    subjects: Sequence[str] | None,
    layer: int | None,
    test: Sequence[str] | None,
    memory_gb: float | None,
    bench: Bench,
) -> list[Cell]:
    """Every run in every listener, those with the same untuned model next to each other."""
    targets = tuple(run.config.target for run in runs)
    cells = []
    for run, name in zip(runs, run_names(runs), strict=True):
        bench.require_same_model(run)
        run.checkpoint("best")  # raises where no epoch is finished
        dataset = load_dataset(run.config.dataset)
        for subject in dict.fromkeys(subjects if subjects is not None else dataset.subject_names):
            config = over_cortex(heard_by(run.config, dataset.subject(subject), test), targets, memory_gb)
            if layer is not None:
                backbone = config.backbone.model_copy(update={"layer": layer})
                config = config.model_copy(update={"backbone": backbone})
            setting = bench.setting(config)
            held_out_fits(setting.splits, leave_one_out=False)
            if subject == run.config.subject and test is None:
                bench.require_unchanged(run, setting)
            shared = seen_while_tuning(run, dataset, setting)
            cells.append(Cell(run, name, subject, config, setting, frozen_key(config), shared))
    order = list(dict.fromkeys(cell.key for cell in cells))
    return sorted(cells, key=lambda cell: order.index(cell.key))


def shared_note(cell: Cell) -> str:
    """Which of a listener's test stories tuning on another one used, in a sentence that every report carries."""
    where = f"{cell.name} (tuned on {cell.run.config.subject}) in {cell.subject}"
    if not cell.shared:
        return f"{where}: none of its test stories was heard while tuning."
    return (
        f"{where}: {', '.join(cell.shared)} heard while tuning or choosing the epoch; the speech model has seen "
        f"{'it' if len(cell.shared) == 1 else 'them'}, whoever is tested. See the rows of unheard stories, if any."
    )
