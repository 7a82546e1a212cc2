import re
import shutil

import pandas as pd
import pytest

from brainwavlm.errors import RunError
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting import write_report
from brainwavlm.reporting.page.other_parts import transfer_part
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.open import open_result, shown_folder
from brainwavlm.results.transfer import Transfer
from tests.made_up import fake_comparison, fake_transfer, without_checksums
from tests.reporting.pages import Page


def test_the_page_of_a_comparison_holds_every_group_and_difference(others, tmp_path):
    page = Page(write_report(others["comparison"], tmp_path / "page.html"))
    found = Comparison.open(others["comparison"])
    assert "Comparison of 2 configurations over seeds" in page.text
    assert "SIMULATED" in page.text
    for row in found.groups.to_dict("records"):
        for shown in (signed(row["gain"]), number(row["mean"]), number(row["highest"])):
            assert shown in page.text
    assert "2 minus 1, cortex" in page.text
    assert "+0.010 to +0.080" in page.text
    assert "1: adapter.method=lora" in page.text
    measured = fake_comparison(tmp_path / "measured", simulated=False)
    assert "simulated" not in Page(write_report(measured, tmp_path / "page.html")).text.lower()


def test_the_transfer_matrix_holds_every_pair_on_the_colour_of_its_change(others, tmp_path):
    found = Transfer.open(others["transfer"])
    part = transfer_part(found)
    matrix = part["tables"][0]["html"]
    assert re.findall('<th scope="col">(.*?)</th>', matrix) == ["Tuned on", "Scored on ann", "Scored on ben"]
    texts = re.findall(r"<td[^>]*>(.*?)</td>", matrix)
    shown = [float(text.split()[0].replace("−", "-")) for text in texts]
    assert shown == pytest.approx(found.matrix["difference"].to_numpy())
    colours = re.findall(r"background-color: (#......)", matrix)
    reds, blues = ([int(colour[at : at + 2], 16) for colour in colours] for at in (1, 5))
    redder = sorted(red > blue for red, blue in zip(reds, blues, strict=True))
    assert redder == [False, True, True]  # two are alike
    assert [a["sentence"] for a in part["answers"]] == [
        "Tuning on ann raised the mean test correlation of ben in whole cortex (+0.020, 95\u00a0% interval +0.010 to +0.030).",
        "Tuning on ben lowered the mean test correlation of ann in whole cortex (−0.030, 95\u00a0% interval −0.040 to −0.020).",
    ]
    page = Page(write_report(found, tmp_path / "page.html"))
    assert "16.7" in page.text
    assert "None heard." in page.text


def test_the_answer_of_a_transfer_is_that_of_stories_tuning_never_used(tmp_path):
    folder = fake_transfer(tmp_path / "transfer")
    matrix = pd.read_csv(folder / "matrix.csv")
    unheard = matrix.assign(stories="unheard", difference=0.001, low=-0.01, high=0.01, r_tuned=0.301)
    pd.concat([matrix, unheard]).to_csv(folder / "matrix.csv", index=False)
    without_checksums(folder)
    part = transfer_part(Transfer.open(folder))
    assert len(part["answers"]) == 2
    assert {a["kind"] for a in part["answers"]} == {"unsure"}
    assert all("on stories that tuning never used" in a["sentence"] for a in part["answers"])


def test_a_run_is_shown_by_its_evaluation(simulated_evaluation, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    with pytest.raises(RunError, match="a run without an evaluation"):
        shown_folder(run)
    shutil.copytree(simulated_evaluation, run / "evaluation")
    assert shown_folder(run) == run / "evaluation"
    assert len(open_result(run).runs) == 2
    with pytest.raises(RunError, match="no folder"):
        write_report([], tmp_path / "page.html")


def test_several_folders_make_one_page_each_once(others, native_scores, tmp_path):
    other = shutil.copytree(native_scores, tmp_path / "another")
    comparison = others["comparison"]
    results = [native_scores, other, comparison, others["transfer"], comparison]
    page = Page(write_report(results, tmp_path / "page.html"))
    assert page.text.count("Scores by target of ") == 2
    assert page.text.count("Configurations over seeds") == 1
    assert "tuned on cortex, another" in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    options = [attributes.get("value") for tag, attributes in page.tags if tag == "option"]
    assert options.count("1") == 2  # either run can stand on either side
