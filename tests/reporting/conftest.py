import json
import shutil

import numpy as np
import pytest

from brainwavlm.encoding.tuning import tune
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.reporting import surface_maps, write_report
from brainwavlm.reporting.page.study import write_study_report
from tests.brains import write_subject
from tests.made_up import (
    fake_comparison,
    fake_evaluation,
    fake_partition,
    fake_probes,
    fake_ridge,
    fake_transfer,
    native_evaluation,
)
from tests.made_up_study import fake_study
from tests.runs.test_run import COURSE

HOSTILE = (
    "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">",
    "</script><script>document.title='broken'</script>",
    "\"'`&amp;{{7*7}}%{x}$x$\u202egnirts\u202c \U0001f9e0 שלום",
    "a name of three hundred characters " + "x" * 265,
)
CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))


@pytest.fixture(scope="package")
def browser():
    """A headless Chromium that draws WebGL without a graphics card, and reaches no network."""
    unseen = "PAGE NOT SEEN BY A BROWSER:"
    webdriver = pytest.importorskip("selenium.webdriver", reason=f"{unseen} pip install selenium")
    if not (CHROMIUM and DRIVER):
        pytest.skip(f"{unseen} install chromium and chromium-driver")
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
def untuned(simulated_evaluation, tmp_path_factory):
    """A folder of `ridge`."""
    return fake_ridge(simulated_evaluation, tmp_path_factory.mktemp("untuned") / "layer-4")


@pytest.fixture(scope="package")
def simulated_page(simulated_evaluation):
    return write_report(simulated_evaluation, simulated_evaluation / "report.html")


@pytest.fixture(scope="package")
def real_evaluation(settings, tmp_path_factory):
    """What `evaluate` writes of a run with settings of its own, and of one of which only the readout learned."""
    folder = tmp_path_factory.mktemp("real")
    own = {"train_minutes": 0.5, "training__slow": 2, "training__block_rows": 6}
    own |= {"loss__spatial": 0, "loss__contrastive": 0.5, "loss__temperature": 0.3}
    readout = settings(training__epochs=1, target="AC", adapter__method="frozen")
    runs = [
        tune(settings(training__epochs=1, **own), folder / "run", command="brainwavlm tune '<b>'"),
        tune(readout, folder / "readout-only"),
    ]
    return evaluate(runs, layers=[0, 4]).save(folder / "evaluation")


@pytest.fixture
def without_maps(monkeypatch):
    """Pages get no maps, which would take longest."""
    monkeypatch.setattr(surface_maps, "unmappable", lambda subject: "left out here")


@pytest.fixture(scope="package")
def real_page(real_evaluation):
    """Its text, without maps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surface_maps, "unmappable", lambda subject: "left out here")
        page = write_report(real_evaluation, real_evaluation.parent / "page.html")
    return " ".join(page.read_text(encoding="utf-8").split())


@pytest.fixture(scope="package")
def ds003020(tmp_path_factory):
    """The folder of a subject on their own surfaces, pial and flat, and what is true of it: read only."""
    root = tmp_path_factory.mktemp("ds003020")
    return root, write_subject(root)


@pytest.fixture(scope="package")
def native_scores(ds003020, tmp_path_factory):
    """An evaluation of it in which r_frozen is half the sine of the latitude."""
    root, truth = ds003020
    values = np.sin(np.radians(truth.latitude)) / 2
    folder = tmp_path_factory.mktemp("scored") / "evaluation"
    return native_evaluation(folder, root, {"RH": truth.right}, values)


@pytest.fixture(scope="package")
def measured_page(tmp_path_factory):
    """Measured responses of six regions: no surface."""
    about = {"runs": (("only", "cortex"),), "simulated": False}
    about["region_names"] = [
        f"{name} {side}" for name in ("Heschl", "STG", "IFG") for side in ("left", "right")
    ]
    folder = fake_evaluation(tmp_path_factory.mktemp("measured"), 6, **about)
    return write_report(folder, folder / "report.html")


@pytest.fixture(scope="package")
def others(tmp_path_factory):
    """Folders of a comparison, a transfer, probes and a partition by these names: read only."""
    folder = tmp_path_factory.mktemp("other")
    made = {"comparison": fake_comparison, "transfer": fake_transfer}
    made |= {"probes": fake_probes, "partition": fake_partition}
    return {name: make(folder / name) for name, make in made.items()}


@pytest.fixture(scope="package")
def other_page(others):
    """All of them on one page."""
    return write_report(list(others.values()), others["probes"].parent / "report.html")


SEEDS = [0, 1, 2]
WHERE = {"grid": {"target": ["cortex", "AC"], "seed": SEEDS}, "contrast": "target"}
EXPERIMENTS = {
    "linear-map": {"claim": 1, "question": "Does it help?", "grid": {"seed": SEEDS}},
    "targets": {"claim": 4, "question": "Where?", **WHERE},
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


@pytest.fixture(scope="package")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "study"
    return learned(fake_study(folder, EXPERIMENTS, layers=(0, 1, 2), failed=(FAILED,), shared=0.03))


@pytest.fixture(scope="package")
def study_page(study):
    return write_study_report(study)


@pytest.fixture(scope="package")
def hostile_study_page(tmp_path_factory):
    """Names in all texts that a file of a study may hold."""
    folder = tmp_path_factory.mktemp("hostile") / "study"
    names = HOSTILE[0], HOSTILE[3]
    experiments = {f"of{n}": {"question": name, "grid": {"seed": SEEDS}} for n, name in enumerate(names)}
    fake_study(folder, experiments, title=HOSTILE[1], name=HOSTILE[2], targets=("cortex", *names))
    return write_study_report(learned(folder))
