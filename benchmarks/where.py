"""Where the time of an exact tuning step goes: shares of its operations, by PyTorch's profiler.

    python benchmarks/where.py --output benchmarks/results/where.json

The step of benchmarks/speed.py, frontend kept; medians over the rounds. The profiler itself costs a few per cent.
"""

import argparse
import json
import statistics
import tempfile
from collections import Counter
from pathlib import Path

import torch
from speed import Bench
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "products of weights and frames (oneDNN)": ("_linear_pointwise",),
    "attention's batched products (MKL)": ("aten::bmm", "aten::baddbmm"),
    "other products: adapters, readout": ("aten::mm", "aten::addmm", "aten::matmul", "aten::linear"),
    "softmax": ("softmax",),
    "GELU": ("gelu",),
    "layer norm": ("layer_norm",),
    "copies": ("aten::copy_", "aten::cat", "aten::clone", "aten::stack"),
    "optimiser": ("Optimizer.", "_fused_adam", "_foreach"),
}
OTHER = "elementwise operations and all else"


def shares(bench: Bench) -> dict[str, float]:
    """Share of each kind of operation in one step."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        bench.step(bench.exact)
    spent: Counter[str] = Counter()
    for event in found.key_averages():
        kind = next(
            (name for name, parts in KINDS.items() if any(part in event.key for part in parts)), OTHER
        )
        spent[kind] += event.self_cpu_time_total
    total = sum(spent.values())
    return {kind: spent[kind] / total for kind in (*KINDS, OTHER)}


def main() -> None:
    """Print JSON; `--output` writes it to a file as well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4, help="TRs of a block")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.rows)
        bench.keep_frontend(bench.exact)
        bench.step(bench.exact)
        rounds = [shares(bench) for _ in range(arguments.rounds)]
    result = {
        "shares": {kind: round(statistics.median(some[kind] for some in rounds), 3) for kind in rounds[0]},
        "windows": len(bench.needed),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
