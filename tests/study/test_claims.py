import numpy as np
import pytest
from numpy.testing import assert_allclose

from brainwavlm.config import load_config
from brainwavlm.evaluation.statistics.jackknife import left_out_pieces
from brainwavlm.results.estimates import Score, gain, mean_over_seeds, ratio_of_deviations
from brainwavlm.study import open_study
from brainwavlm.study.claims.table import claims_of
from brainwavlm.study.claims.verdicts import expected, holds
from tests.made_up_study import fake_study

LOW, HIGH = -0.002, 0.002  # what fakes leave of an interval
SEEDS = [0, 1, 2]


def claims(folder, experiments, **more):
    return claims_of(open_study(fake_study(folder / "study", experiments, **more)))


def experiment(claim=None, contrast=None, seeds=SEEDS, more=None, **grid):
    """One experiment whose grid varies some keys (`__` for a dot) and the seed."""
    varied = {key.replace("__", "."): values for key, values in grid.items()}
    asked = {"claim": claim, "contrast": contrast, "grid": {**varied, "seed": seeds}, **(more or {})}
    return {key: value for key, value in asked.items() if value is not None}


def only(table, **wanted):
    for key, value in wanted.items():
        table = table[table[key] == value]
    (row,) = table.to_dict("records")
    return row


OF_TWO = {"grid": {"subject": ["sim01", "sim02"], "seed": SEEDS}}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """What six cells come to in four experiments that ask for them."""
    experiments = {
        "one": {"claim": 1, **OF_TWO},
        "whole": {"claim": 3, **OF_TWO},
        "states": {"claim": 17, **OF_TWO, "evaluate": {"layers": "all"}},
        "others": {"claim": 6, **OF_TWO, "transfer": {"minutes": [4]}},
    }
    more = {"shared": 0.03, "layers": (0, 1, 2), "needed": lambda config: 10.0 + config.seed}
    return claims(tmp_path_factory.mktemp("several"), experiments, **more)


def test_a_gain_is_the_mean_over_seeds_with_its_interval_over_stories_under_each_readout(several):
    of_one = several.table[several.table["experiment"] == "one"]
    for listener in ("sim01", "sim02"):
        row = only(of_one, kind="gain", listener=listener, target="cortex", readout="voxelwise")
        # Gains of .020, .021 and .022; what the stories do to frozen and tuned alike leaves no trace.
        assert_allclose([row["r_frozen"], row["r_tuned"], row["estimate"]], [0.3, 0.321, 0.021], atol=1e-6)
        assert_allclose([row["low"], row["high"]], [0.021 + LOW, 0.021 + HIGH], atol=1e-6)
        assert_allclose(row["deviation"], 0.001, atol=1e-6)
        # t of 2 degrees of freedom at .975 is 4.303.
        half = 4.30265 * 0.001 / 3**0.5
        assert_allclose([row["seed_low"], row["seed_high"]], [0.021 - half, 0.021 + half], atol=1e-6)
        assert (row["n_seeds"], row["n_missing"], row["verdict"]) == (3, 0, "as reported")
        assert row["headline"]
        assert row["best_epoch"] == 7
        assert "+0.021" in row["sentence"]
        assert row["sentence"].endswith("As in the paper. SIMULATED.")
        shared = only(of_one, kind="gain", listener=listener, target="cortex", readout="shared")
        assert_allclose([shared["r_frozen"], shared["estimate"]], [0.35, -0.009], atol=1e-6)
        assert shared["verdict"] == "otherwise"
        assert "did not come out as in the paper" in shared["sentence"]
        assert holds(row, shared) == "higher; shared map: lower"
    assert set(of_one.loc[of_one["headline"], "target"]) == {"cortex"}
    of_whole = several.table[several.table["experiment"] == "whole"]
    assert set(of_whole.loc[of_whole["headline"], "target"]) == {"AC"}
    assert several.missing.empty
    assert several.simulated


