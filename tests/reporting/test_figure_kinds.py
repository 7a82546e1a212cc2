"""Figures for papers show what the results hold: values in the table, and marks where the values are."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.errors import BrainwavlmError, ConfigError, RunError
from brainwavlm.reporting.figures import Choice, draw_figure, write_figure
from brainwavlm.reporting.figures.folders import Place
from brainwavlm.reporting.figures.forest import ALONE, SEED, SHARED, TUNED, UNTUNED, draw_forest, forest_of
from brainwavlm.reporting.figures.lines import draw_lines, lines_of
from brainwavlm.reporting.figures.maps import maps
from brainwavlm.reporting.figures.scores import draw_histogram, draw_scatter, histogram_table, scatter_table
from brainwavlm.reporting.figures.style import Canvas, page_canvas, png, shipped_style
from brainwavlm.reporting.meshes import mesh_of
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.run_voxels import RunVoxels
from tests.made_up import fake_evaluation, fake_run, fake_transfer, patches, product, without_checksums


def drawn(kind, path, width=120.0, **choice):
    """A function from the id of a mark to the mark, and the values."""
    drawing = draw_figure(kind, path, Choice(**choice), width)

    def mark(gid):
        return next(iter(drawing.figure.findobj(lambda artist: artist.get_gid() == gid)))

    mark.figure = drawing.figure
    return mark, drawing.values


def on_page(draw, table):
    canvas = page_canvas(4.0)
    with canvas.style.applied():
        return draw(table, canvas)


def words(figure):
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}


def test_every_dot_of_the_scatter_is_a_voxel_of_its_group(simulated_evaluation):
    mark, values = drawn("scatter", simulated_evaluation, run="on-AC")
    scores = Evaluation.open(simulated_evaluation).of_run("on-AC")
    assert_array_equal(values["voxel"], scores.voxel)
    for name, members in scores.groups().items():
        expected = np.column_stack([scores.frozen, scores.tuned])[members]
        assert_array_equal(values.loc[values["group"] == name, ["r_frozen", "r_tuned"]], expected)
        assert_allclose(mark(f"voxels:0:{name}").get_offsets(), expected)
    assert f"AC ({int(scores.masks['AC'].sum())})" in words(mark.figure)


@pytest.fixture(scope="module")
def altered(tmp_path_factory):
    """An evaluation with both readouts, of which no voxel's change was tested."""
    folder = fake_evaluation(tmp_path_factory.mktemp("altered"), n_voxels=60)
    scores = Evaluation.open(folder)
    scores.voxels["shared_frozen"] = scores.voxels["r_frozen"] + 0.1
    scores.voxels["shared_tuned"] = scores.voxels["r_tuned"] + 0.07
    scores.voxels["q_difference"] = 0.9
    scores.table[["voxels_better", "voxels_worse"]] = np.nan
    scores.save(folder)
    return folder


def test_voxels_are_drawn_under_the_readout_that_is_asked_for(altered):
    readouts = ("voxelwise", "shared")
    own, shared = (drawn("scatter", altered, run="on-AC", readout=one)[1] for one in readouts)
    assert_allclose(shared["r_frozen"], own["r_frozen"] + 0.1)
    assert_allclose(shared["r_tuned"], own["r_tuned"] + 0.07)
    mark, values = drawn("maps", altered, run="on-AC", quantity="difference", readout="shared")
    other = shown(altered, run="on-AC", quantity="difference")
    assert_allclose(values["value"], other["value"] - 0.03, atol=1e-6)
    assert "Tuned − frozen, shared readout" in words(mark.figure)
    with pytest.raises(ConfigError, match="voxelwise"):
        drawn("maps", altered, quantity="share", readout="shared")


def test_a_map_of_what_cannot_be_tested_says_so(altered):
    mark, values = drawn("maps", altered, run="on-AC", quantity=("difference", "tuned"), q=0.05)
    assert set(values["quantity"]) == {"tuned"}
    assert "difference in test r, q < 0.05 cannot be tested" in words(mark.figure)
    assert "test correlation r, q < 0.05" in words(mark.figure)


