import re
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.reporting.page.study import write_study_report
from tests.study.fakes import fake_study

SEEDS = [0, 1, 2]
EXPERIMENTS = {
    "linear-map": {"claim": 1, "question": "Does it help?", "grid": {"seed": SEEDS}},
    "transfer": {"claim": 6, "grid": {"subject": ["sim01", "sim02"], "seed": SEEDS}, "transfer": {}},
    "layers": {"claim": 17, "grid": {"seed": SEEDS}, "evaluate": {"layers": "all"}},
}
FAILED = "sim02-cortex-lora-seed1"


class Page(HTMLParser):
    """Opening tags with their attributes, and whether every tag was closed."""

    void = ("meta", "link", "img", "br", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def folder(tmp_path):
    return fake_study(tmp_path / "study", EXPERIMENTS, layers=(0, 1), failed=(FAILED,))


def test_the_page_holds_everything_and_loads_nothing(folder):
    path = write_study_report(folder)
    assert path == folder / "report.html"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all("src" not in script for script in page.all("script"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    links = [link["href"] for link in page.all("a")]
    assert all(link.startswith("#") or (folder / link).is_file() for link in links)
    assert "report/experiments/transfer.csv" in links
    # Dots of each experiment but that of layers, which has curves; none of its cells has a course of learning.
    assert len([one for one in page.all("div") if one.get("class") == "chart"]) == 3


def test_the_page_says_what_came_out_and_what_is_missing(folder):
    text = write_study_report(folder).read_text(encoding="utf-8")
    assert "Does it help?" in text
    assert "As in the paper. SIMULATED." in text
    assert "5 done, 1 failed" in text
    assert re.search(rf"<strong>Missing:</strong> {FAILED}", text)
    assert f"{FAILED}: broke" in text
    assert "7. Semantics grow without labels" in text
    assert "2. LoRA is steadier than full tuning" in text  # not asked by this study
    assert "name: made-up" in text
    missing = pd.read_csv(folder / "report" / "missing.csv")
    assert list(missing["cell"]) == [FAILED, FAILED]
    assert set(missing["step"]) == {"evaluation", "transfer"}
    claims = pd.read_csv(folder / "report" / "claims.csv")
    assert (
        len(pd.read_csv(folder / "report" / "experiments" / "layers.csv"))
        == (claims["experiment"] == "layers").sum()
    )
    assert len(pd.read_csv(folder / "report" / "cells.csv")) == 6


def test_the_page_can_be_read_aloud(folder):
    page = Page(write_study_report(folder).read_text(encoding="utf-8"))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(len(one["aria-label"]) > 20 for one in page.all("div") if one.get("class") == "chart")
    assert all(header.get("scope") in ("col", "row", "rowgroup") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    named = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {section["aria-labelledby"] for section in page.all("section")} <= named


def test_texts_of_a_study_are_text_on_the_page(tmp_path):
    hostile = "<script>alert('x')</script>&amp;"
    experiments = {"one": {"question": hostile, "grid": {"seed": SEEDS}}}
    folder = fake_study(
        tmp_path / "study", experiments, title=hostile, name="<b>", targets=("cortex", "<i>AC")
    )
    (folder / "study.yaml").write_text(hostile)
    text = write_study_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert "<script>alert" not in text
    assert page.all("i") == []
    assert "<b>" not in text.replace("<b>0</b>", "")
    assert text.count("&lt;script&gt;") >= 4


def test_errors_of_cells_are_text_on_the_page(tmp_path):
    folder = fake_study(
        tmp_path / "study", {"one": {"grid": {"seed": SEEDS}}}, failed=("sim01-cortex-lora-seed0",)
    )
    (record,) = (path for path in (folder / "records").glob("*.json") if "broke" in path.read_text())
    record.write_text(record.read_text().replace("broke", "<script>broke</script>"))
    text = write_study_report(folder).read_text(encoding="utf-8")
    assert "<script>broke" not in text
    assert "&lt;script&gt;broke" in text


def test_measured_responses_are_not_called_simulated(tmp_path):
    folder = fake_study(tmp_path / "study", {"one": {"grid": {"seed": SEEDS}}}, simulated=False)
    assert "SIMULATED" not in write_study_report(folder).read_text(encoding="utf-8")


def test_a_study_of_which_nothing_is_done_has_a_page(tmp_path):
    cells = [f"sim01-cortex-lora-seed{seed}" for seed in SEEDS]
    folder = fake_study(tmp_path / "study", {"one": {"grid": {"seed": SEEDS}}}, waiting=cells)
    text = write_study_report(folder, tmp_path / "elsewhere" / "page.html").read_text(encoding="utf-8")
    assert "Nothing yet of models tuned on sim01: 3 cells are missing." in text
    assert "../study/report/claims.csv" in text


def test_a_page_never_replaces_another_file(folder, tmp_path):
    other = tmp_path / "mine.html"
    other.write_text("<p>mine")
    with pytest.raises(RunError, match="another file"):
        write_study_report(folder, other)
    with pytest.raises(RunError, match=r"no study\.json"):
        write_study_report(tmp_path)
    assert write_study_report(folder) == write_study_report(folder)


def test_the_command_writes_the_page(folder):
    from typer.testing import CliRunner

    from brainwavlm.cli import app

    result = CliRunner().invoke(app, ["study", "report", str(folder)])
    assert result.exit_code == 0, result.output
    assert (folder / "report.html").is_file()
    assert "report.html" in result.output
