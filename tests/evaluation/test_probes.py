"""Probes: features of the stimulus, read off hidden states of both models, beside controls."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from brainwavlm.encoding.ridge import story_folds
from brainwavlm.encoding.run_data import run_data
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.evaluation.probes import probe as module
from brainwavlm.evaluation.probes.probe import probe
from brainwavlm.evaluation.probes.question import question_of
from brainwavlm.evaluation.probes.scores import control_scores, probe_predictions
from brainwavlm.evaluation.probes.tasks import CONTROLS, task_notes
from brainwavlm.evaluation.scoring_plan import ModelSize, ScoringPlan
from brainwavlm.evaluation.statistics.dimension import dimensions
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.unit_vectors import cached_unit_vectors
from brainwavlm.stimulus.features.table import features_named
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import Transcript
from tests.trees import native_tree, write_transcript

SECONDS = 40
SPLITS = {"a": "train", "b": "train", "c": "validation", "d": "test", "e": "test", "f": "test"}
PHONES = ("AA1", "B", "CH", "D", "IY0")
NAMES = ["mel", "articulation", "phones", "word-rate", "word-length", "glove={}"]
DIMS = 3


def words_of(story):
    """A word in each half second; those of the test stories have types that no fitted story has."""
    random = np.random.default_rng(ord(story))
    common, rare = ["the", "dog", "saw", "little", "birds", "sometimes"], ["unheard", "of", "forms"]
    choice = common + (rare if SPLITS[story] == "test" else [])
    starts = np.arange(0.1, SECONDS - 0.5, 0.5)
    return [Interval(at, at + random.uniform(0.2, 0.45), random.choice(choice)) for at in starts.tolist()]


def write_words(folder, words):
    """Two phones a word."""
    for name in SPLITS:
        some, random = words(name), np.random.default_rng(ord(name) + 1)
        halves = [(one.start + k * (one.end - one.start) / 2, one) for one in some for k in (0, 1)]
        phones = [Interval(at, at + (one.end - one.start) / 2, random.choice(PHONES)) for at, one in halves]
        write_transcript(folder / f"stimuli/{name}.TextGrid", Transcript(phones, some), float(SECONDS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("probed") / "data"
    path = native_tree(place, subjects=("anna",), splits=SPLITS, seconds=float(SECONDS)).path
    write_words(path, words_of)
    random = np.random.default_rng(5)
    words = {word for story in SPLITS for word in (one.text for one in words_of(story))} - {"of"}
    lines = [f"{word} {' '.join(f'{x:.4f}' for x in random.standard_normal(DIMS))}" for word in sorted(words)]
    (path / "vectors.txt").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def names(folder):
    return [name.format(folder / "vectors.txt") for name in NAMES]


@pytest.fixture(scope="module")
def config(folder, settings):
    return settings(dataset=str(folder), training__epochs=1)


@pytest.fixture(scope="module")
def run(folder, finished):
    return finished(dataset=str(folder))


@pytest.fixture(scope="module")
def probed(run, names, features):
    return probe(run, names, [0, 3], cache=features)


@pytest.fixture
def own(folder, settings, tmp_path):
    """The configuration on a copy that a test may change."""
    copied = shutil.copytree(folder, tmp_path / "data")
    return settings(dataset=str(copied), training__epochs=1)


def question(config, names, controls=CONTROLS):
    plan = ScoringPlan.of(run_data(config), config, ModelSize(8, 400), tested=False)
    return question_of(features_named(names), plan, 400, 8, controls)


def planted(asked, noise):
    """A hidden state that is the values of each feature and as many columns of noise, for each kind of unit."""
    random, vectors = np.random.default_rng(0), {}
    for story in SPLITS:
        vectors[story] = {1: {}}
        for task in asked.tasks:
            unit, side = task.feature.unit, task.tested if SPLITS[story] == "test" else task.fitted
            truth = task.asked["none"][SPLITS[story] == "test"][side.story_of_row == story]
            values = random.standard_normal((len(asked.units[story][unit]), truth.shape[1]))
            values[side.kept[story]] = truth
            values += noise * random.standard_normal(values.shape)
            before = vectors[story][1].get(unit, np.zeros((len(values), 0)))
            columns = [before, values, random.standard_normal((len(values), 3))]
            vectors[story][1][unit] = np.concatenate(columns, 1).astype(np.float32)
    return vectors


def planted_scores(config, names, noise):
    asked = question(config, names)
    vectors = planted(asked, noise)
    controls = ["none", "shuffled", "beyond-low-level"]
    models = {"tuned": probe_predictions(asked.tasks, vectors, [1], config, controls)}
    return {
        (task.feature.name, control, score): both.estimate(lambda of: of["tuned"])
        for task in asked.tasks
        for (control, score), both in control_scores(task, 1, models, CONTROLS).items()
    }


def test_a_state_that_holds_a_feature_scores_near_one_and_shuffled_near_chance(config, names):
    intervals = planted_scores(config, names, 0.02)
    scores = {key: score for key, (score, _, _) in intervals.items()}
    for name in ("mel", "articulation", "phones", "word-rate", "word-length", "glove"):
        assert scores[name, "none", "r"] > 0.95
    assert scores["phones", "none", "auc"] > 0.999
    assert scores["phones", "none", "f1"] > 0.98
    assert scores["glove", "none", "r2"] > 0.95
    assert scores["glove", "unseen-types", "r"] > 0.95
    assert scores["glove", "beyond-low-level", "r"] > 0.9
    for name in ("articulation", "phones"):
        assert scores[name, "shuffled", "auc"] == pytest.approx(0.5, abs=0.05)
    assert scores["glove", "shuffled", "r"] == pytest.approx(0, abs=0.25)
    assert scores["glove", "shuffled", "r2"] == pytest.approx(0, abs=0.05)
    held = [low <= 0 <= high for (_, *kind), (_, low, high) in intervals.items() if kind == ["shuffled", "r"]]
    assert len(held) == 6
    assert sum(held) >= 5
    assert ("mel", "beyond-low-level", "r") not in scores
    assert ("mel", "unseen-types", "r") not in scores
    assert (
        scores["glove", "selectivity", "r"] == scores["glove", "none", "r"] - scores["glove", "shuffled", "r"]
    )


def test_a_state_of_noise_is_at_chance(config, names):
    some = [names[1], names[-1]]
    scores = {key: score for key, (score, _, _) in planted_scores(config, some, 1e4).items()}
    assert scores["articulation", "none", "auc"] == pytest.approx(0.5, abs=0.06)
    assert scores["glove", "none", "r2"] < 0.05


def test_what_low_level_features_say_is_regressed_out(own):
    """Word length that is the word's loudness alone leaves nothing beyond the low-level features."""
    folder = Path(own.dataset)
    asked = question(own, ["mel", "word-length"])
    rows = ["story,onset,offset,loud"]
    for story in SPLITS:
        stretches = asked.units[story]["stretches"]
        loudness = asked.tasks[0].asked["none"]
        side = asked.tasks[0].tested if SPLITS[story] == "test" else asked.tasks[0].fitted
        values = loudness[SPLITS[story] == "test"][side.story_of_row == story].mean(1)
        rows += [
            f"{story},{a},{b},{v}" for a, b, v in zip(stretches.starts, stretches.ends, values, strict=True)
        ]
    (folder / "loud.csv").write_text("\n".join(rows) + "\n")
    (task,) = question(own, [f"loud={folder / 'loud.csv'}"]).tasks
    residual, truth = task.asked["beyond-low-level"][1], task.asked["none"][1]
    assert r2_score(truth, task.low_level) > 0.99
    assert residual.std() < 0.1 * truth.std()