def test_targets_that_are_asked_for_colour_the_scatter(simulated_evaluation):
    mark, values = drawn("scatter", simulated_evaluation, run="on-AC", target=("LH", "AC"))
    scores = Evaluation.open(simulated_evaluation).of_run("on-AC")
    smaller = min(("AC", "LH"), key=lambda name: scores.masks[name].sum())
    assert set(values.loc[scores.masks["LH"] & scores.masks["AC"], "group"]) == {smaller}
    others = ~scores.masks["LH"] & ~scores.masks["AC"]
    assert len(mark("voxels:0:other voxels").get_offsets()) == others.sum()


def test_the_table_is_the_evaluation_and_no_sign_is_read_by_latex(simulated_evaluation, tmp_path):
    choice = Choice(target=("AC", "cortex"), title="100 % of a_b <c>")
    path, values = write_figure("table", simulated_evaluation, tmp_path / "t.tex", choice)
    table, values = pd.read_csv(simulated_evaluation / "table.csv"), pd.read_csv(values)
    keys = ["n_voxels", "r_frozen", "r_tuned", "difference", "low", "high"]
    both = values.merge(table, on=["run", "target"], suffixes=("", "_source"))
    assert len(both) == len(values) == 4
    assert_array_equal(both[keys], both[[f"{key}_source" for key in keys]])
    text = path.read_text(encoding="utf-8")
    row = values.iloc[0]
    change = f"{row['difference']:+.3f} & {row['low']:+.3f} to {row['high']:+.3f}".replace("-", "$-$")
    assert f"{row['n_voxels']} & {row['r_frozen']:.3f} & {row['r_tuned']:.3f} & {change}" in text
    assert r"\caption{100 \% of a\_b \textless{}c\textgreater{}. SIMULATED responses}" in text
    one = draw_figure("table", simulated_evaluation, Choice(run="on-AC"))
    assert one.figure is None
    assert "Run &" not in one.tex


def test_the_histogram_draws_its_bins(simulated_evaluation):
    mark, values = drawn("histogram", simulated_evaluation, run="on-AC", target="AC")
    scores = Evaluation.open(simulated_evaluation).of_run("on-AC")
    difference = (scores.tuned - scores.frozen)[scores.masks["AC"]]
    (axes,) = mark.figure.axes
    assert_array_equal([bar.get_height() for bar in axes.patches], values["voxels"])
    assert_allclose([bar.get_x() for bar in axes.patches], values["from"])
    assert {text.get_text() for text in axes.texts} == {
        f"{np.mean(difference > 0):.0%} of voxels up",
        f"{np.mean(difference < 0):.0%} down",
    }


def test_voxels_without_a_score_are_no_dots_and_those_without_a_change_neither_up_nor_down():
    scores = RunVoxels(np.arange(5), np.zeros(5), np.array([0.0, 0.0, 0.1, -0.1, np.nan]), {})
    assert {"25% of voxels up", "25% down"} <= words(on_page(draw_histogram, histogram_table(scores, "one")))
    assert_array_equal(scatter_table(scores, "one", "One")["voxel"], [0, 1, 2, 3])


@pytest.mark.parametrize("tuned", [0.0, 0.1])
def test_scores_that_are_all_alike_are_drawn_without_a_warning(tuned):
    scores = RunVoxels(np.arange(3), np.zeros(3), np.full(3, tuned), {})
    assert png(on_page(draw_histogram, histogram_table(scores, "one")))
    assert png(on_page(draw_scatter, scatter_table(scores, "one", "One")))


