"""`brainwavlm demo`: the whole job, and what it will not remove."""

import pandas as pd
import pytest


@pytest.mark.usefixtures("runs_are_small")
def test_the_whole_job_ends_with_one_page_and_an_earlier_one_is_kept_unless_asked(brainwavlm, tmp_path):
    place = tmp_path / "a folder with spaces" / "demo output"
    done = brainwavlm("demo", "--epochs", 1, "--output", place)
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "SIMULATED" in page
    assert "SIMULATED" in done.out
    assert str(place / "report.html") in done.out.replace("\n", "")
    table = pd.read_csv(place / "evaluation" / "table.csv")
    assert set(table["run"]) == {"tuned-on-cortex", "tuned-on-AC"}
    assert {"cortex", "AC", "cortex-AC", "LH", "RH"} <= set(table["target"])
    assert len(pd.read_csv(place / "frozen" / "scores.csv")) == 30
    again = brainwavlm("demo", "--output", place, code=2)
    assert "--replace" in again.err
    assert (place / "report.html").read_text(encoding="utf-8") == page


def test_a_folder_that_no_demo_made_is_never_removed(brainwavlm, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    brainwavlm("demo", "--replace", "--output", tmp_path, code=2)
    assert (tmp_path / "thesis.tex").exists()
