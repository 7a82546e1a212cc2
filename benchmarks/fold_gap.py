"""Should rows beside a fold be left out of its fit, where there is one training story and folds are parts of it?

Rows near a fold share its noise and, through delays, its features, so that held-out r flatters small penalties. Asked
here is what counts: r on another story with the penalties chosen so, for gaps of 0 to 12 rows on either side. Features
and noise are AR(1), simulated; `oracle` is the one penalty that is best on the other story.

    python benchmarks/fold_gap.py --output benchmarks/results/fold-gap.json
"""

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from brainwavlm.encoding.alignment import delayed
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.evaluation.scores import correlation

ALPHAS, GAPS, N_TEST, N_DIMS, N_VOXELS = 10.0 ** np.arange(0, 8.5, 0.5), (0, 2, 4, 8, 12), 291, 100, 200


def autoregressive(rng, n_rows, n_columns, phi):
    """AR(1) noise of variance 1."""
    white = rng.standard_normal((n_rows + 100, n_columns)) * np.sqrt(1 - phi**2)
    return lfilter([1], [1, -phi], white, axis=0)[100:]


def r_by_penalty(design, responses, other_design, other_responses):
    """Correlation of what ridge fitted on the first predicts of the other, (n_alphas, n_voxels)."""
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    along, products = other_design @ right.T, left.T @ responses
    weights = (singular / (singular**2 + alpha) for alpha in ALPHAS)
    return np.array([correlation(other_responses, along @ (some[:, None] * products)) for some in weights])


def r_of_gaps(rng, n_rows, phi, share):
    """Mean r on another story for each gap, and with the one best penalty."""
    weights, stories = rng.standard_normal((4 * N_DIMS, N_VOXELS)), []
    for length in (n_rows, N_TEST):
        design = delayed(autoregressive(rng, length, N_DIMS, 0.6), (1, 2, 3, 4))
        signal, noise = design @ weights, autoregressive(rng, length, N_VOXELS, phi)
        responses = np.sqrt(share) * signal / signal.std(0) + np.sqrt(1 - share) * noise
        stories.append((design, responses - responses.mean(0)))
    (design, responses), test = stories[0], r_by_penalty(*stories[0], *stories[1])
    rows, result = np.arange(n_rows), {}
    for gap in GAPS:
        held_out = np.zeros_like(test)
        for fold in story_folds(np.zeros(n_rows), 5)[0]:
            fit = (rows < fold[0] - gap) | (rows > fold[-1] + gap)
            held_out += r_by_penalty(design[fit], responses[fit], design[fold], responses[fold])
        result[str(gap)] = test[held_out.argmax(0), np.arange(N_VOXELS)].mean()
    return result | {"oracle": test.mean(1).max()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rng, table = np.random.default_rng(0), []
    for n_rows, phi, share in product((120, 291), (0.0, 0.4, 0.8, 0.95), (0.1, 0.3)):
        draws = [r_of_gaps(rng, n_rows, phi, share) for _ in range(arguments.draws)]
        r = {gap: round(float(np.mean([draw[gap] for draw in draws])), 4) for gap in draws[0]}
        table.append({"rows": n_rows, "noise": phi, "signal_share": share, "r": r})
        print(table[-1], flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
