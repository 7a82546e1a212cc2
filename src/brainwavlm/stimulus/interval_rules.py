"""Rules for the intervals of a tier: rounding is mended, what is said twice counts once, all else is refused."""

import math
from collections import Counter
from pathlib import Path

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.textgrid import Interval, Tier, unusable

TOLERANCE = 0.002  # seconds; more than rounding to milliseconds, less than any frame of an aligner
_EXACT = 1e-6  # seconds; below is arithmetic, not rounding of a file


def without_copies(tiers: list[Tier], mended: Counter[str]) -> list[Tier]:
    """The tiers without those that say, with the same times, what another says: each of their words counted twice."""

    def same(one: Tier, other: Tier) -> bool:
        return len(one.intervals) == len(other.intervals) and all(
            a.text == b.text and max(abs(a.start - b.start), abs(a.end - b.end)) <= TOLERANCE
            for a, b in zip(one.intervals, other.intervals, strict=True)
        )

    kept: list[Tier] = []
    for tier in tiers:
        if any(same(tier, other) for other in kept):
            mended["copies"] += 1
        else:
            kept.append(tier)
    return kept


def mended_intervals(path: Path, tier: Tier, mended: Counter[str]) -> list[Interval]:
    """Intervals in the order of time that do not overlap and have a length; what was mended is counted."""

    def refused(one: tuple[int, Interval], problem: str) -> DatasetError:
        number, interval = one
        where = f"tier {tier.name!r}, interval {number} {_times(interval)}"
        return unusable(path, f"{where}: {problem}.", "Mend its times, or align the story again.")

    for number, interval in enumerate(tier.intervals, 1):
        if not (math.isfinite(interval.start) and math.isfinite(interval.end)):
            raise refused((number, interval), "its times are no numbers")
    kept: list[tuple[int, Interval]] = []
    for number, interval in sorted(enumerate(tier.intervals, 1), key=lambda one: (one[1].start, one[1].end)):
        if interval.end < interval.start - TOLERANCE - _EXACT:
            raise refused((number, interval), "it ends before it starts")
        if kept and (overlap := kept[-1][1].end - interval.start) > 0:
            before = kept[-1][1]
            if overlap > TOLERANCE + _EXACT:
                problem = f"it overlaps interval {kept[-1][0]} {_times(before)} by {1000 * overlap:.3g} ms"
                raise refused((number, interval), problem)
            mended["joined"] += overlap > _EXACT
            kept[-1] = (kept[-1][0], Interval(before.start, interval.start, before.text))
            if interval.start - before.start <= _EXACT:
                mended["dropped"] += 1
                kept.pop()
        mended["joined"] += interval.end < interval.start - _EXACT
        if interval.end - interval.start <= _EXACT:
            mended["dropped"] += 1
        else:
            kept.append((number, interval))
    return [interval for _, interval in kept]


def _times(interval: Interval) -> str:
    return f"({interval.text!r}, {interval.start:.3f} to {interval.end:.3f} s)"
