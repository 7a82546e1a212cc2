"""The page of what `evaluate` really writes, so that the made-up folders of the other tests cannot drift from it."""

from brainwavlm.encoding.tuning import tune
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting import write_report
from brainwavlm.results.evaluation import Evaluation
from tests.reporting.fakes import fake_evaluation


def test_the_page_shows_a_real_evaluation(settings, tmp_path):
    runs = [
        tune(settings(training__epochs=1, target="cortex"), tmp_path / "on-cortex"),
        tune(settings(training__epochs=1, target="AC", adapter__method="frozen"), tmp_path / "readout-only"),
    ]
    folder = tmp_path / "evaluation"
    evaluate(runs, cache=tmp_path / "features").save(folder)
    text = write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    for row in Evaluation.open(folder).table.to_dict("records"):
        assert number(row["r_tuned"]) in text
        assert signed(row["difference"]) in text
    assert "Readout only, AC" in text
    assert "The speech model of anna was left as it was" in text
    # 12 rows of one test story are a single block: nothing to resample.
    assert "No interval could be computed for anna in whole cortex" in text
    assert "resamples of" in text
    assert "Delays of the readout" in text


def test_made_up_folders_have_the_keys_that_the_report_reads(settings, tmp_path):
    run = tune(settings(training__epochs=1), tmp_path / "run")
    evaluate(run).save(tmp_path / "evaluation")
    real, fake = (
        Evaluation.open(folder)
        for folder in (tmp_path / "evaluation", fake_evaluation(tmp_path / "fake", 40))
    )
    assert set(fake.table) <= set(real.table)
    assert set(fake.voxels) - set(fake.target_names) <= set(real.voxels)
    assert set(fake.summary) <= set(real.summary)
    assert set(fake.runs[0]) <= set(real.runs[0])
    assert set(fake.runs[0]["frozen"]) <= set(real.runs[0]["frozen"])


def test_what_is_said_is_a_table_of_the_page_where_it_was_asked_for(tmp_path):
    folder = fake_evaluation(tmp_path)
    text = write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h3>What is said</h3>" in text
    for shown in ("0.863", "−0.037", "−0.060 to −0.030"):
        assert shown in text
    assert "--downstream phones,words" in text
    assert 'download="downstream.csv"' in text
    (folder / "downstream.csv").unlink()
    without = write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What is said" not in without
    assert "--downstream" not in without
