"""Figures for papers show what the results hold: read back from the SVG, and from the CSV beside it."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.figures import Choice, draw_figure, write_figure
from brainwavlm.reporting.meshes import mesh_of
from brainwavlm.reporting.page.delays import delay_norms
from brainwavlm.results.evaluation import read_results
from tests.brains import write_brain, write_drawing
from tests.reporting.drawn import Drawn
from tests.reporting.fakes import fake_comparison, fake_evaluation, fake_transfer, native_evaluation, patches
from tests.study.fakes import fake_study

NEAR = {"rtol": 0, "atol": 2e-4}  # of an axis that spans about 1; ticks are labelled with few digits


@pytest.fixture
def draw(tmp_path):
    def make(kind, path, width=120.0, **choice):
        given = {
            key: (value,)
            if isinstance(value, str) and key in ("target", "run", "quantity", "experiment")
            else value
            for key, value in choice.items()
        }
        figure, values = write_figure(kind, path, tmp_path / f"{kind}.svg", Choice(**given), width)
        frame = pd.read_csv(values)
        assert (frame["figure"] == kind).all()
        return Drawn(figure), frame

    return make


def test_every_dot_of_the_scatter_is_a_voxel_of_its_group(simulated_evaluation, draw):
    drawn, values = draw("scatter", simulated_evaluation, run="on-AC")
    scores = read_results(simulated_evaluation).of_run("on-AC")
    assert_array_equal(values["voxel"], scores.voxel)
    assert_array_equal(values[["r_frozen", "r_tuned"]], np.column_stack([scores.frozen, scores.tuned]))
    for name, members in scores.groups().items():
        assert_array_equal(values["group"] == name, members)
        expected = np.column_stack([scores.frozen, scores.tuned])[members]
        assert_allclose(drawn.dots(f"voxels:0:{name}"), expected, **NEAR)


def test_targets_that_are_asked_for_colour_the_scatter(simulated_evaluation, draw):
    drawn, values = draw("scatter", simulated_evaluation, run="on-AC", target=("LH", "AC"))
    scores = read_results(simulated_evaluation).of_run("on-AC")
    both = scores.masks["LH"] & scores.masks["AC"]
    smaller = min(("AC", "LH"), key=lambda name: scores.masks[name].sum())
    assert set(values.loc[both, "group"]) == {smaller}
    assert len(drawn.dots("voxels:0:other voxels")) == (~scores.masks["LH"] & ~scores.masks["AC"]).sum()


def test_the_table_is_the_evaluation_rounded(simulated_evaluation, draw):
    drawn, values = draw("table", simulated_evaluation, target=("AC", "cortex"))
    table = pd.read_csv(simulated_evaluation / "table.csv").set_index(["run", "target"])
    assert len(values) == 4
    for row in values.to_dict("records"):
        source = table.loc[(row["run"], row["target"])]
        for key in ("n_voxels", "r_frozen", "r_tuned", "difference", "low", "high"):
            assert row[key] == source[key]
    source = table.loc[("on-AC", "cortex")]
    shown = [drawn.text(f"cell:1:1:{column}").replace("−", "-") for column in range(6)]
    assert shown == [
        "cortex",
        str(int(source["n_voxels"])),
        f"{source['r_frozen']:.3f}",
        f"{source['r_tuned']:.3f}",
        f"{source['difference']:+.3f}",
        f"{source['low']:+.3f} to {source['high']:+.3f}",
    ]


def test_the_table_as_latex_has_the_same_cells_and_no_sign_that_latex_would_read(
    simulated_evaluation, tmp_path
):
    choice = Choice(run=("on-AC",), title="100 % of a_b")
    path, values = write_figure("table", simulated_evaluation, tmp_path / "t.tex", choice)
    text = path.read_text(encoding="utf-8")
    table = pd.read_csv(values)
    for row in table.to_dict("records"):
        assert f"{row['r_tuned']:.3f} & " in text
    assert r"100 \% of a\_b. SIMULATED responses" in text
    assert text.count(r"\\") == len(table) + 2


def test_the_histogram_counts_the_voxels_of_the_run(simulated_evaluation, draw):
    _, values = draw("histogram", simulated_evaluation, run="on-AC", target="AC")
    scores = read_results(simulated_evaluation).of_run("on-AC")
    difference = (scores.tuned - scores.frozen)[scores.masks["AC"]]
    for row in values.to_dict("records"):
        middle = (row["from"] + row["to"]) / 2
        own = np.abs(difference - middle) <= (row["to"] - row["from"]) / 2
        assert abs(own.sum() - row["voxels"]) <= 1  # one may lie on an edge
    assert values["voxels"].sum() == len(difference)
    assert values.loc[values["to"] <= 1e-12, "voxels"].sum() == (difference < 0).sum()


def test_learning_curves_are_the_history_of_each_run(simulated_evaluation, draw):
    drawn, values = draw("learning", simulated_evaluation)
    for number, entry in enumerate(read_results(simulated_evaluation).runs):
        own = values[values["run"] == entry["name"]]
        assert list(own["epoch"]) == [epoch["epoch"] for epoch in entry["history"]]
        assert list(own.loc[own["kept"], "epoch"]) == [entry["best"]["epoch"]]
        assert_allclose(
            drawn.line(f"validation_r:{number}"), own[["epoch", "validation_r"]], rtol=0, atol=2e-3
        )
        loss = own[["epoch", "loss"]].dropna()
        assert len(loss) == 10
        assert_allclose(drawn.line(f"loss:{number}"), loss, rtol=0, atol=2e-3)
        assert_allclose(
            drawn.dots(f"kept:{number}")[0], [7, entry["history"][7]["validation_r"]], rtol=0, atol=2e-3
        )


def test_a_run_shows_how_it_learned_before_it_is_evaluated(tuned_run, draw):
    drawn, values = draw("learning", tuned_run)
    assert_allclose(drawn.line("validation_r:0"), [[1, 0.1], [2, 0.3]], rtol=0, atol=2e-3)
    assert list(values["kept"]) == [False, True]
    assert "SIMULATED" not in drawn.texts


def test_scores_and_gains_by_hidden_state_are_those_of_layers_csv(simulated_evaluation, draw):
    drawn, values = draw("layers", simulated_evaluation, run="on-AC", target=("AC", "cortex"))
    layers = pd.read_csv(simulated_evaluation / "layers.csv")
    for number, target in enumerate(("AC", "cortex")):
        own = layers[(layers["run"] == "on-AC") & (layers["target"] == target)]
        keys = ["layer", "r_frozen", "r_tuned", "difference", "low", "high"]
        assert_array_equal(values.loc[values["target"] == target, keys], own[keys])
        for gid, key in (("r_frozen", "r_frozen"), ("r_tuned", "r_tuned"), ("gain", "difference")):
            assert_allclose(drawn.line(f"{gid}:{number}"), own[["layer", key]], rtol=0, atol=2e-3)
        corners = drawn.band(f"interval:{number}")
        assert_allclose(corners[:, 1].max(), own["high"].max(), rtol=0, atol=1e-3)


def test_what_is_said_is_that_of_downstream_csv(simulated_evaluation, draw):
    drawn, values = draw("tasks", simulated_evaluation, run="on-AC", target=("words", "phones"))
    table = pd.read_csv(simulated_evaluation / "downstream.csv")
    for number, task in enumerate(("phones", "words")):
        own = table[(table["run"] == "on-AC") & (table["task"] == task)]
        keys = ["layer", "auc_frozen", "auc_tuned", "difference", "low", "high"]
        assert_array_equal(values.loc[values["task"] == task, keys], own[keys])
        for gid, key in (("r_frozen", "auc_frozen"), ("r_tuned", "auc_tuned"), ("gain", "difference")):
            assert_allclose(drawn.line(f"{gid}:{number}"), own[["layer", key]], rtol=0, atol=2e-3)
    assert "gain in AUC" in drawn.texts


def test_delays_are_norms_of_the_readout_that_was_trained(tuned_run, draw):
    drawn, values = draw("delays", tuned_run)
    weights = readout()
    norms = delay_norms([weights.T], 4)
    share = norms / norms.sum(axis=1, keepdims=True)
    assert list(values["seconds"]) == [2, 4, 6, 8]
    assert_allclose(values["median"], np.median(share, axis=0), rtol=1e-5)
    assert_allclose(drawn.line("median:0"), values[["seconds", "median"]], rtol=0, atol=1e-3)


def test_the_transfer_matrix_and_the_curve_are_those_of_the_folder(tmp_path, draw):
    folder = fake_transfer(tmp_path / "transfer")
    drawn, values = draw("transfer", folder, width=180.0)
    matrix, curve = (pd.read_csv(folder / f"{name}.csv") for name in ("matrix", "curve"))
    cells = values[values["part"] == "matrix"]
    for key in ("tuned_on", "scored_on", "difference", "low", "high", "r_tuned"):
        assert list(cells[key]) == list(matrix[key])
    said = [[drawn.text(f"gain:{row}:{column}") for column in range(2)] for row in range(2)]
    assert said[1][0].startswith("−0.030")
    assert "−0.040 to −0.020" in said[1][0]
    assert [one.startswith("+") for one in (said[0][0], said[0][1], said[1][1])] == [True] * 3
    # Wherever its id says it is: the cell on the row of ben and the column of ann has their words and colour.
    scale = colormaps["RdBu_r"]
    for row in matrix.to_dict("records"):
        x, y = matrix_place(drawn, row["scored_on"])[0], matrix_place(drawn, row["tuned_on"])[1]
        (here,) = [
            (low, high, colour)
            for low, high, colour in drawn.cells("cell:").values()
            if low[0] < x < high[0] and low[1] < y < high[1]
        ]
        assert here[2] == to_hex(scale(0.5 + 0.5 * row["difference"] / 0.06))
        if row["difference"] in (0.02, -0.03):  # these words stand once
            words = drawn.text_place(f"{row['difference']:+.3f}".replace("-", "−"))
            assert (here[0] < words).all()
            assert (words < here[1]).all()
    points = values[values["part"] == "curve"]
    assert_array_equal(points["r_tuned"], curve["r_tuned"])
    own = curve[(curve["tuned_on"] == "ann") & (curve["scored_on"] == "ben")]
    assert_allclose(drawn.line("r_tuned:1"), own[["minutes", "r_tuned"]], rtol=0, atol=5e-3)


def matrix_place(drawn, name):
    """x of the name below the matrix, y of the name to its left."""
    places = [
        [float(text.get("x")), float(text.get("y"))]
        for text in drawn.named("axes_1").iter()
        if text.tag.endswith("text") and "".join(text.itertext()).strip() == name and text.get("x")
    ]
    return max(places, key=lambda at: at[1])[0], min(places)[1]


def test_cells_of_the_matrix_leave_out_stories_that_tuning_used(tmp_path, draw):
    folder = fake_transfer(tmp_path / "transfer")
    matrix = pd.read_csv(folder / "matrix.csv")
    unheard = matrix[1:2].assign(stories="unheard", difference=0.001, low=-0.01, high=0.012)
    pd.concat([matrix, unheard]).to_csv(folder / "matrix.csv", index=False)
    drawn, values = draw("transfer", folder)
    assert drawn.text("gain:0:1").startswith("+0.001")
    assert sorted(values.loc[values["part"] == "matrix", "stories"]) == ["all", "all", "all", "unheard"]


def test_a_run_that_two_folders_hold_is_not_drawn_twice(tmp_path):
    folders = [fake_transfer(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(BrainwavlmError, match="run run-ann in ann more than once"):
        draw_figure("transfer", folders)


def test_seeds_are_the_runs_of_each_group(tmp_path, draw):
    folder = fake_comparison(tmp_path / "comparison")
    drawn, values = draw("seeds", folder, target="AC")
    runs, groups = (pd.read_csv(folder / f"{name}.csv") for name in ("runs", "groups"))
    for number, group in enumerate(dict.fromkeys(groups["group"])):
        own = runs[(runs["group"] == group) & (runs["target"] == "AC")]
        row = groups[(groups["group"] == group) & (groups["target"] == "AC")].iloc[0]
        shown = values[values["group"] == group]
        assert_array_equal(shown.loc[shown["part"] == "seed", "r_tuned"], own["r_tuned"])
        assert shown.loc[shown["part"] == "mean", "r_tuned"].item() == row["mean"]
        assert_allclose(drawn.dots(f"seeds:{number}")[:, 0], own["r_tuned"], **NEAR)
        assert_allclose(drawn.dots(f"mean:{number}")[0, 0], row["mean"], **NEAR)
        assert_allclose(drawn.line(f"untuned:{number}")[:, 0], row["r_frozen"], **NEAR)
        ends = row["r_frozen"] + row[["low", "high"]].to_numpy(float)
        assert_allclose(drawn.line(f"interval:{number}")[:, 0], ends, **NEAR)


def test_claims_and_layers_of_a_study_are_its_table(tmp_path, draw):
    experiments = {
        "map": {"claim": 1, "grid": {"seed": [0, 1, 2]}},
        "others": {"claim": 6, "grid": {"subject": ["sim01", "sim02"], "seed": [0, 1, 2]}, "transfer": {}},
        "states": {"claim": 17, "grid": {"seed": [0, 1, 2]}, "evaluate": {"layers": "all"}},
    }
    folder = fake_study(tmp_path / "study", experiments, layers=(0, 1))
    drawn, values = draw("claims", folder, experiment="map", target="cortex")
    assert list(values["part"]) == ["mean", "seed", "seed", "seed"]
    assert_allclose(values["r_tuned"][1:], [0.32, 0.321, 0.322])
    assert_allclose(drawn.dots("seeds:0")[:, 0], [0.32, 0.321, 0.322], **NEAR)
    _, values = draw("transfer", folder, target="cortex")
    assert set(zip(values["tuned_on"], values["scored_on"], strict=True)) == {
        (tuned_on, who) for tuned_on in ("sim01", "sim02") for who in ("sim01", "sim02")
    }
    assert_allclose(values["difference"], values["r_tuned"] - values["r_frozen"], atol=1e-6)
    with pytest.raises(BrainwavlmError, match="--experiment: 'map'"):
        draw("transfer", folder, experiment="map")
    _, values = draw("layers", folder, experiment="states")
    assert set(values["layer"]) == {0, 1}


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("mapped"), n_voxels=400, runs=(("one", "cortex"),))


@pytest.mark.parametrize("view", ["inflated", "flat"])
def test_maps_hold_each_vertex_with_its_value(mapped, draw, view):
    drawn, values = draw("maps", mapped, quantity=("tuned", "difference"), view=view, width=85.0)
    scores = read_results(mapped).of_run("one")
    hemisphere, vertex, _ = patches(400)
    for quantity, expected in (("tuned", scores.tuned), ("difference", scores.tuned - scores.frozen)):
        own = values[values["quantity"] == quantity].set_index(["hemisphere", "vertex"])["value"]
        assert len(own) == 400
        sides = np.where(hemisphere[scores.voxel] == 0, "left", "right")
        found = [own[key] for key in zip(sides, vertex[scores.voxel], strict=True)]
        assert_allclose(found, expected, rtol=1e-12)
    names = drawn.ids("brain:")
    assert len(names) == 4  # two quantities, two hemispheres
    assert [len(drawn.pictures(name)) for name in names] == [1] * 4
    assert {"left", "right", "test correlation r"} <= set(drawn.texts)


def test_the_pixels_of_a_map_have_the_colours_of_its_values(mapped, tmp_path, draw):
    folder = tmp_path / "evaluation"
    folder.mkdir()
    for path in mapped.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    voxels = pd.read_csv(folder / "voxels.csv")
    left = patches(400)[0][voxels["voxel"]] == 0
    voxels["r_frozen"], voxels["r_tuned"] = 0.2, np.where(left, 0.8, 0.4)
    voxels.to_csv(folder / "voxels.csv", index=False)
    drawn, _ = draw("maps", folder, quantity="tuned", width=85.0)
    for side, value in (("left", 0.8), ("right", 0.4)):
        (picture,) = drawn.pictures(f"brain:0:{side}:lateral")
        seen = picture[..., :3].reshape(-1, 3)[picture[..., 3].ravel() == 1]
        coloured = seen[np.ptp(seen, axis=1) > 0.2]
        shades, counts = np.unique(np.round(coloured, 2), axis=0, return_counts=True)
        shade = shades[counts.argmax()]
        expected = colormaps["viridis"](value / 0.8)[:3]
        assert len(coloured) > 500
        # Drawn over a grey brain, whose shade shines through a little.
        assert np.abs(shade - expected).max() < 0.1


def test_maps_leave_out_voxels_above_the_threshold_and_show_shares_of_the_ceiling(mapped, draw):
    _, values = draw("maps", mapped, quantity="share", q=0.05, width=85.0)
    voxels = pd.read_csv(mapped / "voxels.csv")
    below = voxels[voxels["q_tuned"] < 0.05]
    assert 0 < len(below) < len(voxels)
    assert_allclose(sorted(values["value"]), sorted(below["normalised_tuned"]), rtol=1e-12)


def test_a_native_subject_is_drawn_on_their_own_surface(tmp_path, draw):
    root = tmp_path / "ds003020"
    truth = write_brain(root)
    (root / "stimuli").mkdir()
    write_drawing(root, "UTS03", {})
    expected = np.sin(np.radians(truth.latitude)) / 2
    folder = native_evaluation(tmp_path / "evaluation", root, {"RH": truth.right}, expected)
    dataset = load_dataset(root)
    mesh = mesh_of(dataset.subject("UTS03"), dataset)
    _, values = draw("maps", folder, quantity="frozen", view="pial", width=85.0)
    for side, half in (("left", mesh.left), ("right", mesh.right)):
        own = values[values["hemisphere"] == side]
        # Each vertex of a native surface has one column.
        assert_array_equal(own["vertex"], np.flatnonzero(np.diff(half.start)))
        assert_allclose(own["value"], expected[half.column], atol=1e-6)
    with pytest.raises(BrainwavlmError, match="--view: inflated, of native, UTS03"):
        draw("maps", folder)


@pytest.fixture
def tuned_run(tmp_path):
    """A run of measured responses with a linear readout, two epochs, and an evaluation of before it was moved here."""
    from safetensors.numpy import save_file

    folder = tmp_path / "run"
    data = fake_evaluation(folder, 12, simulated=False, runs=(("run", "cortex"),))
    summary = json.loads((data / "summary.json").read_text())
    overrides = {
        "dataset": str(folder / "data"),
        "subject": "sim01",
        "target": "cortex",
        "readout.kind": "linear",
    }
    config = load_config(preset="demo", overrides=overrides).model_dump(mode="json")
    history = [
        {"epoch": 1, "loss": -0.1, "validation_r": 0.1},
        {"epoch": 2, "loss": -0.2, "validation_r": 0.3},
    ]
    best = {"epoch": 2, "checkpoint": "00002-00000020", "validation_r": 0.3}
    summary["runs"][0] |= {"config": config, "best": best, "path": "somewhere/else", "history": history}
    (data / "summary.json").write_text(json.dumps(summary))
    about = {"dataset": "made-up", "subject": "sim01", "simulated": False, "n_voxels": 12, "n_target": 12}
    control = {"kind": "none", "n_targets": 12, "voxels": True}
    manifest = {"format": 1, "config": config, "splits": {}, "data": {**about, "control": control}}
    manifest |= {"backbone": {}, "versions": {}}
    (folder / "run.json").write_text(json.dumps(manifest))
    (folder / "result.json").write_text(json.dumps({"best": best, "history": history}))
    checkpoint = folder / "checkpoints" / best["checkpoint"]
    checkpoint.mkdir(parents=True)
    save_file({"readout.weights": readout()}, checkpoint / "model.safetensors")
    return folder


def readout():
    weights = np.random.default_rng(5).standard_normal((4, 6, 12)).astype(np.float32)
    weights[1] *= 3  # the second delay
    return weights.reshape(24, 12)
