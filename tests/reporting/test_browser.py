"""The page in a real headless Chromium, from a file:// address."""

import json
import shutil
from pathlib import Path

import pytest

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="PAGE NOT SEEN BY A BROWSER: pip install selenium"
    )
    if not (CHROMIUM and DRIVER):
        pytest.skip("PAGE NOT SEEN BY A BROWSER: install chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def opened(browser, page: Path, width=1280):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    return browser


def requested(browser):
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("which", ["simulated_page", "measured_page"])
def test_the_page_loads_without_a_message_or_a_request(browser, request, which):
    page = request.getfixturevalue(which)
    opened(browser, page)
    assert browser.get_log("browser") == []
    outside = [url for url in requested(browser) if not url.startswith("data:") and url != page.as_uri()]
    assert outside == []


def test_every_image_is_drawn(browser, simulated_page):
    opened(browser, simulated_page)
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth, i.clientHeight])"
    )
    assert len(sizes) == 12
    assert all(
        complete and natural > 300 and width > 100 and height > 50
        for complete, natural, width, height in sizes
    )


def test_the_finding_and_the_word_simulated_are_on_the_first_screen(browser, simulated_page):
    opened(browser, simulated_page)
    script = "return [...document.querySelectorAll(arguments[0])].map(e => [e.innerText, e.getBoundingClientRect().bottom])"
    badge = browser.execute_script(script, "header .badge")
    answers = browser.execute_script(script, ".answers strong")
    assert badge[0][0] == "SIMULATED"
    assert len(answers) == 2
    assert "mean test correlation" in answers[0][0]
    assert max(bottom for _, bottom in badge + answers) < 600


@pytest.mark.parametrize("width", [360, 420, 860, 1280])
def test_nothing_but_the_table_is_wider_than_the_window(browser, simulated_page, width):
    opened(browser, simulated_page, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_page_shows_no_markup_of_hostile_names(browser, tmp_path):
    from brainwavlm.reporting import write_report
    from tests.reporting.fakes import fake_evaluation

    hostile = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
    folder = fake_evaluation(tmp_path, 40, runs=((hostile, "cortex"),), surface=None)
    opened(browser, write_report(folder, tmp_path / "page.html"))
    assert browser.title != "broken"
    assert hostile in browser.execute_script("return document.body.textContent")
    assert browser.get_log("browser") == []
