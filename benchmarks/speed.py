"""Speed of tuning and extraction against the plain way (benchmarks/reference.py), side by side in one process.

    python benchmarks/speed.py --processor "EPYC, Zen 5" --output benchmarks/results/speed-zen5.json
    python benchmarks/speed.py --memory exact         # peak memory of one path, in its own process

WavLM of the size of base+ with random weights, windows of 4 s every 0.25 s, blocks of 4 TRs, which with the kernel's
reach take the 80 windows that 10 TRs of sound hold (more do not fit into 24 GB on the plain way), no halo, layer 9,
the last frame, LoRA of rank 4 on query, key and value without dropout, a readout with a bottleneck of 100 to 20,000
voxels. The paths take turns; medians over the rounds. The loss and the gradients of the exact path are compared with
the reference's first, from the same weights. What a step costs is also said as work, which no processor changes:
products in GFLOP a window, and windows of four adjacent blocks against four single ones.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import reference
import torch
from memory import fake_subject
from torch import Tensor, nn
from transformers import WavLMConfig, WavLMModel

from brainwavlm.compute import products
from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.blocks import Block, epoch_steps, read_together, spanned
from brainwavlm.encoding.prepared_stories import block_rows, needed_windows, planned_clock
from brainwavlm.encoding.tuning import TuningLoop
from brainwavlm.progress import Progress
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.cpu.linear import Product, onednn_multiplies
from brainwavlm.speech.features import sound_reader

LAYER, RANK, N_DIMS, N_INNER, N_VOXELS, BATCH = 9, 4, 768, 3072, 20_000, 8
# Neither path drops anything, so that both compute the same.
QUIET = {
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
SETTINGS = {
    "subject": "uts",
    "device": "cpu",
    "windows": {"context": 4.0, "stride": 0.25, "frame": "last"},
    "backbone.layer": LAYER,
    "backbone.batch_windows": BATCH,
    "adapter": {"method": "lora", "rank": RANK, "dropout": 0.0, "projections": ["q", "k", "v"]},
    "training.clip": None,
    "training.frontend_cache_gb": 0.0,
    "quirks": {"block_delays": True, "block_zscore": True},
}


class Bench:
    """The same block of the same story on every path; `model` is what differs from base+, `settings` from SETTINGS."""

    def __init__(
        self,
        folder: Path,
        n_rows: int,
        n_voxels: int = N_VOXELS,
        model: dict | None = None,
        **settings: object,
    ):
        self.model = folder / "model"
        WavLMModel(WavLMConfig(**QUIET, **(model or {}))).save_pretrained(self.model)
        data = fake_subject(folder / "data", 3, n_voxels, n_trs=3 * n_rows)
        self.settings = {**SETTINGS, "dataset": str(data), "backbone.name": str(self.model)}
        self.settings |= {"training.block_rows": n_rows, **settings}
        self.block = Block("story00", n_rows, 2 * n_rows)
        self.exact = self.loop()
        self.story = self.exact.loader["story00"]
        self.needed = needed_windows(self.story.clock, self.block, self.exact.config.quirks)
        self.own = n_rows * 8  # windows of the block itself: what it adds to an epoch's frontends and moments

    def loop(self, **more: object) -> TuningLoop:
        """A tuning loop on the fake subject; its frontend is kept for the windows of the block only."""
        loop = TuningLoop(load_config(overrides={**self.settings, **more}), Path(), Progress())
        loop.loader.hold(["story00"])
        loop.backbone.train()
        loop.readouts.train()
        loop.log = lambda *_, **__: None  # no run is written
        loop.state.step = 1  # the first looks at every gradient
        return loop

    def spans(self) -> list[tuple[int, int]]:
        """First and last sample of the windows that the block needs."""
        windows = self.story.windows
        return [(int(windows.starts[i]), int(windows.ends[i])) for i in self.needed]

    def keep_frontend(self, loop: TuningLoop) -> None:
        """Fill the loop's cache for the block's windows."""
        story, config = loop.loader["story00"], loop.config
        windows = story.windows
        kept: list[Tensor] = [torch.empty(0)] * len(windows)
        chosen = type(windows)(windows.starts[self.needed], windows.ends[self.needed])
        outputs = sound_reader(loop.backbone, chosen, config.windows, story.sound).kept_frontend()
        for index, hidden in zip(self.needed, outputs, strict=True):
            kept[index] = hidden
        story.frontend = kept

    def reference(
        self, loop: TuningLoop, stock_attention: bool = True
    ) -> tuple[WavLMModel, Callable[[], Tensor]]:
        """The plain model with the loop's frozen weights, and its loss, on the loop's device under its precision."""
        story, clock, config = loop.loader["story00"], self.story.clock, loop.config
        device, batch = story.sound.device, config.backbone.batch_windows or BATCH
        model = reference.adapted(str(self.model), RANK, stock_attention).to(device)
        # Delays see zeros before the block, on every path.
        rows = block_rows(clock, self.block, self.exact.config.quirks).all
        matrix = torch.from_numpy(clock.matrix[rows][:, self.needed]).float().to(device)
        true = story.responses[self.block.start : self.block.stop]
        delays = config.alignment.delays

        def loss() -> Tensor:
            with products(config.precision, device):
                found = reference.features(model, story.sound, self.spans(), LAYER, batch)
            return reference.loss(found.float(), matrix, delays, loop.readouts[0], true)

        return model, loss

    def step(self, loop: TuningLoop) -> None:
        """One step of ours."""
        loop.train_step([self.block])


def plain_step(loss: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> None:
    """One step of the reference."""
    optimiser.zero_grad()
    loss().backward()
    optimiser.step()


def parity(bench: Bench, model: WavLMModel, loss: Callable[[], Tensor]) -> dict[str, float]:
    """Differences of loss and of gradients by adapter matrix, relative to the reference's norm."""
    theirs = reference.adapters(model)
    with torch.no_grad():
        for name, parameter in bench.exact.backbone.adapter_parameters():
            parameter.copy_(0.02 * torch.randn_like(parameter))
            theirs[name].copy_(parameter)
    found, expected = bench.exact.loss(bench.block), loss()
    found.backward()
    expected.backward()
    worst = max(
        float((parameter.grad - theirs[name].grad).norm() / theirs[name].grad.norm())
        for name, parameter in bench.exact.backbone.reachable_parameters()
    )
    for part in (bench.exact.backbone, bench.exact.readouts[0], model):
        part.zero_grad()
    difference = float((found - expected).detach().abs())
    return {"loss": float(expected.detach()), "loss_difference": difference, "gradient": worst}


