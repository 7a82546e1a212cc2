"""How the score of a speech model changes while it is tuned: fresh ridge at every epoch that was kept."""

from collections.abc import Mapping
from typing import Any

from brainwavlm.encoding.run_model import tuned_model
from brainwavlm.errors import RunError
from brainwavlm.evaluation.contrasts import Change
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.scores import target_means
from brainwavlm.runs.run import Run


def require_epochs(run: Run) -> None:
    """RunError where a checkpoint of an epoch is missing."""
    done = {row["epoch"] for row in run.history if row["epoch"]}
    missing = sorted(done - set(run.epochs))
    if missing:
        raise RunError(
            run.path,
            f"no checkpoint of epoch {', '.join(map(str, missing))}.",
            f"the checkpoint of each of its {len(done)} epochs.",
            "Tune again with training.keep_epochs=true, or evaluate without epochs.",
        )


def epoch_rows(
    evaluator: Evaluator, about: Mapping[str, Any], run: Run, change: Change
) -> list[dict[str, Any]]:
    """Mean test r of fresh ridge at every epoch that was kept; epoch 0 is the untuned model."""
    frozen, tuned, plan, rows = change.frozen, change.tuned, change.plan, []
    for epoch, folder in sorted({**run.epochs, 0: None}.items()):
        predicted = frozen.predicted if folder is None else tuned.predicted
        if folder is not None and folder.name != run.best_epoch["checkpoint"]:
            backbone, title = tuned_model(run, epoch)[0], f"Reading stories, {about['run']}, epoch {epoch}"
            stories = evaluator.features(backbone, plan.config, plan.data.recordings.values(), title)
            predicted = plan.ridge(plan.designs(stories), shared=False).predicted
        means = target_means(frozen.true, predicted, plan.masks)
        rows += [{**about, "epoch": epoch, "target": target, "r": r} for target, r in means.items()]
    return rows
