"""Does torch.compile pay on the CPU? The trunk forward and backward, eight windows of 4 s, base+ size.

    python benchmarks/compiled.py --output benchmarks/results/compiled.json

Stock transformers blocks (nine, without adapters, the gradient with respect to the input), as they are and compiled,
against this program's. Needs a C++ compiler.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformers import WavLMConfig, WavLMModel

from brainwavlm.speech.backbones import load_backbone

LAYER, N_WINDOWS, N_FRAMES, N_DIMS = 9, 8, 199, 768


def main() -> None:
    """Take turns; print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        stock = WavLMModel(WavLMConfig()).eval().requires_grad_(False)
        stock.save_pretrained(folder)
        backbone = load_backbone(folder, LAYER)

    def blocks(hidden: Tensor) -> Tensor:
        bias = None
        for index, block in enumerate(stock.encoder.layers[:LAYER]):
            hidden, bias = block(hidden, position_bias=bias, index=index)
        return hidden

    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "stock blocks": blocks,
        "stock blocks, compiled": torch.compile(blocks),
        "brainwavlm": lambda hidden: backbone.trunk(hidden)[LAYER],
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds + 1):
        for name, way in ways.items():
            hidden = torch.randn(N_WINDOWS, N_FRAMES, N_DIMS, requires_grad=True)
            began = time.perf_counter()
            way(hidden)[:, -1].sum().backward()
            spent[name].append(time.perf_counter() - began)
    result = {name: round(statistics.median(values[1:]), 3) for name, values in spent.items()}
    result["first call, compiled"] = round(spent["stock blocks, compiled"][0], 1)
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
