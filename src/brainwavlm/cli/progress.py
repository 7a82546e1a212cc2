"""Bars that move, for a terminal."""

from collections.abc import Iterable
from typing import Any

from brainwavlm.progress import PlainProgress

BAR = 12  # cells of a bar


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
        everything = list(items)
        with self._fitted(transient=True) as bars:
            task = bars.add_task(self._cut(title, len(everything)), total=len(everything), numbers="")
            for item in everything:
                yield item
                bars.advance(task)

    def start(self, epochs: int, blocks: int, stories: int, done: int) -> None:
        """Show the bar of a tuning run."""
        super().start(epochs, blocks, stories, done)
        if not self._moves:
            return
        self._bars = self._fitted()
        self._task = self._bars.add_task("Tuning", total=self._blocks, completed=done, numbers="")
        self._bars.start()

    def step(self, loss: float) -> None:
        """Move the bar by one block."""
        if self._bars is None:
            super().step(loss)
            return
        self._done += 1
        numbers = f"loss {loss:.3f}{self.numbers_of}, {self._rate()}"
        self._bars.update(self._task, advance=1, numbers=self._cut(numbers, self._blocks, before="Tuning"))

    def epoch(self, epoch: int, loss: float | None, validation: float | None, best: int) -> None:
        """Print one line an epoch, above the bar."""
        self.numbers_of = f", r {'-' if validation is None else f'{validation:.4f}'}"
        super().epoch(epoch, loss, validation, best)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _fitted(self, transient: bool = False) -> Any:
        """Bars whose count and time are never cut: a narrow terminal has no room for the bar itself."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        return Progress(
            TextColumn("{task.description}", markup=False),
            *([BarColumn(bar_width=BAR)] if self.console.width >= 80 else []),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self.console,
            transient=transient,
        )

    def _cut(self, text: str, total: int, before: str = "") -> str:
        """As much of a text as has room beside count, time and bar."""
        from rich.text import Text

        taken = (
            len(before) + 2 * len(str(total)) + len("/ 0:00:00") + 5 + (BAR + 1) * (self.console.width >= 80)
        )
        short = Text(text)
        short.truncate(max(self.console.width - taken, 1), overflow="ellipsis")
        return short.plain
