"""What opened runs, scores and maps show in a notebook: small, escaped, SIMULATED in plain view."""

import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import brainwavlm
from brainwavlm.config import load_config
from brainwavlm.files import write_json
from brainwavlm.formatting.html import block, sentence, shown, table
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.resamples import Resamples
from brainwavlm.results.transfer import Transfer
from brainwavlm.runs.run import FORMAT, Run
from tests.brains import write_brain
from tests.reporting.fakes import fake_comparison, fake_evaluation, fake_transfer, native_evaluation

HOSTILE = '<script>alert("x")</script><img src=x onerror=y>&amp;\'"'


class Read(HTMLParser):
    """Elements, attributes and text as a browser would find them."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.attributes, self.text, self.open = [], [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def harmless(html):
    """The text, when there is nothing in it but quiet elements, all of them closed."""
    found = Read(html)
    allowed = {
        "div",
        "b",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "title",
        "polyline",
        "img",
    }
    assert set(found.elements) <= allowed
    assert found.open == []
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert all(
        value.startswith("data:image/png;base64,")
        for name, value in found.attributes
        if name in ("src", "href")
    )
    return found.text


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("notebook"), n_voxels=60)


def renamed(folder, place, name):
    """A copy of an evaluation in which a run has another name."""
    copy = shutil.copytree(folder, place)
    for file in ("table.csv", "voxels.csv", "layers.csv", "downstream.csv"):
        frame = pd.read_csv(copy / file, dtype=str, keep_default_na=False)
        frame["run"] = frame["run"].replace("on-AC", name)
        frame.to_csv(copy / file, index=False)
    summary = json.loads((copy / "summary.json").read_text())
    summary["runs"][1]["name"] = name
    (copy / "summary.json").write_text(json.dumps(summary))
    return copy


def opened_scores(folder):
    summary = json.loads((folder / "summary.json").read_text())
    return Evaluation(pd.read_csv(folder / "table.csv"), pd.read_csv(folder / "voxels.csv"), summary)


def test_a_table_shows_each_value_and_counts_what_it_leaves_out():
    rows = [{"name": f"n{k}", "r": k / 7, "n": k, "none": None, "yes": True} for k in range(30)]
    text = harmless(table(rows, most=3))
    assert "0.286" in text
    assert "n2" in text
    assert "n3" not in text
    assert "… and 27 more rows" in text
    assert table([]) == ""
    assert [shown(value) for value in (float("nan"), None, -0.5, 12345, True)] == [
        "–",
        "–",
        "−0.500",
        "12,345",
        "yes",
    ]


def test_every_text_is_escaped_and_comes_back_as_text():
    html = block(HOSTILE, [HOSTILE], sentence(HOSTILE), table([{HOSTILE: HOSTILE}]))
    assert harmless(html).count(HOSTILE) == 5


def test_a_long_text_is_cut_and_whole_in_its_title():
    found = Read(table([{"a": "<" * 500}]))
    assert ("title", "<" * 500) in found.attributes
    assert len(found.text) < 100


def test_maps_with_hostile_names_are_text(scored, tmp_path):
    maps = brainwavlm.open_maps(renamed(scored, tmp_path / "evaluation", HOSTILE))
    text = harmless(maps._repr_html_())
    assert f"Maps of run {HOSTILE}" in text
    assert text.count("SIMULATED RESPONSES") == 2
    out = maps.save(tmp_path / "out")
    assert len(list(out.iterdir())) == 2
    assert json.loads((sorted(out.iterdir())[0] / "maps.json").read_text())["run"] in (HOSTILE, "on-cortex")


def test_maps_show_a_picture_with_words_and_all_names(scored):
    run = brainwavlm.open_maps(scored)["on-cortex"]
    html = run._repr_html_()
    found = Read(html)
    words = dict(found.attributes)["alt"]
    assert f"r_tuned {np.nanmean(run.maps['r_tuned'].values):.3f}" in words
    assert all(name in found.text for name in run.maps)
    assert len(html) < 300_000  # a notebook keeps its outputs


def test_as_plain_text_maps_are_one_line(scored):
    maps = brainwavlm.open_maps(scored)
    assert repr(maps) == "<Maps of evaluation (SIMULATED responses): 'on-cortex', 'on-AC'>"
    assert repr(maps["on-AC"]).endswith("maps of run 'on-AC', 60 voxels, SIMULATED responses>")


def test_maps_without_a_surface_say_why_and_show_no_picture(tmp_path):
    names = ["Heschl left", "Heschl right", "STG left", "STG right"]
    folder = fake_evaluation(tmp_path, 4, simulated=False, runs=(("only", "cortex"),), region_names=names)
    text = harmless(brainwavlm.open_maps(folder)._repr_html_())
    assert "in no known place" in text
    assert "No surface: its data say no vertices" in text
    assert "SIMULATED" not in text


def test_maps_of_a_native_subject_show_its_own_surface(tmp_path):
    truth = write_brain(tmp_path / "data")
    (tmp_path / "data/stimuli").mkdir()
    folder = native_evaluation(tmp_path / "evaluation", tmp_path / "data", {}, truth.latitude / 200)
    html = brainwavlm.open_maps(folder)._repr_html_()
    assert "Maps on the pial surface" in html
    assert "on the surface native, UTS03" in harmless(html)


def test_scores_show_their_table_and_notes(scored, tmp_path):
    text = harmless(opened_scores(scored)._repr_html_())
    assert "SIMULATED RESPONSES" in text
    assert "no target Broca" in text
    text = harmless(opened_scores(renamed(scored, tmp_path / "evaluation", HOSTILE))._repr_html_())
    assert HOSTILE in text


def test_comparisons_and_transfers_show_their_tables(tmp_path):
    fake_comparison(tmp_path / "comparison", names=(HOSTILE, "full"))
    fake_transfer(tmp_path / "transfer", listeners=(HOSTILE, "ben"))
    tables = {p.stem: pd.read_csv(p) for p in tmp_path.glob("*/*.csv")}
    summary = {"simulated": True, "notes": ["None heard."]}
    compared = Comparison(*(tables[n] for n in ("runs", "groups", "epochs", "differences")), summary)
    transferred = Transfer(
        tables["matrix"],
        tables["curve"],
        tables["needed"],
        summary,
        Resamples((), np.empty((0, 0)), np.empty((0, 0))),
    )
    for found in (compared, transferred):
        text = harmless(found._repr_html_())
        assert "SIMULATED RESPONSES" in text
        assert HOSTILE in text
        assert "None heard." in text


@pytest.fixture
def run(tmp_path):
    """A finished run of seven epochs, as its files say."""
    config = load_config(preset="demo", overrides={"training.epochs": 7})
    control = {"kind": "none", "n_targets": 5, "voxels": True}
    data = {"dataset": "demo", "subject": "sim01", "simulated": True, "n_voxels": 60, "n_target": 5}
    manifest = {
        "format": FORMAT,
        "config": config.model_dump(mode="json"),
        "splits": {"train": ["bees"], "validation": ["chess"], "test": ["museum"]},
        "data": {**data, "control": control},
        "backbone": {},
        "versions": {},
    }
    history = [
        {"epoch": n, "loss": -0.1 * n, "validation_r": 0.25 - 0.01 * (n - 5) ** 2} for n in range(1, 8)
    ]
    best = {"epoch": 5, "checkpoint": "00005-00000050", "validation_r": 0.25}
    write_json(tmp_path / "run" / "run.json", manifest)
    write_json(tmp_path / "run" / "result.json", {"best": best, "history": history})
    return tmp_path / "run"


def test_a_run_shows_what_it_was_asked_and_how_it_went(run):
    html = Run(run)._repr_html_()
    text = harmless(html)
    assert "SIMULATED RESPONSES" in text
    assert "Epoch 7 of at most 7; best: epoch 5, validation r 0.250." in text
    assert "The last 6 epochs:" in text
    assert "<svg" in html
    assert "alert" not in text


def test_a_run_with_hostile_names_is_text(run):
    manifest = json.loads((run / "run.json").read_text())
    manifest["config"]["target"] = manifest["data"]["subject"] = HOSTILE
    (run / "run.json").write_text(json.dumps(manifest))
    assert harmless(Run(run)._repr_html_()).count(HOSTILE) >= 2


def test_a_control_says_so(run):
    manifest = json.loads((run / "run.json").read_text())
    manifest["config"]["control"] = {"kind": "block-permuted"}
    (run / "run.json").write_text(json.dumps(manifest))
    assert "CONTROL" in harmless(Run(run)._repr_html_())


def test_an_unfinished_run_says_so(run):
    (run / "result.json").unlink()
    assert "Not finished." in harmless(Run(run)._repr_html_())


def test_a_damaged_run_shows_what_is_wrong_instead_of_a_traceback(run):
    (run / "result.json").write_text("<b>")
    text = harmless(Run(run)._repr_html_())
    assert "CANNOT BE SHOWN" in text
    assert "result.json: not JSON" in text
