"""On one CUDA card: is it right there, how fast, against which limit, and where does the time go; in one command.

    python benchmarks/gpu.py --output gpu.json                                 # nine minutes
    python benchmarks/gpu.py --rows 20 --at-once 128 256 --parts steps stream --output more.json
    python benchmarks/gpu.py --device cpu --small                              # the same code anywhere, in a minute

Parts, by what they are worth; the model and the block are those of benchmarks/speed.py, with the voxels of UTS03:

    limits   products of 8192 and of the trunk's shapes; copies on the card and to it
    parity   loss and gradients of one block, and two epochs of the embedded data set, beside float32 on the CPU
    steps    the exact step by windows at once, frontend kept or computed; the reference, its attention rewritten
    stream   the stream's step, frontend kept
    extract  forward passes from sound, and what UTS03 would take
    ridge    a fit of UTS03: 27,797 x 3,072, five folds, 17 penalties, voxels by chunks
    tests    permutations and jackknife of UTS03, which run on the CPU

`fp32` is the package's precision `float32`. Prints a line for each
configuration; with `--output` the JSON, which names the card, is written after each. What the time is too short for is
named as skipped, what does not fit or fails says so in its place.
"""

import argparse
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import reference
import speed
import torch
from accelerate.state import AcceleratorState
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from brainwavlm.config import WindowConfig, load_config
from brainwavlm.encoding.gram_ridge import GramRidge
from brainwavlm.encoding.story_subsets import story_folds
from brainwavlm.encoding.tuning import TuningLoop, tune
from brainwavlm.evaluation.statistics.block_permutation import paired_block_p
from brainwavlm.evaluation.statistics.jackknife import jackknife_of_means
from brainwavlm.evaluation.statistics.permutation_test import circular_shift_p
from brainwavlm.runs.environment import versions
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import sound_reader

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
# Nine blocks, because the tenth is never run.
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 9, "num_attention_heads": 2}
TINY |= {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 16}
SHORT = {"windows": {"context": 1.0, "stride": 1.0, "frame": "last"}}
# 84 stories of ds003020, four delays of 768 dimensions.
ROWS, COLUMNS, VOXELS, WINDOWS, TEST_ROWS = 27_797, 3_072, 95_556, 231_696, 291
Configurations = Iterator[tuple[str, Callable[[], Any]]]


