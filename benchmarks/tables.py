"""Write the tables of docs/results/performance.md from the JSON of benchmarks/results.

    python benchmarks/tables.py

Each table stands between `<!-- name -->` and `<!-- end -->`; a result that is missing leaves its table as it is.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PAGE = ROOT.parent / "docs" / "results" / "performance.md"


def markdown(header: list[str], rows: list[list[object]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def speed(found: dict) -> str:
    """Paths against the reference."""
    seconds, ratios = found["seconds"], found["ratios"]
    step = seconds["tuning step, reference"]
    first = sum(
        seconds[f"{part}, exact"] for part in ("tuning step", "frontend of a block", "moments of a block")
    )
    rows = [
        ("tuning step, frontend kept", step, seconds["tuning step, exact"], ratios["tuning step"]),
        (
            "the same, against a reference with the attention rewritten",
            seconds["tuning step, reference with its attention rewritten"],
            seconds["tuning step, exact"],
            ratios["tuning step, against a rewritten attention"],
        ),
        ("tuning step of the first epoch, with the moments before it", step, first, ratios["first epoch"]),
        ("tuning step, stream", step, seconds["tuning step, stream"], ratios["stream"]),
    ]
    for name in ("extraction of one layer", "extraction of all layers"):
        rows.append((name, seconds[f"{name}, reference"], seconds[f"{name}, exact"], ratios[name]))
    cells = [[name, f"{plain:.2f}", f"{ours:.2f}", f"{ratio:.2f}"] for name, plain, ours, ratio in rows]
    parity, gflops = found["parity"], found["gflops"]
    memory = ", ".join(f"{name} {value:.1f} GB" for name, value in found["memory_gb"].items())
    shares = ", ".join(
        f"{100 * value:.0f} % of {name}'s {gflops[name]:.0f}" for name, value in found["trunk_share"].items()
    )
    return "\n".join(
        [
            markdown(["what", "reference, s", "ours, s", "times faster"], cells),
            "",
            f"{found['windows']['of a step']} windows a step, {found['windows']['of extraction']} of extraction, "
            f"{found['threads']} threads, torch {found['torch']}.",
            f"From the same weights, the losses differ by {parity['loss_difference']:.1e} and the gradients of the "
            f"adapters by at most {parity['gradient']:.1e} of their norm.",
            f"Peak memory of a process that makes one step: {memory}.",
            f"The trunk reaches {gflops['trunk']:.0f} GFLOP/s: {shares} (products of the trunk's shapes in float32).",
        ]
    )


def where(found: dict) -> str:
    """Operations of a step."""
    rows = [[kind, f"{100 * share:.0f} %"] for kind, share in found["shares"].items()]
    return markdown(["operations of a steady step", "share of time"], rows) + (
        f"\n\n{found['windows']} windows, {found['threads']} threads, medians of the profiler's shares."
    )


def growth(found: dict) -> str:
    """Three sizes and the line through them."""
    rows = [[f"{row['hours']:.2f}", row["seconds"], row["peak_gb"]] for row in found["sizes"]]
    fit = found["fit"]
    return (
        markdown(["hours of training sound", "one epoch, s", "peak memory, GB"], rows)
        + f"\n\nLine: {fit['seconds_per_hour']:g} s an hour and {fit['seconds_before']:g} s before, which explains "
        f"{100 * fit['explained']:.2f} % of the variance; memory {fit['mb_per_hour']:+g} MB an hour."
    )


def memory(found: list[dict]) -> str:
    """Peak memory on a subject of the size of UTS03."""
    return markdown(
        ["what", "stories", "voxels", "time, s", "peak memory, GB"],
        [
            [
                f"`{row['what']}`",
                row["stories"],
                f"{row['voxels']:,}",
                f"{row['seconds']:.0f}",
                row["peak_gb"],
            ]
            for row in found
        ],
    )


def compiled(found: dict) -> str:
    """The trunk as stock, compiled and ours."""
    first = found.pop("first call, compiled")
    rows = [[name, f"{seconds:.2f}"] for name, seconds in found.items()]
    return markdown(["nine blocks, forward and backward, eight windows", "s"], rows) + (
        f"\n\nThe first call takes {first:.0f} s to compile, once for each length of window."
    )


def ridge(found: dict) -> str:
    """Ridge beside himalaya's call and the bootstrap scheme."""
    rows = [
        [
            " x ".join(f"{row[side]:,}" for side in ("rows", "columns", "voxels")),
            *(f"{seconds:.2f}" for seconds in row["seconds"].values()),
            *(f"{ratio:.1f}" for ratio in row["ratios"].values()),
        ]
        for row in found["shapes"]
    ]
    header = ["rows x columns x voxels", *(f"{name}, s" for name in found["shapes"][0]["seconds"])]
    return markdown([*header, "himalaya / ours", "bootstrap / ours"], rows) + (
        f"\n\n{found['folds']} folds, {found['penalties']} penalties, {found['threads']} threads, medians of "
        f"{found['rounds']} rounds and of their ratios."
    )


def startup(found: dict) -> str:
    """How long a command takes before it does anything."""
    return markdown(["command", "s"], [[f"`{name}`", f"{seconds:.2f}"] for name, seconds in found.items()])


def significance(found: dict) -> str:
    """Permutations at full size."""
    rows = [[name, f"{seconds:.1f}"] for name, seconds in found["seconds"].items()]
    return markdown(["kind", "s"], rows) + (
        f"\n\n{found['voxels']:,} voxels, {found['rows']} TRs, {found['permutations']:,} permutations; peak "
        f"{found['peak_gb']:.2f} GB with {found['data_gb']:.2f} GB of data."
    )


def gpu(found: dict) -> str:
    """Steps, extraction and ridge on a card, and how near its numbers are to those of a CPU."""
    parts = found["parts"]
    steps, parity, limits = parts["steps"], parts["parity"], parts["limits"]
    rows = []
    for name, precision in (("float32", "fp32"), ("tf32", "tf32"), ("bf16", "bf16")):
        kept, computed = (
            steps[f"{precision}, 128 at once, frontend {frontend}"] for frontend in ("kept", "computed")
        )
        plain, block = steps[f"{precision}, reference"], parity[f"block, {precision}"]
        times = [f"{row['ms a window']:.2f}" for row in (plain, computed, kept)]
        rate = f"{kept['TFLOP/s']:.0f} of {limits[f'{precision}, square, TFLOP/s']:.0f}"
        apart = f"{block['adapters, difference']:.1e} ({block['adapters, cosine']:.4f})"
        rows.append([name, *times, rate, apart])
    header = ["precision", "reference", "ours, frontend computed", "ours, kept", "TFLOP/s of the card's"]
    return markdown([*header, "gradients, difference (cosine)"], rows)


TABLES: dict[str, Callable] = {
    "gpu": gpu,
    "speed": speed,
    "where": where,
    "compiled": compiled,
    "growth": growth,
    "memory": memory,
    "ridge": ridge,
    "significance": significance,
    "startup": startup,
}


def main() -> None:
    """Replace each table whose result is there."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        one = ROOT / "results" / f"{name}.json"
        results = [one] if one.exists() else sorted(one.parent.glob(f"{name}-*.json"))
        if not results:
            print(f"{name}: no result, table left as it is")
            continue
        found = [json.loads(path.read_text()) for path in results]
        new = table(found if name == "memory" else found[0])
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        text, count = re.subn(pattern, lambda match, new=new: match[1] + new + match[2], text, flags=re.S)
        print(f"{name}: {count} table from {', '.join(path.name for path in results)}")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
