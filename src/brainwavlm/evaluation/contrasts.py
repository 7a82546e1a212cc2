"""The tuned model against the frozen one: the rows of every table that says what tuning changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.config import RunConfig
from brainwavlm.evaluation.encoding_score import EncodingScore
from brainwavlm.evaluation.planted_truth import clean_means
from brainwavlm.evaluation.scores import mean_over
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.evaluation.statistics.block_permutation import paired_block_p
from brainwavlm.evaluation.statistics.jackknife import SHARED, Jackknife
from brainwavlm.evaluation.statistics.permutation_test import PermutationTest
from brainwavlm.evaluation.statistics.tests import LEVEL
from brainwavlm.results.replicates import OWN_LAYER, READOUTS, replicate_rows
from brainwavlm.runs.run import Run

_OF_TESTS = ("p", "q", "p_max")
_ENDINGS = dict(zip(READOUTS, ("", SHARED), strict=True))


def contrast(
    jackknife: Jackknife, target: str, metric: str = "r", frozen: str = "frozen", tuned: str = "tuned"
) -> dict[str, float]:
    """Both means over a target, their difference, and its 95 % interval: the columns that all tables share.

    With shared_frozen, shared_tuned, shared_difference, shared_low and shared_high, of the readout that voxels share,
    where the models were read out so too. `metric` is what the means are of: the columns are {metric}_frozen and
    {metric}_tuned; `frozen` and `tuned` are what the models are called in the jackknife.
    """
    means = jackknife.means[target]
    columns: dict[str, float] = {}
    for readout, of_models, of_change in (("", f"{metric}_", ""), (SHARED, "shared_", "shared_")):
        if frozen + readout not in means:
            continue
        first, second = means[frozen + readout], means[tuned + readout]
        low, high = jackknife.interval(second - first)
        columns |= {f"{of_models}frozen": float(first[0]), f"{of_models}tuned": float(second[0])}
        columns |= {f"{of_change}difference": float(second[0] - first[0])}
        columns |= {f"{of_change}low": low, f"{of_change}high": high}
    return columns


def by_readout(models: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Predictions of models under both readouts, by the names that `contrast` reads."""
    return {
        name + ending: predicted
        for name, both in models.items()
        for ending, predicted in zip(_ENDINGS.values(), both, strict=True)
    }


def kept_replicates(
    about: Mapping[str, Any],
    jackknife: Jackknife,
    story_of_row: np.ndarray,
    layer: int = OWN_LAYER,
    stories: str = "all",
    models: tuple[str, str] = ("frozen", "tuned"),
) -> list[dict[str, Any]]:
    """What is behind the intervals of two models, under each readout: rows for `replicates.gathered`."""
    rows = []
    for readout, ending in _ENDINGS.items():
        names = [name + ending for name in models]
        pairs = {
            target: (means[names[0]][1:], means[names[1]][1:])
            for target, means in jackknife.means.items()
            if names[0] in means
        }
        who = about["run"], about["subject"]
        rows += replicate_rows(*who, pairs, jackknife.unit, story_of_row, layer, stories, readout)
    return rows


@dataclass(frozen=True)
class Change:
    """What tuning changed of a run: both models, scored on the same rows and voxels.

    Attributes
    ----------
    frozen, tuned : EncodingScore
    plan : ScoringPlan
    r_readout : array (n_kept,)
        Test correlation of the run's own readout; NaN where it predicts nothing.
    """

    frozen: EncodingScore
    tuned: EncodingScore
    plan: ScoringPlan
    r_readout: np.ndarray

    @cached_property
    def jackknife(self) -> Jackknife:
        """Means of both under both readouts."""
        models = {"frozen": self.frozen.predictions, "tuned": self.tuned.predictions}
        return self.tuned.jackknife(by_readout(models))

    @cached_property
    def paired(self) -> tuple[PermutationTest, PermutationTest]:
        """Tests of their difference, under each readout."""
        plan, config = self.plan, self.plan.config
        blocks: int = self.frozen.summary["null"]["block_rows"]
        how = plan.story_of_row, config.evaluation.shifts, config.seed, blocks, plan.masks
        pairs = zip(self.frozen.predictions, self.tuned.predictions, strict=True)
        first, second = (paired_block_p(self.tuned.true, one, other, *how) for one, other in pairs)
        return first, second