def r_of_folds(x, y, story, alpha):
    """Mean correlation over folds of whole stories."""
    r = []
    for rows in story_folds(story, 2)[0]:
        kept = np.setdiff1d(np.arange(len(y)), rows)
        predicted = Ridge(alpha, fit_intercept=False).fit(x[kept], y[kept]).predict(x[rows])
        r.append(np.corrcoef(predicted, y[rows])[0, 1])
    return np.mean(r)


def test_the_table_is_what_scikit_learn_finds_in_the_same_vectors(probed, run, names, features):
    """Penalties of scikit-learn's own cross-validation over stories, scores of its own metrics."""
    config, backbone = run.config, load_backbone(run.config.backbone.name, [0, 3])
    plan = ScoringPlan.of(run_data(config), config, backbone, tested=False)
    some = [names[NAMES.index(name)] for name in ("phones", "glove={}")]
    asked = question_of(features_named(some), plan, backbone.min_samples, 32, CONTROLS)
    stories = {name: plan.data.recordings[name].story for name in SPLITS}
    vectors = {
        name: cached_unit_vectors(backbone, story, config.windows, asked.units[name], features)
        for name, story in stories.items()
    }
    table = probed.table[(probed.table["layer"] == 3) & (probed.table["control"] == "none")]
    scores = table.set_index(["feature", "score"])["score_frozen"]
    for task in asked.tasks:
        x, y, story = [], [], []
        for rows, truth in zip((task.fitted, task.tested), task.asked["none"], strict=True):
            parts = [vectors[s][3][task.feature.unit][kept] for s, kept in rows.kept.items()]
            x.append(np.concatenate([part - part.mean(0) for part in parts]).astype(float))
            y.append(truth.astype(float))
            story.append(rows.story_of_row)
        x = [(some - x[0].mean(0)) / x[0].std(0) for some in x]
        predicted = np.empty_like(y[1])
        for column in range(y[0].shape[1]):
            target = y[0][:, column] - y[0][:, column].mean()
            best = max(config.ridge.alphas, key=lambda alpha: r_of_folds(x[0], target, story[0], alpha))
            predicted[:, column] = Ridge(best, fit_intercept=False).fit(x[0], target).predict(x[1])
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(y[1].T, predicted.T, strict=True)]
        name = task.feature.name
        assert_allclose(scores[name, "r"], np.mean(r), atol=2e-4)
        if name == "glove":
            assert_allclose(scores[name, "r2"], r2_score(y[1], predicted), atol=2e-4)
        else:
            auc = [roc_auc_score(a, b) for a, b in zip(y[1].T, predicted.T, strict=True)]
            assert_allclose(scores[name, "auc"], np.mean(auc), atol=2e-4)
            decided = (predicted + y[0].mean(0)).argmax(1)
            f1 = f1_score(y[1].argmax(1), decided, average="macro")
            assert_allclose(scores[name, "f1"], f1, atol=2e-3)


