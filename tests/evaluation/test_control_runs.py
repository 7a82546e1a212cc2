"""Each control gives a run that is scored, shown and listed beside the real one."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from brainwavlm.cli.show_runs import show_run
from brainwavlm.config import CONTROLS
from brainwavlm.encoding.prepared_stories import read_story
from brainwavlm.encoding.subjects import tuned_subjects
from brainwavlm.encoding.tuning import tune
from brainwavlm.evaluation.compare import compare
from brainwavlm.evaluation.evaluate import evaluate
from brainwavlm.evaluation.scores import correlation
from tests.reporting.pages import method_words


def residual_of(config):
    """By concatenation: targets against responses over all training rows, (n_voxels,)."""
    (subject,) = tuned_subjects(config)
    stories = [
        read_story(one, subject.data.voxels, 400, config, torch.device("cpu"))
        for one in subject.data.splits["train"]
    ]
    true = torch.cat([story.responses for story in stories]).numpy()
    made = torch.cat([subject.targets.apply(story).responses for story in stories]).numpy()
    return correlation(true, made)


def test_the_page_says_of_every_control_that_it_is_one_and_of_a_chosen_epoch_how(control, settings):
    assert "epoch 0 included" in method_words("training", settings(quirks__epoch_by_ridge=True))
    for kind, words in CONTROLS.items():
        assert f"CONTROL: tuned on {words}" in method_words("training", control(kind))


def test_controls_are_runs_that_are_scored_shown_and_compared_beside_the_real_one(
    control, features, tmp_path, capsys, tuned
):
    real = tuned("real", control__seconds=4.0)
    kinds = ("shifted", "phones")
    runs = {
        kind: tune(control(kind, training__epochs=1, control__embeddings=None), tmp_path / kind)
        for kind in kinds
    }
    scores = evaluate([real, *runs.values()], cache=features)
    table = scores.table[scores.table["target"] == "cortex"].set_index("run")
    assert table["r_frozen"].nunique() == 1  # all are scored on the true responses
    assert table["r_tuned"].nunique() == 3
    assert [name for name in table.index if np.isnan(table.loc[name, "r_readout"])] == ["phones"]

    notes = "\n".join(scores.summary["notes"])
    assert "phones: a control, tuned on labels of the phones that were said; scored on the true" in notes
    assert "Its readout predicts 39 targets that are no voxels and is not scored." in notes
    assert "real: a control" not in notes
    for kind, run in runs.items():
        show_run(run)
        shown = " ".join(capsys.readouterr().out.split())
        assert f"CONTROL: tuned on {CONTROLS[kind]}" in shown
        assert ("residual r of these targets" in shown) == (kind == "shifted")
        assert table.loc[kind, "best_epoch"] == run.best["epoch"]
    assert "residual_r" not in real.manifest
    (residual,) = runs["shifted"].manifest["residual_r"].values()
    assert_allclose(residual["mean"], residual_of(runs["shifted"].config).mean(), atol=1e-5)

    groups = compare([real, *runs.values()], [scores]).groups["group"]
    assert list(dict.fromkeys(groups)) == [f"control.kind={kind}" for kind in ("none", *kinds)]
