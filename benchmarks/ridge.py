"""Time of cross-validated ridge beside himalaya's own call and the bootstrap scheme of older scripts of the field.

    OMP_NUM_THREADS=1 python benchmarks/ridge.py --output ridge.json
    OMP_NUM_THREADS=1 python benchmarks/ridge.py --shapes 3000x1536x4000 --pairs 3
    OMP_NUM_THREADS=1 python benchmarks/ridge.py --readouts 1737x768x95556 --pairs 1

All three get the same float32 noise in memory, the same penalties, as many folds or bootstraps, and hand back a penalty
and weights for each voxel. They run in turns in one process, with as many threads for torch as for numpy, after one
round on a small problem. himalaya and this package have the same folds of whole stories; himalaya solves all voxels at
once, in the form that suits the shape, with its numpy backend. The bootstrap scheme holds out a quarter of the rows in
chunks of 40. A ratio is the median over rounds of another's time over that of this package in the same round. The JSON
also has the CPU time, and how far penalties and weights agree with himalaya's, which are float32 here: himalaya in
float64 is the oracle of tests/encoding/test_ridge_himalaya.py. `--readouts` compares ridge for each voxel with both
readouts of every score, the map that voxels share too (its penalty and rank chosen on one story, as with one
validation story), and says what memory the process took.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues
from himalaya.ridge import solve_ridge_cv_svd
from himalaya.scoring import correlation_score
from threadpoolctl import threadpool_info

from brainwavlm.config import RidgeConfig
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.encoding.story_subsets import story_folds

# An eighth of UTS03 (30,000 x 3,072) with fewer voxels, so that himalaya ends; fewer rows a column; a wide design.
SHAPES = ("3750x384x6000", "1750x768x6000", "600x1200x6000")
STORY_ROWS, CHUNK = 100, 40

Solver = Callable[[np.ndarray, np.ndarray, np.ndarray, RidgeConfig], tuple[np.ndarray, np.ndarray]]


def brainwavlm_ridge(
    design: np.ndarray, responses: np.ndarray, story_of_row: np.ndarray, config: RidgeConfig
) -> tuple[np.ndarray, np.ndarray]:
    """What `brainwavlm ridge` calls."""
    n_voxels = responses.shape[1]
    batches = list(
        ridge_batches(design, lambda columns: responses[:, columns], n_voxels, story_of_row, config)
    )
    return (
        np.concatenate([batch.alphas for batch in batches]),
        np.concatenate([batch.weights for batch in batches], axis=1),
    )


def himalaya_ridge(
    design: np.ndarray, responses: np.ndarray, story_of_row: np.ndarray, config: RidgeConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Himalaya's own call: primal where rows outnumber columns, else on the kernel."""
    folds, _ = story_folds(story_of_row, config.folds)
    rows = np.arange(len(design))
    options = {
        "alphas": np.array(config.alphas, dtype=np.float32),
        "score_func": correlation_score,
        "cv": [(np.setdiff1d(rows, fold), fold) for fold in folds],
        "n_alphas_batch": 1,
    }
    if len(design) >= design.shape[1]:
        return solve_ridge_cv_svd(design, responses, **options)[:2]
    alphas, dual, _ = solve_kernel_ridge_cv_eigenvalues(design @ design.T, responses, **options)
    return alphas, design.T @ dual


