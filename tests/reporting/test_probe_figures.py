"""Figures and parts of the page that tell what models hold, and which features explain a score."""

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainwavlm import open_maps
from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.reporting import write_report
from brainwavlm.reporting.figures.findings import in_short
from brainwavlm.reporting.page.other_parts import partition_part, probes_part
from brainwavlm.results.partition import Partition
from brainwavlm.results.probes import Probes
from tests.made_up import fake_evaluation, fake_partition, fake_probes
from tests.made_up_study import SUPERVISION, fake_study
from tests.reporting.pages import Page
from tests.reporting.test_figure_kinds import drawn, words


def test_every_line_of_the_probes_is_a_score_by_hidden_state(others):
    table = Probes.open(others["probes"]).table
    mark, values = drawn("probes", others["probes"])
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
            band = pd.DataFrame(mark(f"interval:none:{model}:{place}").get_paths()[0].vertices).groupby(0)[1]
            assert_allclose(band.min(), plain[f"low_{model}"])
            assert_allclose(band.max(), plain[f"high_{model}"])
        assert_allclose(mark(f"kept:none:tuned:{place}").get_xdata(), 3)
    assert {"mel, r", "meaning, r", "words never fitted", "SIMULATED"} <= words(mark.figure)
    with pytest.raises(StopIteration):  # the sound has no words
        mark("unseen-types:tuned:0")


def test_a_single_hidden_state_has_dots_and_intervals_beside_each_other(tmp_path):
    mark, _ = drawn("probes", fake_probes(tmp_path, layers=[3]), target="meaning")
    lines = [mark(f"interval:none:{model}:0").get_segments()[0] for model in ("frozen", "tuned")]
    assert lines[0][0, 0] < lines[1][0, 0]
    assert_allclose(lines[0][:, 1], [0.62, 0.68])


def test_a_run_stands_for_the_probes_in_its_folder_and_of_several_runs_one_is_asked_for(tmp_path):
    fake_probes(tmp_path / "probes", runs=("one", "two"))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="one, two"):
        drawn("probes", tmp_path)
    _, values = drawn("probes", tmp_path, run="two", target="meaning")
    assert set(values["run"]) == {"two"}
    assert set(values["feature"]) == {"meaning"}


def test_stacked_bars_of_a_partition_sum_to_the_parts_of_each_model_and_of_the_gain(others):
    table = Partition.open(others["partition"]).table
    mark, values = drawn("partition", others["partition"])
    rows = table[(table["measure"] == "product") & (table["target"] == "AC")].set_index("space")
    for model, column in (("frozen", "r2_frozen"), ("tuned", "r2_tuned"), ("gain", "difference")):
        mel, own = (mark(f"AC:{model}:{space}") for space in ("mel", "model"))
        assert_allclose([mel.get_height(), own.get_height()], rows.loc[["mel", "model"], column])
        assert_allclose(own.get_y(), mel.get_height())  # stacked, to either side of 0
    of_gain = values[(values["model"] == "gain") & (values["target"] == "AC")].set_index("space")
    for end in ("low", "high"):
        assert of_gain.loc["mel", end] == pytest.approx(rows.loc["mel", end])


def test_the_page_says_what_hidden_states_hold_with_every_score_of_the_own_one(others, tmp_path):
    page = Page(write_report(others["probes"], tmp_path / "page.html"))
    page.require_read_aloud()
    own = Probes.open(others["probes"]).table.query("layer == 3 and score == 'r'")
    assert all(number(score) in page.text for score in own[["score_frozen", "score_tuned"]].to_numpy().flat)
    interval = "+0.020, 95\u00a0% interval +0.009 to +0.031"
    assert f"Tuning raised what hidden state 3 holds of meaning ({interval})." in page.text
    assert "Tuning did not demonstrably change what hidden state 3 holds of mel" in page.text
    assert "Words never fitted: +0.020" in page.text
    assert "SIMULATED" in page.text
    assert len(page.charts()) == 2
    assert "tuned: meaning, r 0.520 to 0.720, highest 0.720 at 4, 0.670 at the star, 3" in page.charts()[1]


def test_what_is_no_better_than_shuffled_labels_is_held_by_nobody(tmp_path):
    probes = Probes.open(fake_probes(tmp_path, layers=[3]))
    of_chance = probes.table["control"] == "selectivity"
    for column in ("low_frozen", "low_tuned"):
        probes.table.loc[of_chance, column] = -0.01
    part = probes_part(probes)
    assert {one["kind"] for one in part["answers"]} == {"unsure"}
    assert all("shuffled labels are read off as well" in one["sentence"] for one in part["answers"])
    assert part["charts"] == []  # of one hidden state there is no curve