def test_layers_are_rows_of_their_own(several):
    for layer in (0, 1, 2):
        row = only(several.table, kind="layer", layer=layer, listener="sim01", target="cortex")
        assert_allclose(row["estimate"], 0.021 + 0.001 * layer, atol=1e-6)
        assert f"hidden state {layer}" in row["sentence"]


def test_transfer_counts_gains_in_the_other_listener_alone(several):
    table = several.table[several.table["experiment"] == "others"]
    cortex = table[(table["kind"] == "transfer") & (table["target"] == "cortex")]
    both = set(zip(cortex["tuned_on"], cortex["listener"], strict=True))
    assert both == {("sim01", "sim02"), ("sim02", "sim01")}
    assert_allclose(cortex["estimate"], 0.021, atol=1e-6)
    assert_allclose(cortex["low"], 0.021 + LOW, atol=1e-6)
    assert set(cortex["verdict"]) == {"as reported"}
    minutes = only(table, kind="minutes", tuned_on="sim01", target="cortex")
    assert_allclose([minutes["estimate"], minutes["full_minutes"], minutes["deviation"]], [11, 17, 1])
    assert "11.0 minutes" in minutes["sentence"]
    assert set(table.loc[table["headline"], "kind"]) == {"transfer", "minutes"}


def test_missing_cells_are_counted_and_named(tmp_path):
    failed, waiting = "sim01-cortex-lora-seed1", "sim01-cortex-lora-seed2"
    full = [f"sim01-cortex-full-seed{seed}" for seed in (0, 1)]
    experiments = {
        "one": {"grid": {"seed": SEEDS}},
        "none-yet": {"set": {"target": "AC"}},
        "methods": experiment(None, "adapter.method", [0, 1], adapter__method=["lora", "full"]),
    }
    more = {"waiting": (waiting, "sim01-AC-lora-seed0", *full), "targets": ("cortex",)}
    found = claims(tmp_path, experiments, failed=(failed,), **more)
    row = only(found.table, experiment="one", kind="gain", target="cortex")
    assert (row["n_seeds"], row["n_missing"]) == (1, 2)
    assert "2 cells are missing." in row["sentence"]
    assert set(found.missing["cell"]) == {failed, waiting, "sim01-AC-lora-seed0", *full}
    assert only(found.missing, cell=failed)["error"] == f"{failed}: broke"
    nothing = only(found.table, experiment="none-yet")
    assert (nothing["kind"], nothing["n_missing"]) == ("none", 1)
    assert nothing["sentence"] == "Nothing yet of models tuned on sim01: 1 cell is missing."
    row = only(found.table, experiment="methods", kind="none")
    assert (row["group"], row["n_missing"], row["headline"]) == ("adapter.method=full", 2, True)


def test_other_test_stories_leave_no_interval():
    pieces = np.linspace(0.31, 0.33, 5)
    rows = ("70", "70", "another 70")
    scores = [Score(seed, 0.3, 0.32 + 0.001 * seed, 0.3, pieces, some) for seed, some in enumerate(rows)]
    assert np.isfinite(mean_over_seeds(scores[:2], gain)).all()
    estimate, low, high = mean_over_seeds(scores, gain)
    assert_allclose(estimate, 0.021, atol=1e-6)
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize(
    ("seeds", "stories", "verdict"),
    [
        ([0], np.repeat(["a", "b", "c"], 40), "as reported: one seed"),
        ([0], np.repeat(["a", "b"], 40), "as reported: one seed, blocks of stories"),
    ],
)
def test_a_verdict_says_where_seeds_or_stories_are_too_few(tmp_path, seeds, stories, verdict):
    experiments = {"one": {"claim": 1, "grid": {"seed": seeds}}}
    unit = left_out_pieces(stories)[1]
    row = only(claims(tmp_path, experiments, stories=stories, unit=unit).table, kind="gain", target="cortex")
    assert row["verdict"] == verdict
    assert f"over {unit}" in row["sentence"]
    assert f"no further than {verdict.partition(': ')[2]}" in row["sentence"]


