"""How much of a listener's data ridge needs: fits on random subsets of whole stories."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.run_data import RunData
from brainwavlm.encoding.story_subsets import EDGE, length
from brainwavlm.errors import ConfigError
from brainwavlm.evaluation.scores import target_means
from brainwavlm.evaluation.scoring_plan import ScoringPlan


def require_minutes(minutes: Sequence[float], draws: int) -> None:
    """ConfigError unless all amounts and the number of draws are above 0."""
    wrong = [amount for amount in minutes if not 0 < amount < math.inf]
    if wrong or draws < 1:
        found = f"{wrong[0]:g} minutes." if wrong else f"{draws} draws."
        raise ConfigError(
            f"transfer.{'minutes' if wrong else 'draws'}", found, "more than 0.", "For instance: 5"
        )


def require_whole_story(data: RunData, minutes: Sequence[float]) -> None:
    """ConfigError where an amount is shorter than the listener's shortest story."""
    shortest = min(map(length, (*data.splits["train"], *data.splits["validation"])))
    short = [amount for amount in minutes if amount + EDGE < shortest]
    if short:
        raise ConfigError(
            "transfer.minutes",
            f"{short[0]:g}, but the shortest story of {data.subject.name} has {shortest:.1f} minutes.",
            "amounts that hold a whole story.",
            f"Begin at {math.ceil(10 * shortest) / 10:g}.",
        )


def learning_curve_rows(
    designs: Mapping[str, Mapping[str, np.ndarray]],
    plan: ScoringPlan,
    minutes: Sequence[float],
    draws: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Mean test correlation of each model by target, fitted on up to so many minutes of whole stories.

    A draw puts the stories in a random order and takes each that still fits; all models get the same stories. An
    amount that takes every story is fitted once. The last rows are those of all stories.

    Rows have asked (NaN: all), draw, minutes, n_stories, target, and a column a model; `designs` are by that column and
    by story, (n_trs, n_columns). ConfigError for an amount shorter than the shortest story.
    """
    require_whole_story(plan.data, minutes)
    stories = plan.fits[0].fitted
    rows = []
    for asked in sorted(set(minutes)):
        for draw in range(draws):
            order = np.random.default_rng([seed, draw]).permutation(len(stories))
            chosen = story_subset([stories[k] for k in order], asked)
            rows += _fitted(designs, chosen, asked, draw, plan)
            if len(chosen) == len(stories):
                break
    return rows + _fitted(designs, stories, math.nan, 0, plan)


def story_subset(recordings: Sequence[Recording], minutes: float) -> list[Recording]:
    """Of the recordings, in their order, each that still fits into so many minutes of responses."""
    chosen: list[Recording] = []
    left = minutes + EDGE
    for recording in recordings:
        if length(recording) <= left:
            chosen.append(recording)
            left -= length(recording)
    return chosen


def minutes_needed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By run, listener and target: minutes with which the tuned model reaches the untuned one's score of all data.

    From rows of `learning_curve_rows`, with run, tuned_on and scored_on.
    """
    keys, needed = ["run", "tuned_on", "scored_on", "target"], []
    for key, own in pd.DataFrame(rows).groupby(keys, sort=False) if rows else ():
        full = own[own["asked"].isna()].iloc[0]
        points = own.fillna({"asked": math.inf}).groupby("asked")[["minutes", "r_tuned"]].mean()
        curve = list(points.itertuples(index=False, name=None))
        needed.append(
            {
                **dict(zip(keys, key, strict=True)),
                "full_minutes": full["minutes"],
                "r_frozen": full["r_frozen"],
                "minutes_needed": minutes_to_reach(curve, full["r_frozen"]),
            }
        )
    return needed


def minutes_to_reach(points: Sequence[tuple[float, float]], level: float) -> float:
    """The first minutes at which a curve through (minutes, r) reaches a level, with straight lines between points.

    NaN where no point reaches it; where the first does, its minutes: what fewer would give was not tried.
    """
    before: tuple[float, float] | None = None
    for at, r in sorted(points):
        if r >= level:
            if before is None:
                return at
            share = (level - before[1]) / (r - before[1])
            return before[0] + share * (at - before[0])
        before = (at, r)
    return math.nan


def _fitted(
    designs: Mapping[str, Mapping[str, np.ndarray]],
    chosen: Sequence[Recording],
    asked: float,
    draw: int,
    plan: ScoringPlan,
) -> list[dict[str, Any]]:
    fitted = plan.fitted_on(chosen)
    true = fitted.true()
    means = {
        model: target_means(true, fitted.ridge(of_model, shared=False).predicted, plan.masks)
        for model, of_model in designs.items()
    }
    return [
        {
            "asked": asked,
            "draw": draw,
            "minutes": sum(map(length, chosen)),
            "n_stories": len(chosen),
            "target": target,
            **{model: values[target] for model, values in means.items()},
        }
        for target in plan.masks
    ]