@dataclass(eq=False)
class Card:
    """The device, what is asked of it, and what has been found so far, by part and configuration."""

    device: str
    small: bool
    rows: int
    at_once: list[int]
    folder: Path
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    benches: dict[int, speed.Bench] = field(default_factory=dict)

    def size(self, whole: int, small: int) -> int:
        """A number of the whole problem, or of one that any machine solves at once."""
        return small if self.small else whole

    def set(self, precision: str) -> str:
        """Nothing left of the configuration before; what `RunConfig.precision` says for this one."""
        AcceleratorState._reset_state(True)  # accelerate's device and precision are one a process
        tf32 = precision == "tf32"  # for the bare products below; the package sets it itself
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return {"fp32": "float32"}.get(precision, precision)

    def bench(self, rows: int) -> speed.Bench:
        """The fake subject and the model, made once for blocks of so many TRs."""
        if rows not in self.benches:
            self.set("fp32")
            place = self.folder / f"rows-{rows}"
            place.mkdir()
            small = {"model": TINY, **SHORT} if self.small else {}
            self.benches[rows] = speed.Bench(place, rows, self.size(VOXELS, 500), **small)
        return self.benches[rows]

    def loop(self, rows: int, precision: str, **settings: Any) -> tuple[speed.Bench, TuningLoop]:
        """A tuning loop on the device, with its bench."""
        bench = self.bench(rows)
        return bench, bench.loop(device=self.device, precision=self.set(precision), **settings)

    def wait(self) -> None:
        """Until the card has done all it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, run: Callable[[], object], repeats: int = 5, warm: int = 2) -> float:
        """Median of a few calls, after some that are not counted."""
        spent = []
        for turn in range(self.size(warm + repeats, 2)):
            self.wait()
            began = time.perf_counter()
            run()
            self.wait()
            spent.append(time.perf_counter() - began)
            if turn < self.size(warm, 1):
                spent.clear()
        return statistics.median(spent)

    def step(self, run: Callable[[], object], n_windows: int) -> dict:
        """Time and memory of a step; on a card also its kernels, the share of time that it works, and for what."""
        seconds = self.seconds(run)
        row: dict[str, Any] = {"seconds": seconds, "ms a window": 1e3 * seconds / n_windows}
        if self.device != "cuda":
            return row
        row["peak GB"] = torch.cuda.max_memory_allocated() / 1e9
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
            run()
            self.wait()
        spent: dict[str, list[float]] = {}
        waits = ("cudaStreamSynchronize", "cudaEventSynchronize")
        for event in profiler.events():
            # Annotations (of the optimiser's step) span kernels that are events themselves.
            if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation:
                spent.setdefault(event.name[:70], []).append(event.time_range.elapsed_us() / 1e6)
        total = sum(map(sum, spent.values()))
        largest = sorted(spent, key=lambda name: -sum(spent[name]))[:12]
        row |= {"kernels": sum(map(len, spent.values())), "card busy": total / seconds}
        row["waits of the host"] = sum(event.name in waits for event in profiler.events())
        return row | {"largest": {name: sum(spent[name]) / total for name in largest}}


def limits(card: Card) -> Configurations:
    """TFLOP/s of products of noise, GB/s of copies."""
    square, rows = card.size(8192, 64), card.size(128 * 199, 4)
    shapes = {"square": (square, square), "768 to 768": (768, 768), "768 to 3072": (768, 3072)}

    def product(precision: str, dtype: torch.dtype, m: int, k: int, n: int) -> float:
        card.set(precision)
        one, other = (torch.randn(shape, device=card.device, dtype=dtype) for shape in ((m, k), (k, n)))
        return 2 * m * k * n / card.seconds(lambda: one @ other, 10, 3) / 1e12

    def copied(n: int, pinned: bool) -> float:
        host = torch.randn(n)
        host = host.pin_memory() if pinned else host
        return 4 * n / card.seconds(lambda: host.to(card.device, copy=True, non_blocking=pinned)) / 1e9

    def cloned(n: int) -> float:
        values = torch.randn(n, device=card.device)
        return 2 * 4 * n / card.seconds(values.clone) / 1e9

    for precision, dtype in PRECISIONS.items():
        for name, (k, n) in shapes.items():
            m = square if name == "square" else rows
            yield f"{precision}, {name}, TFLOP/s", partial(product, precision, dtype, m, k, n)
    yield "fp64, square, TFLOP/s", partial(product, "fp32", torch.float64, *3 * (card.size(4096, 256),))
    yield "copy on the card, GB/s", partial(cloned, card.size(5 * 10**8, 10**6))
    for name in ("pageable", "pinned") if card.device == "cuda" else ("pageable",):
        n = card.size(5 * 10**7, 10**6)
        yield f"copy to the card, {name}, GB/s", partial(copied, n, name == "pinned")


def gradients(loop: TuningLoop, bench: speed.Bench) -> tuple[float, list[Tensor], Tensor]:
    """Loss of the block and its gradients, on the CPU: by matrix of the adapters, and the readout's as one vector."""
    loss = loop.loss(bench.block)
    loss.backward()
    adapters, readout = (
        [parameter.grad.detach().cpu().flatten() for _, parameter in named]
        for named in (loop.backbone.reachable_parameters(), loop.readouts.named_parameters())
    )
    return float(loss.detach()), adapters, torch.cat(readout)


def apart(found: Tensor, true: Tensor) -> float:
    """|found - true| / |true|."""
    return float((found - true).norm() / true.norm())