def test_learning_curves_are_the_history_of_each_run(simulated_evaluation):
    mark, values = drawn("learning", simulated_evaluation)
    for number, entry in enumerate(Evaluation.open(simulated_evaluation).runs):
        rows = values[values["run"] == entry["name"]]
        for key in ("epoch", "loss", "validation_r"):
            assert_array_equal(rows[key], np.array([one[key] for one in entry["history"]], float))
        assert list(rows.loc[rows["kept"], "epoch"]) == [entry["best"]["epoch"]]
        assert_allclose(mark(f"validation_r:{number}").get_xydata(), rows[["epoch", "validation_r"]])
        assert_allclose(mark(f"loss:{number}").get_xydata(), rows[["epoch", "loss"]].dropna())
        kept = rows.loc[rows["kept"], ["epoch", "validation_r"]]
        assert_allclose(mark(f"kept:validation_r:{number}").get_xydata(), kept)


def test_a_run_shows_how_it_learned_before_it_is_evaluated(tuned_run):
    mark, values = drawn("learning", tuned_run)
    assert_allclose(mark("validation_r:0").get_xydata(), [[1, 0.1], [2, 0.3]])
    assert list(values["kept"]) == [False, True]
    assert "SIMULATED" not in words(mark.figure)
    assert "star: epoch 2, kept (validation r 0.300)" in words(mark.figure)


def test_epochs_are_whole_numbers_even_where_there_is_one():
    history = {"label": "One", "epoch": [1], "loss": [-0.1], "validation_r": [np.nan], "kept": [True]}
    figure = on_page(draw_lines, lines_of(pd.DataFrame(history)))
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    ticks = figure.axes[0].get_xticks()
    assert_array_equal(ticks[(ticks >= low) & (ticks <= high)], [1])


@pytest.mark.parametrize(
    ("kind", "about", "score", "targets"),
    [("layers", "target", "r", ("AC", "cortex")), ("tasks", "task", "auc", ("words", "phones"))],
)
def test_scores_and_gains_by_hidden_state_are_drawn(simulated_evaluation, kind, about, score, targets):
    mark, values = drawn(kind, simulated_evaluation, run="on-AC", target=targets)
    source = pd.read_csv(simulated_evaluation / {"layers": "layers.csv", "tasks": "downstream.csv"}[kind])
    for number, name in enumerate(values["label"].unique()):
        rows = source[(source["run"] == "on-AC") & (source[about] == name)]
        keys = {"r_frozen": f"{score}_frozen", "r_tuned": f"{score}_tuned", "difference": "difference"}
        for gid, key in keys.items():
            assert_allclose(mark(f"{gid}:{number}").get_xydata(), rows[["layer", key]])
        corners = mark(f"interval:difference:{number}").get_paths()[0].vertices
        assert_allclose([corners[:, 1].min(), corners[:, 1].max()], [rows["low"].min(), rows["high"].max()])
    assert set(values[about]) == set(targets)
    both = draw_figure(kind, simulated_evaluation).values
    assert list(both.groupby("run")["label"].nunique()) == [1, 1]  # a line a run, unless more are asked for


def test_delays_are_those_of_the_evaluation(simulated_evaluation, tmp_path):
    mark, values = drawn("delays", simulated_evaluation, run="on-AC")
    delays = Evaluation.open(simulated_evaluation).delays
    delays = delays[delays["run"] == "on-AC"]
    for name in ("seconds", "median", "low", "high"):
        assert list(values[name]) == list(delays[name])
    assert_allclose(mark("median:0").get_xydata(), values[["seconds", "median"]])
    earlier = shutil.copytree(simulated_evaluation, tmp_path / "earlier")
    (earlier / "delays.csv").unlink()
    without_checksums(earlier)
    with pytest.raises(RunError, match="no delays of run on-cortex: it was evaluated by a version"):
        draw_figure("delays", earlier)


