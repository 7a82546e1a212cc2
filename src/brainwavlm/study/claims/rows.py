"""Rows of the table of claims from the scores of groups of cells: gains, differences, spreads, transfer."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brainwavlm.results.estimates import (
    deviation,
    gain,
    mean_difference,
    mean_over_seeds,
    over_seeds,
    ratio_of_deviations,
)
from brainwavlm.results.replicates import OWN_LAYER
from brainwavlm.study.claims.scores import STEPS, CellScore, Group, Kind, Step, missing
from brainwavlm.study.claims.sentences import NOTHING

# For a ratio of deviations: with fewer seeds a true factor of 2 would be shown less often than not.
FEWEST_SEEDS = 10
_ESTIMATE = ("estimate", "low", "high")
BySeed = dict[int, CellScore]


def _summary(kind: str, group: Group, scores: Sequence[CellScore], n_missing: int) -> dict[str, Any]:
    """The row of a mean gain."""
    first, best = scores[0], [score.best_epoch for score in scores if score.best_epoch is not None]
    return {
        "kind": kind,
        "group": group.label,
        "tuned_on": first.tuned_on,
        "listener": first.listener,
        "target": first.target,
        "layer": None if kind == "transfer" or first.layer == OWN_LAYER else first.layer,
        "readout": first.readout,
        "stories": first.stories,
        "information": first.information,
        "unit": first.unit,
        "n_seeds": len(scores),
        "n_missing": n_missing,
        "r_frozen": float(np.mean([score.r_frozen for score in scores])),
        "r_tuned": float(np.mean([score.r_tuned for score in scores])),
        "best_epoch": float(np.mean(best)) if len(best) == len(scores) else None,
        **dict(zip(_ESTIMATE, mean_over_seeds(scores, gain), strict=True)),
        **over_seeds([gain(score)[0] for score in scores]),
    }


def gain_rows(group: Group, kind: Kind = "gain") -> list[dict[str, Any]]:
    """Mean gain over the untuned model, by who tuned it, who is scored, target, stories, hidden state and readout.

    `transfer`: in listeners who did not tune the model; of unheard stories alone where tuning heard some.
    """
    step: Step = next((step for step, (_, of) in STEPS.items() if of == kind), "evaluation")
    places: dict[tuple, list[CellScore]] = {}
    for score in (score for cell in group.cells for score in cell.of(kind)):
        place = (score.tuned_on, score.listener, score.target, score.layer, score.readout, score.stories)
        places.setdefault(place, []).append(score)
    rows = []
    for (tuned_on, *rest, stories), scores in places.items():
        beside_unheard = stories == "all" and (tuned_on, *rest, "unheard") in places
        if kind != "transfer" or not (scores[0].is_tuner or beside_unheard):
            rows.append(_summary(kind, group, scores, _n_missing(group, step, tuned_on)))
    return rows


def minutes_rows(group: Group) -> list[dict[str, Any]]:
    """Minutes of the other listener's data with which the tuned model reaches the untuned one with all of them."""
    places: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for cell in group.cells:
        for row in cell.minutes:
            places.setdefault((cell.tuned_on, row["listener"], row["target"]), []).append(row)
    rows = []
    for (tuned_on, listener, target), some in places.items():
        needed = [row["minutes_needed"] for row in some]
        rows.append(
            {
                "kind": "minutes",
                "group": group.label,
                "tuned_on": tuned_on,
                "listener": listener,
                "target": target,
                "n_seeds": len(needed),
                "n_missing": _n_missing(group, "transfer", tuned_on),
                "full_minutes": float(np.mean([row["full_minutes"] for row in some])),
                "estimate": float(np.mean(needed)),  # NaN where one seed does not reach it
                **over_seeds(needed),
            }
        )
    return rows


def nothing_rows(group: Group) -> list[dict[str, Any]]:
    """A row for each choice of listeners of which no cell was scored, none in other listeners, or none by probes."""
    rows = []
    for tuned_on in dict.fromkeys(cell.tuned_on for cell in group.cells):
        n_cells = sum(cell.tuned_on == tuned_on for cell in group.cells)
        for step, kind in zip(STEPS, NOTHING, strict=True):
            if _n_missing(group, step, tuned_on) == n_cells:
                about = {"kind": kind, "group": group.label, "tuned_on": tuned_on}
                rows.append(about | {"n_seeds": 0, "n_missing": n_cells})
    return rows