def test_a_difference_is_paired_by_seed_and_against_the_first_value_of_the_file(tmp_path):
    def score(config, listener, target):
        full = config.adapter.method == "full"
        return 0.3, 0.32 + 0.001 * config.seed - (0.004 + 0.002 * config.seed if full else 0)

    # The first experiment names full first; the order of the second one counts in it.
    experiments = {
        "before": {"grid": {"adapter.method": ["full"], "seed": SEEDS}},
        "methods": experiment(2, "adapter.method", adapter__method=["lora", "full"]),
    }
    found = claims(tmp_path, experiments, score=score)
    assert "spread" not in set(found.table["kind"])  # too few seeds for it
    row = only(found.table, experiment="methods", kind="difference", target="cortex")
    assert (row["group"], row["against"]) == ("adapter.method=full", "adapter.method=lora")
    assert_allclose(row["estimate"], -0.006, atol=1e-6)
    # All cells had the same draws, so what the stories do to each cancels.
    assert_allclose([row["low"], row["high"]], [-0.006, -0.006], atol=1e-6)
    assert_allclose(row["deviation"], 0.002, atol=1e-6)


def test_a_ratio_of_spreads_over_ten_seeds(tmp_path):
    def score(config, listener, target):
        return 0.3, 0.32 + 0.001 * config.seed * (-1 if config.adapter.method == "full" else 1)

    grid = {"adapter.method": ["lora", "full"], "seed": list(range(10))}
    experiments = {"methods": {"claim": 2, "grid": grid, "contrast": "adapter.method"}}
    spread = only(claims(tmp_path, experiments, score=score).table, kind="spread", target="cortex")
    # Tuned r of lora rises by .001 a seed, of full falls by .001: equal spreads.
    assert_allclose(spread["estimate"], 1, atol=1e-6)
    assert_allclose([spread["deviation"], spread["deviation_against"]], 0.00302765, atol=1e-6)
    assert spread["low"] < 1 < spread["high"]
    assert spread["verdict"] == "not shown"


def test_an_interval_that_contains_zero_is_said(tmp_path):
    def score(config, listener, target):
        return 0.3, 0.3 + (0.02 if config.control.kind == "none" else 0.0002 * (config.seed - 1))

    controls = experiment(16, "control.kind", control__kind=["none", "shifted"])
    found = claims(tmp_path, {"controls": controls}, score=score)
    control = only(found.table, kind="gain", group="control.kind=shifted", target="cortex")
    assert control["verdict"] == "not contradicted"
    assert "The interval contains 0: no change is shown." in control["sentence"]
    for row in ({"kind": "gain", "group": "control.kind=none"}, {"kind": "difference"}):
        assert only(found.table, target="cortex", **row)["verdict"] == "as reported"


def test_a_gain_that_depends_on_the_seed_is_not_called_shown(tmp_path):
    def score(config, listener, target):
        return 0.3, 0.3 + [0.06, -0.02, 0.01][config.seed]

    row = only(claims(tmp_path, {"one": experiment(1)}, score=score).table, target="cortex")
    assert row["low"] > 0
    assert row["seed_low"] < 0
    assert row["verdict"] == "not shown"
    assert "Over seeds the interval contains 0" in row["sentence"]


@pytest.mark.parametrize(("change", "verdict"), [(-0.01, "otherwise"), (0.0, "not contradicted")])
def test_a_task_is_not_to_become_worse(tmp_path, change, verdict):
    experiments = {
        "forgetting": {"claim": 18, "grid": {"seed": SEEDS}, "evaluate": {"downstream": ["phones", "words"]}}
    }

    def score(config, listener, target):
        return 0.9, 0.9 + change + 1e-5 * config.seed

    own = load_config(preset="demo", overrides={"subject": "sim01"}).backbone.layer
    tasks = [(task, layer) for task in ("phones", "words") for layer in (0, own)]
    table = claims(tmp_path, experiments, score=score, tasks=tasks).table
    for task, layer in tasks:
        row = only(table, kind="task", target=task, layer=layer)
        assert_allclose(row["estimate"], change + 1e-5, atol=1e-6)
        assert (row["verdict"], row["headline"]) == (verdict, layer == own)
        assert row["sentence"].startswith(f"Which {task} are said in a second of sound, model tuned on sim01")
        assert f"hidden state {layer}: AUC from 0.900 (untuned; chance .5)" in row["sentence"]
    assert not table[table["kind"] == "gain"]["headline"].any()


