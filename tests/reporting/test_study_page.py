import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.reporting.figures import Choice, draw_figure
from brainwavlm.reporting.page.study import write_study_report
from tests.made_up_study import fake_study
from tests.reporting.conftest import FAILED, SEEDS
from tests.reporting.pages import Page

CELL = "sim01-cortex-lora-seed"


@pytest.fixture(scope="module")
def text(study_page):
    return study_page.read_text(encoding="utf-8")


def test_the_page_holds_everything_loads_nothing_and_can_be_read_aloud(study, text):
    page = Page(text)
    page.require_read_aloud()
    assert all("src" not in script for script in page.all("script"))
    links = [link["href"] for link in page.all("a")]
    assert all(link.startswith("#") or (study / link).is_file() for link in links)
    assert "report/experiments/transfer.csv" in links
    titles = ("Findings, seed by seed", "Every finding under both readouts", "Gain by hidden state")
    assert all(title in page.text for title in (*titles, "Learning curves"))


def test_the_page_says_what_came_out_and_what_is_missing(study, text):
    for words in (
        *("Does it help?", "As in the paper. SIMULATED.", "5 done, 1 failed", "name: made-up"),
        *(f"<strong>Missing:</strong> {FAILED}", f"{FAILED}: broke", "7. Semantics grow without labels"),
        "<strong>2 scores are missing; they are named",
        "2. LoRA is steadier than full tuning",  # not asked by this study
    ):
        assert words in text
    names = ("missing", "claims", "cells")
    missing, claims, cells = (pd.read_csv(study / "report" / f"{name}.csv") for name in names)
    assert list(missing["cell"]) == [FAILED, FAILED]
    assert set(missing["step"]) == {"evaluation", "transfer"}
    layers = pd.read_csv(study / "report" / "experiments" / "layers.csv")
    assert len(layers) == (claims["experiment"] == "layers").sum()
    assert len(cells) == 9


def test_texts_of_a_study_are_text_on_the_page(tmp_path):
    hostile = "<script>alert('x')</script>&amp;"
    experiments = {"one": {"question": hostile, "grid": {"seed": SEEDS}}}
    about = {"title": hostile, "name": "<b>", "targets": ("cortex", "<i>AC")}
    folder = fake_study(tmp_path / "study", experiments, failed=(f"{CELL}0",), **about)
    (folder / "study.yaml").write_text(hostile)
    (record,) = (path for path in (folder / "records").glob("*.json") if "broke" in path.read_text())
    record.write_text(record.read_text().replace("broke", "<script>broke</script>"))
    text = write_study_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert "<script>alert" not in text
    assert page.all("i") == []
    assert "<b>" not in text.replace("<b>0</b>", "")
    assert text.count("&lt;script&gt;") >= 4
    assert "<script>broke" not in text
    assert "&lt;script&gt;broke" in text


def test_measured_responses_are_not_called_simulated_and_a_cell_that_has_a_page_is_linked(tmp_path):
    folder = fake_study(tmp_path / "study", {"one": {"grid": {"seed": SEEDS}}}, simulated=False)
    cell = next((folder / "cells").glob("*/evaluation"))
    (cell / "report.html").write_text("<p>a page")
    text = write_study_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "SIMULATED" not in text
    assert f'<a href="study/cells/{cell.parent.name}/evaluation/report.html">' in text
    assert text.count("/evaluation/report.html") == 1


def test_a_study_of_which_nothing_is_done_has_a_page(tmp_path, brainwavlm):
    cells = [f"{CELL}{seed}" for seed in SEEDS]
    folder = fake_study(tmp_path / "study", {"one": {"grid": {"seed": SEEDS}}}, waiting=cells)
    page = tmp_path / "elsewhere" / "page.html"
    assert str(page) in brainwavlm("study", "report", folder, "--output", page).out
    text = page.read_text(encoding="utf-8")
    assert "Nothing yet of models tuned on sim01: 3 cells are missing." in text
    assert "../study/report/claims.csv" in text


def test_a_study_that_asked_at_other_hidden_states_alone_says_why_it_has_no_findings(tmp_path):
    experiments = {"said": {"grid": {"seed": SEEDS}, "evaluate": {"downstream": ["phones"]}}}
    folder = fake_study(tmp_path / "study", experiments, tasks=[("phones", 0)])
    page = Page(write_study_report(folder))
    page.require_read_aloud()
    assert "No findings yet. Of the 3 rows of claims.csv none is what an" in page.text
    assert "AUC, phones of sim01" in page.text
    with pytest.raises(RunError, match=r"no change of r .*\n.*\n.*Name a target: cortex, AC\."):
        draw_figure("claims", folder)
    assert len(draw_figure("claims", folder, Choice(target="AC")).values) == 1


def test_a_page_never_replaces_another_file(study, tmp_path):
    other = tmp_path / "mine.html"
    other.write_text("<p>mine")
    with pytest.raises(RunError, match="another file"):
        write_study_report(study, other)
    with pytest.raises(RunError, match=r"no study\.json"):
        write_study_report(tmp_path)
