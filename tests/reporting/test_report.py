import base64
import hashlib
import re

import pytest
from matplotlib.image import imread

from brainwavlm.errors import DatasetError
from brainwavlm.formatting.numbers import number, percent, signed
from brainwavlm.reporting import write_report
from brainwavlm.results.evaluation import Evaluation
from tests.made_up import fake_evaluation
from tests.reporting.pages import Page
from tools.readme_figure import readme_figure


def without_scripts(text):
    return re.sub(r"(<script[^>]*>).*?</script>", r"\1</script>", text, flags=re.S)


def test_the_page_names_no_address_outside_itself(simulated_page):
    text = without_scripts(simulated_page.read_text(encoding="utf-8"))
    addresses = re.findall(r"""(?:src|href|srcset|data|action|poster)\s*=\s*["']?([^"'\s>]+)""", text)
    assert addresses
    assert [a for a in addresses if not a.startswith(("data:", "#"))] == []
    assert not re.search(r"url\s*\(|@import|<iframe|<object|<embed", text)


def test_only_the_scripts_of_this_program_may_run(simulated_page):
    text = simulated_page.read_text(encoding="utf-8")
    (policy,) = [m["content"] for m in Page(simulated_page).all("meta") if m.get("http-equiv")]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = policy.split("script-src ")[1].split(";")[0].split()
    assert allowed == ["'unsafe-eval'", *(f"'sha256-{digest}'" for digest in digests)]
    assert len(digests) == 4
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    assert "connect-src" not in policy


def test_the_table_of_the_page_is_that_of_the_file_rounded(simulated_evaluation, simulated_page):
    scores = simulated_page.read_text(encoding="utf-8").split("<table", 2)[1]
    body = re.findall(r"<tr[^>]*>\s*<th scope=\"row\"[^>]*>(.*?)</th>(.*?)</tr>", scores, re.S)
    table = Evaluation.open(simulated_evaluation).table
    assert [target.removesuffix(" (tuned on)") for target, _ in body] == list(table["target"])
    for (_, cells), row in zip(body, table.to_dict("records"), strict=True):
        texts = re.findall(r"<td(?: [^>]*)?>(.*?)</td>", cells, re.S)
        shown = [re.sub(r"<[^>]+>", "", text).strip() for text in texts]
        assert shown[:3] == [number(row["r_frozen"]), number(row["r_tuned"]), signed(row["difference"])]
        assert {
            *(f"{signed(row['low'])} to {signed(row['high'])}", percent(row["relative_gain"])),
            *(number(row["r_readout"]), f"{row['n_voxels']:,}"),
        } <= set(shown)


def test_simulated_is_said_when_and_only_when_it_is(simulated_page, measured_page):
    simulated, measured = Page(simulated_page), Page(measured_page)
    assert re.search(r"<title>[^<]*SIMULATED", simulated_page.read_text(encoding="utf-8"))
    assert re.search(r"<caption>.*?SIMULATED.*?</caption>", simulated_page.read_text(encoding="utf-8"), re.S)
    assert "not measured" in simulated.text
    assert "simulated" not in measured.text.lower()
    assert "measured responses" in measured.text


def test_names_are_text_whatever_they_look_like(tmp_path):
    hostile = "<script>alert('x')</script>\"&{{ 7*7 }}{% raw %}\u202e"
    folder = fake_evaluation(tmp_path, 40, runs=((hostile, "cortex"),), surface=None)
    page = write_report(folder, tmp_path / "page.html")
    parsed = Page(page)
    kinds = [script.get("type") for script in parsed.all("script")]
    assert kinds.count(None) == 4  # those of this program; the rest is data
    assert set(kinds) == {None, "application/json"}
    assert hostile in parsed.text
    assert "<script>alert" not in page.read_text(encoding="utf-8")


def test_maps_are_there_with_a_surface_and_else_the_page_says_why(simulated_page, measured_page):
    alts = [image["alt"] for image in Page(simulated_page).all("img")]
    assert len(alts) == 6
    assert all(alt.startswith("Cortical map") and len(alt) > 40 for alt in alts)
    page = Page(measured_page)
    assert page.all("img") == []
    assert "No cortical map of sim01: its data say no vertices" in page.text
    bars = next(alt for alt in page.charts() if alt.startswith("Test correlation frozen to tuned"))
    assert "Heschl left" in bars
    assert "IFG right" in bars


def test_the_method_names_what_decides_the_numbers(simulated_page):
    page = Page(simulated_page)
    page.require_read_aloud()
    text = " ".join(page.text.split())
    for fact in (
        *("one volume every 2 s; features are read at the start of each volume's time", "bees, chess"),
        *("2 s of sound every 1 s, mean over frames", "hidden state 4", "5 folds of whole stories"),
        *("LoRA, rank 8, alpha 8, on q, k, v, out", "CC_norm on the repeats of museum"),
        *("12 blocks of at least 10 TRs of these 2 test stories", "torch 2.13.0", "Made up for tests."),
        *("arXiv:2502.08866", "Nobody et al., 2026", "no target Broca"),
        "tuned on cortex: cortex; tuned on AC: AC",
    ):
        assert fact in text


def test_the_readme_figure_is_one_wide_png_and_needs_a_surface(measured_page, tmp_path):
    folder = fake_evaluation(tmp_path, 40, runs=(("one", "cortex"),))
    height, width = imread(readme_figure(folder, tmp_path / "figure.png")).shape[:2]
    assert width == 2200
    assert width > 2 * height
    with pytest.raises(DatasetError, match="no map of sim01 can be drawn"):
        readme_figure(measured_page.parent, tmp_path / "other.png")
