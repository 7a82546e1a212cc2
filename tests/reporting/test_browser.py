"""The page in a real headless Chromium, from a file:// address: four tests on each change, more with `-m browser`."""

import json
from pathlib import Path

import pytest

from brainwavlm.reporting import write_report
from brainwavlm.reporting.page.render import in_script
from tests.made_up import fake_comparison, fake_evaluation, fake_transfer
from tests.reporting.conftest import HOSTILE

OPEN = "for (const one of document.querySelectorAll('details')) one.open = true"
LEGENDS_ON_PLOTS = """return [...document.querySelectorAll('.chart')].filter((chart) => {
  const legend = chart.querySelector('.legend')?.getBoundingClientRect();
  return legend && [...chart.querySelectorAll('.nsewdrag')].some((plot) => {
    const { top, bottom } = plot.getBoundingClientRect();
    return legend.bottom > top + 1 && legend.top < bottom - 1; });
}).map((chart) => chart.getAttribute('aria-label'))"""
CANVASES = "#cortex-view figure:not([hidden]) canvas"
# Share of the brain that is coloured: bare cortex is grey, and so is the outline.
COLOURED = """const done = arguments[0];
requestAnimationFrame(() => requestAnimationFrame(() => done([...document.querySelectorAll(arguments_)].map((canvas) => {
  const gl = canvas.getContext('webgl2'), p = new Uint8Array(4 * canvas.width * canvas.height);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, p);
  let coloured = 0, sum = 0;
  for (let i = 0; i < p.length; i += 4) {
    if (Math.max(p[i], p[i + 1], p[i + 2]) - Math.min(p[i], p[i + 1], p[i + 2]) > 12) coloured++;
    sum = (sum * 31 + p[i] + 7 * p[i + 1] + 13 * p[i + 2]) % 1000003;
  }
  return [coloured, sum];
}))))""".replace("arguments_", f"'{CANVASES}'")


def opened(browser, page: Path, width=1280, mode="light", media=""):
    features = [{"name": "prefers-color-scheme", "value": mode}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    return browser


def pixels(browser):
    """(coloured pixels, a sum that differs between pictures), of each brain."""
    return [tuple(one) for one in browser.execute_async_script(COLOURED)]


def requested(browser):
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def complaints(browser):
    """What the console says, but for a hint on speed that plotly's measuring of text gives rise to."""
    return [m for m in browser.get_log("browser") if "willReadFrequently" not in m["message"]]


def shown_charts(browser):
    """Unfold everything, scroll to every chart and wait until it is drawn: one that is folded away is not."""
    browser.execute_script(OPEN)
    script = """const done = arguments[0], charts = [...document.querySelectorAll('.chart')];
    (async () => { for (const chart of charts) { chart.scrollIntoView();
      while (!chart.dataset.ready) await new Promise((later) => setTimeout(later, 20)); } done(charts.length); })()"""
    return browser.execute_async_script(script)


BROWSER = pytest.mark.browser
OTHERS = ("measured_page", "other_page", "study_page", "hostile_study_page")
PAGES = ["simulated_page", *(pytest.param(name, marks=BROWSER) for name in OTHERS)]


@pytest.mark.parametrize("which", PAGES)
def test_the_page_loads_without_a_message_or_a_request(browser, request, which):
    page = request.getfixturevalue(which)
    opened(browser, page)
    assert shown_charts(browser) > 0
    assert complaints(browser) == []
    outside = [url for url in requested(browser) if not url.startswith("data:") and url != page.as_uri()]
    assert outside == []


def test_two_models_are_drawn_and_differ_on_a_page_that_can_be_sent(browser, simulated_page):
    assert simulated_page.stat().st_size < 8e6
    opened(browser, simulated_page, 1440)
    first, second = pixels(browser)
    assert min(first[0], second[0]) > 1000
    assert first[1] != second[1]


@BROWSER
def test_the_finding_is_on_the_first_screen_and_every_image_is_drawn(browser, simulated_page):
    opened(browser, simulated_page)
    script = "return [...document.querySelectorAll(arguments[0])].map(e => [e.innerText, e.getBoundingClientRect().bottom])"
    badge = browser.execute_script(script, "header .badge")
    answers = browser.execute_script(script, ".answers strong")
    assert badge[0][0] == "SIMULATED"
    assert len(answers) == 2
    assert "mean test correlation" in answers[0][0]
    assert max(bottom for _, bottom in badge + answers) < 600
    browser.execute_script(OPEN)
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.naturalWidth, i.clientWidth, i.clientHeight])"
    )
    assert len(sizes) == 6
    assert all(natural > 300 and width > 100 and height > 50 for natural, width, height in sizes)


