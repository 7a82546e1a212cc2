"""Numbers as they stand in sentences and tables."""

import math
from collections.abc import Mapping
from typing import Any

NBSP = "\u00a0"


def number(value: float | None, digits: int = 3) -> str:
    """0.214; a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """+0.030 or −0.030; a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:+.{digits}f}".replace("-", "−")


def plus_minus(change: float, low: float, high: float) -> str:
    """A change and half of its interval, which is symmetric: +0.030 ± 0.012; a dash where there is none."""
    if math.isnan(change):
        return "-"
    return f"{change:+.3f}" if math.isnan(low) else f"{change:+.3f} ± {(high - low) / 2:.3f}"


def shared_change(row: Mapping[Any, Any], name: str = "difference") -> str:
    """The same of a row's change under the readout that voxels share, where it has one."""
    return plus_minus(*(row.get(f"shared_{key}", math.nan) for key in (name, "low", "high")))


def percent(value: float | None) -> str:
    """A share as signed per cent: +14.2 %."""
    return "–" if value is None or not math.isfinite(value) else f"{signed(100 * value, 1)}{NBSP}%"


def format_p(p: float | None, least: float = 0.0) -> str:
    """A p for people: three decimals, or that it is below; a dash for none.

    `least` is the smallest that the test could give: a p that is there is a bound, ≤.005.
    """
    if p is None or math.isnan(p):
        return "-"
    if 0.001 <= p <= least * 1.0001:  # tables keep six digits
        return f"≤{p:.3f}".replace("0.", ".")
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def voxel_count(n: float | None) -> int | str:
    """How many voxels a test found; words where it can find none, and the count is therefore missing."""
    return "cannot be tested" if n is None or math.isnan(n) else int(n)


def capitalised(text: str) -> str:
    """The text with a large first letter, the rest as it is."""
    return text[:1].upper() + text[1:]