def bootstrap_ridge(
    design: np.ndarray, responses: np.ndarray, story_of_row: np.ndarray, config: RidgeConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Each bootstrap holds out a quarter of the rows in chunks; the penalty with the best mean correlation."""
    random = np.random.default_rng(0)
    alphas = np.array(config.alphas, dtype=np.float32)
    chunks = np.array_split(np.arange(len(design)), len(design) // CHUNK)
    r = np.zeros((len(alphas), responses.shape[1]))
    for _ in range(config.folds):
        chosen = random.permutation(len(chunks))[: len(chunks) // 4]
        held_out = np.concatenate([chunks[chunk] for chunk in chosen])
        training = np.setdiff1d(np.arange(len(design)), held_out)
        left, singular, right = np.linalg.svd(design[training], full_matrices=False)
        projected = left.T @ responses[training]
        along = design[held_out] @ right.T
        true = _zscored(responses[held_out])
        for row, alpha in zip(r, alphas, strict=True):
            predicted = (along * (singular / (singular**2 + alpha))) @ projected
            row += (true * _zscored(predicted)).mean(0) / config.folds
    best = r.argmax(0)
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    projected = left.T @ responses
    weights = np.empty((design.shape[1], responses.shape[1]), np.float32)
    for index in np.unique(best):
        voxels = best == index
        shrunk = singular / (singular**2 + alphas[index])
        weights[:, voxels] = right.T @ (shrunk[:, None] * projected[:, voxels])
    return alphas[best], weights


def _zscored(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)) / values.std(0)


def compared(shape: tuple[int, int, int], pairs: int, config: RidgeConfig) -> dict:
    """Seconds of each solver, median over rounds, and the median ratios to this package."""
    solvers: dict[str, Solver] = {
        "brainwavlm": brainwavlm_ridge,
        "himalaya": himalaya_ridge,
        "bootstrap": bootstrap_ridge,
    }
    for solver in solvers.values():
        solver(*_problem(400, 60, 50), config)
    problem = _problem(*shape)
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    cpu: dict[str, list[float]] = {name: [] for name in solvers}
    found = {}
    for _ in range(pairs):
        for name, solver in solvers.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            found[name] = solver(*problem, config)
            seconds[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - began_cpu)
    ours = np.array(seconds["brainwavlm"])
    agree = np.isclose(found["brainwavlm"][0], found["himalaya"][0], rtol=1e-4)
    differ = np.abs(found["brainwavlm"][1] - found["himalaya"][1])[:, agree].max()
    return {
        "rows": shape[0],
        "columns": shape[1],
        "voxels": shape[2],
        "seconds": {name: round(float(np.median(values)), 2) for name, values in seconds.items()},
        "cpu_seconds": {name: round(float(np.median(values)), 2) for name, values in cpu.items()},
        "ratios": {
            name: round(float(np.median(np.array(seconds[name]) / ours)), 2)
            for name in ("himalaya", "bootstrap")
        },
        "penalties_as_himalaya": float(agree.mean()),
        "largest_difference_of_weights": float(differ / np.abs(found["himalaya"][1]).max()),
    }


def readouts(shape: tuple[int, int, int], pairs: int, config: RidgeConfig) -> dict:
    """Processor seconds of ridge for each voxel alone, and of both readouts; weights are thrown away."""
    design, responses, story_of_row = _problem(*shape)
    cpu: dict[str, list[float]] = {"voxelwise": [], "both": []}
    for _ in range(pairs):
        for name, times in cpu.items():
            began = time.process_time()
            for _batch in ridge_batches(
                design,
                lambda columns: responses[:, columns],
                shape[2],
                story_of_row,
                config,
                shared=name == "both",
                chosen_on=story_of_row == story_of_row[-1],  # as scores do with one validation story
            ):
                pass
            times.append(time.process_time() - began)
    ratio = np.median(np.array(cpu["both"]) / np.array(cpu["voxelwise"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {
        "rows": shape[0],
        "columns": shape[1],
        "voxels": shape[2],
        "cpu_seconds": {name: round(float(np.median(times)), 2) for name, times in cpu.items()},
        "ratio": round(float(ratio), 2),
        "peak_gb": round(peak, 2),
        "of_it_design_and_responses": round((design.nbytes + responses.nbytes) / 1e9, 2),
    }


def _problem(n_rows: int, n_columns: int, n_voxels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A design of smooth, correlated columns, responses that depend on it from hardly to well, and stories."""
    random = np.random.default_rng(0)
    mixed = random.standard_normal((n_columns, n_columns)) * np.arange(1, n_columns + 1)[:, None] ** -0.5
    design = random.standard_normal((n_rows, n_columns)) @ mixed
    design = _zscored(design).astype(np.float32)
    signal = design @ random.standard_normal((n_columns, n_voxels)).astype(np.float32)
    signal = _zscored(signal) * np.linspace(0, 1, n_voxels, dtype=np.float32)
    responses = _zscored(signal + random.standard_normal(signal.shape, dtype=np.float32))
    return design, responses, np.arange(n_rows) // STORY_ROWS


def written(result: dict, output: Path | None) -> None:
    """JSON where it was asked for."""
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(result, indent=2) + "\n")


def main() -> None:
    """Print the table, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shapes", nargs="+", default=SHAPES, help="rows x columns x voxels, e.g. 900x300x50"
    )
    parser.add_argument(
        "--readouts", metavar="SHAPE", help="compare the readouts at this shape, and nothing else"
    )
    parser.add_argument("--pairs", type=int, default=5, help="Rounds.")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    config = RidgeConfig(folds=arguments.folds)
    threads = max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
    torch.set_num_threads(threads)
    result = {
        "threads": threads,
        "folds": config.folds,
        "penalties": len(config.alphas),
        "rounds": arguments.pairs,
        "shapes": [],
    }
    if arguments.readouts:
        shape = tuple(int(part) for part in arguments.readouts.split("x"))
        result["shapes"].append(readouts(shape, arguments.pairs, config))
        print(json.dumps(result, indent=2))
        written(result, arguments.output)
        return
    print(
        f"{threads} threads, {config.folds} folds, {len(config.alphas)} penalties, {arguments.pairs} rounds"
    )
    print(
        "| rows x columns x voxels | brainwavlm, s | himalaya, s | bootstrap, s | himalaya / | bootstrap / |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for text in arguments.shapes:
        row = compared(tuple(int(part) for part in text.split("x")), arguments.pairs, config)
        result["shapes"].append(row)
        times = " | ".join(str(seconds) for seconds in row["seconds"].values())
        ratios = " | ".join(str(ratio) for ratio in row["ratios"].values())
        print(f"| {text.replace('x', ' x ')} | {times} | {ratios} |", flush=True)
    written(result, arguments.output)


if __name__ == "__main__":
    main()
