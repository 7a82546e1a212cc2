"""What a reader does on the page changes what it shows: each act, and the state that is read back."""

import csv
import io
import time

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from brainwavlm.config import load_config
from brainwavlm.results.evaluation import Evaluation
from tests.reporting.test_browser import CANVASES, opened, pixels, shown_charts

pytestmark = pytest.mark.browser
VIEW = "return {...document.getElementById('cortex-view').dataset}"


@pytest.fixture
def page(browser, simulated_page):
    return opened(browser, simulated_page, 1440)


def choose(browser, name, value):
    browser.execute_script(
        "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
        "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true}))",
        f"cortex-{name}",
        value,
    )


def pointer(browser):
    from selenium.webdriver import ActionChains

    return ActionChains(browser)


def canvas(browser, number=0):
    found = browser.find_elements("css selector", CANVASES)[number]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def saved(folder, pattern):
    for _ in range(400):
        files = [file for file in folder.glob(pattern) if file.stat().st_size]
        if files and not list(folder.glob("*.crdownload")):
            return files[0]
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {list(folder.iterdir())}")


def saving_to(browser, folder):
    folder.mkdir()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder.resolve())}
    )
    return folder


def test_dragging_one_brain_turns_both_models_and_keys_turn_and_zoom(page):
    canvas(page).send_keys("\ue012\ue013+")  # arrow left, arrow up, plus
    before = pixels(page)
    state = page.execute_script(VIEW)
    assert (state["turn"], state["tilt"], state["zoom"]) == ("190.0", "10.0", "1.250")
    start = pointer(page).move_to_element_with_offset(canvas(page), -120, 0).click_and_hold()
    start.move_by_offset(80, 30).release().perform()
    after, turned = pixels(page), page.execute_script(VIEW)
    assert float(turned["turn"]) == pytest.approx(float(state["turn"]) - 40)
    assert float(turned["tilt"]) == pytest.approx(float(state["tilt"]) + 15)
    assert [a[1] != b[1] for a, b in zip(before, after, strict=True)] == [True, True]


def test_threshold_mask_and_range_change_what_is_coloured_and_the_second_model_can_be_put_away(page):
    everything = pixels(page)[0][0]
    choose(page, "mask", "q_tuned")
    assert 0 < pixels(page)[0][0] < everything
    choose(page, "mask", "")
    coloured = []
    for threshold in (0, 0.2, 0.4):
        choose(page, "threshold", threshold)
        coloured.append(pixels(page)[0][0])
        assert float(page.execute_script(VIEW)["threshold"]) == pytest.approx(threshold, abs=0.01)
    assert coloured[0] > coloured[1] > coloured[2]
    shown = page.execute_script("return document.getElementById('cortex-threshold-shown').textContent")
    assert shown == "0.400"
    choose(page, "threshold", 0)
    before = pixels(page)
    choose(page, "range", 0.3)
    assert pixels(page)[0][1] != before[0][1]
    ticks = "return [...document.querySelectorAll('.ticks span')].map((e) => e.textContent)"
    assert page.execute_script(ticks) == ["0.000", "0.150", "0.300"]
    choose(page, "model-1", "")
    assert len(pixels(page)) == 1


def test_every_map_mask_outline_surface_and_view_changes_the_picture(page):
    seen = {pixels(page)[0][1]}
    for name, value in (
        *(("map", key) for key in ("frozen", "difference", "normalised_tuned", "normalised_frozen")),
        *(("mask", "q_tuned"), ("mask", "q_difference"), ("outline", ""), ("outline", "language")),
        *(("view-from", "medial"), ("view-from", "dorsal"), ("surface", "pial"), ("surface", "flat")),
    ):
        choose(page, name, value)
        picture = pixels(page)[0][1]
        assert picture not in seen, (name, value)
        seen.add(picture)
    unit = page.execute_script("return document.querySelector('#cortex-view .unit').textContent")
    assert unit == "share of the noise ceiling"
    assert page.execute_script("return document.getElementById('cortex-view-from').disabled")