def product_rates(rows: int, repeats: int = 20) -> dict[str, float]:
    """GFLOP/s of the trunk's products, weighted as in a block: PyTorch's own, and oneDNN's where it is used."""
    rates = {}
    for name, kind in (("stock", lambda stock: stock), ("oneDNN", Product)):
        if name == "oneDNN" and not onednn_multiplies():
            continue
        seconds = flops = 0.0
        for n_in, n_out, times in ((N_DIMS, N_DIMS, 4), (N_DIMS, N_INNER, 1), (N_INNER, N_DIMS, 1)):
            layer, inputs = kind(nn.Linear(n_in, n_out)), torch.randn(rows, n_in)
            with torch.no_grad():
                spent = []
                for _ in range(repeats):
                    began = time.perf_counter()
                    layer(inputs)
                    spent.append(time.perf_counter() - began)
            seconds += times * statistics.median(spent)
            flops += times * 2 * rows * n_in * n_out
        rates[name] = flops / seconds / 1e9
    return rates


def trunk_flops(n_windows: int, n_frames: int, n_dims: int = N_DIMS, n_inner: int = N_INNER) -> float:
    """Products of the pruned trunk, forward and for the gradient of inputs; adapters not counted.

    The first block's projections need no gradient of their input; the last block has keys and values for all
    frames and the rest for one.
    """
    square, inner = 2 * n_dims**2, 2 * n_dims * n_inner
    attention = 2 * 2 * n_dims * n_frames
    whole = 4 * square + 2 * inner + attention
    frames = n_windows * n_frames
    forward = frames * ((LAYER - 1) * whole + 2 * square)
    backward = frames * ((LAYER - 1) * (whole + attention) - 3 * square + 2 * square)
    return forward + backward


