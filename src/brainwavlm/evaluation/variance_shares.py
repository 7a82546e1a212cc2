"""How much of the variance of responses each space of features predicts, alone, together and beyond the others.

    R2(S)       of the spaces S together: 1 - |y - y_S|^2 / |y|^2 over test rows, y z-scored within each story
    total       R2 of all features and the model together
    alone       R2 of one space by itself; of `stimulus`: of all features without the model
    product     <y_i, 2 y - y_S> / |y|^2 of what space i adds to the joint prediction: these sum to the total
    unique      total - R2 of all but one space: what no other space can give
    shared      R2(model) + R2(i) - R2(model and i): what of the model's own score space i says too

R2 on test rows is below 0 where a fit is worse than the mean, and so may any of them be.

References: Dupre la Tour et al. 2022 and Pratt 1987 (product measure); de Heer et al. 2017 (shared variance).
"""

from collections.abc import Mapping

import numpy as np

from brainwavlm.encoding.banded_ridge import banded_predictions
from brainwavlm.evaluation.ridge_predictions import responses_of, stories_of_rows
from brainwavlm.evaluation.scoring_plan import Designs, ScoringPlan
from brainwavlm.evaluation.statistics.jackknife import kept_pieces, left_out_pieces
from brainwavlm.progress import Progress

MODEL, STIMULUS = "model", "stimulus"
Measures = dict[tuple[str, str], np.ndarray]  # by measure and space, (n_pieces + 1, n_voxels)


class VarianceShares:
    """R2 of sets of spaces, whole and without each piece of the test rows; each set is fitted once a model.

    `designs` are by feature and story; `candidates` is how many weights of the spaces each fit tries.
    """

    def __init__(self, plan: ScoringPlan, designs: Mapping[str, Designs], candidates: int):
        (fit,) = plan.fits
        self._plan, self._designs, self._candidates = plan, designs, candidates
        self._fitted, self._held_out = fit.fitted, fit.held_out
        self._responses = responses_of(fit.fitted, plan.columns)
        self._true = plan.true()
        self._pieces, self.unit = left_out_pieces(plan.story_of_row)
        self._kept = kept_pieces(len(self._pieces))
        power = self._sums(self._true, self._true)
        self._power = np.where(power == 0, np.nan, power)
        self._without_model: dict[frozenset[str], np.ndarray] = {}

    def measures(self, model: Designs, progress: Progress, title: str) -> Measures:
        """All measures with the designs of a model by story."""
        names = tuple(self._designs)
        features, everything = frozenset(names), frozenset((*names, MODEL))
        sets = [everything, features, frozenset({MODEL})]
        sets += [everything - {name} for name in names] + [frozenset({name}) for name in names]
        sets += [frozenset({name, MODEL}) for name in names]
        r2 = dict(self._without_model)
        for spaces in progress.over([one for one in dict.fromkeys(sets) if one not in r2], title):
            products = self._products(spaces, model)
            r2[spaces] = np.sum(list(products.values()), axis=0)
            if MODEL not in spaces:
                self._without_model[spaces] = r2[spaces]
            elif spaces == everything:
                of_all = products
        total, of_model = r2[everything], r2[frozenset({MODEL})]
        measures: Measures = {
            ("total", "all"): total,
            ("alone", MODEL): of_model,
            ("alone", STIMULUS): r2[features],
            ("unique", MODEL): total - r2[features],
            ("shared", STIMULUS): of_model + r2[features] - total,
        }
        for name in names:
            alone = r2[frozenset({name})]
            measures["alone", name] = alone
            measures["unique", name] = total - r2[everything - {name}]
            measures["shared", name] = of_model + alone - r2[frozenset({name, MODEL})]
        return measures | {("product", name): part for name, part in of_all.items()}

    def _products(self, spaces: frozenset[str], model: Designs) -> dict[str, np.ndarray]:
        """The product measure of some spaces, whose sum is R2 of them together."""
        names = sorted(spaces)
        designs = [model if name == MODEL else self._designs[name] for name in names]
        fitted, held_out = (
            [np.concatenate([of[one.story.name] for one in some]) for of in designs]
            for some in (self._fitted, self._held_out)
        )
        parts = banded_predictions(
            fitted,
            self._responses,
            stories_of_rows(self._fitted),
            held_out,
            self._plan.config.ridge,
            self._candidates,
        )
        rest = 2 * self._true - parts.sum(0)
        return {name: self._sums(part, rest) / self._power for name, part in zip(names, parts, strict=True)}

    def _sums(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Sums over rows of a product, of all pieces and of all but each, (n_pieces + 1, n_voxels)."""
        sums = np.stack([np.einsum("tv,tv->v", one[rows], other[rows]) for rows in self._pieces])
        total: np.ndarray = self._kept @ sums.astype(np.float64)
        return total
