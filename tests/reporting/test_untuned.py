"""What `ridge` wrote is shown as any other result, without what belongs to a tuned model."""

import json

import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm import open_maps
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting import write_report
from brainwavlm.reporting.figures import Choice, draw_figure
from brainwavlm.results.evaluation import Evaluation
from tests.made_up import fake_evaluation, fake_ridge
from tests.reporting.pages import Page
from tests.reporting.test_browser import CANVASES, complaints, opened, pixels


@pytest.fixture(scope="module")
def page(untuned):
    return write_report(untuned, untuned / "report.html")


def test_it_opens_as_an_evaluation_without_columns_of_a_tuned_model(untuned):
    scores = Evaluation.open(untuned)
    written = pd.read_csv(untuned / "scores.csv")
    assert not scores.tuned
    assert not [name for name in (*scores.table, *scores.voxels) if "tuned" in name or "difference" in name]
    assert_allclose(scores.of_run("layer-4").frozen, written["r"])
    assert_allclose(scores.of_run("layer-4").more["shared_frozen"], written["shared_r"])
    cortex = scores.rows_of("layer-4")[0]
    assert_allclose(cortex["shared_frozen"] - cortex["r_frozen"], 0.05, atol=1e-5)
    assert "shared map" in scores._repr_html_()


def test_the_page_has_both_readouts_and_no_word_of_a_change(page, untuned):
    shown = Page(page)
    cortex = Evaluation.open(untuned).rows_of("layer-4")[0]
    for name in ("r_frozen", "shared_frozen"):
        assert f"{cortex[name]:.3f}" in shown.text
    assert "as it is, in sim01" in shown.text
    for word in ("tuned r", "Relative gain", "Better", "No gain shown", "NaN"):
        assert word not in shown.text.split("What to try next")[0]
    assert "brainwavlm ridge FOLDER --subject sim01" in shown.text


def test_a_page_can_hold_it_beside_a_tuned_model(untuned, simulated_evaluation, without_maps, tmp_path):
    shown = Page(write_report([untuned, simulated_evaluation], tmp_path / "both.html"))
    assert "untuned model, layer-4" in shown.text
    assert "tuned on cortex, evaluation" in shown.text


def test_regions_without_a_surface_get_one_bar_each(tmp_path):
    names = ["Heschl left", "Heschl right", "STG left"]
    measured = fake_evaluation(tmp_path, 3, simulated=False, region_names=names)
    shown = Page(write_report(fake_ridge(measured, tmp_path / "ridge"), tmp_path / "page.html"))
    (bars,) = [alt for alt in shown.charts() if alt.startswith("Test correlation of the untuned model")]
    assert all(name in bars for name in names)
    assert " to " not in bars


def test_figures_of_a_model_that_was_not_tuned(untuned):
    table = draw_figure("table", untuned)
    assert list(table.values["target"]) == Evaluation.open(untuned).target_names
    assert_allclose(table.values["shared_frozen"] - table.values["r_frozen"], 0.05, atol=1e-5)
    assert "Shared map r" in table.tex
    assert "Tuned" not in table.tex
    assert set(draw_figure("maps", untuned).values["quantity"]) == {"frozen"}


def test_what_needs_a_tuned_model_is_refused(untuned, simulated_evaluation):
    for kind in ("scatter", "learning", "transfer"):
        remedy = "another kind of this folder: maps, table"
        with pytest.raises(RunError, match=rf"the folder of a ridge.*\n.*\n.*{remedy}"):
            draw_figure(kind, untuned)
    with pytest.raises(ConfigError, match="difference, of a model that was not tuned"):
        draw_figure("maps", untuned, Choice(quantity="difference"))
    with pytest.raises(RunError, match="tuned and others that were not"):
        draw_figure("table", [untuned, simulated_evaluation])


def test_maps_are_those_of_its_one_model(untuned, tmp_path):
    opened_maps = open_maps(untuned)["layer-4"]
    written = pd.read_csv(untuned / "scores.csv")
    assert_array_equal(opened_maps.maps["shared_frozen"].values, written["shared_r"])
    assert {"difference", "r_tuned", "q_difference"} & opened_maps.maps.keys() == set()
    assert "speech model as it is" in opened_maps._repr_html_()
    folder = open_maps(untuned).save(tmp_path / "maps")
    about = json.loads((folder / "layer-4" / "maps.json").read_text())
    assert about["source"]["file"] == "scores.csv"
    assert about["tuned_on"] is None


def test_a_folder_of_an_earlier_version_is_refused_with_what_to_do(untuned, tmp_path):
    (tmp_path / "scores.csv").write_text((untuned / "scores.csv").read_text())
    (tmp_path / "summary.json").write_text('{"subject": "sim01", "targets": []}')
    with pytest.raises(RunError, match="Score again: brainwavlm ridge"):
        Evaluation.open(tmp_path)


@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.browser)])
def test_a_browser_draws_its_cortex(browser, page, width):
    opened(browser, page, width=width)
    ((coloured, _),) = pixels(browser)
    assert coloured > 500
    options = browser.execute_script(
        "return [...document.querySelector('#cortex-map').options].map((one) => one.value)"
    )
    assert options == ["frozen", "shared_frozen", "normalised_frozen"]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert len(browser.find_elements("css selector", CANVASES)) == 1
    assert complaints(browser) == []