def window_gflop(n_frames: int) -> dict[str, float]:
    """Products of a window of 4 s in a steady step, in GFLOP: the reference's from sound, ours from a kept frontend.

    The reference runs convolutions and all blocks, and its backward pass has the gradients of the whole weights of
    query, key and value, to which the adapters are added.
    """
    square, inner, attention = 2 * N_DIMS**2, 2 * N_DIMS * N_INNER, 4 * N_DIMS * n_frames
    frames, convolutions, n_channels = 64_000, 0, 1
    for kernel, stride in zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), strict=True):
        frames = (frames - kernel) // stride + 1
        convolutions += frames * 2 * 512 * n_channels * kernel
        n_channels = 512
    positions = 2 * N_DIMS * (N_DIMS // 16) * 128
    before = convolutions + n_frames * (2 * 512 * N_DIMS + positions)
    whole = 4 * square + 2 * inner + attention
    plain = before + n_frames * (12 * whole + LAYER * (whole + attention + 3 * square))
    return {"reference": plain / 1e9, "exact": trunk_flops(1, n_frames) / 1e9}


def epoch_windows(folder: Path) -> dict[str, int]:
    """Windows of an epoch of a story of 335 TRs in blocks of 10 with their halo: one by one, and four read together."""
    data = fake_subject(folder / "story", 3, 1, n_trs=335)
    model, counts = str(folder / "model"), {}
    for adjacent in (False, True):
        training = {"block_rows": 10, "blocks_per_step": 4, "adjacent_blocks": adjacent}
        settings = {**SETTINGS, "quirks": {}, "dataset": str(data), "backbone.name": model}
        config = load_config(
            overrides={**settings, **{f"training.{key}": value for key, value in training.items()}}
        )
        recording = load_dataset(data).subject("uts").recordings["story00"]
        clock = planned_clock(recording, config, min_samples=400)
        steps = [step for _, some in epoch_steps({"story00": 335}, config, 0) for step in some]
        read = [spanned(group) for step in steps for group in read_together(step, config)]
        counts["adjacent" if adjacent else "single"] = sum(
            len(needed_windows(clock, blocks, config.quirks)) for blocks in read
        )
    return counts


def timed(step: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def rounds(paths: dict[str, Callable[[], object]], n: int) -> dict[str, list[float]]:
    """Seconds of each path, taking turns; one round before is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in paths}
    for turn in range(n + 1):
        for name, step in paths.items():
            seconds = timed(step)
            if turn:
                spent[name].append(seconds)
        print(
            f"round {turn}: "
            + ", ".join(f"{name} {value[-1]:.2f} s" for name, value in spent.items() if value)
        )
    return spent


def compare(folder: Path, n_rows: int, n_rounds: int) -> dict:
    """Every row of the table."""
    torch.manual_seed(0)
    bench = Bench(folder, n_rows)
    model, loss = bench.reference(bench.exact)
    bench.keep_frontend(bench.exact)
    agreement = parity(bench, model, loss)
    print("parity:", json.dumps(agreement))
    patched, patched_loss = bench.reference(bench.exact, stock_attention=False)
    optimisers = [
        torch.optim.AdamW(
            [*reference.adapters(part).values(), *bench.exact.readouts[0].parameters()], lr=1e-4
        )
        for part in (model, patched)
    ]
    windows, sound, needed = bench.story.windows, bench.story.sound, bench.needed
    config = bench.exact.config.windows
    stream = bench.loop(**{"windows.mode": "stream"})
    stream_story = stream.loader["story00"]
    stream_reader = sound_reader(stream.backbone, stream_story.windows, stream.config.windows, sound)
    stream_story.frontend = stream_reader.kept_frontend()
    upper = bench.loop(adapter={**SETTINGS["adapter"], "layers": [5, LAYER]})
    bench.keep_frontend(upper)
    own = needed[: bench.own]
    part = type(windows)(windows.starts[own], windows.ends[own])
    one, every = load_backbone(bench.model, LAYER), load_backbone(bench.model, "all")
    one.batch_windows = every.batch_windows = BATCH
    plain = WavLMModel.from_pretrained(bench.model).eval()
    spans = bench.spans()[: bench.own]

    def trunk() -> None:
        hidden = torch.stack([bench.story.frontend[i] for i in own[:BATCH]])
        for _ in range(2):
            bench.exact.backbone.zero_grad()
            bench.exact.backbone.read(hidden, "last")[LAYER].sum().backward()

    def moments() -> None:
        with torch.no_grad():
            sound_reader(bench.exact.backbone, windows, config, sound, bench.story.frontend).read(own)

    def extracted(backbone) -> None:
        with torch.no_grad():
            sound_reader(backbone, part, config, sound).read(np.arange(len(part)))

    def plainly(function, *arguments) -> None:
        with torch.no_grad():
            function(plain, sound, spans, *arguments)

    spent = rounds(
        {
            "tuning step, reference": lambda: plain_step(loss, optimisers[0]),
            "tuning step, reference with its attention rewritten": lambda: plain_step(
                patched_loss, optimisers[1]
            ),
            "tuning step, exact": lambda: bench.step(bench.exact),
            "tuning step, exact, adapters from block 5": lambda: bench.step(upper),
            "frontend of a block, exact": lambda: sound_reader(
                bench.exact.backbone, part, config, sound
            ).kept_frontend(),
            "moments of a block, exact": moments,
            "tuning step, stream": lambda: bench.step(stream),
            "extraction of one layer, reference": lambda: plainly(reference.features, LAYER, BATCH),
            "extraction of one layer, exact": lambda: extracted(one),
            "extraction of all layers, reference": lambda: plainly(reference.all_features, BATCH),
            "extraction of all layers, exact": lambda: extracted(every),
            "trunk of 16 windows": trunk,
        },
        n_rounds,
    )
    median = {name: statistics.median(values) for name, values in spent.items()}
    first = [
        median["tuning step, reference"],
        sum(
            median[f"{name}, exact"] for name in ("tuning step", "frontend of a block", "moments of a block")
        ),
    ]
    n_frames = bench.exact.backbone.n_frames(64_000)
    rate = trunk_flops(2 * BATCH, n_frames) / median["trunk of 16 windows"] / 1e9
    products = product_rates(BATCH * n_frames)
    ratios = {
        name: median[f"{name}, reference"] / median[f"{name}, {ours}"]
        for name, ours in (
            ("tuning step", "exact"),
            ("extraction of one layer", "exact"),
            ("extraction of all layers", "exact"),
        )
    }
    rewritten = median["tuning step, reference with its attention rewritten"]
    ratios["tuning step, against a rewritten attention"] = rewritten / median["tuning step, exact"]
    ratios["adapters from block 5"] = (
        median["tuning step, reference"] / median["tuning step, exact, adapters from block 5"]
    )
    counts = epoch_windows(folder)
    ratios["adjacent blocks"] = ratios["tuning step"] * counts["single"] / counts["adjacent"]
    ratios["first epoch"] = first[0] / first[1]
    ratios["stream"] = median["tuning step, reference"] / median["tuning step, stream"]
    return {
        "parity": agreement,
        "windows": {"of a step": len(needed), "of extraction": bench.own},
        "windows_of_an_epoch": counts,
        "gflop_a_window": {name: round(value, 1) for name, value in window_gflop(n_frames).items()},
        "seconds": {name: round(value, 3) for name, value in median.items()},
        "all_seconds": {name: [round(value, 3) for value in values] for name, values in spent.items()},
        "ratios": {name: round(value, 2) for name, value in ratios.items()},
        "gflops": {"trunk": round(rate, 1), **{k: round(v, 1) for k, v in products.items()}},
        "trunk_share": {name: round(rate / value, 3) for name, value in products.items()},
    }


def memory_step(folder: Path, path: str, n_rows: int) -> float:
    """Peak memory in GB of this process after a step of one path."""
    bench = Bench(folder, n_rows)
    if path == "reference":
        model, loss = bench.reference(bench.exact)
        plain_step(loss, torch.optim.AdamW(reference.adapters(model).values(), lr=1e-4))
    elif path == "exact":
        bench.keep_frontend(bench.exact)
        bench.step(bench.exact)
    else:
        bench.step(bench.loop(**{"windows.mode": "stream"}))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _memory_of(path: str, n_rows: int) -> float:
    command = [sys.executable, __file__, "--memory", path, "--rows", str(n_rows)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["peak_gb"]


def main() -> None:
    """Print JSON; `--output` writes it to a file as well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4, help="TRs of a block")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", choices=["reference", "exact", "stream"])
    parser.add_argument("--processor", default=platform.machine(), help="its name, for the table")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command does, here for both sides
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            print(
                json.dumps({"peak_gb": round(memory_step(Path(folder), arguments.memory, arguments.rows), 2)})
            )
            return
        memory = {path: _memory_of(path, arguments.rows) for path in ("reference", "exact", "stream")}
        result = {**compare(Path(folder), arguments.rows, arguments.rounds), "memory_gb": memory}
    result |= {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "processor": arguments.processor,
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
