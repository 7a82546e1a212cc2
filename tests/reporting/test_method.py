"""The page says what was tuned on, at which rate and with which loss."""

from brainwavlm.config import load_config
from brainwavlm.encoding.tuning import tune
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.reporting import write_report
from brainwavlm.reporting.page.method import differing


def test_amount_rate_and_loss_are_on_the_page(settings, tmp_path):
    config = settings(
        training__epochs=1,
        train_minutes=0.5,
        training__slow=2,
        training__block_rows=6,
        loss__spatial=0,
        loss__contrastive=0.5,
        loss__temperature=0.3,
    )
    folder = evaluate(tune(config, tmp_path / "run"), layers=[0, 4]).save(tmp_path / "evaluation")
    text = " ".join(write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8").split())
    for fact in (
        "tuned on up to 0.5 minutes of training stories; ridge is fitted on all of them: dog, ferry, garden",
        "in blocks of 6 volumes, low-passed to every 2 volumes",
        "0.5 × cross entropy of finding a volume among those of its block",
        "NT-Xent, temperature 0.3",
    ):
        assert fact in text


def test_listeners_who_tune_too_are_named_where_runs_differ():
    def config(**more):
        return load_config(preset="demo", overrides={"subject": "sim01", **more})

    joint = [{"subject": "sim02", "train_from": "end"}]
    configs = {"alone": config(train_minutes=5), "both": config(train_minutes=5, joint=joint)}
    assert differing(configs) == [("joint", "alone: nobody else; both: sim02 (stories from the end)")]
