"""Runs of one kind: which they are, means over their seeds, differences and spreads; intervals over test stories.

`compare` and the table of claims of a study both come to their numbers here.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig, flattened

# What no trained weight depends on: where and how a run computes, and how it is scored afterwards.
WITHOUT_EFFECT = (
    *("device", "tracking", "evaluation", "ridge.memory_gb", "backbone.memory_gb", "backbone.batch_windows"),
    *("training.checkpoint_steps", "training.recompute", "training.frontend_cache_gb"),
    *("training.frontend_folder", "training.keep_epochs", "backbone.compile"),
)
LISTENER = ("subject", "train", "validation", "test")


def grouped(configs: Sequence[RunConfig], apart_from: Collection[str]) -> dict[str, list[int]]:
    """Positions of the configurations that are equal but for some keys, in order, by a name that says what differs.

    `apart_from`: dotted keys, or whole steps, that may differ within a group; `WITHOUT_EFFECT` always may. The name
    holds the keys in which groups differ, e.g. `adapter.method=lora`; with one group it is `all runs`.
    """
    hidden = (*WITHOUT_EFFECT, *apart_from)
    settings = [
        {key: value for key, value in flattened(config).items() if not _within(key, hidden)}
        for config in configs
    ]
    groups: list[tuple[dict[str, Any], list[int]]] = []
    for position, values in enumerate(settings):
        members = next((members for known, members in groups if known == values), None)
        if members is None:
            groups.append((values, [position]))
        else:
            members.append(position)
    keys = dict.fromkeys(key for values, _ in groups for key in values)
    differing = [
        key for key in keys if any(values.get(key) != groups[0][0].get(key) for values, _ in groups[1:])
    ]
    return {
        label({key: values.get(key) for key in differing}) or "all runs": members
        for values, members in groups
    }


def named_groups(
    configs: Sequence[RunConfig], names: Sequence[str], ignored: Collection[str]
) -> dict[str, list[str]]:
    """The same, as names of the runs."""
    groups = grouped(configs, ignored)
    return {group: [names[position] for position in members] for group, members in groups.items()}


def _within(key: str, steps: Collection[str]) -> bool:
    return any(key == step or key.startswith(f"{step}.") for step in steps)


def label(values: Mapping[str, Any]) -> str:
    """`adapter.method=lora, training.slow=2`: what tells a group from others."""
    return ", ".join(f"{key}={setting_words(key, value)}" for key, value in values.items())


def setting_words(key: str, value: Any) -> str:
    """The value of a setting; of subjects who tune too, who they are."""
    if key == "train_minutes" and value is None:
        return "all"
    if key == "joint" and isinstance(value, list | tuple):
        return _shown([_who(one) for one in value])
    return _shown(value)


def _who(subject: Mapping[str, Any]) -> str:
    """A further subject: sim02, with another data set other:sim02, with other stories sim02 from the end."""
    name, dataset = str(subject["subject"]), subject.get("dataset")
    who = name if dataset is None else f"{Path(dataset).name}:{name}"
    return who if subject.get("train_from", "start") == "start" else f"{who} from the end"


def _shown(value: Any) -> str:
    """A value in a label: everything that it says, a list of nothing as `none`."""
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_shown(some)}" for key, some in value.items()) or "none"
    if isinstance(value, list | tuple):
        return "+".join(map(_shown, value)) or "none"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


Estimate = tuple[float, float, float]  # with the ends of its interval


@dataclass(frozen=True)
class Score:
    """Frozen and tuned model of one run in one target: r, or AUC for a task, as measured.

    `frozen`, `tuned` (n_pieces,) are the same without each test story (or block of one), see `jackknife_interval`.
    Scores with the same `rows` left out the same pieces.
    """

    seed: int
    r_frozen: float
    r_tuned: float
    frozen: np.ndarray
    tuned: np.ndarray
    rows: str


def jackknife_interval(estimate: float, replicates: np.ndarray) -> tuple[float, float]:
    """95 % interval: estimate -+ t(.975, n - 1) sqrt((n - 1) / n sum_i (replicates[i] - their mean)^2).

    `estimate` of everything, replicates (n,) the same without each of n stories (or blocks of rows). NaN below 2
    replicates, or where one of them is NaN.

    References
    ----------
    Efron and Stein 1981; coverage: benchmarks/coverage.py.
    """
    n = len(replicates)
    if n < 2:
        return np.nan, np.nan
    half = _t(n) * float(np.sqrt((n - 1) / n * ((replicates - np.mean(replicates)) ** 2).sum()))
    return estimate - half, estimate + half


def _t(n: int) -> float:
    """The .975 quantile of Student's t of n values."""
    from scipy.stats import t as student_t  # a third of a second to import

    return float(student_t.ppf(0.975, n - 1))