def test_the_transfer_matrix_and_the_curve_are_those_of_the_folder(others):
    folder = others["transfer"]
    mark, values = drawn("transfer", folder, width=180.0)
    matrix, curve = (pd.read_csv(folder / f"{name}.csv") for name in ("matrix", "curve"))
    cells = values[values["part"] == "matrix"]
    keys = ["tuned_on", "scored_on", "difference", "low", "high", "r_tuned"]
    assert_array_equal(cells[keys], matrix[keys])
    axes = mark("cells").axes
    rows, columns = ([text.get_text() for text in one.get_ticklabels()] for one in (axes.yaxis, axes.xaxis))
    table = matrix.pivot(index="tuned_on", columns="scored_on", values="difference").loc[rows, columns]
    assert_allclose(mark("cells").get_array().reshape(2, 2), table)
    assert mark("gain:0:1").get_position() == (1.5, 0.5)
    assert mark("gain:1:0").get_text() == "−0.030\n−0.040 to −0.020"
    assert_array_equal(values.loc[values["part"] == "draw", "r_tuned"], curve["r_tuned"])
    own = curve[(curve["tuned_on"] == "ann") & (curve["scored_on"] == "ben")]
    assert_allclose(mark("r_tuned:1").get_xydata(), own[["minutes", "r_tuned"]])