def test_a_joint_run_is_set_beside_single_ones_in_each_of_its_listeners(tmp_path):
    def score(config, listener, target):
        return 0.3, 0.35 if config.joint else 0.34 if listener == "sim01" else 0.36

    joint = [{"subject": "sim02"}]
    asked = experiment(None, "joint", subject=["sim01", "sim02"], joint=[[], joint])
    asked["exclude"] = [{"subject": "sim02", "joint": joint}]
    found = claims(tmp_path, {"joint": asked}, score=score)
    for listener, change in (("sim01", 0.01), ("sim02", -0.01)):
        row = only(found.table, kind="difference", listener=listener, target="cortex")
        assert row["group"] == "joint=sim02"
        assert_allclose(row["estimate"], change, atol=1e-6)
        assert (row["n_seeds"], row["n_missing"]) == (3, 0)


@pytest.mark.parametrize("times", [1, 5])
def test_the_ratio_of_deviations_covers_the_truth(times):
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        _, low, high = ratio_of_deviations(rng.normal(0, 1, 12), rng.normal(0, times, 12))
        covered += low <= times <= high
    assert covered >= 50


ELSEWHERE = [{"subject": "sim01", "dataset": "other"}]


def test_two_people_of_one_name_in_two_data_sets_stay_two(tmp_path):
    r = {"sim01": 0.4, "other:sim01": 0.2, "sim02": 0.35, "other:sim02": 0.33}

    def score(config, listener, target):
        return 0.1, (r[listener] if config.joint else r[listener] - 0.05) + 0.001 * config.seed

    more = {"transfer": {"minutes": [4]}}
    experiments = {"joint": experiment(None, "joint", more=more, joint=[[], ELSEWHERE])}
    found = claims(tmp_path, experiments, score=score, targets=("cortex",), needed=lambda config: 10.0)
    together = {"group": "joint=other:sim01", "target": "cortex"}
    for listener, tuned in (("demo:sim01", 0.401), ("other:sim01", 0.201)):
        row = only(found.table, kind="gain", listener=listener, **together)
        assert_allclose([row["r_tuned"], row["n_seeds"]], [tuned, 3])
        assert row["tuned_on"] == "demo:sim01+other:sim01"
    change = only(found.table, kind="difference", **together)
    assert (change["listener"], change["n_seeds"]) == ("demo:sim01", 3)
    assert_allclose(change["estimate"], 0.05)
    rows = found.table[(found.table["kind"] == "transfer") & (found.table["group"] == "joint=other:sim01")]
    assert dict(zip(rows["listener"], rows["r_tuned"].round(6), strict=True)) == {
        "demo:sim02": 0.351,
        "other:sim02": 0.331,
    }
    minutes = found.table[(found.table["kind"] == "minutes") & (found.table["group"] == "joint=other:sim01")]
    assert set(minutes["listener"]) == {"demo:sim02", "other:sim02"}
    alone = found.table[(found.table["kind"] == "transfer") & (found.table["group"] == "joint=none")]
    assert set(alone["listener"]) == {"demo:sim02"}


def test_the_same_people_in_two_data_sets_are_compared_where_the_data_set_is_the_question(tmp_path):
    experiments = {"data": experiment(None, "dataset", dataset=["demo", "other"])}

    def score(config, listener, target):
        return 0.1, 0.3 + 0.05 * (config.dataset == "other")

    row = only(claims(tmp_path, experiments, score=score).table, kind="difference", target="cortex")
    assert_allclose(row["estimate"], 0.05)
    assert row["listener"] == "other:sim01"


def test_a_listener_whose_name_holds_a_plus_is_one(tmp_path):
    experiments = {"a": {"set": {"subject": "sim01+sim02"}, "grid": {"seed": SEEDS}, "transfer": {}}}
    found = claims(tmp_path, experiments, targets=("cortex",))
    rows = found.table[found.table["kind"] == "transfer"]
    assert set(rows["listener"]) == {"sim01", "sim02"}


