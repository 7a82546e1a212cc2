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
from brainwavlm.runs.run import Run
from brainwavlm.stimulus.audio import same_content


def cross_fitted(run: Run, plan: ScoringPlan) -> ScoringPlan:
    """The plan with ridge fitted, for the frozen and for the tuned model, on stories that tuning did not use.

    Left out are the run's training and validation stories, and others with a sound of theirs. With two stories or more
    that are left, penalties are chosen over them.

    Raises
    ------
    RunError
        Tuning used every training story.
    """
    splits = run.manifest["splits"]
    used = {*splits["train"], *splits["validation"]}
    fitted = plan.fits[0].fitted
    sounds = same_content({recording.story.name: recording.story.audio for recording in fitted})
    heard = {sounds[name] for name in used if name in sounds}
    left = [recording for recording in fitted if sounds[recording.story.name] not in heard]
    if not left:
        raise RunError(
            run.path,
            f"tuned on all {len(fitted)} training and validation stories.",
            "training stories that tuning did not use, to fit ridge on.",
            "Tune with train_minutes, once with train_from=start and once with train_from=end.",
        )
    return plan.fitted_on(left)