def parity(card: Card) -> Configurations:
    """Against float32 on the CPU: the same weights, no B of an adapter 0."""
    rows = 4  # z-scored over two rows features are 1 and -1, and adapters have no gradient
    expected: list[Any] = []

    def block(precision: str) -> dict:
        if not expected:
            bench = card.bench(rows)
            card.set("fp32")
            plain = bench.loop(device="cpu")
            with torch.no_grad():
                for _, parameter in plain.backbone.adapter_parameters():
                    parameter.copy_(0.02 * torch.randn_like(parameter))
            state = plain.backbone.trained_state(), plain.readouts.state_dict()
            expected.extend([state, gradients(plain, bench)])
        (weights, readouts), (true_loss, true_adapters, true_readout) = expected
        bench, loop = card.loop(rows, precision)
        loop.backbone.load_trained_state(weights)
        loop.readouts.load_state_dict(readouts)
        loss, adapters, readout = gradients(loop, bench)
        matrices = zip(adapters, true_adapters, strict=True)
        one, other = torch.cat(adapters), torch.cat(true_adapters)
        return {
            "loss": loss,
            "loss, difference": abs(loss - true_loss),
            "adapters, difference": apart(one, other),
            "adapters, difference of the worst matrix": max(apart(*pair) for pair in matrices),
            "adapters, cosine": float(torch.nn.functional.cosine_similarity(one, other, dim=0)),
            "readout, difference": apart(readout, true_readout),
        }

    def demo(device: str, precision: str) -> dict:
        overrides = {
            "device": device,
            "precision": card.set(precision),
            "training.epochs": card.size(2, 1),
            "train_minutes": card.size(5, 2),
        }
        began = time.perf_counter()
        config = load_config(preset="demo", overrides=overrides)
        history = tune(config, card.folder / f"demo-{device}-{precision}").result["history"]
        row: dict[str, Any] = {key: [epoch[key] for epoch in history] for key in ("loss", "validation_r")}
        return row | {"seconds": time.perf_counter() - began}

    for precision in PRECISIONS:
        yield f"block, {precision}", partial(block, precision)
    yield "demo, CPU, fp32", partial(demo, "cpu", "fp32")
    for precision in PRECISIONS if card.device == "cuda" else ():
        yield f"demo, {precision}", partial(demo, card.device, precision)


def steps(card: Card) -> Configurations:
    """The exact step and the reference's, which computes more; the rate counts what the exact step has to."""

    def exact(precision: str, size: int, kept: bool) -> dict:
        bench, loop = card.loop(card.rows, precision, **{"backbone.batch_windows": size})
        if kept:
            bench.keep_frontend(loop)
        n_windows, config = len(bench.needed), loop.backbone.model.config
        row = card.step(lambda: bench.step(loop), n_windows)
        frames = loop.backbone.n_frames(int(loop.config.windows.context * 16_000))
        flops = speed.trunk_flops(n_windows, frames, config.hidden_size, config.intermediate_size)
        row["TFLOP/s"] = flops / row["seconds"] / 1e12
        limit = card.found.get("limits", {}).get(f"{precision}, square, TFLOP/s")
        return row | ({"share of the limit": row["TFLOP/s"] / limit} if isinstance(limit, float) else {})

    def plain(precision: str, size: int) -> dict:
        bench, loop = card.loop(card.rows, precision, **{"backbone.batch_windows": size})
        model, loss = bench.reference(loop, stock_attention=False)
        trained = [*reference.adapters(model).values(), *loop.readouts.parameters()]
        optimiser = torch.optim.AdamW(trained, lr=1e-4)
        return card.step(lambda: speed.plain_step(loss, optimiser), len(bench.needed))

    for precision in PRECISIONS:
        for size in card.at_once:
            for frontend in ("kept", "computed"):
                name = f"{precision}, {size} at once, frontend {frontend}"
                yield name, partial(exact, precision, size, frontend == "kept")
        yield f"{precision}, reference", partial(plain, precision, card.at_once[-1])


def stream(card: Card) -> Configurations:
    """The stream by length of its chunks."""

    def step(precision: str, chunk: float) -> dict:
        settings = {"windows.mode": "stream", "windows.chunk": chunk, "backbone.batch_windows": None}
        bench, loop = card.loop(card.rows, precision, **settings)
        material = loop.loader["story00"]
        model = (loop.backbone, material.windows, loop.config.windows, material.sound)
        material.frontend = sound_reader(*model).kept_frontend()
        return card.step(lambda: bench.step(loop), len(bench.needed))

    for precision in ("tf32", "bf16"):
        for chunk in (8.0, 16.0):
            yield f"{precision}, chunk {chunk:g} s", partial(step, precision, chunk)


def extract(card: Card) -> Configurations:
    """One hidden state and all of them, in eval mode without a graph."""

    def forward(layer: int | str, precision: str) -> dict:
        bench = card.bench(card.rows)
        backbone = load_backbone(bench.model, layer).to(card.device).eval()
        backbone.precision, backbone.batch_windows = card.set(precision), card.at_once[-1]
        sound, windows = bench.story.sound.to(card.device), bench.story.windows
        reader = sound_reader(backbone, windows, WindowConfig(), sound)

        def run() -> None:
            with torch.no_grad():
                reader.read(bench.needed)

        each = card.seconds(run, 3, 1) / len(bench.needed)
        return {"ms a window": 1e3 * each, "UTS03, s": each * WINDOWS}

    for layer in (speed.LAYER, "all"):
        for precision in PRECISIONS:
            yield f"layer {layer}, {precision}", partial(forward, layer, precision)


