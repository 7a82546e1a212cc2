"""`compare`, `transfer` and `evaluate --layers` as a user calls them."""

import json

import pandas as pd

from tests.made_up import fake_partition, fake_probes


def test_evaluate_by_state_compare_and_transfer_print_write_and_give_json(
    brainwavlm, tuned, features, tmp_path
):
    runs = [tuned(f"seed-{seed}", seed=seed).path for seed in (0, 1)]
    evaluation = tmp_path / "evaluation"
    done = brainwavlm("compare", *runs, code=2)
    assert f"brainwavlm evaluate {runs[0]}" in done.err
    heard = ["--features", features]
    done = brainwavlm("evaluate", *runs, "--layers", "0,4", *heard, "--output", evaluation)
    assert "better" in done.out
    assert "mean test correlation by hidden state, cortex" in done.out
    assert set(pd.read_csv(evaluation / "layers.csv")["layer"]) == {0, 4}
    assert brainwavlm("show", evaluation).out == done.out
    done = brainwavlm("compare", *runs, "--evaluation", evaluation)
    assert "A: all runs (subject anna, seeds 0, 1)" in done.out
    assert brainwavlm("show", runs[0] / "comparison").out == done.out
    assert f"brainwavlm report {runs[0] / 'comparison'}" in done.out
    done = brainwavlm("compare", *runs, "--evaluation", evaluation, "--json", "--output", tmp_path / "c")
    found = json.loads(done.out)
    assert found["groups"][0]["runs"] == ["seed-0", "seed-1"]
    assert found["tables"]["groups"][0]["n_runs"] == 2
    done = brainwavlm("transfer", runs[0], *heard, "--minutes", "0.5,0.8", "--draws", 2)
    for words in ("ben", "none of its test stories was heard", "Minutes to reach"):
        assert words in done.out
    assert brainwavlm("show", runs[0] / "transfer").out == done.out
    assert len(pd.read_csv(runs[0] / "transfer" / "needed.csv")) > 0


def test_probes_and_partitions_are_shown(brainwavlm, tmp_path):
    shown = " ".join(brainwavlm("show", fake_probes(tmp_path / "probes")).out.split())
    assert "features read off hidden states" in shown
    shown = brainwavlm("show", fake_partition(tmp_path / "split")).out
    assert "R2 by region" in shown
    assert "Next:  brainwavlm figure partition" in shown
