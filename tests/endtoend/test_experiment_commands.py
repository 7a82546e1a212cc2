"""Part of the data, slow responses, the contrastive loss and hidden states, as a user asks for them."""

import json

import pandas as pd
import pytest

from brainwavlm.runs.run import open_run


@pytest.fixture
def run(tuned):
    return tuned().path


def test_a_run_on_part_of_the_data_slow_and_contrastive(brainwavlm, settings, tmp_path):
    config = settings(training__epochs=1)
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(config.model_dump(mode="json")))
    asked = ["train_minutes=0.5", "training.slow=2", "training.block_rows=6", "loss.contrastive=0.5"]
    words = [word for item in asked for word in ("--set", item)]
    done = brainwavlm("plan", path, *words, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["stories"]["train"] == 1
    assert json.loads(done.out)["steps_per_epoch"] == 2
    done = brainwavlm("tune", path, *words, "--output", tmp_path / "run")
    assert done.code == 0, done.err
    assert len(open_run(tmp_path / "run").manifest["splits"]["train"]) == 1
    done = brainwavlm("evaluate", tmp_path / "run")
    assert done.code == 0, done.err
    assert "tuned on 1 of 2 training stories" in done.out


def test_evaluate_by_state_prints_writes_and_gives_json(brainwavlm, run, tmp_path):
    features = ("--features", tmp_path / "features")
    done = brainwavlm("evaluate", run, "--layers", "all", *features)
    assert done.code == 0, done.err
    assert "mean test correlation by hidden state, cortex" in done.out
    written = pd.read_csv(run / "evaluation" / "layers.csv")
    assert sorted(set(written["layer"])) == [0, 1, 2, 3, 4]
    done = brainwavlm("evaluate", run, "--layers", "0,4", *features, "--json", "--output", tmp_path / "e")
    assert {row["layer"] for row in json.loads(done.out)["tables"]["layers"]} == {0, 4}
    # A page can still be made of it.
    assert brainwavlm("report", run / "evaluation").code == 0
