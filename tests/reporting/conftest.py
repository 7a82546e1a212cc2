import shutil

import pytest

from brainwavlm.reporting import write_report
from tests.reporting.fakes import fake_comparison, fake_evaluation, fake_transfer

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))


@pytest.fixture(scope="package")
def browser():
    """A headless Chromium that draws WebGL without a graphics card, and reaches no network."""
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="PAGE NOT SEEN BY A BROWSER: pip install selenium"
    )
    if not (CHROMIUM and DRIVER):
        pytest.skip("PAGE NOT SEEN BY A BROWSER: install chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"),
        *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["http://*", "https://*", "ws://*", "wss://*"]})
    driver.set_script_timeout(120)
    yield driver
    driver.quit()


@pytest.fixture(scope="package")
def simulated_evaluation(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("simulated"), n_voxels=400)


@pytest.fixture(scope="package")
def simulated_page(simulated_evaluation):
    return write_report(simulated_evaluation, simulated_evaluation / "report.html")


@pytest.fixture(scope="package")
def measured_page(tmp_path_factory):
    """Measured responses of six regions: no surface."""
    names = ["Heschl left", "Heschl right", "STG left", "STG right", "IFG left", "IFG right"]
    runs = (("only", "cortex"),)
    folder = fake_evaluation(
        tmp_path_factory.mktemp("measured"), 6, simulated=False, runs=runs, region_names=names
    )
    return write_report(folder, folder / "report.html")


@pytest.fixture(scope="package")
def other_page(tmp_path_factory):
    """A comparison and a transfer on one page."""
    folder = tmp_path_factory.mktemp("other")
    found = [fake_comparison(folder / "comparison"), fake_transfer(folder / "transfer")]
    return write_report(found, folder / "report.html")
