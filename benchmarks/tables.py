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


def speed(found: list[dict]) -> str:
    """Paths against the reference on each processor, and what of it is work and what is rate."""
    rows = [
        ("tuning step, frontend kept", "tuning step, reference", "tuning step, exact", "tuning step"),
        (
            "the same, against a reference with the attention rewritten",
            "tuning step, reference with its attention rewritten",
            "tuning step, exact",
            "tuning step, against a rewritten attention",
        ),
        (
            "the same, adapters in blocks 5 to 9",
            "tuning step, reference",
            "tuning step, exact, adapters from block 5",
            "adapters from block 5",
        ),
        ("the same, four adjacent blocks, from windows counted", None, None, "adjacent blocks"),
        (
            "tuning step of the first epoch, with the moments before it",
            "tuning step, reference",
            None,
            "first epoch",
        ),
        ("tuning step, stream", "tuning step, reference", "tuning step, stream", "stream"),
        *(
            (name, f"{name}, reference", f"{name}, exact", name)
            for name in ("extraction of one layer", "extraction of all layers")
        ),
    ]

    def cell(one: dict, plain: str | None, ours: str | None, ratio: str) -> str:
        if ratio not in one["ratios"]:
            return ""
        seconds = [f"{one['seconds'][name]:.2f}" for name in (plain, ours) if name in one["seconds"]]
        times = f"**{one['ratios'][ratio]:.2f}**"
        return f"{times} ({' / '.join(seconds)} s)" if len(seconds) == 2 else times

    def trunk(one: dict) -> str:
        return ", ".join(
            f"{100 * share:.0f} % of {name}'s {one['gflops'][name]:.0f}"
            for name, share in one["trunk_share"].items()
        )

    table = [[name, *(cell(one, *keys) for one in found)] for name, *keys in rows]
    table = [row for row in table if any(row[1:])]
    table.append(["our trunk, GFLOP/s", *(f"{one['gflops']['trunk']:.0f}: {trunk(one)}" for one in found)])
    table.append(
        [
            "largest difference of the adapters' gradients, of their norm",
            *(f"{one['parity']['gradient']:.0e}" for one in found),
        ]
    )
    last = max(found, key=lambda one: "gflop_a_window" in one)  # of those that say their work
    memory = ", ".join(f"{name} {value:.1f} GB" for name, value in last["memory_gb"].items())
    lines = [
        markdown(["times faster (reference / ours)", *(one["processor"] for one in found)], table),
        "",
        f"{last['windows']['of a step']} windows a step, {last['windows']['of extraction']} of extraction, "
        f"{last['threads']} threads; peak memory of a process that makes one step: {memory}.",
    ]
    if work := last.get("gflop_a_window"):
        counts = last["windows_of_an_epoch"]
        lines += [
            f"A window costs {work['reference']:.0f} GFLOP in the reference's step and {work['exact']:.0f} in ours, "
            f"{work['reference'] / work['exact']:.2f} times less work; four adjacent blocks read "
            f"{counts['single'] / counts['adjacent']:.2f} times fewer windows. "
            "The rest of the gain is the rate of products."
        ]
    return "\n".join(lines)


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
    """What a command takes before it does anything."""
    return markdown(
        ["command", "processor time, s"], [[f"`{name}`", f"{seconds:.2f}"] for name, seconds in found.items()]
    )


def environment(found: dict) -> str:
    """Steps under settings of the process."""
    rows = [
        [name, state, f"{one['step']:.2f}", f"{one['cpu']:.2f}", f"{one['faults']:,.0f}"]
        for name, states in found["settings"].items()
        for state, one in states.items()
    ]
    header = ["setting", "machine", "a step, s", "processor time a step, s", "page faults a step"]
    return markdown(header, rows) + (
        f"\n\n{found['processor']}, {found['threads']} threads, medians of {found['rounds']} runs; processor time and "
        "faults are those of the whole run."
    )


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
    "environment": environment,
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
        new = table(found if name in ("memory", "speed") else found[0])
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        text, count = re.subn(pattern, lambda match, new=new: match[1] + new + match[2], text, flags=re.S)
        print(f"{name}: {count} table from {', '.join(path.name for path in results)}")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