def test_both_models_are_read_at_every_state_beside_all_controls(probed):
    table = probed.table
    assert set(table["layer"]) == {0, 3}
    assert set(table["control"]) == {"none", "selectivity", *CONTROLS}
    plain = table[table["control"] == "none"]
    assert_allclose(plain["difference"], plain["score_tuned"] - plain["score_frozen"], atol=1e-12)
    # The input of the first block lies before everything that was tuned.
    assert (plain[plain["layer"] == 0]["difference"].abs() < 1e-5).all()
    assert (plain[plain["layer"] == 3]["difference"].abs() > 0).all()
    changed = plain[plain["layer"] == 3]
    assert ((changed["low"] <= changed["difference"]) & (changed["difference"] <= changed["high"])).all()
    assert ((changed["p"] < 0.05) == ((changed["low"] > 0) | (changed["high"] < 0))).all()
    assert ((plain["low_tuned"] < plain["score_tuned"]) & (plain["score_tuned"] < plain["high_tuned"])).all()
    assert ((plain["q"] >= plain["p"] - 1e-12) | plain["p"].isna()).all()
    alone = table[table["control"].isin(["random", "low-level"])]
    assert (alone["score_frozen"] == alone["score_tuned"]).all()
    assert alone["difference"].isna().all()
    low_level = alone[(alone["control"] == "low-level") & (alone["score"] == "r")]
    assert (low_level.groupby("feature")["score_frozen"].nunique() == 1).all()  # whatever the layer
    words = table[(table["feature"] == "glove") & (table["layer"] == 3) & (table["score"] == "r")]
    words = words.set_index("control")
    assert 50 <= words.loc["unseen-types", "n_units"] < words.loc["none", "n_units"]
    assert words.loc["none", "n_stories"] == 3
    assert words.loc["none", "n_labels"] == DIMS
    (note,) = [note for note in probed.summary["notes"] if note.startswith("glove")]
    assert "have no value" in note
    assert "Intervals over 3 test stories." in probed.summary["notes"]
    kept = {(row["target"], row["stories"], row["readout"], row["layer"]) for row in probed.replicates.about}
    assert ("glove", "unseen-types", "r2", 3) in kept


def test_the_dimension_is_that_of_the_vectors_of_stretches(run, features):
    probes = probe(run, ["dimension"], [3], cache=features, controls=["random"])
    table = probes.table.set_index(["control", "score"])
    backbone, data = load_backbone(run.config.backbone.name, [3]), run_data(run.config)
    asked, points = question(run.config, ["mel"]), []
    for name in "def":
        story = data.recordings[name].story
        heard = cached_unit_vectors(backbone, story, run.config.windows, asked.units[name], None)
        points.append(heard[3]["stretches"] - heard[3]["stretches"].mean(0))
    points = np.concatenate(points)
    expected = dimensions(points, [])
    assert set(table.index) == {(control, score) for control in ("none", "random") for score in expected}
    for score, (value,) in expected.items():
        assert_allclose(table.loc[("none", score), "score_frozen"], value, rtol=1e-4)
    row = table.loc[("none", "gride-8")]
    assert row["low"] < row["difference"] < row["high"]
    assert_allclose(row["difference"], row["score_tuned"] - row["score_frozen"])
    about = {"name": "dimension", "kind": "geometry", "unit": "stretches", "columns": [], "n_fitted": 0}
    assert probes.summary["features"] == [about | {"n_tested": len(points)}]