def test_the_page_says_which_part_of_a_gain_features_say_too(others, tmp_path):
    found = Partition.open(others["partition"])
    part = partition_part(found)
    (answer,) = part["answers"]
    assert answer["figure"] == "+0.020"
    assert "how much the model explains in AC (+0.020, " in answer["sentence"]
    assert "shared with mel: +0.025" in answer["elsewhere"]
    assert "of the model alone: −0.005" in answer["elsewhere"]
    page = Page(write_report(found, tmp_path / "page.html"))
    page.require_read_aloud()
    assert all(signed(value) in page.text for value in found.table["difference"])
    own, joint = page.charts()
    assert "AC: model alone −0.005, shared with features +0.025" in own
    assert "AC: mel −0.010, model −0.010" in joint


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A partition of voxels on fsaverage5, and an evaluation of the same data."""
    root = tmp_path_factory.mktemp("mapped")
    evaluation = fake_evaluation(root, n_voxels=60)
    about = {"dataset": str(root / "data"), "subject": "sim01", "target": "AC"}
    return fake_partition(root / "split", load_config(preset="demo", overrides=about), 60), evaluation


def test_shares_of_each_voxel_are_maps_with_their_unit_and_their_gain(mapped, tmp_path):
    folder, _ = mapped
    voxels = Partition.open(folder).voxels
    maps = open_maps(folder)["one"]
    subject = load_dataset(str(folder.parent / "data")).subject("sim01")
    left = subject.hemisphere == 0
    values = maps.surface("unique_mel_tuned")["left"]
    assert_allclose(values[subject.vertex[left]], voxels["unique_mel_tuned"][left])
    gain = maps.maps["unique_model_difference"]
    assert_allclose(gain.values, -0.005, atol=1e-9)
    assert gain.unit == "difference in share of variance (R2)"
    assert maps.maps["alone_model_frozen"].meaning.startswith("alone, model, beside the model as it was")
    assert "target:AC" in maps.maps
    assert "difference" not in maps.maps  # of r
    sidecar = open_maps(folder).save(tmp_path / "out") / "one" / "maps.json"
    assert "partition_voxels.csv" in sidecar.read_text()
    assert "unique_model_tuned" in open_maps(folder)._repr_html_()


def test_the_figure_of_maps_draws_the_unique_share_of_each_space(mapped):
    folder, evaluation = mapped
    voxels = Partition.open(folder).voxels
    mark, values = drawn("maps", folder, width=180.0)
    assert list(dict.fromkeys(values["space"])) == ["mel", "model"]
    for space, rows in values.groupby("space"):
        assert_allclose(sorted(rows["value"]), sorted(voxels[f"unique_{space}_tuned"]), rtol=1e-5)
    assert {"Unique to mel: tuned", "Unique to model: tuned", "share of variance (R2)"} <= words(mark.figure)
    mark, values = drawn("maps", folder, width=180.0, quantity="difference")
    assert_allclose(values.loc[values["space"] == "model", "value"], -0.005, atol=1e-6)
    assert "difference in share of variance (R2)" in words(mark.figure)
    with pytest.raises(RunError, match="Draw them apart"):
        drawn("maps", [folder, evaluation])


def test_models_of_a_study_stand_where_they_predict_and_what_they_hold(tmp_path):
    def score(config, listener, target):
        by_words = config.control.kind == "words"
        gains = {"cortex": 0.0 if by_words else 0.04, "AC": 0.01, "meaning": 0.03 if by_words else -0.02}
        return 0.3, 0.3 + gains[target]

    experiments = {"plain": {"grid": {"seed": [0]}}, "supervision": SUPERVISION}
    folder = fake_study(tmp_path / "study", experiments, score=score, probed=(("meaning", "semantic"),))
    mark, values = drawn("supervision", folder)
    assert list(values["model"].unique()) == ["responses", "words"]
    assert {"r, meaning", "r in cortex", "responses", "words", "untuned", "SIMULATED"} <= words(mark.figure)
    plain = values[values["score"] == "r, meaning"]
    for place, row in enumerate(plain.to_dict("records")):
        assert_allclose(mark(f"model:0:{place}").get_xydata()[0], [row["tuned"], row["tuned_in_brains"]])
    assert_allclose(plain["difference"], [-0.02, 0.03], atol=0.002)
    assert_allclose(plain["difference_in_brains"], [0.04, 0.0], atol=0.002)
    assert in_short("control.kind=none, training.epochs=2") == "responses, epochs 2"
    _, values = drawn("supervision", folder, target="AC")
    assert_allclose(values["difference_in_brains"], 0.01, atol=0.002)
    with pytest.raises(ConfigError, match="one of supervision"):
        drawn("supervision", folder, experiment="plain")
