"""Cross-fitted scores: ridge is fitted on training stories that the speech model was not tuned on.

Features of the stories that tuned a model carry what the loss fitted to their responses, and ridge on the same stories
reads it back. Test scores stay honest for tuning and ridge together, but say less of what the features are worth.
Tune two runs, on either end of the training stories, and each is read out on the other's:

    brainwavlm tune --set train_minutes=60 --set train_from=start ...
    brainwavlm tune --set train_minutes=60 --set train_from=end ...
    brainwavlm evaluate RUN1 RUN2 --cross-fit
"""

from brainwavlm.errors import RunError
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.transfer_cells import seen_while_tuning
from brainwavlm.runs.run import Run


def cross_fitted(run: Run, plan: ScoringPlan) -> ScoringPlan:
    """The plan with ridge fitted, for the frozen and for the tuned model, on stories that tuning did not use.

    Left out are sounds that it was tuned on, or its epoch chosen by: `seen_while_tuning`. With two stories or more
    that are left, penalties are chosen over them.

    Raises
    ------
    RunError
        Tuning used every training story.
    """
    fitted = plan.fits[0].fitted
    heard = seen_while_tuning(run, {one.story.name: one.story.audio for one in fitted})
    left = [one for one in fitted if one.story.name not in heard]
    if not left:
        raise RunError(
            run.path,
            f"tuned on all {len(fitted)} training and validation stories.",
            "training stories that tuning did not use, to fit ridge on.",
            "Tune with train_minutes, once with train_from=start and once with train_from=end.",
        )
    return plan.fitted_on(left)
