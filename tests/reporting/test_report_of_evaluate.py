"""The page of what `evaluate` really writes, so that the made-up folders of the other tests cannot drift from it."""

from dataclasses import replace

import pandas as pd

from brainwavlm.config import load_config
from brainwavlm.formatting.numbers import number, shared_change, signed
from brainwavlm.reporting import write_report
from brainwavlm.reporting.page.provenance import differing
from brainwavlm.results.evaluation import Evaluation
from tests.made_up import fake_evaluation


def test_the_page_shows_a_real_evaluation(real_evaluation, real_page):
    for row in Evaluation.open(real_evaluation).table.to_dict("records"):
        assert number(row["r_tuned"]) in real_page
        assert signed(row["difference"]) in real_page
        assert shared_change(row).replace("-", "−") in real_page
    for fact in (
        "Readout only, AC",
        "The speech model of anna was left as it was",
        # 12 rows of one test story: no score is above chance, and a single block leaves nothing out.
        "Cannot be told from this much data: the untuned score of anna in whole cortex",
        "jackknife over 1 block of at least 10 TRs of this test story",
        "Delays of the readout",
        # What was tuned on, at which rate and with which loss.
        "tuned on up to 0.5 minutes of training stories; ridge is fitted on all of them: dog, ferry, garden",
        "in blocks of 6 volumes, low-passed to every 2 volumes",
        "0.5 × the cross entropy of telling by cosine which TR of a block a prediction is (NT-Xent); "
        "temperature 0.3",
    ):
        assert fact in real_page


def test_made_up_folders_have_the_keys_that_the_report_reads(real_evaluation, simulated_evaluation):
    real, fake = map(Evaluation.open, (real_evaluation, simulated_evaluation))
    assert set(fake.table) <= set(real.table)
    assert set(fake.voxels) - set(fake.target_names) <= set(real.voxels)
    assert set(fake.summary) <= set(real.summary)
    assert set(fake.runs[0]) <= set(real.runs[0])
    assert set(fake.runs[0]["frozen"]) <= set(real.runs[0]["frozen"])


def test_what_is_said_is_a_table_of_the_page_where_it_was_asked_for(simulated_page, tmp_path):
    text = simulated_page.read_text(encoding="utf-8")
    for shown in (
        *("<h3>What is said</h3>", "0.863", "−0.037", "−0.060 to −0.030"),
        *("--downstream phones,words", 'download="downstream.csv"'),
    ):
        assert shown in text
    results = replace(Evaluation.open(fake_evaluation(tmp_path, surface=None)), downstream=pd.DataFrame())
    without = write_report(results, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What is said" not in without
    assert "--downstream" not in without


def test_subjects_who_tune_too_are_named_where_runs_differ():
    def config(**more):
        return load_config(preset="demo", overrides={"subject": "sim01", **more})

    joint = [{"subject": "sim02", "train_from": "end"}]
    configs = {"alone": config(train_minutes=5), "both": config(train_minutes=5, joint=joint)}
    assert differing(configs) == [("joint", "alone: none; both: sim02 from the end")]
