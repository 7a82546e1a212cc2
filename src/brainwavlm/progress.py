"""What a user sees while something long runs. The base class is silent; the terminal's is below it."""

import time
from collections.abc import Iterable
from typing import Any


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


class TerminalProgress(Progress):
    """Bars in the terminal, with loss, validation r, stories a minute and time left."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self._bars: Any = None

    def over(self, items: Iterable[Any], title: str) -> Iterable[Any]:
        """The items, one by one, with a bar."""
        from rich.progress import track

        return track(list(items), description=title, console=self.console, transient=True)

    def start(self, epochs: int, blocks: int, stories: int, done: int) -> None:
        """Show the bar of a tuning run."""
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._stories_per_block = stories / max(blocks, 1)
        self._began, self._done_now, self._numbers = time.monotonic(), 0, ""
        self._bars = Bars(
            TextColumn("Tuning"),
            BarColumn(bar_width=12),
            TextColumn("{task.completed}/{task.total} {task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._task = self._bars.add_task("tuning", total=epochs * blocks, completed=done, numbers="")
        self._bars.start()

    def step(self, loss: float) -> None:
        """Move the bar by one block."""
        self._done_now += 1
        minutes = (time.monotonic() - self._began) / 60
        rate = self._done_now * self._stories_per_block / max(minutes, 1e-6)
        numbers = f"loss {loss:.3f}{self._numbers}, {rate:.0f} stories/min"
        self._bars.update(self._task, advance=1, numbers=numbers)

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """Print one line an epoch, above the bar."""
        shown = "-" if validation is None else f"{validation:.4f}"
        self._numbers = f", r {shown}"
        mark = "  (best so far)" if epoch == best else ""
        loss_shown = "-" if loss is None else f"{loss:.4f}"
        self._bars.console.print(
            f"epoch {epoch}: loss {loss_shown}, validation r {shown}{mark}", highlight=False
        )

    def stop(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