def test_models_of_other_listeners_in_one_group_are_not_one_seed(tmp_path):
    def score(config, listener, target):
        return 0.3, 0.4 if config.subject == "sim01" else 0.5

    with_sim02 = {"set": {"joint": [{"subject": "sim02"}]}}
    methods = {"subject": ["sim01", "sim03"], "adapter__method": ["lora", "full"]}
    asked = experiment(None, "adapter.method", more=with_sim02, **methods)
    table = claims(tmp_path, {"joint": asked}, score=score, targets=("cortex",)).table
    rows = table[(table["kind"] == "difference") & (table["listener"] == "sim02")]
    assert sorted(zip(rows["tuned_on"], rows["r_tuned"].round(6), rows["estimate"], strict=True)) == [
        ("sim01+sim02", 0.4, 0.0),
        ("sim03+sim02", 0.5, 0.0),
    ]


LABELS = [
    ("loss", [{"mse": 1.0}, {"spatial": 0.0, "mse": 1.0}], ["mse 1", "spatial 0 mse 1"]),
    ("training.patience", [None, 5], ["null", "5"]),
    ("train_minutes", [4.0, None], ["4", "all"]),
    ("training.weight_decay", [0, 1], ["0", "1"]),
    ("adapter.dora", [False, True], ["false", "true"]),
    ("training.lr_backbone", [1.0000001e-3, 1.0000002e-3], ["0.0010000001", "0.0010000002"]),
    ("joint", [[], [{"subject": "sim02"}, {"subject": "sim03"}]], ["none", "sim02+sim03"]),
]


def test_different_settings_have_different_labels_and_are_compared(tmp_path):
    experiments = {key: {"grid": {key: values}, "contrast": key} for key, values, _ in LABELS}
    # Two losses, each with two methods: a pair differs in the method alone.
    experiments["methods"] = experiment(
        None, "adapter.method", [0], loss=LABELS[0][1], adapter__method=["lora", "full"]
    )
    table = claims(tmp_path, experiments, targets=("cortex",)).table
    for key, _, labels in LABELS:
        labels = [f"{key}={label}" for label in labels]
        of_key = table[table["experiment"] == key]
        assert list(dict.fromkeys(of_key.loc[of_key["kind"] == "gain", "group"])) == labels
        row = only(of_key, kind="difference", listener="sim01")
        assert (row["against"], row["group"]) == tuple(labels)
    rows = table[(table["kind"] == "difference") & (table["experiment"] == "methods")]
    assert len(rows) == 2
    for row in rows.to_dict("records"):
        assert row["group"].replace("full", "lora") == row["against"]


def test_one_setting_in_two_spellings_is_one_group(tmp_path):
    spellings = [{"adapter.alpha": 1, "seed": 0}, {"adapter.alpha": 1.0, "seed": 1}]
    spellings.append({"loss": {"spatial": 1.0}, "seed": 2, "adapter.alpha": 1})
    assert (
        only(claims(tmp_path, {"a": {"include": spellings}}).table, kind="gain", target="cortex")["n_seeds"]
        == 3
    )


PLAIN, AC, SHIFTED = {}, {"target": "AC"}, {"control.kind": "shifted"}
FULL, FROZEN = {"adapter.method": "full"}, {"adapter.method": "frozen"}
FOUR, EIGHT = {"train_minutes": 4}, {"train_minutes": 8}
ONCE, TWICE = {"training.epochs": 1}, {"training.epochs": 2}


