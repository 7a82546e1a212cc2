"""Tables of a page: what they escape, mark and round, and the renderers of charts."""

import base64
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.reporting.figures.forest import TUNED, UNTUNED, forest_of
from brainwavlm.reporting.figures.lines import lines_of
from brainwavlm.reporting.page import charts
from brainwavlm.reporting.page.tables import chance_table, intervals, scores_table, table

NAMED = "Further findings of {name}"
ROWS = pd.DataFrame({"run": ["A", "A", "<b>"], "Target": ["x<y>", "b", "c"], "Mean r": [0.5, np.nan, -0.3]})


def cells(html):
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


def test_text_is_escaped_and_every_header_has_a_scope():
    html = table(NAMED, ROWS, name="a <b>", classes={"Target": "name"}, simulated=True)["html"]
    scopes = " ".join(re.findall(r"<th scope=\"(\w+)\"", html))
    assert scopes == "col col rowgroup row row rowgroup row"
    assert html.count("<th") - html.count("<thead") == 7
    assert html.count("<tbody>") == html.count("</tbody>") == 2
    assert cells(html) == ["0.500", "–", "−0.300"]
    assert "x&lt;y&gt;" in html
    assert "SIMULATED</span> Further findings of a &lt;b&gt;." in html
    assert "<b>" not in html
    links = table(NAMED, ROWS.assign(Target=Markup("<i>x</i>")), name="")["html"]
    assert links.count("<i>x</i>") == 3


def test_numbers_on_colours_can_be_read():
    heat = pd.DataFrame({"r": np.append(np.linspace(-1, 1, 21), np.nan)})
    html = table(NAMED, pd.DataFrame({"": "", "row": "x", "r": heat["r"]}), heat=heat, name="")["html"]
    colours = re.findall(r"background-color: #(..)(..)(..);\n  color: #000000", html)
    assert len(colours) > 15
    for colour in colours:
        parts = [int(part, 16) / 255 for part in colour]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        assert (np.dot([0.2126, 0.7152, 0.0722], linear) + 0.05) / 0.05 >= 4.5


def made(row, runs):
    return SimpleNamespace(table=pd.DataFrame([row]), runs=runs, simulated=False)


def test_a_p_at_its_floor_is_a_bound():
    null = {"least_p": 0.005, "least_p_difference": 0.01}
    runs = [{"name": "a", "simulated": False, "frozen": {"null": null}}]
    p = dict.fromkeys(("p_frozen", "p_tuned", "p_difference"), 0.01) | {"p_frozen": 0.005}
    counts = {f"voxels_{key}": 1 for key in ("frozen", "tuned", "better", "worse")}
    row = {"run": "a", "target": "cortex", **p, **counts}
    html = chance_table(made(row, runs), {"a": "A"})["html"]
    assert cells(html)[:3] == ["≤.005", ".010", "≤.010"]


def test_an_interval_without_width_is_none():
    low, high = pd.Series([-0.01, 0.2, np.nan]), pd.Series([0.02, 0.2, np.nan])
    assert intervals(low, high) == ["−0.010 to +0.020", "–", "–"]


def test_the_drawing_puts_zero_and_the_interval_in_order():
    row = {"run": "a", "target": "cortex", "n_voxels": 2, "r_frozen": 0.2, "r_tuned": 0.23}
    row |= {"difference": 0.03, "low": 0.01, "high": 0.05}
    row |= dict.fromkeys(("r_readout", "normalised_frozen", "normalised_tuned"), np.nan)
    runs = [{"name": "a", "target": "cortex", "simulated": False}]
    html = scores_table(made(row, runs), {"a": "A"})["html"]
    zero = float(re.search(r'class="zero" x1="(.*?)"', html)[1])
    low, high = (float(x) for x in re.search(r'<line x1="(.*?)" x2="(.*?)"', html).groups())
    at = float(re.search(r'cx="(.*?)"', html)[1])
    assert 0 < zero < low < at < high < 190
    assert "Share of ceiling" not in html
    assert "Readout r" not in html