def test_seeds_of_one_kind_are_gathered_and_the_untuned_model_is_asked_once(
    folder, finished, features, monkeypatch
):
    runs = [finished(dataset=str(folder), seed=seed) for seed in (0, 1)]
    heard, vectors = [], module.cached_unit_vectors
    monkeypatch.setattr(module, "cached_unit_vectors", lambda *some: heard.append(some[0]) or vectors(*some))
    probes = probe(
        runs, ["phone-rate", "phones", "word-length"], [0, 3], cache=features, controls=["shuffled"]
    )
    assert len({id(model) for model in heard}) == 3
    chosen = (probes.table["feature"] == "phone-rate") & (probes.table["layer"] == 3)
    table = probes.table[chosen & (probes.table["control"] == "none")].set_index(["run", "score"])
    names = list(dict.fromkeys(probes.table["run"]))
    assert table.loc[(names[0], "r"), "score_frozen"] == table.loc[(names[1], "r"), "score_frozen"]
    chosen = (probes.seeds["feature"] == "phone-rate") & (probes.seeds["layer"] == 3)
    seeds = probes.seeds[chosen].set_index(["control", "score"])
    differences = [table.loc[(name, "r"), "difference"] for name in names]
    assert seeds.loc[("none", "r"), "n_runs"] == 2
    assert_allclose(seeds.loc[("none", "r"), "difference"], np.mean(differences))
    assert_allclose(seeds.loc[("none", "r"), "deviation"], np.std(differences, ddof=1))
    assert set(probes.table["control"]) == {"none", "shuffled", "selectivity"}


@pytest.fixture
def unread(monkeypatch):
    monkeypatch.setattr(module, "cached_unit_vectors", lambda *_: pytest.fail("ran a model"))


def test_what_is_wrong_is_said_before_a_model_is_run(run, own, unread):
    data = Path(own.dataset)
    (data / "bad.bin").write_bytes(b"no vectors")
    (data / "back.csv").write_text("story,time,x\na,1,2\na,0.5,2\n")
    (data / "none.csv").write_text("story,onset,offset,label\na,1,2,x\n")
    for name, problem in (
        (f"v={data / 'bad.bin'}", "bad.bin: no first line of two numbers"),
        (f"t={data / 'back.csv'}", "back.csv: line 3: time is before"),
        (f"s={data / 'none.csv'}", "none.csv: s has no value within the 40 s of b"),
    ):
        with pytest.raises(DatasetError, match=problem):
            probe(run, [name])
    write_words(data, lambda story: words_of(story)[:10])
    with pytest.raises(ConfigError, match=r"(?s)word-length: 30 words in the test stories.*50 or more"):
        question(own, ["word-length"])
    write_words(data, lambda name: [] if name == "e" else words_of(name))
    with pytest.raises(DatasetError, match=r"e\.TextGrid"):
        question(own, ["word-length"])
    write_without_phones(data)
    with pytest.raises(DatasetError, match="no tier that is known to hold phones"):
        question(own, ["articulation"])


def write_without_phones(folder):
    for name in SPLITS:
        path = folder / f"stimuli/{name}.TextGrid"
        write_transcript(path, Transcript([], words_of(name)), float(SECONDS))


def test_what_does_not_vary_or_is_rare_is_left_out_or_told(own):
    path = Path(own.dataset) / "t.csv"

    def task(columns, values):
        rows = [f"{s},{k / 2},{k / 2 + 0.4},{values(s, k)}" for s in SPLITS for k in range(60)]
        path.write_text("\n".join([f"story,onset,offset,{columns}", *rows]) + "\n")
        return question(own, [f"mine={path}"], ()).tasks[0]

    made = task("x,y", lambda story, k: f"1,{k}")
    assert made.columns == ("y",)
    assert made.asked["none"][0].shape == (180, 1)
    assert task_notes(made) == ["1 columns that do not vary are left out."]
    with pytest.raises(ConfigError, match="mine does not vary within d, e, f") as caught:
        task("x,y", lambda story, k: "1,2" if SPLITS[story] == "test" else f"{k},{k}")
    assert "t.csv" in caught.value.remedy
    labels = task("label", lambda story, k: f"rare {k}" if story == "d" else "ab"[k % 2])
    assert set(labels.tested.kept) == {"e", "f"}  # a story with rare labels alone has no units


def test_without_phones_words_are_asked_and_a_note_says_what_the_bag_lacks(own):
    write_without_phones(Path(own.dataset))
    asked = question(own, ["word-length"])
    assert asked.tasks[0].low_level is not None
    assert any("Low-level features are without phones" in note for note in asked.notes)
