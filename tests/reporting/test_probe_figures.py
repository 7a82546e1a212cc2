"""Figures and parts of the page that tell what models hold, and which features explain a score."""

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainwavlm.errors import ConfigError
from brainwavlm.results.probes import Probes
from tests.reporting.fakes import fake_probes
from tests.reporting.test_figure_kinds import drawn, words


def test_every_line_of_the_probes_is_a_score_by_hidden_state(tmp_path):
    table = Probes.open(fake_probes(tmp_path)).table
    mark, values = drawn("probes", tmp_path)
    assert set(values["score"]) == {"r"}
    assert "selectivity" not in set(values["control"])
    for place, feature in enumerate(("mel", "meaning")):
        rows = table[(table["feature"] == feature) & (table["score"] == "r")]
        for control, scores in rows.groupby("control"):
            if control == "selectivity":
                continue
            assert_allclose(mark(f"{control}:tuned:{place}").get_xydata(), scores[["layer", "score_tuned"]])
        plain = rows[rows["control"] == "none"]
        assert_allclose(mark(f"none:frozen:{place}").get_xydata(), plain[["layer", "score_frozen"]])
        for model in ("frozen", "tuned"):
            band = pd.DataFrame(mark(f"interval:{model}:{place}").get_paths()[0].vertices).groupby(0)[1]
            assert_allclose(band.min(), plain[f"low_{model}"])
            assert_allclose(band.max(), plain[f"high_{model}"])
        assert_allclose(mark(f"own:{place}").get_xdata(), 3)
    assert {"mel, r", "meaning, r", "words never fitted", "SIMULATED"} <= words(mark.figure)
    with pytest.raises(StopIteration):  # the sound has no words
        mark("unseen-types:tuned:0")


def test_a_single_hidden_state_has_dots_and_intervals_beside_each_other(tmp_path):
    mark, _ = drawn("probes", fake_probes(tmp_path, layers=[3]), target="meaning")
    lines = [mark(f"interval:{model}:0").get_segments()[0] for model in ("frozen", "tuned")]
    assert lines[0][0, 0] < lines[1][0, 0]
    assert_allclose(lines[0][:, 1], [0.62, 0.68])


def test_probes_of_several_runs_ask_for_one(tmp_path):
    fake_probes(tmp_path, runs=("one", "two"))
    with pytest.raises(ConfigError, match="one, two"):
        drawn("probes", tmp_path)
    _, values = drawn("probes", tmp_path, run="two", target="meaning")
    assert set(values["run"]) == {"two"}
    assert set(values["feature"]) == {"meaning"}