def difference_rows(first: Group, second: Group, kind: Kind = "gain") -> list[dict[str, Any]]:
    """Second minus first in tuned r, over the seeds that both have, wherever both are scored: gains, or probes."""
    rows = []
    for about, others, scores in _opposed(first, second, kind):
        common = [seed for seed in scores if seed in others]
        if not common:
            continue
        before, after = ([scores_of[seed] for seed in common] for scores_of in (others, scores))
        changes = [new.r_tuned - old.r_tuned for old, new in zip(before, after, strict=True)]
        rows.append(
            {
                "kind": "difference" if kind == "gain" else f"{kind} difference",
                **about,
                "n_seeds": len(common),
                "n_missing": max(len(_seeds(first) & _seeds(second)) - len(common), 0),
                "unit": after[0].unit,
                "r_frozen": float(np.mean([score.r_frozen for score in after])),
                "r_tuned": float(np.mean([score.r_tuned for score in after])),
                **dict(zip(_ESTIMATE, mean_difference(before, after), strict=True)),
                **over_seeds(changes),
            }
        )
    return rows


def spread_rows(first: Group, second: Group) -> list[dict[str, Any]]:
    """How many times the deviation over seeds of the first group that of the second is."""
    rows = []
    for about, others, scores in _opposed(first, second):
        if min(len(scores), len(others)) < FEWEST_SEEDS:
            continue
        r_before, r_after = ([score.r_tuned for score in some.values()] for some in (others, scores))
        rows.append(
            {
                "kind": "spread",
                **about,
                "n_seeds": min(len(scores), len(others)),
                "n_missing": len(_seeds(first) - set(others)) + len(_seeds(second) - set(scores)),
                **dict(zip(_ESTIMATE, ratio_of_deviations(r_before, r_after), strict=True)),
                "deviation": deviation(r_after),
                "deviation_against": deviation(r_before),
            }
        )
    return rows


def _seeds(group: Group) -> set[int]:
    return {cell.record.cell.config.seed for cell in group.cells}


def _opposed(
    first: Group, second: Group, kind: Kind = "gain"
) -> Iterator[tuple[dict[str, Any], BySeed, BySeed]]:
    """What a row of two groups is about, and the scores of both by seed.

    Models of the same listeners are compared where the first group has them, else each with each. Where either group is
    of one data set, another one, it is the data sets that differ: people of one name are compared.
    """
    other_data = first.datasets != second.datasets and len(first.datasets) == len(second.datasets) == 1
    before = _by_listener(first, other_data, kind)
    for place, models in _by_listener(second, other_data, kind).items():
        others = before.get(place, {})
        for tuned_on, scores in models.items():
            alike = [others[tuned_on]] if tuned_on in others else others.values()
            for some in alike:
                about: dict[str, Any] = {"group": second.label, "against": first.label, "tuned_on": tuned_on}
                score = next(iter(scores.values()))
                about |= {"listener": score.listener, "target": score.target, "readout": score.readout}
                if kind == "probe":
                    about |= {"stories": score.stories, "information": score.information}
                    about["layer"] = score.layer
                yield about, some, scores


def _by_listener(group: Group, by_subject: bool, kind: Kind) -> dict[tuple, dict[str, BySeed]]:
    """Scores by listener, target, stories, hidden state and readout, then by who tuned the model, then by seed."""
    places: dict[tuple, dict[str, BySeed]] = {}
    for cell in group.cells:
        for score in cell.of(kind):
            who = score.subject if by_subject else score.listener
            place = (who, score.target, score.stories, score.layer, score.readout)
            places.setdefault(place, {}).setdefault(score.tuned_on, {})[score.seed] = score
    return places


def _n_missing(group: Group, step: Step, tuned_on: str) -> int:
    """Cells of the group with these listeners that have no scores."""
    return sum(cell.tuned_on == tuned_on for cell in missing(group.cells, step))
