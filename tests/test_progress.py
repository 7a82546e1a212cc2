"""Progress: bars that move in a terminal, plain lines elsewhere, and no sign of a cursor in a log file."""

import io
import os
import pty
import re

import pytest
from rich.console import Console

from brainwavlm import progress
from brainwavlm.cli.progress import TerminalProgress
from brainwavlm.progress import PlainProgress, Progress


def run_through(shown):
    """What a tuning run of two epochs of three steps calls."""
    assert list(shown.over("abc", "Reading [red]stories[/]")) == ["a", "b", "c"]
    shown.start(epochs=2, blocks=3, stories=3, done=1)
    for epoch in (1, 2):
        for _ in range(3 if epoch == 2 else 2):
            shown.step(0.25)
        shown.epoch(epoch, 0.2, 0.1 * epoch, epoch)
    shown.stop()


def to_a_file(**environment):
    stream = io.StringIO()
    run_through(TerminalProgress(Console(file=stream, width=80, _environ=environment)))
    return stream.getvalue()


def read_to_its_end(controller):
    """What was written to a pseudo-terminal."""
    written = b""
    while True:
        try:
            written += os.read(controller, 65536)
        except OSError:  # the other end is closed, and all is read
            os.close(controller)
            return written


def to_a_terminal(monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    controller, worker = pty.openpty()
    with os.fdopen(worker, "w", encoding="utf-8") as stream:
        run_through(TerminalProgress(Console(file=stream, width=80)))
    return read_to_its_end(controller).decode()


@pytest.mark.parametrize("width", [40, 80])
def test_bars_fit_a_terminal_and_their_counts_are_whole(width):
    stream = io.StringIO()
    stream.isatty = lambda: True
    terminal = Console(file=stream, width=width, force_terminal=True, _environ={"TERM": "xterm"})
    shown = TerminalProgress(terminal)
    list(shown.over("abc", "Reading the features of a run with a name that is long"))
    shown.start(epochs=20, blocks=400, stories=12, done=0)
    shown.step(0.25)
    shown.stop()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    lines = re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]+", lines)
    assert max(map(len, lines)) <= width
    for count in ("3/3 0:00:00", "1/8000 "):
        assert any(count in line for line in lines), lines


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_log_file_gets_whole_lines_and_no_movement(environment):
    lines = to_a_file(**environment).splitlines()
    assert lines == [
        "Reading [red]stories[/]: 3 to do",
        "Tuning: 2 epochs of 3 steps, 1 done before",
        "epoch 1: loss 0.2000, validation r 0.1000  (best so far)",
        "epoch 2: loss 0.2000, validation r 0.2000  (best so far)",
    ]


def test_long_runs_say_now_and_then_how_far_they_are(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    out = to_a_file()
    assert "Reading [red]stories[/]: 2 of 3 done" in out
    assert "step 2 of 6: loss 0.250, " in out
    assert "step 6 of 6: loss 0.250, " in out
    assert "about 0 min left" in out


def test_a_terminal_gets_bars_that_are_taken_away(monkeypatch):
    written = to_a_terminal(monkeypatch, "xterm-256color")
    assert "\x1b[" in written
    assert "6/6" in written
    assert "[red]stories[/]" in written
    assert "epoch 2: loss 0.2000, validation r 0.2000  (best so far)" in written


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch):
    written = to_a_terminal(monkeypatch, "dumb")
    assert "\x1b" not in written
    assert "epoch 2" in written
    assert "Tuning: 2 epochs" in written


def test_all_kinds_take_the_same_calls():
    run_through(Progress())
    run_through(PlainProgress(Console(file=io.StringIO())))
    names = {name for name in vars(Progress) if not name.startswith("_")}
    assert names <= {name for kind in TerminalProgress.__mro__ for name in vars(kind)}
