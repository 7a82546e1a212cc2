"""How fast a block of TRs is tuned as a stream, against the stock model on all its windows.

    OMP_NUM_THREADS=1 python benchmarks/stream_rate.py --output benchmarks/results/stream_rate.json

A WavLM of the size of base+ with random weights (times do not depend on weights), 4 s of context, a reading each
0.25 s, hidden state 9; one block of 10 TRs of 2 s in the middle of a story, with delays 1 to 4 and its halo.
- stock: transformers' WavLMModel on each window that the block needs, all 12 blocks, in float32; forward alone, and
  forward and backward with q, k and v trained. Timed on `--sample` of the windows and scaled to all of them.
- windows, stream: this program, forward and backward with adapters of rank 4 on q, k and v; the stream also with its
  frontend kept in memory.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import WavLMConfig, WavLMModel

from brainwavlm.config import AdapterConfig, WindowConfig
from brainwavlm.encoding.clock import story_clock
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import sound_reader
from brainwavlm.speech.sound_reader import SoundReader
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.windows import cut_windows

SECONDS, TR, ROWS, DELAYS, LAYER = 120.0, 2.0, 10, (1, 2, 3, 4), 9


def needed(times: np.ndarray) -> np.ndarray:
    """Windows that a block in the middle of the story reads."""
    clock = story_clock(times, np.arange(0, SECONDS - 1, TR), DELAYS, 3)
    first = clock.kept[25]
    return np.flatnonzero(clock.matrix[first - clock.halo : first + ROWS].any(axis=0))


def median_seconds(run: Callable[[], None], repeats: int) -> float:
    """CPU seconds, which other work on the machine changes little: median over repeats, after one not counted."""
    taken = []
    for _ in range(repeats + 1):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return statistics.median(taken[1:])


def stock_seconds(model: WavLMModel, windows: torch.Tensor, repeats: int) -> tuple[float, float]:
    """For each window: forward, and forward and backward."""
    model.requires_grad_(False)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("layers" in name and name.split(".")[-2] in ("q_proj", "k_proj", "v_proj"))

    def forward() -> None:
        with torch.no_grad():
            model(windows)

    def both() -> None:
        model(windows, output_hidden_states=True).hidden_states[LAYER][:, -1].square().mean().backward()

    return median_seconds(forward, repeats) / len(windows), median_seconds(both, repeats) / len(windows)


def main() -> None:
    """Time all ways and print their rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, default=4, help="windows on which stock is timed")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--skip-windows", action="store_true", help="leave this program's windowed mode out")
    parser.add_argument("--chunk", type=float, default=WindowConfig().chunk)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(round(SECONDS * SAMPLE_RATE))
    windows = cut_windows(len(sound), WindowConfig())
    indices = needed(windows.times)
    facts = {
        "windows_of_the_block": len(indices),
        "threads": torch.get_num_threads(),
        "chunk_s": arguments.chunk,
    }
    with tempfile.TemporaryDirectory() as folder:
        WavLMModel(WavLMConfig(layerdrop=0.0)).save_pretrained(folder)
        stock = WavLMModel.from_pretrained(folder).eval()
        some = torch.stack([sound[k : k + 4 * SAMPLE_RATE] for k in range(arguments.sample)])
        forward, both = stock_seconds(stock, some, arguments.repeats)
        facts |= {"stock_forward_s": forward * len(indices), "stock_forward_backward_s": both * len(indices)}
        backbone = load_backbone(folder, LAYER, AdapterConfig(dropout=0.0)).train()
        backbone.batch_windows = 8
    for mode in ("stream",) if arguments.skip_windows else ("stream", "windows"):
        config = WindowConfig(mode=mode, chunk=arguments.chunk)
        reader = sound_reader(backbone, windows, config, sound)
        kept = reader.kept_frontend() if mode == "stream" else None
        for label, frontend in ((mode, None), (f"{mode}_kept", kept)):
            if label == "windows_kept":
                continue

            given = replace(reader, frontend=frontend)

            def step(reader: SoundReader = given) -> None:
                reader.read(indices)[LAYER].square().mean().backward()

            facts[f"{label}_s"] = median_seconds(step, arguments.repeats if mode == "stream" else 1)
        facts[f"{mode}_sound_s"] = reader.samples_heard(indices) / SAMPLE_RATE
    for name in ("stream", "stream_kept", "windows"):
        if f"{name}_s" in facts:
            facts[f"{name}_times_stock_forward"] = facts["stock_forward_s"] / facts[f"{name}_s"]
            facts[f"{name}_times_stock_forward_backward"] = (
                facts["stock_forward_backward_s"] / facts[f"{name}_s"]
            )
    for name, value in facts.items():
        print(f"{name:45} {value:10.2f}")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