def test_pointing_at_a_voxel_tells_its_values_as_in_the_file(page, simulated_evaluation):
    voxels = Evaluation.open(simulated_evaluation).voxels
    own = voxels[voxels["run"] == "on-cortex"].set_index("voxel")
    choose(page, "model-1", "")
    brain, told = canvas(page), set()
    for x in range(-260, -130, 12):
        for y in range(-30, 60, 15):
            pointer(page).move_to_element_with_offset(brain, x, y).perform()
            pixels(page)
            tip = "const t = document.querySelector('.tip'); return t.hidden ? '' : t.innerText"
            place, voxel, *lines = [*page.execute_script(tip).split("\n"), ""]
            if not lines[1:]:
                continue
            row = own.loc[int(voxel.removeprefix("voxel "))]
            change = f"difference {row.r_tuned - row.r_frozen:+.3f}".replace("-", "−")
            assert f"frozen {row.r_frozen:.3f}, tuned {row.r_tuned:.3f}, {change}" in lines
            assert place.startswith("left vertex ")
            names = [name for name in ("AC", "cortex-AC", "LH", "RH", "language") if row[name]]
            assert lines[0] == ", ".join(names)
            told.add(voxel)
    assert len(told) > 5


def test_the_scatter_holds_every_voxel(page, simulated_evaluation):
    shown_charts(page)
    page.execute_script("document.querySelector('.chart').scrollIntoView()")
    results = Evaluation.open(simulated_evaluation)
    script = """const [n, done] = arguments; const c = document.querySelectorAll('.chart')[n]; c.scrollIntoView();
    const t = setInterval(() => { if (!c.dataset.ready) return; clearInterval(t);
    done(c.data.filter((d) => d.type === 'scattergl').map((d) => [d.name, [...d.x], [...d.y]])); }, 20)"""
    for number, run in enumerate(results.runs):
        scores, traces = results.of_run(run["name"]), page.execute_async_script(script, number)
        groups = scores.groups()
        assert [name for name, *_ in traces] == [f"{name} ({mask.sum()})" for name, mask in groups.items()]
        for (_, x, y), mask in zip(traces, groups.values(), strict=True):
            np.testing.assert_allclose(x, scores.frozen[mask], rtol=1e-6)
            np.testing.assert_allclose(y, scores.tuned[mask], rtol=1e-6)


def test_a_click_on_a_heading_sorts_each_run_and_keeps_its_title(page):
    rows = (
        "return [...document.querySelector('table').tBodies].map((b) => [...b.rows].map((r) => [r.cells[0].innerText,"
        " r.cells[2] ? r.cells[2].innerText.replace('−', '-') : '']))"
    )
    head = page.find_elements("css selector", "table th[scope=col] button")[2]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", head)
    for sign, state in ((-1, "descending"), (1, "ascending")):
        head.click()
        for body in page.execute_script(rows):
            assert body[0][0].startswith("Tuned on")
            numbers = [sign * float(value) for _, value in body[1:]]
            assert numbers == sorted(numbers)
        assert page.execute_script("return document.querySelector('th[aria-sort]').ariaSort") == state


def test_tables_settings_and_brains_are_saved_as_they_are(page, simulated_evaluation, tmp_path):
    folder = saving_to(page, tmp_path / "saved")
    for name in ("table.csv", "on-AC.yaml"):
        page.execute_script(f"document.querySelector(\"a[download='{name}']\").click()")
    assert saved(folder, "table.csv").read_bytes() == (simulated_evaluation / "table.csv").read_bytes()
    config = load_config(saved(folder, "on-AC.yaml"))
    assert config.model_dump(mode="json") == Evaluation.open(simulated_evaluation).runs[1]["config"]
    choose(page, "map", "difference")
    pixels(page)
    for kind in ("svg", "png"):
        page.execute_script(f"document.getElementById('cortex-{kind}').click()")
    svg = saved(folder, "difference-inflated.svg").read_text(encoding="utf-8")
    title, unit = "Difference, tuned − frozen: tuned on cortex", "difference in test r"
    assert all(f">{text}<" in svg for text in ("SIMULATED", title, unit))
    assert svg.count("<image") == 2
    height, width = imread(saved(folder, "difference-inflated.png")).shape[:2]
    assert width == 2 * 3 * 640
    assert height > 500


def test_the_other_tables_are_saved_whole(browser, other_page, tmp_path):
    page = opened(browser, other_page)
    folder = saving_to(page, tmp_path / "saved")
    for name in ("groups", "differences", "matrix", "needed"):
        page.execute_script(f"document.querySelector(\"a[download='{name}.csv']\").click()")
        rows = list(csv.DictReader(io.StringIO(saved(folder, f"{name}.csv").read_text(encoding="utf-8"))))
        kind = "comparison" if name in ("groups", "differences") else "transfer"
        assert len(rows) == len(pd.read_csv(other_page.parent / kind / f"{name}.csv"))
