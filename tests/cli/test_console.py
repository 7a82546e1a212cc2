"""What commands print for people."""

import pytest

from brainwavlm.cli import console as terminal


@pytest.fixture
def printed(capsys, monkeypatch):
    from rich.console import Console

    def show(function, *arguments, **keywords):
        monkeypatch.setattr(terminal, "console", Console(width=100, highlight=False))
        function(*arguments, **keywords)
        return capsys.readouterr().out

    return show


def test_a_table_shows_every_cell_and_dashes_for_nothing(printed):
    out = printed(
        terminal.show_table, [{"target": "AC", "n_voxels": 12345, "r": 0.12345, "low": None, "done": True}]
    )
    for word in ("AC", "12,345", "0.123", " - ", "yes", "n voxels"):
        assert word in out


def test_names_from_files_are_not_read_as_markup(printed):
    assert "[red]x[/red]" in printed(terminal.show_table, [{"run": "[red]x[/red]"}])


def test_no_rows_is_said_in_words(printed):
    assert printed(terminal.show_table, [], title="Runs in .") == "Runs in .: none.\n"


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5 s"), (600, "10 min"), (36000, "10.0 h")])
def test_durations_are_readable(seconds, shown):
    assert terminal._duration(seconds) == shown
