"""The studies that come with the program are what their comments say."""

import re
from pathlib import Path

import pytest

from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.run_data import run_data
from brainwavlm.study import cells_of, load_study
from brainwavlm.study.claims.verdicts import CLAIMS, NOT_YET

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_study_has_the_cells_that_its_comment_counts(path):
    (said,) = re.findall(r"^# (\d+) cells", path.read_text(encoding="utf-8"), re.MULTILINE)
    study = load_study(path)
    cells = cells_of(study)
    assert len(cells) == int(said)
    assert len({cell.name for cell in cells}) == len(cells)
    assert all(experiment.question for experiment in study.experiments.values())


@pytest.mark.parametrize("name", ["demo", "paper"])
def test_the_studies_ask_every_claim_that_can_be_tested(name):
    """With explicit supervision in a study of its own."""
    files = {"demo": ("demo", "supervision"), "paper": ("paper", "supervision-paper")}[name]
    studies = [load_study(STUDIES / f"{file}.yaml") for file in files]
    asked = {one.claim for study in studies for one in study.experiments.values()} - {None}
    assert asked == set(CLAIMS) - set(NOT_YET)


def test_the_demo_study_says_where_it_has_one_seed():
    for name, experiment in load_study(STUDIES / "demo.yaml").experiments.items():
        seeds = {point["seed"] for point in (*experiment.include, {"seed": None})} - {None}
        seeds |= set(experiment.grid.get("seed", ()))
        assert (len(seeds) == 1) == ("One seed." in experiment.question), name


def test_the_demo_study_stops_nothing_early_and_tunes_on_as_many_listeners_and_stories_as_it_says():
    configs = [cell.config for cell in cells_of(load_study(STUDIES / "demo.yaml"))]
    assert all(config.training.patience is None for config in configs)
    dataset = load_dataset("demo")
    assert {config.subject for config in configs} == set(dataset.subject_names)
    for minutes, stories in ((6.6, 4), (None, 9)):
        config = load_config(preset="demo", overrides={"train_minutes": minutes})
        assert len(run_data(config, scanned=False).splits["train"]) == stories
