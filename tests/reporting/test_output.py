"""What a page must not replace or claim, said before anything is drawn."""

import shutil

import pandas as pd
import pytest

from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting import write_report
from brainwavlm.reporting.page import evaluation
from brainwavlm.reporting.surface_maps import sources_of
from brainwavlm.results.evaluation import Evaluation
from tests.made_up import fake_evaluation, without_checksums


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("made"), 40)


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may change; its data set stays where it is."""
    return shutil.copytree(made, tmp_path / "made" / "evaluation")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("made/evaluation/table.csv", "a file of the result itself"),
        ("made/evaluation/../evaluation/summary.json", "a file of the result itself"),
        ("page.txt", "a name that ends in '.txt'"),
        ("page", "a name without .html"),
        ("folder.html", "a folder is here"),
        ("theirs.html", "another file is here"),
        ("theirs.html/page.html", "theirs.html cannot be written to"),
        ("new/" + "n" * 300 + ".html", "a name too long"),
    ],
)
def test_a_path_for_no_page_is_an_error_before_drawing(folder, tmp_path, monkeypatch, name, found):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "theirs.html").write_text("<!doctype html><title>thesis</title>")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(evaluation, "page_content", lambda *_: pytest.fail("drawn"))
    with pytest.raises(BrainwavlmError, match=found):
        write_report(folder, tmp_path / name)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_page_of_ours_is_replaced_by_the_same_bytes_for_the_same_evaluation(measured_page, tmp_path):
    page = shutil.copy(measured_page, tmp_path / "page.HTM")
    page.write_bytes(page.read_bytes() + b"older")
    assert write_report(measured_page.parent, page).read_bytes() == measured_page.read_bytes()


def test_another_data_set_gives_no_map_and_is_not_cited(folder, tmp_path):
    results = Evaluation.open(folder)
    for run in results.runs:
        run["frozen"]["unusable_voxels"] = {"nan": 3, "constant": 1}
    why = "the data set found has 40 voxels, the one evaluated had 43 to 44"
    assert {source.no_map for source in sources_of(results).values()} == {why}
    for run in results.runs:
        run["frozen"]["dataset"] = "another"
    for source in sources_of(results).values():
        assert (source.dataset, source.subject) == (None, None)
    page = write_report(results, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "the data set found is made-up, the one evaluated was another. Bars instead." in page
    assert "Cortical map" not in page
    assert "Nobody et al." not in page


def test_the_data_set_that_was_evaluated_gives_maps_but_no_voxel_that_it_lacks(folder):
    results = Evaluation.open(folder)
    sources = sources_of(results)
    assert [source.no_map for source in sources.values()] == ["", ""]
    voxels = pd.read_csv(folder / "voxels.csv.gz", dtype=str, keep_default_na=False)
    voxels.loc[(voxels["run"] == "on-AC") & (voxels["voxel"] == "39"), "voxel"] = "40"
    voxels.to_csv(folder / "voxels.csv.gz", index=False)
    without_checksums(folder)
    sources = sources_of(Evaluation.open(folder))
    assert sources["on-cortex"].no_map == ""
    assert sources["on-AC"].no_map == "the data set found has 40 voxels, the evaluation scored voxel 40"