def contrast_rows(about: dict[str, Any], change: Change) -> list[dict[str, Any]]:
    """The table's rows of one run, one a target; `about` is run, subject, seed and best epoch."""
    frozen, tuned, jackknife = change.frozen, change.tuned, change.jackknife
    paired, paired_shared = change.paired
    rows = []
    for target, means in jackknife.means.items():
        mask, both = tuned.masks[target], contrast(jackknife, target)
        shares = frozen.r_normalised, tuned.r_normalised
        known = mask & ~np.isnan(shares[0]) & ~np.isnan(shares[1])
        time_only = tuned.time_only.mean[target]
        above_chance = both["r_frozen"] > 0 and frozen.test.mean[target][1] < LEVEL
        of_models = {
            f"{end}_{model}": value
            for model in ("frozen", "tuned")
            for end, value in zip(("low", "high"), jackknife.interval(means[model]), strict=True)
        }
        rows.append(
            {
                **about,
                "target": target,
                "n_voxels": jackknife.n_voxels[target],
                **both,
                # A share of what cannot be told from chance says nothing.
                "relative_gain": both["difference"] / both["r_frozen"] if above_chance else np.nan,
                # The readout's mean is comparable only where it predicts the whole target.
                "r_readout": float(np.mean(change.r_readout[mask])),
                "n_normalised": int(known.sum()),
                "normalised_frozen": mean_over(shares[0], known),
                "normalised_tuned": mean_over(shares[1], known),
                "p_frozen": frozen.test.mean[target][1],
                "p_tuned": tuned.test.mean[target][1],
                "p_difference": paired.mean[target][1],
                "p_shared_difference": paired_shared.mean[target][1],
                **of_models,
                # NaN where it cannot be tested.
                "voxels_frozen": frozen.test.n_below(LEVEL, mask),
                "voxels_tuned": tuned.test.n_below(LEVEL, mask),
                "voxels_better": paired.n_below(LEVEL, mask & (paired.statistic > 0)),
                "voxels_worse": paired.n_below(LEVEL, mask & (paired.statistic < 0)),
                "r_time_only": time_only[0],
                "p_time_only": time_only[1],
                **clean_means(frozen.clean_r, mask, "_frozen"),
                **clean_means(tuned.clean_r, mask, "_tuned"),
            }
        )
    return rows


def voxel_rows(name: str, change: Change) -> pd.DataFrame:
    """One row a voxel of one run."""
    frozen, tuned, paired = change.frozen, change.tuned, change.paired[0]
    both = {"frozen": frozen, "tuned": tuned}
    tests = {f"{of}_{model}": getattr(one.test, of) for of in _OF_TESTS for model, one in both.items()}
    return pd.DataFrame(
        {
            "run": name,
            "subject": tuned.summary["subject"],
            "voxel": tuned.voxel,
            **tuned.masks,
            "r_frozen": frozen.r,
            "r_tuned": tuned.r,
            "r_readout": change.r_readout,
            "normalised_frozen": frozen.r_normalised,
            "normalised_tuned": tuned.r_normalised,
            "shared_frozen": frozen.shared_r,
            "shared_tuned": tuned.shared_r,
            "alpha_frozen": frozen.alphas,
            "alpha_tuned": tuned.alphas,
            **tests,
            **{f"{of}_difference": getattr(paired, of) for of in _OF_TESTS},
            "r_time_only": tuned.time_only.statistic,
            **{f"{name}_{model}": r for model, one in both.items() for name, r in one.clean_r.items()},
        }
    )


def run_summary(name: str, run: Run, change: Change) -> dict[str, Any]:
    """What `summary.json` says of one run."""
    config, models = run.config, {"frozen": change.frozen, "tuned": change.tuned}
    about = {model: one.with_intervals(change.jackknife, model).summary for model, one in models.items()}
    return {
        "name": name,
        "path": str(run.path),
        "subject": config.subject,
        "together_with": [name for number, name in enumerate(run.listeners) if number != run.listener],
        "target": config.target,
        "seed": config.seed,
        "method": config.adapter.method,
        "simulated": about["tuned"]["simulated"],
        "control": config.control.kind,
        "finished": run.result is not None,
        "best": run.best,
        "history": run.history,
        "untestable_voxels": change.paired[0].untestable(LEVEL),
        "splits": run.manifest["splits"],
        "intervals": about["tuned"]["intervals"],
        "config": config.model_dump(mode="json"),
        **{
            model: {key: value for key, value in of_model.items() if key != "versions"}
            for model, of_model in about.items()
        },
        "tuned_with": run.manifest["versions"],
        "tuned_on": run.manifest["data"]["control"],
    }


def adapted(config: RunConfig, layer: int) -> bool:
    """Whether a block up to that state carries adapters or was trained: without one the state is as it was."""
    if config.adapter.method == "frozen":
        return False
    first = 1 if config.adapter.layers is None else config.adapter.layers[0]
    return layer >= first