def ridge(card: Card) -> Configurations:
    """The closed form of all voxels, of noise."""

    def fit() -> dict:
        card.set("fp32")
        rows, columns, chunk = card.size(ROWS, 600), card.size(COLUMNS, 64), card.size(1024, 128)
        random = np.random.default_rng(0)
        design, responses = (random.standard_normal((rows, n), np.float32) for n in (columns, chunk))
        folds, _ = story_folds(np.arange(rows) // 100, 5)
        began = time.perf_counter()
        solver = GramRidge(design, folds, np.logspace(0, 8, 17), card.device)
        card.wait()
        setup = time.perf_counter() - began
        each = card.seconds(lambda: solver.solve(responses), 5, 1)
        row = {"set-up, s": setup, "chunk, s": each, "all voxels, s": setup + each * VOXELS / chunk}
        return row | ({"peak GB": torch.cuda.max_memory_allocated() / 1e9} if card.device == "cuda" else {})

    yield "fit", fit


def tests(card: Card) -> Configurations:
    """Seconds of one test story under two models."""
    n_voxels, n_draws = card.size(VOXELS, 500), card.size(1000, 50)
    random = np.random.default_rng(0)
    true, one, two = (random.standard_normal((TEST_ROWS, n_voxels), np.float32) for _ in range(3))
    story, masks = np.repeat("story", TEST_ROWS), {"AC": np.arange(n_voxels) < n_voxels // 20}
    runs = {
        "circular shifts": lambda: circular_shift_p(true, one, story, n_draws, 0, masks),
        "paired blocks": lambda: paired_block_p(true, one, two, story, n_draws, 0, 30, targets=masks),
        "jackknife": lambda: jackknife_of_means(true, {"": one}, story, masks),
    }
    for name, run in runs.items():
        yield f"{name}, s", partial(speed.timed, run)


# Of nine minutes, how many seconds each may take; what is left over is there for those after it.
PARTS: dict[str, tuple[Callable[[Card], Configurations], int]] = {
    "limits": (limits, 30),
    "parity": (parity, 90),
    "steps": (steps, 220),
    "stream": (stream, 40),
    "extract": (extract, 50),
    "ridge": (ridge, 50),
    "tests": (tests, 60),
}


def attempted(run: Callable[[], Any]) -> Any:
    """What it finds, or why not: the other configurations are worth having."""
    try:
        return run()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def main() -> None:
    """Print a line for each configuration; `--output` has all of them."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="a tiny model and little data, each timed once")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--rows", type=int, help="TRs of a block of the steps; 10, or 4 with --small")
    parser.add_argument("--at-once", type=int, nargs="+", help="windows; 49 and 128, or 16 with --small")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    device, small = arguments.device, arguments.small
    rows, at_once = (
        arguments.rows or (4 if small else 10),
        arguments.at_once or ([16] if small else [49, 128]),
    )
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"device": device, "small": small, "rows": rows, "versions": versions()}
    result |= {"card": "none", "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if device == "cuda":
        result |= {"card": str(torch.cuda.get_device_properties(0)), "cuda": torch.version.cuda}
        result["cudnn"] = torch.backends.cudnn.version()
    torch.manual_seed(0)
    until, share = began, 60 * arguments.minutes / sum(PARTS[part][1] for part in arguments.parts)
    with tempfile.TemporaryDirectory() as folder:
        card = Card(device, small, rows, at_once, Path(folder))
        for part in arguments.parts:
            configurations, planned = PARTS[part]
            until += planned * share
            found = card.found[part] = {}
            for name, run in configurations(card):
                found[name] = attempted(run) if time.monotonic() < until else "skipped: too little time"
                print(f"{part}: {name}: {json.dumps(found[name])}", flush=True)
                result |= {"seconds": time.monotonic() - began, "parts": card.found}
                if arguments.output:
                    text = json.dumps(json.loads(json.dumps(result), parse_float=four_digits), indent=2)
                    arguments.output.write_text(text + "\n")


def four_digits(number: str) -> float:
    """A float of JSON, rounded."""
    return float(f"{float(number):.4g}")


if __name__ == "__main__":
    main()
