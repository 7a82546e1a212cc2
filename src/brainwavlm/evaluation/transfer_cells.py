"""Runs in other listeners: who is scored, how, and what of their stories tuning heard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset
from brainwavlm.evaluation.evaluator import Evaluator, untuned_model_key, with_whole_cortex
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import heard_by, run_names
from brainwavlm.stimulus.audio import same_content


def seen_while_tuning(run: Run, sounds: Mapping[str, Path]) -> list[str]:
    """Names of sounds that the run's speech model was tuned on, or its epoch chosen by, sorted.

    A sound that tuning heard under another name, or from another data set, counts too.
    """
    used = {
        f"{number}/{name}": stories[name].audio
        for number, side in enumerate(run.sides)
        for stories in [load_dataset(side.config.dataset).stories]
        for name in (*side.manifest["splits"]["train"], *side.manifest["splits"]["validation"])
        if name in stories
    }
    asked = {f"test/{name}": sound for name, sound in sounds.items()}
    first = same_content(used | asked)
    heard = {first[name] for name in used}
    return sorted(name for name in sounds if first[f"test/{name}"] in heard)


@dataclass(frozen=True)
class TransferCell:
    """One run in one listener; cells with the same key are scored against the same untuned model on the same rows.

    `subject` is who is scored: with the data set where two of these have one name.
    """

    run: Run
    name: str
    subject: str
    plan: ScoringPlan
    key: str
    shared: list[str]

    def about(self) -> dict[str, Any]:
        """What rows of every table begin with."""
        return {"run": self.name, "tuned_on": "+".join(self.run.listeners), "scored_on": self.subject}


def transfer_cells(
    runs: list[Run],
    subjects: Sequence[str] | None,
    layer: int | None,
    test: Sequence[str] | None,
    memory_gb: float | None,
    evaluator: Evaluator,
) -> list[TransferCell]:
    """Every run in every listener, those with the same untuned model next to each other."""
    targets = tuple(run.config.target for run in runs)
    cells = []
    for run, name in zip(runs, run_names(runs), strict=True):
        evaluator.require_same_model(run)
        run.require_whole()
        everyone = _listeners(run, subjects)
        names = Counter(subject for _, _, subject in everyone)
        for dataset, seen, subject in everyone:
            config = with_whole_cortex(
                heard_by(seen.config, dataset.subject(subject), test), targets, memory_gb
            )
            if layer is not None:
                backbone = config.backbone.model_copy(update={"layer": layer})
                config = config.model_copy(update={"backbone": backbone})
            plan = evaluator.plan(config, tested=False)
            for side in run.sides if test is None else ():
                if (side.config.dataset, side.config.subject) == (seen.config.dataset, subject):
                    evaluator.require_unchanged(side, plan.data)
            shared = seen_while_tuning(run, {one.story.name: one.story.audio for one in plan.held_out})
            who = subject if names[subject] == 1 else f"{dataset.name}:{subject}"
            cells.append(TransferCell(run, name, who, plan, untuned_model_key(config), shared))
    order = list(dict.fromkeys(cell.key for cell in cells))
    return sorted(cells, key=lambda cell: order.index(cell.key))


def _listeners(run: Run, subjects: Sequence[str] | None) -> list[tuple[Dataset, Run, str]]:
    """Listeners of the run's data sets, or those named of them; with the run as seen from that data set."""
    seen = {side.config.dataset: side for side in reversed(run.sides)}
    datasets = {name: load_dataset(name) for name in reversed(seen)}
    if subjects is None:
        return [
            (datasets[name], seen[name], who) for name in datasets for who in datasets[name].subject_names
        ]
    found = []
    for who in dict.fromkeys(subjects):
        known = [name for name in datasets if who in datasets[name].subject_names] or [run.config.dataset]
        datasets[known[0]].require_subject(who)
        found += [(datasets[name], seen[name], who) for name in known]
    return found


def shared_note(cell: TransferCell) -> str:
    """Which of a listener's test stories tuning on another one used, in a sentence that every report carries."""
    tuned_on = " and ".join(cell.run.listeners)
    where = f"{cell.name} (tuned on {tuned_on}) in {cell.subject}"
    if not cell.shared:
        return f"{where}: none of its test stories was heard while tuning."
    return (
        f"{where}: {', '.join(cell.shared)} heard while tuning or choosing the epoch; the speech model has seen "
        f"{'it' if len(cell.shared) == 1 else 'them'}, whoever is tested. See the rows of unheard stories, if any."
    )
