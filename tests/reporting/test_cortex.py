import base64
import json

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Subject
from brainwavlm.reporting import write_report
from brainwavlm.reporting.meshes import columns_at_vertices, mesh_of
from brainwavlm.reporting.page.cortex import cortex_data, quantised
from brainwavlm.reporting.surface_maps import Source, sources_of
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.run_voxels import RunVoxels
from tests.brains import LATITUDES, LONGITUDES


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), dtype=f"<{kind}")


def data_of(results):
    sources = sources_of(results)
    return cortex_data([(name, results.of_run(name), source) for name, source in sources.items()])


def test_coordinates_come_back_to_a_hundredth_of_a_millimetre_and_a_flat_surface_keeps_its_plane():
    points = np.random.default_rng(0).uniform(-150, 150, (1000, 3))
    points[:, 2] = 5
    sent = quantised(points)
    back = sent["low"] + unpacked(sent["points"], "u2").reshape(-1, 3) * np.array(sent["step"])
    assert np.abs(back - points).max() < 0.01
    assert (sent["low"][2], sent["step"][2]) == (5, 0)


def test_values_are_sent_as_they_are_in_the_file_and_one_geometry_serves_all_of_them(simulated_evaluation):
    results = Evaluation.open(simulated_evaluation)
    data, _ = data_of(results)
    scores, run = results.of_run("on-cortex"), data["runs"][0]
    assert_allclose(unpacked(run["values"]["q_difference"], "f4"), scores.more["q_difference"], rtol=1e-7)
    assert_array_equal(unpacked(run["voxel"], "i4"), scores.voxel)
    assert_array_equal(unpacked(run["targets"]["language"], "u1"), scores.masks["language"])
    assert set(run["values"]) == {"frozen", "tuned", *scores.more}
    assert [one["key"] for one in data["maps"]] == [
        *("tuned", "frozen", "difference"),
        *("normalised_tuned", "normalised_frozen"),
    ]
    assert list(data["meshes"]) == ["fsaverage5"]
    assert data["meshes"]["fsaverage5"]["kinds"] == ["inflated", "pial", "flat"]
    left = data["meshes"]["fsaverage5"]["left"]
    assert list(left["triangles"]) == ["inflated", "flat"]
    assert left["shapes"]["pial"]["triangles"] == "inflated"


def test_a_native_vertex_takes_the_column_of_the_voxel_that_holds_it(ds003020):
    root, truth = ds003020
    dataset = load_dataset(root)
    mesh = mesh_of(dataset.subject("UTS03"), dataset)
    around, up = (grid.ravel() for grid in np.meshgrid(LONGITUDES, LATITUDES))
    directions = [_direction(around, up), _direction(truth.longitude, truth.latitude)]
    for side, half in enumerate(mesh.halves.values()):
        assert len(half.vertex) > 0.6 * len(
            around
        )  # one voxel in five is no column, and others are ambiguous
        assert len(set(half.vertex)) == len(half.vertex)
        assert (truth.right[half.column] == side).all()
        angle = np.degrees(
            np.arccos((directions[0][half.vertex] * directions[1][half.column]).sum(1).clip(-1, 1))
        )
        assert angle.max() < np.degrees(np.arcsin(2.9 / 27))  # half a voxel's diagonal, at its nearest
        assert np.median(angle) < 3.5


def _direction(longitude, latitude):
    around, up = np.radians(longitude), np.radians(latitude)
    return np.column_stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])


def test_a_point_outside_the_volume_or_in_no_column_has_none():
    volume = np.zeros((2, 2, 2))
    volume[1, 0, 0] = volume[0, 1, 0] = 1  # columns 0 and 1: x runs fastest
    points = np.array([[1, 0, 0], [0.4, 1.3, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 5]])
    vertex, column = columns_at_vertices(volume, np.eye(4), points)
    assert_array_equal(vertex, [0, 1])
    assert_array_equal(column, [0, 1])


def test_the_page_of_a_native_subject_has_its_own_surfaces(ds003020, native_scores, tmp_path):
    truth = ds003020[1]
    text = write_report(native_scores, tmp_path / "page.html").read_text(encoding="utf-8")
    data = json.loads(text.split('id="run-data">')[1].split("</script>")[0])
    assert data["meshes"]["native, UTS03"]["kinds"] == ["pial", "flat"]
    (run,) = data["runs"]
    assert run["mesh"] == "native, UTS03"
    assert "Sulci are not drawn darker (lh.sulc: no such file)." in text
    assert "its voxels lie on the mesh 'native'; maps are drawn on fsaverage5" in text.replace("&#39;", "'")
    labels = unpacked(run["label_of"], "u2")
    for name in ("a2009s:G_temp_sup-Lateral", "aparc:insula"):
        assert_array_equal([name in run["labels"][code].split(", ") for code in labels], truth.masks[name])


def test_a_column_that_was_not_scored_is_at_no_vertex(ds003020):
    root, truth = ds003020
    dataset = load_dataset(root)
    voxel = np.arange(0, len(truth.right), 2)
    scores = RunVoxels(voxel, np.zeros(len(voxel)), np.arange(len(voxel)) / len(voxel), {})
    config = load_config(preset="demo", overrides={"dataset": str(root), "subject": "UTS03"})
    subject = dataset.subject("UTS03")
    mesh = mesh_of(subject, dataset)
    data, _ = cortex_data([("one", scores, Source(config, dataset, subject, "native", mesh))])
    place, column = data["runs"][0]["places"]["left"], mesh.halves["left"].column
    rows = unpacked(place["row"], "u4")
    assert_array_equal(voxel[rows], column[column % 2 == 0])
    assert unpacked(place["start"], "u4")[-1] == len(rows)


def test_no_surface_has_its_reason_and_values_are_there_all_the_same():
    scores = RunVoxels(np.arange(3), np.zeros(3), np.ones(3), {})
    config = load_config(preset="demo", overrides={"subject": "sim01"})
    outside = Subject("s", {}, np.zeros(3, np.int8), surface="fsaverage5", vertex=np.array([0, 1, 99999]))
    gone, far = Source(config, None, None, "gone"), Source(config, None, outside, "too far")
    data, reasons = cortex_data([("a", scores, gone), ("b", scores, far)])
    assert reasons == {"a": "gone", "b": "too far"}
    assert data["meshes"] == {}
    assert [unpacked(run["values"]["tuned"], "f4").tolist() for run in data["runs"]] == [[1, 1, 1]] * 2
