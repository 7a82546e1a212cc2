"""What commands print for people."""

import errno

import pytest

from brainwavlm.cli import console as terminal
from brainwavlm.formatting.numbers import format_p


def test_a_table_shows_every_cell_and_dashes_for_nothing_but_no_column_of_nothing(printed):
    row = {
        "target": "[red]AC[/red]",
        "n_voxels": 12345,
        "r": 0.12345,
        "low": None,
        "high": None,
        "done": True,
    }
    out = printed(terminal.show_table, [row, row | {"low": 0.1}])
    for word in ("[red]AC[/red]", "12,345", "0.123", " - ", "yes", "n voxels"):
        assert word in out
    assert "high" not in out
    assert printed(terminal.show_table, [], title="Runs in .") == "Runs in .: none.\n"


def test_what_does_not_fit_beside_follows_beside_the_same_names_whole(printed):
    scores = {
        f"a score of {name}": 0.123 for name in ("frozen", "tuned", "shuffled", "unseen-types", "random")
    }
    change = {"change, 95 %": "+0.035 (+0.029 to +0.040)", "which": "cannot be tested"}
    rows = [{"layer": 9, "feature": "articulation", **scores, **change, "beyond-low-level": 0.456}] * 2
    lines = printed(terminal.show_table, rows, title="Scores", width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("articulation" in line for line in lines) >= 2 * len(rows)
    text = " ".join(" ".join(lines).split())
    for word in ("Scores", "0.456", "cannot be tested", "beyond-low-level", "unseen-types"):
        assert word in text


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5 s"), (600, "10 min"), (36000, "10.0 h")])
def test_durations_are_readable(seconds, shown):
    assert terminal._duration(seconds) == shown


@pytest.mark.parametrize(
    ("p", "least", "shown"),
    [
        (0.0312, 0.005, ".031"),
        (0.00497512, 1 / 201, "≤.005"),  # as a table has it
        (1.0, 1.0, "≤1.000"),
        (0.0004, 0.0001, "<.001"),
        (float("nan"), 0.005, "-"),
    ],
)
def test_a_p_that_could_not_be_smaller_is_a_bound(p, least, shown):
    assert format_p(p, least) == shown


def test_a_full_disk_ends_every_command_alike(brainwavlm, tuned, evaluated, tmp_path, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    run = tuned().path
    evaluated().save(run / "evaluation")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("brainwavlm.files.NamedTemporaryFile", full)
    for command in (
        ("figure", "scatter", run, "--output", "f.svg"),
        ("maps", run, "--output", "maps"),
    ):
        done = brainwavlm(*command, code=1)
        assert "No space left on device" in done.err