def test_a_run_that_two_folders_hold_is_not_drawn_twice(tmp_path):
    folders = [fake_transfer(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(BrainwavlmError, match="run run-ann in ann more than once"):
        draw_figure("transfer", folders)


def test_seeds_are_the_runs_of_each_group(others):
    mark, values = drawn("seeds", others["comparison"], target="AC")
    found = Comparison.open(others["comparison"])
    for number, (_, rows) in enumerate(values.groupby("label", sort=False)):
        groups, seeds = (
            one[(one["group"] == rows["group"].iloc[0]) & (one["target"] == "AC")]
            for one in (found.groups, found.runs)
        )
        mean = groups.iloc[0]
        assert_allclose(mark(f"{SEED}:{number}").get_xdata(), seeds["r_tuned"])
        assert_allclose(mark(f"{TUNED}:{number}").get_xdata(), mean["mean"])
        assert_allclose(mark(f"{UNTUNED}:{number}").get_xdata(), mean["r_frozen"])
        ends = mean["r_frozen"] + mean[["low", "high"]].to_numpy(float)
        assert_allclose(mark(f"interval:{TUNED}:{number}").get_xdata(), ends)


def test_changes_layers_and_transfer_of_a_study_are_its_table(study):
    mark, values = drawn("claims", study, experiment="linear-map")
    (row,) = values.to_dict("records")
    assert_allclose([row["estimate"], row["shared_estimate"]], [0.021, -0.009], atol=1e-6)
    for readout, sign in (("", ALONE), ("shared_", SHARED)):
        assert_allclose(mark(f"{sign}:0").get_xdata(), row[f"{readout}estimate"])
        for gid, ends in (("interval", ("low", "high")), ("seed_interval", ("seed_low", "seed_high"))):
            assert_allclose(mark(f"{gid}:{sign}:0").get_xdata(), [row[f"{readout}{end}"] for end in ends])
    assert "1. cortex of sim01" in words(mark.figure)
    _, values = drawn("transfer", study, experiment="transfer", target="cortex")
    assert set(zip(values["tuned_on"], values["scored_on"], strict=True)) == {
        (tuned_on, who) for tuned_on in ("sim01", "sim02") for who in ("sim01", "sim02")
    }
    assert_allclose(values["difference"], values["r_tuned"] - values["r_frozen"], atol=1e-6)
    with pytest.raises(BrainwavlmError, match="experiment: 'linear-map'"):
        draw_figure("transfer", study, Choice(experiment="linear-map"))
    _, values = drawn("layers", study, experiment="layers")
    assert set(values["layer"]) == {0, 1, 2}


def test_many_findings_stay_on_a_page_side_by_side_where_there_is_room():
    table = product(label=[f"sim01, cortex: rank {n}" for n in range(59)], part=("mean", "seed"))
    table = table.assign(r_frozen=0.1, r_tuned=0.2, low=0.05, high=0.15, seed=0)
    with shipped_style().applied():
        figure = draw_forest(forest_of(table), Canvas(shipped_style(), 180 / 25.4))
        assert figure.get_size_inches()[1] * 25.4 < 240
        assert len(figure.axes) == 2
        with pytest.raises(ConfigError, match=r"59 findings, \d+ mm high at this width"):
            draw_forest(forest_of(table), Canvas(shipped_style(), 120 / 25.4))


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("mapped"), n_voxels=400, runs=(("one", "cortex"),))


def shown(folder, **choice):
    """The values of maps: nothing is drawn."""
    return maps([Place("evaluation", folder)], Choice(**choice)).values


@pytest.mark.usefixtures("every_triangle")
def test_faces_of_a_map_have_the_colours_of_their_side(mapped, tmp_path):
    folder = shutil.copytree(mapped, tmp_path / "evaluation")
    voxels = pd.read_csv(folder / "voxels.csv.gz")
    left = patches(400)[0][voxels["voxel"]] == 0
    voxels["r_frozen"], voxels["r_tuned"] = 0.2, np.where(left, 0.8, 0.4)
    voxels.to_csv(folder / "voxels.csv.gz", index=False)
    without_checksums(folder)
    for view, way in (("inflated", "lateral"), ("flat", "flat")):
        mark, _ = drawn("maps", folder, quantity="tuned", width=85.0, view=view)
        for side, value in (("left", 0.8), ("right", 0.4)):
            surface = mark(f"brain:0:{side}:{way}").collections[0]
            assert surface.get_rasterized()
            faces = surface._facecolor3d[:, :3]
            coloured = faces[np.ptp(faces, axis=1) > 0.2]
            assert len(coloured) > 300
            # Drawn over a grey brain, whose shade shines through a little.
            assert np.abs(np.median(coloured, axis=0) - colormaps["viridis"](value / 0.8)[:3]).max() < 0.1
        assert {"left", "right", "test correlation r"} <= words(mark.figure)


def test_maps_leave_out_voxels_above_the_threshold_and_show_shares_of_the_ceiling(mapped):
    values = shown(mapped, quantity="share", q=0.05)
    voxels = pd.read_csv(mapped / "voxels.csv.gz")
    below = voxels[voxels["q_tuned"] < 0.05]
    assert 0 < len(below) < len(voxels)
    assert_allclose(sorted(values["value"]), sorted(below["normalised_tuned"]), rtol=1e-12)


def test_a_native_subject_is_drawn_on_their_own_surface(ds003020, native_scores):
    dataset = load_dataset(ds003020[0])
    mesh = mesh_of(dataset.subject("UTS03"), dataset)
    expected = np.sin(np.radians(ds003020[1].latitude)) / 2
    _, values = drawn("maps", native_scores, quantity="frozen", view="pial", width=85.0)
    for side, half in mesh.halves.items():
        own = values[values["hemisphere"] == side]
        # Each vertex of a native surface has one column.
        assert_array_equal(own["vertex"], half.vertex)
        assert_allclose(own["value"], expected[half.column], atol=1e-6)
    with pytest.raises(BrainwavlmError, match="view: inflated, of native, UTS03"):
        shown(native_scores)


@pytest.fixture
def tuned_run(tmp_path):
    """A run of measured responses with two epochs, and an evaluation of before it was moved here."""
    folder = tmp_path / "run"
    evaluation = fake_evaluation(folder, 12, simulated=False, runs=(("run", "cortex"),))
    history = [{"epoch": n, "loss": -0.1 * n, "validation_r": 0.2 * n - 0.1} for n in (1, 2)]
    overrides = {"dataset": str(folder / "data"), "subject": "sim01", "target": "cortex"}
    fake_run(folder, load_config(preset="demo", overrides=overrides), history, kept=2, simulated=False)
    summary = json.loads((evaluation / "summary.json").read_text())
    about = json.loads((folder / "result.json").read_text()) | {"path": "somewhere/else"}
    summary["runs"][0] |= about
    (evaluation / "summary.json").write_text(json.dumps(summary))
    return folder
