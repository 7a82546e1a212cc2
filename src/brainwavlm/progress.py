"""What a user sees while something long runs: nothing, plain lines, or in a terminal bars that move."""

import time
from collections.abc import Iterable
from typing import Any

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Silent progress: the interface that long steps call."""

    def over(self, items: Iterable[Any], title: str) -> Iterable[Any]:
        """The items, one by one, under a title."""
        return items

    def start(self, epochs: int, blocks: int, stories: int, done: int) -> None:
        """A tuning run begins or goes on: epochs, blocks and stories an epoch, blocks done already."""

    def step(self, loss: float) -> None:
        """One block is done."""

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """One epoch is done."""

    def stop(self) -> None:
        """The run is over."""


class PlainProgress(Progress):
    """Plain lines, for log files and terminals that cannot move their cursor: one an epoch, and one now and then.

    Parameters
    ----------
    console : rich Console
    """

    def __init__(self, console: Any) -> None:
        self.console = console
        self._blocks = self._done = self._done_before = 0
        self._stories_per_block = 0.0
        self._began = self._printed = time.monotonic()

    def over(self, items: Iterable[Any], title: str) -> Iterable[Any]:
        """The items, one by one; a line at the beginning, and how many are done every half minute."""
        everything = list(items)
        self._print(f"{title}: {len(everything)} to do")
        for number, item in enumerate(everything):
            if self._is_time():
                self._print(f"{title}: {number} of {len(everything)} done")
            yield item

    def start(self, epochs: int, blocks: int, stories: int, done: int) -> None:
        """Say how much there is to do."""
        self._stories_per_block = stories / max(blocks, 1)
        self._blocks, self._done, self._done_before = epochs * blocks, done, done
        self._began = time.monotonic()
        before = f", {done} done before" if done else ""
        self._print(f"Tuning: {epochs} epochs of {blocks} steps{before}")

    def step(self, loss: float) -> None:
        """Every half minute say how far it is, how fast, and how long it will still take."""
        self._done += 1
        if self._is_time():
            self._print(
                f"step {self._done} of {self._blocks}: loss {loss:.3f}, {self._rate()}, {self._left()}"
            )

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """Print one line an epoch."""
        shown = "-" if validation is None else f"{validation:.4f}"
        mark = "  (best so far)" if epoch == best else ""
        loss_shown = "-" if loss is None else f"{loss:.4f}"
        self._print(f"epoch {epoch}: loss {loss_shown}, validation r {shown}{mark}")

    def _rate(self) -> str:
        minutes = (time.monotonic() - self._began) / 60
        stories = (self._done - self._done_before) * self._stories_per_block
        return f"{stories / max(minutes, 1e-6):.0f} stories/min"

    def _left(self) -> str:
        """From the steps of this session; validation between epochs counts with them."""
        each = (time.monotonic() - self._began) / max(self._done - self._done_before, 1)
        minutes = each * (self._blocks - self._done) / 60
        return f"about {minutes:.0f} min left" if minutes < 120 else f"about {minutes / 60:.1f} h left"

    def _is_time(self) -> bool:
        return time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES

    def _print(self, line: str) -> None:
        self._printed = time.monotonic()
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