def of_both_models(name: str, frozen: np.ndarray, tuned: np.ndarray) -> dict[str, float]:
    """Columns `name_frozen`, `name_tuned` and `difference`, each with its low and high, of means (n_pieces + 1,)."""
    row: dict[str, float] = {}
    models = {f"{name}_frozen": ("_frozen", frozen), f"{name}_tuned": ("_tuned", tuned)}
    for column, (ends, means) in (models | {"difference": ("", tuned - frozen)}).items():
        row[column] = float(means[0])
        row[f"low{ends}"], row[f"high{ends}"] = jackknife_interval(row[column], means[1:])
    return row


def drawn_half(draws: np.ndarray) -> float:
    """Half of the 95 % interval of what a mean over n random draws estimates: t(.975, n - 1) deviation / sqrt(n)."""
    return _t(len(draws)) * float(np.std(draws, ddof=1) / np.sqrt(len(draws)))


def interval_p(estimate: float, high: float, n: int) -> float:
    """Two-sided p of the t test of n pieces whose 95 % interval ends at `high`; NaN where it has no width."""
    from scipy.stats import t as student_t

    if not high > estimate:
        return np.nan
    error = (high - estimate) / _t(n)
    return float(2 * student_t.sf(abs(estimate) / error, n - 1))


def mean_over_seeds(scores: Sequence[Score], value: Callable[[Score], tuple[float, np.ndarray]]) -> Estimate:
    """Mean over cells of something made of a score, (measured, array (n_pieces,)), and its interval over test stories.

    One score a cell, of one listener and target; NaN for the interval where cells were not scored on the same rows.
    """
    measured = [value(score) for score in scores]
    estimate = float(np.mean([known for known, _ in measured]))
    if not same_rows(scores):
        return estimate, np.nan, np.nan
    return estimate, *jackknife_interval(estimate, np.mean([without for _, without in measured], axis=0))


def mean_difference(first: Sequence[Score], second: Sequence[Score]) -> Estimate:
    """Mean tuned r of the second scores less that of the first; NaN for the interval where rows are not the same."""
    means = [np.mean([score.r_tuned for score in scores]) for scores in (first, second)]
    difference = float(means[1] - means[0])
    if not same_rows([*first, *second]):
        return difference, np.nan, np.nan
    without = [np.mean([score.tuned for score in scores], axis=0) for scores in (first, second)]
    return difference, *jackknife_interval(difference, without[1] - without[0])


def ratio_of_deviations(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """std(second) / std(first) of tuned r over two seeds or more (n - 1), with the 95 % interval of normal samples.

    (std(second) / std(first))^2 / F(.975) to (...)^2 / F(.025), F with n_second - 1 and n_first - 1 degrees of freedom.
    With five seeds each its ends are a factor of 10 apart: the deviation of five numbers is itself known to a third.
    """
    from scipy.stats import f as f_distribution

    below, above = np.std(first, ddof=1), np.std(second, ddof=1)
    if below == 0:
        return np.nan, np.nan, np.nan
    ratio = float(above / below)
    quantiles = f_distribution.ppf([0.975, 0.025], len(second) - 1, len(first) - 1)
    low, high = ratio / np.sqrt(quantiles)
    return ratio, float(low), float(high)


def gain(score: Score) -> tuple[float, np.ndarray]:
    """Tuned minus frozen, measured and without each test story."""
    return score.r_tuned - score.r_frozen, score.tuned - score.frozen


def same_rows(scores: Sequence[Score]) -> bool:
    """Whether all were scored on the same rows, so that they are paired."""
    return len({(score.rows, len(score.tuned)) for score in scores}) == 1


def deviation(values: Sequence[float]) -> float:
    """Standard deviation (n - 1); NaN of one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def over_seeds(values: Sequence[float]) -> dict[str, float]:
    """Deviation over seeds, and the 95 % interval of the mean over seeds: mean -+ t(n - 1) deviation / sqrt(n).

    With two seeds t is 12.7: next to nothing is known of how seeds differ.
    """
    spread, n = deviation(values), len(values)
    half = _t(n) * spread / n**0.5 if n > 1 else np.nan
    mean = float(np.mean(values))
    return {"deviation": spread, "seed_low": mean - half, "seed_high": mean + half}
