"""The page of a study in a real headless Chromium, from a file:// address, with the network blocked."""

import pandas as pd
import pytest

from tests.reporting.conftest import HOSTILE
from tests.reporting.test_browser import complaints, opened, shown_charts

MORE = pytest.mark.browser


def rows_shown(browser):
    script = (
        "return [...document.querySelectorAll('#claims-table tbody tr')].filter((row) => "
        "row.offsetHeight > 0 && !row.querySelector('[scope=rowgroup]')).map((row) => "
        "[...row.cells].map((cell) => cell.textContent.trim()))"
    )
    return browser.execute_script(script)


def typed(browser, text):
    script = (
        "const box = document.querySelector(`[data-filters='claims-table'] input`); box.value = arguments[0];"
        "box.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    browser.execute_script(script, text)


@MORE
def test_it_is_small_and_answers_soon(browser, study_page):
    from selenium.webdriver.support.ui import WebDriverWait

    assert study_page.stat().st_size < 15e6

    def drawn(page):
        return page.execute_script("return document.documentElement.dataset.charts")

    ready = []
    for _ in range(3):
        opened(browser, study_page)
        ready.append(float(WebDriverWait(browser, 60).until(drawn)))
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
        bodies = [
            [sign * float(value.partition(",")[0]) for value in body]
            for body in browser.execute_script(script)
        ]
        assert any(len(body) > 1 for body in bodies)
        assert all(body == sorted(body) for body in bodies)
    claims = pd.read_csv(study / "report" / "claims.csv")
    headlines = claims[claims["headline"] & (claims["readout"] != "shared")]  # both readouts in one row
    shown = sorted(abs(value) for body in bodies for value in body)
    assert shown == pytest.approx(sorted(headlines["estimate"].abs().dropna()), abs=6e-4)
    assert len(rows_shown(browser)) == len(headlines)
    typed(browser, "→ SIM02")
    found = rows_shown(browser)
    assert 0 < len(found) < len(headlines)
    assert all("sim02" in row[0].lower() for row in found)
    told = browser.execute_script("return document.querySelector('[data-filters] output').textContent")
    assert told == f"{len(found)} of {len(headlines)} rows"
    typed(browser, "no row has this")
    assert rows_shown(browser) == []
    typed(browser, "")
    verdict = browser.execute_script(
        "const list = document.querySelector('[data-filters] select'); list.value = list.options[1].value;"
        "list.dispatchEvent(new Event('input', {bubbles: true})); return list.value"
    )
    shown = rows_shown(browser)
    assert shown
    assert all(row[-1] == verdict for row in shown)


@MORE
def test_hostile_names_are_text_wherever_they_are(browser, hostile_study_page):
    opened(browser, hostile_study_page, 420)
    shown_charts(browser)
    assert browser.title != "broken"
    text = " ".join(browser.execute_script("return document.body.innerText").split())
    assert [name for name in HOSTILE if " ".join(name.split()) not in text] == []
    assert browser.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 420
    assert complaints(browser) == []
