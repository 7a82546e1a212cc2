"""The studies that come with the program are what their comments say."""

import re
from pathlib import Path

import pytest

from brainwavlm.datasets import load_dataset
from brainwavlm.study import cells_of, load_study
from brainwavlm.study.claims.paper import CLAIMS, NOT_YET

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.mark.parametrize("name", ["demo", "paper"])
def test_a_study_has_the_cells_that_its_comment_counts(name):
    path = STUDIES / f"{name}.yaml"
    (said,) = re.findall(r"^# (\d+) cells", path.read_text(encoding="utf-8"), re.MULTILINE)
    study = load_study(path)
    cells = cells_of(study)
    assert len(cells) == int(said)
    assert len({cell.name for cell in cells}) == len(cells)
    assert all(experiment.question for experiment in study.experiments.values())


@pytest.mark.parametrize("name", ["demo", "paper"])
def test_a_study_asks_every_claim_that_can_be_tested(name):
    study = load_study(STUDIES / f"{name}.yaml")
    asked = {experiment.claim for experiment in study.experiments.values()} - {None}
    assert asked == set(CLAIMS) - set(NOT_YET)


def test_the_demo_study_has_five_seeds_where_seeds_matter():
    study = load_study(STUDIES / "demo.yaml")
    for name in (
        "tuning-against-ridge",
        "lora-against-full",
        "auditory-cortex",
        "transfer",
        "joint",
    ):
        assert study.experiments[name].grid["seed"] == (0, 1, 2, 3, 4)


def test_amounts_of_the_demo_study_hold_as_many_stories_as_it_says():
    from brainwavlm.config import load_config
    from brainwavlm.encoding.run_data import run_data

    for minutes, stories in ((4.4, 2), (8.7, 5), (None, 11)):
        for seed in range(5):
            settings = {"train_minutes": minutes, "seed": seed}
            setting = run_data(load_config(preset="demo", overrides=settings))
            assert len(setting.splits["train"]) == stories


def test_the_demo_study_uses_listeners_that_are_there():
    known = set(load_dataset("demo").subject_names)
    cells = cells_of(load_study(STUDIES / "demo.yaml"))
    assert {cell.config.subject for cell in cells} == known
