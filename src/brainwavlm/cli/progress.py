"""Bars that move, for a terminal."""

from collections.abc import Iterable
from typing import Any

from brainwavlm.progress import PlainProgress


class TerminalProgress(PlainProgress):
    """Bars where standard error is a terminal that can move its cursor, else plain lines.

    FORCE_COLOR colours a log file; it must not fill it with the movements of bars, so that the stream itself is asked.
    """

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console

        super().__init__(console or Console(stderr=True))
        stream = self.console.file
        self._moves = self.console.is_terminal and not self.console.is_dumb_terminal and stream.isatty()
        self._bars: Any = None
        self.numbers_of = ""

    def over(self, items: Iterable[Any], title: str) -> Iterable[Any]:
        """The items, one by one, with a bar."""
        if not self._moves:
            yield from super().over(items, title)
            return
        from rich.markup import escape
        from rich.progress import track

        yield from track(list(items), description=escape(title), console=self.console, transient=True)

    def start(self, epochs: int, blocks: int, stories: int, done: int) -> None:
        """Show the bar of a tuning run."""
        super().start(epochs, blocks, stories, done)
        if not self._moves:
            return
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("Tuning"),
            BarColumn(bar_width=12),
            TextColumn("{task.completed}/{task.total} {task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._task = self._bars.add_task("tuning", total=self._blocks, completed=done, numbers="")
        self._bars.start()

    def step(self, loss: float) -> None:
        """Move the bar by one block."""
        if self._bars is None:
            super().step(loss)
            return
        self._done += 1
        self._bars.update(self._task, advance=1, numbers=f"loss {loss:.3f}{self.numbers_of}, {self._rate()}")

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """Print one line an epoch, above the bar."""
        self.numbers_of = f", r {'-' if validation is None else f'{validation:.4f}'}"
        super().epoch(epoch, loss, validation, best)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