LEARNING = pd.DataFrame({"run": "a", "label": "a", "epoch": [0, 1, 40], "loss": [np.nan, -0.1, -0.2]})
LEARNING = LEARNING.assign(validation_r=[0.1, 0.2, 0.3], gradient_norm=np.nan, kept=[False, True, False])
STATES = pd.DataFrame({"label": "AC", "layer": [0, 1], "r_frozen": 0.1, "r_tuned": 0.2, "difference": 0.1})
STATES = STATES.assign(low=0.05, high=0.15)
HOSTILE = pd.DataFrame({"label": ["%{x}<b>"], "seconds": 2.0, "median": 1.0, "low": 1, "high": 1})


def spec(chart):
    return json.loads(chart["spec"])


def numbers(sent):
    """Numbers as plotly sends them: a list, or the bytes of an array."""
    if isinstance(sent, dict):
        return np.frombuffer(base64.b64decode(sent["bdata"]), np.dtype(sent["dtype"])).astype(float)
    return np.array([np.nan if value is None else value for value in sent], float)


def test_charts_hold_what_the_tables_hold():
    loss, validation = spec(charts.lines_chart(lines_of(LEARNING), ""))["data"]
    assert_array_equal(numbers(loss["y"]), LEARNING["loss"])
    assert_array_equal(numbers(validation["y"]), LEARNING["validation_r"])
    frozen, tuned, difference = spec(charts.lines_chart(lines_of(STATES), "Hidden states"))["data"]
    for trace, key in ((frozen, "r_frozen"), (tuned, "r_tuned"), (difference, "difference")):
        assert_array_equal(numbers(trace["x"]), STATES["layer"])
        assert_array_equal(numbers(trace["y"]), STATES[key])
    assert_allclose(numbers(difference["error_y"]["array"]), STATES["high"] - STATES["difference"])
    assert_allclose(numbers(difference["error_y"]["arrayminus"]), STATES["difference"] - STATES["low"])
    findings = pd.DataFrame({"part": ["mean", "seed", "seed"], "label": "a", "seed": ["", 0, 1]})
    findings = findings.assign(r_frozen=0.1, r_tuned=[0.25, 0.2, 0.3], low=0.1, high=0.2)
    untuned, mean, seeds = spec(charts.forest_chart(forest_of(findings), "Findings", ""))["data"]
    assert [list(numbers(trace["x"])) for trace in (untuned, seeds, mean)] == [[0.1], [0.2, 0.3], [0.25]]
    # The interval is that of the gain, above the untuned model.
    ends = [numbers(mean["error_x"][key])[0] for key in ("arrayminus", "array")]
    assert_allclose([0.25 - ends[0], 0.25 + ends[1]], [0.2, 0.3])


def test_the_kept_epoch_has_a_star_and_epochs_are_whole_numbers():
    made = spec(charts.lines_chart(lines_of(LEARNING), ""))
    assert [trace["marker"]["symbol"] for trace in made["data"]] == [["circle", "star", "circle"]] * 2
    assert made["layout"]["xaxis"]["dtick"] == 4
    assert charts.lines_chart(lines_of(LEARNING[:0]), "") is None


def test_names_are_text_in_charts():
    (trace,) = spec(charts.lines_chart(lines_of(HOSTILE), "Delays"))["data"]
    assert trace["name"] == "%{x}&lt;b&gt;"
    assert "<b>" not in str(trace["hovertemplate"])


def test_two_long_names_that_begin_alike_are_two_lines():
    means = pd.DataFrame({"part": "mean", "label": ["x" * 200, "x" * 201], "seed": ""})
    means = means.assign(r_frozen=0.1, r_tuned=0.2, low=0.05, high=0.15)
    made = spec(charts.forest_chart(forest_of(means), "Findings", ""))
    assert all(len(set(trace["y"])) == 2 for trace in made["data"])
    assert {trace["name"] for trace in made["data"]} == {UNTUNED, TUNED}
