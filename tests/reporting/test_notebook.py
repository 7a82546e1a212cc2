"""What opened runs, scores and maps show in a notebook: small, escaped, SIMULATED in plain view."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from brainwavlm import open_maps
from brainwavlm.config import load_config
from brainwavlm.formatting.html import block, sentence, shown, table
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.open import open_result
from brainwavlm.runs.run import Run
from tests.made_up import fake_comparison, fake_evaluation, fake_run, fake_transfer
from tests.reporting.pages import Page

HOSTILE = '<script>alert("x")</script><img src=x onerror=y>&amp;\'"'


QUIET = "div b span table thead tbody tr th td svg title polyline img"


def harmless(html):
    """The text, when there is nothing in it but quiet elements, all of them closed."""
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= set(QUIET.split())
    assert page.open == []
    attributes = [item for _, some in page.tags for item in some.items()]
    assert not [name for name, _ in attributes if name.startswith("on")]
    addresses = [value for name, value in attributes if name in ("src", "href")]
    assert all(value.startswith("data:image/png;base64,") for value in addresses)
    return page.text


def renamed(folder, place, name):
    """A copy of an evaluation in which a run has another name."""
    copy = shutil.copytree(folder, place)
    for file in ("table.csv", "voxels.csv.gz", "layers.csv", "downstream.csv"):
        frame = pd.read_csv(copy / file, dtype=str, keep_default_na=False)
        frame["run"] = frame["run"].replace("on-AC", name)
        frame.to_csv(copy / file, index=False)
    summary = json.loads((copy / "summary.json").read_text())
    summary["runs"][1]["name"] = name
    del summary["files"]
    (copy / "summary.json").write_text(json.dumps(summary))
    return copy


def test_a_table_shows_each_value_and_counts_what_it_leaves_out():
    rows = [{"name": f"n{k}", "r": k / 7, "n": k, "none": None, "yes": True} for k in range(30)]
    text = harmless(table(rows, most=3))
    assert "0.286" in text
    assert "n2" in text
    assert "n3" not in text
    assert "… and 27 more rows" in text
    assert table([]) == ""
    values = (float("nan"), None, -0.5, 12345, True)
    assert [shown(value) for value in values] == ["–", "–", "−0.500", "12,345", "yes"]


def test_every_text_is_escaped_and_a_long_one_is_cut_and_whole_in_its_title():
    html = block(HOSTILE, [HOSTILE], sentence(HOSTILE), table([{HOSTILE: HOSTILE}]))
    assert harmless(html).count(HOSTILE) == 5
    page = Page(table([{"a": "<" * 500}]))
    assert [cell["title"] for cell in page.all("td")] == ["<" * 500]
    assert len(page.text) < 100


def test_maps_with_hostile_names_are_text(tmp_path):
    folder = fake_evaluation(tmp_path, n_voxels=60, surface="fsaverage6")  # whose shapes are not here
    maps = open_maps(renamed(folder, tmp_path / "renamed", HOSTILE))
    text = harmless(maps._repr_html_())
    assert f"Maps of run {HOSTILE}" in text
    assert text.count("SIMULATED RESPONSES") == 2
    out = maps.save(tmp_path / "out")
    assert len(list(out.iterdir())) == 2
    assert json.loads((sorted(out.iterdir())[0] / "maps.json").read_text())["run"] in (HOSTILE, "on-cortex")


def test_maps_show_a_picture_with_words_and_all_names(native_scores):
    run = open_maps(native_scores)["one"]
    html = run._repr_html_()
    page = Page(html)
    words = page.all("img")[0]["alt"]
    assert words.startswith("Maps on the pial surface")
    assert f"r_tuned {shown(np.nanmean(run.maps['r_tuned'].values))}" in words
    assert "on the surface native, UTS03" in harmless(html)
    assert all(name in page.text for name in run.maps)
    assert len(html) < 300_000  # a notebook keeps its outputs


def test_maps_without_a_surface_say_why_and_show_no_picture(tmp_path):
    names = ["Heschl left", "Heschl right", "STG left", "STG right"]
    folder = fake_evaluation(tmp_path, 4, simulated=False, runs=(("only", "cortex"),), region_names=names)
    text = harmless(open_maps(folder)._repr_html_())
    assert "in no known place" in text
    assert "No surface: its data say no vertices" in text
    assert "SIMULATED" not in text


def test_scores_show_their_table_and_notes(tmp_path):
    folder = fake_evaluation(tmp_path, n_voxels=60)
    text = harmless(Evaluation.open(renamed(folder, tmp_path / "renamed", HOSTILE))._repr_html_())
    assert "SIMULATED RESPONSES" in text
    assert "no target Broca" in text
    assert HOSTILE in text
    maps = open_maps(folder)
    assert repr(maps) == "<Maps of evaluation (SIMULATED responses): 'on-cortex', 'on-AC'>"
    assert repr(maps["on-AC"]).endswith("maps of run 'on-AC', 60 voxels, SIMULATED responses>")


def test_comparisons_and_transfers_show_their_tables(tmp_path):
    compared = fake_comparison(tmp_path / "comparison", names=(HOSTILE, "full"))
    transferred = fake_transfer(tmp_path / "transfer", subjects=(HOSTILE, "ben"))
    for folder, note in ((compared, "Intervals over 3 test stories."), (transferred, "None heard.")):
        text = harmless(open_result(folder)._repr_html_())
        assert "SIMULATED RESPONSES" in text
        assert HOSTILE in text
        assert note in text


@pytest.fixture
def run(tmp_path):
    """A finished run of seven epochs, as its files say."""
    r = {n: 0.25 - 0.01 * (n - 5) ** 2 for n in range(1, 8)}
    history = [{"epoch": n, "loss": -0.1 * n, "validation_r": r[n]} for n in r]
    config = load_config(preset="demo", overrides={"training.epochs": 7})
    return fake_run(tmp_path / "run", config, history, kept=5)


def test_a_run_shows_what_it_was_asked_and_how_it_went(run):
    html = Run(run)._repr_html_()
    text = harmless(html)
    assert "SIMULATED RESPONSES" in text
    assert "Epoch 7 of at most 7; best: epoch 5, validation r 0.250." in text
    assert "The last 6 epochs:" in text
    assert "<svg" in html


def test_a_control_with_hostile_names_is_text_and_says_so(run):
    manifest = json.loads((run / "run.json").read_text())
    manifest["config"]["target"] = manifest["data"]["subject"] = HOSTILE
    manifest["config"]["control"] = {"kind": "block-permuted"}
    (run / "run.json").write_text(json.dumps(manifest))
    text = harmless(Run(run)._repr_html_())
    assert text.count(HOSTILE) >= 2
    assert "CONTROL" in text


def test_an_unfinished_run_says_so_and_a_damaged_one_what_is_wrong_without_a_traceback(run):
    (run / "result.json").unlink()
    assert "Not finished." in harmless(Run(run)._repr_html_())
    (run / "result.json").write_text("<b>")
    text = harmless(Run(run)._repr_html_())
    assert "CANNOT BE SHOWN" in text
    assert "result.json: not JSON" in text
