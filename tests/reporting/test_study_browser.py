"""The page of a study in a real headless Chromium, from a file:// address, with the network blocked."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from brainwavlm.reporting.page.study import write_study_report
from tests.reporting.test_browser import HOSTILE, complaints, opened, requested, shown_charts
from tests.runs.test_run import COURSE
from tests.study.fakes import fake_study

MORE = pytest.mark.browser
SEEDS = [0, 1, 2]
EXPERIMENTS = {
    "linear-map": {"claim": 1, "question": "Does it help?", "grid": {"seed": SEEDS}},
    "targets": {
        "claim": 4,
        "question": "Where?",
        "grid": {"target": ["cortex", "AC"], "seed": SEEDS},
        "contrast": "target",
    },
    "transfer": {"claim": 6, "grid": {"subject": ["sim01", "sim02"], "seed": SEEDS}, "transfer": {}},
    "layers": {"claim": 17, "grid": {"seed": SEEDS}, "evaluate": {"layers": "all"}},
}
FAILED = "sim02-cortex-lora-seed1"


def learned(folder):
    """Give the cells that are done a course of learning."""
    history = [
        {"epoch": n, "loss": 0.1 / n, "validation_r": 0.2 * n / 3, "gradient_norm": 1.0 / n}
        for n in (1, 2, 3)
    ]
    for run in (folder / "cells").glob("*/run.json"):
        run.write_text(json.dumps({"format": 1}))
        best = {**COURSE["best"], "epoch": 3}
        (run.parent / "result.json").write_text(json.dumps({"best": best, "history": history}))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "study"
    return learned(fake_study(folder, EXPERIMENTS, layers=(0, 1, 2), failed=(FAILED,)))


@pytest.fixture(scope="module")
def study_page(study):
    return write_study_report(study)


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    """Names in all texts that a file of a study may hold."""
    folder = tmp_path_factory.mktemp("hostile") / "study"
    experiments = {
        "one": {"question": HOSTILE[0], "grid": {"seed": SEEDS}},
        "two": {"question": HOSTILE[3], "grid": {"seed": SEEDS}},
    }
    fake_study(
        folder, experiments, title=HOSTILE[1], name=HOSTILE[2], targets=("cortex", HOSTILE[0], HOSTILE[3])
    )
    return write_study_report(learned(folder))


def rows_shown(browser, table="claims-table"):
    script = (
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].filter((row) => "
        "row.offsetHeight > 0 && !row.querySelector('[scope=rowgroup]')).map((row) => "
        "[...row.cells].map((cell) => cell.textContent.trim()))"
    )
    return browser.execute_script(script, table)


def typed(browser, table, text):
    script = (
        "const box = document.querySelector(`[data-filters='${arguments[0]}'] input`); box.value = arguments[1];"
        "box.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    browser.execute_script(script, table, text)


@MORE
@pytest.mark.parametrize("which", ["study_page", "hostile_page"])
def test_the_page_loads_without_a_message_or_a_request(browser, request, which):
    page = request.getfixturevalue(which)
    opened(browser, page)
    assert shown_charts(browser) >= 4
    assert complaints(browser) == []
    outside = [url for url in requested(browser) if not url.startswith("data:") and url != page.as_uri()]
    assert outside == []


@MORE
def test_it_is_small_and_answers_soon(browser, study_page):
    assert study_page.stat().st_size < 15e6
    ready = []
    for _ in range(3):
        opened(browser, study_page)
        ready.append(float(browser.execute_script("return document.documentElement.dataset.charts")))
    assert min(ready) < 3000


def test_the_table_of_claims_sorts_and_filters(browser, study_page, study):
    opened(browser, study_page)
    head = "document.querySelectorAll('#claims-table thead button')[1]"
    script = (
        "return [...document.querySelectorAll('#claims-table tbody')].map((body) => [...body.rows]"
        ".map((row) => row.cells[1] && row.cells[1].textContent.replace('−', '-')).filter((value) => value))"
    )
    for sign in (-1, 1):
        browser.execute_script(f"{head}.click()")
        bodies = [[sign * float(value) for value in body] for body in browser.execute_script(script)]
        assert any(len(body) > 1 for body in bodies)
        assert all(body == sorted(body) for body in bodies)
    claims = pd.read_csv(study / "report" / "claims.csv")
    shown = sorted(abs(value) for body in bodies for value in body)
    assert shown == pytest.approx(sorted(claims[claims["headline"]]["estimate"].abs().dropna()), abs=6e-4)
    headlines = claims[claims["headline"]]
    assert len(rows_shown(browser)) == len(headlines)
    typed(browser, "claims-table", "scored in SIM02")
    found = rows_shown(browser)
    assert 0 < len(found) < len(headlines)
    assert all("sim02" in row[0].lower() for row in found)
    told = browser.execute_script("return document.querySelector('[data-filters] output').textContent")
    assert told == f"{len(found)} of {len(headlines)} rows"
    typed(browser, "claims-table", "no row has this")
    assert rows_shown(browser) == []
    typed(browser, "claims-table", "")
    verdict = headlines["verdict"].dropna().iloc[0]
    browser.execute_script(
        "const list = document.querySelector('[data-filters] select'); list.value = arguments[0];"
        "list.dispatchEvent(new Event('input', {bubbles: true}))",
        verdict,
    )
    assert len(rows_shown(browser)) == (headlines["verdict"] == verdict).sum()


@MORE
def test_hostile_names_are_text_wherever_they_are(browser, hostile_page):
    opened(browser, hostile_page, 420)
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    shown_charts(browser)
    assert browser.title != "broken"
    text = " ".join(browser.execute_script("return document.body.innerText").split())
    assert [name for name in HOSTILE if " ".join(name.split()) not in text] == []
    assert browser.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 420
    assert complaints(browser) == []


@MORE
@pytest.mark.parametrize("width", [360, 390, 860, 1440])
def test_nothing_but_tables_is_wider_than_the_window(browser, study_page, width):
    opened(browser, study_page, width)
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    shown_charts(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@MORE
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(browser, study_page, width, mode):
    axe = pytest.importorskip("axe_core_python", reason="ACCESSIBILITY NOT SEEN: pip install axe-core-python")
    opened(browser, study_page, width, mode)
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.execute_script((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(done, (error) => done({error: String(error)}))"
    )
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert len(found["passes"]) > 25


@MORE
def test_print_shows_charts_without_their_controls(browser, study_page):
    opened(browser, study_page, media="print")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    counts = browser.execute_script(
        "return ['.interactive', '.chart .main-svg'].map((one) => [...document.querySelectorAll(one)]"
        ".filter((e) => e.getBoundingClientRect().height > 0).length)"
    )
    assert counts[0] == 0
    assert counts[1] >= browser.execute_script("return document.querySelectorAll('.chart').length") > 3


def test_a_cell_that_has_a_page_is_linked(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "study")
    cell = next((folder / "cells").glob("*/evaluation"))
    (cell / "report.html").write_text("<p>a page")
    text = write_study_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'<a href="study/cells/{cell.parent.name}/evaluation/report.html">' in text
    assert text.count("/evaluation/report.html") == 1