@BROWSER
@pytest.mark.parametrize("width", [360, 860, 1440])
@pytest.mark.parametrize("which", ["simulated_page", "other_page", "study_page"])
def test_nothing_but_tables_is_wider_than_the_window(browser, request, which, width):
    opened(browser, request.getfixturevalue(which), width)
    shown_charts(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(LEGENDS_ON_PLOTS) == []


@BROWSER
def test_hostile_names_are_text_wherever_they_are(browser, tmp_path):
    folder = fake_evaluation(tmp_path / "one", 40, runs=tuple((name, "cortex") for name in HOSTILE[::2]))
    comparison = fake_comparison(tmp_path / "two", names=HOSTILE[1::2])
    transfer = fake_transfer(tmp_path / "three", subjects=HOSTILE[:2])
    opened(browser, write_report([folder, comparison, transfer], tmp_path / "page.html"), 420)
    assert shown_charts(browser) >= 8
    assert browser.title != "broken"
    text = browser.execute_script("return document.body.innerText")
    assert [name for name in HOSTILE if name not in text] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 420
    assert browser.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
    # Charts shorten names, and show their signs.
    legends = browser.execute_script(
        "return [...document.querySelectorAll('.legendtext')].map((e) => e.textContent)"
    )
    assert any(legend.startswith("1. </script><script>document") for legend in legends)
    assert complaints(browser) == []


def test_text_stays_text_in_a_script_element():
    content = {"name": HOSTILE[1], "sign": "\u2028&"}
    text = in_script(content)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == content


@pytest.mark.parametrize("mode", ["light", pytest.param("dark", marks=BROWSER)])
@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=BROWSER)])
@pytest.mark.parametrize("which", PAGES)
def test_axe_finds_nothing(browser, request, which, width, mode):
    axe = pytest.importorskip("axe_core_python", reason="ACCESSIBILITY NOT SEEN: pip install axe-core-python")
    opened(browser, request.getfixturevalue(which), width, mode)
    browser.execute_script(OPEN)
    browser.execute_script((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(done, (error) => done({error: String(error)}))"
    )
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert len(found["passes"]) > 25


@BROWSER
def test_the_page_follows_dark_and_light(browser, simulated_page):
    script = "return [document.body, document.querySelector('h1')].map((e) => getComputedStyle(e))" + (
        ".map((s) => [s.backgroundColor, s.color])"
    )
    shades = {}
    for mode in ("light", "dark"):
        opened(browser, simulated_page, mode=mode)
        (background, _), (_, ink) = browser.execute_script(script)
        shades[mode] = [sum(map(int, colour[4:-1].split(","))) for colour in (background, ink)]
    assert shades["light"][0] > 700 > 200 > shades["light"][1]
    assert shades["dark"][0] < 200 < 600 < shades["dark"][1]


@BROWSER
@pytest.mark.parametrize(("which", "n_pictures"), [("simulated_page", 6), ("study_page", 0)])
def test_print_shows_pictures_and_charts_in_place_of_what_moves(browser, request, which, n_pictures):
    opened(browser, request.getfixturevalue(which), media="print")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    *seen, charts = browser.execute_script(
        "return ['.interactive', 'details.figures img', '.button', '.chart .main-svg'].map((one) => "
        "[...document.querySelectorAll(one)].filter((e) => e.getBoundingClientRect().height > 0).length)"
    )
    assert seen == [0, n_pictures, 0]
    assert charts >= browser.execute_script("return document.querySelectorAll('.chart').length") > 3