@pytest.mark.parametrize(
    ("claim", "kind", "target", "settings", "against", "contrasts", "sign"),
    [
        # Something else was tuned or compared than what was reported.
        (1, "gain", "cortex", AC, None, "", ""),
        (1, "gain", "cortex", FROZEN, None, "", ""),
        (1, "gain", "cortex", SHIFTED, None, "", ""),
        (6, "transfer", "cortex", AC, None, "", ""),
        (4, "difference", "AC", AC, {"target": "LH"}, "target", ""),
        (11, "difference", "cortex", PLAIN, FOUR, "train_minutes", "+"),
        (11, "difference", "cortex", EIGHT, FOUR, "train_minutes adapter.method", ""),
        (12, "difference", "cortex", TWICE, ONCE, "training.epochs", ""),
        (16, "difference", "cortex", AC | SHIFTED, AC, "control.kind", ""),
        (2, "spread", "cortex", FULL, PLAIN, "adapter.method", "+"),
        (2, "spread", "cortex", FULL, FROZEN, "adapter.method", ""),
        (2, "spread", "cortex", AC | FULL, AC, "adapter.method", ""),
        # Of probes the kind of information stands in the place of the target here.
        (7, "probe", "semantic", AC, None, "", ""),
        (7, "probe", "semantic", SHIFTED, None, "", ""),
        (8, "probe", "phonetic", AC, None, "", ">=0"),
        (8, "probe", "acoustic", PLAIN, None, "", ""),
        (9, "probe difference", "semantic", {"control.kind": "phones"}, PLAIN, "control.kind", ""),
    ],
)
def test_what_is_expected_of_a_finding(claim, kind, target, settings, against, contrasts, sign):
    config, other = (
        None if some is None else load_config(preset="demo", overrides={"target": "cortex", **some})
        for some in (settings, against)
    )
    row = {"claim": claim, "kind": kind, "target": target, "information": target}
    assert expected(row, config, other, contrasts.split()) == sign


PROBED = (("meaning", "semantic"), ("mel", "acoustic"))


def test_probes_of_meaning_answer_by_the_state_of_the_run_and_beyond_low_level_features(tmp_path):
    asked = experiment(7, more={"probe": {"features": ["mel", "meaning=demo"], "layers": "all"}})
    table = claims(tmp_path, {"meaning": asked}, probed=PROBED).table
    probes = table[table["kind"] == "probe"]
    assert len(probes) == 2 * 2 * 2  # features, hidden states, controls: one score of each
    row = only(probes, target="meaning", layer=4, stories="none")
    assert_allclose([row["estimate"], row["low"]], [0.021, 0.021 + LOW], atol=1e-6)
    assert (row["readout"], row["information"], row["verdict"]) == ("r", "semantic", "as reported")
    assert "Meaning read off hidden state 4" in row["sentence"]
    beyond = only(probes, target="meaning", layer=4, stories="beyond-low-level")
    assert_allclose(beyond["estimate"], 0.011, atol=1e-6)
    assert beyond["headline"]
    assert set(table[table["headline"]]["target"]) == {"meaning"}
    assert only(probes, target="mel", layer=4, stories="none")["verdict"] == ""


def test_supervision_by_words_is_compared_with_that_by_responses(tmp_path):
    def score(config, listener, target):
        return 0.3, 0.32 + (0.05 if config.control.kind == "words" and target == "meaning" else 0)

    more = {"set": {"control.embeddings": "demo"}, "probe": {"features": ["mel", "meaning=demo"]}}
    asked = experiment(9, "control.kind", more=more, control__kind=["none", "words"])
    table = claims(tmp_path, {"supervision": asked}, score=score, probed=PROBED).table
    row = only(table, kind="probe difference", target="meaning", layer=4, stories="none")
    assert_allclose(row["estimate"], 0.05, atol=1e-6)
    assert (row["verdict"], row["headline"]) == ("otherwise", True)
    assert "AUC" not in row["sentence"]
    assert "r of the tuned model differs by +0.050" in row["sentence"]


def test_a_group_without_probes_is_told(tmp_path):
    experiments = {"meaning": {"claim": 7, "grid": {"seed": [0]}, "probe": {"features": ["meaning=demo"]}}}
    folder = fake_study(tmp_path / "study", experiments, probed=PROBED)
    (folder / "cells" / next((folder / "cells").iterdir()).name / "probes" / "summary.json").unlink()
    found = claims_of(open_study(folder))
    assert only(found.missing, step="probes")["state"] == "waiting"
    assert "No probes yet" in only(found.table, kind="no probes")["sentence"]
