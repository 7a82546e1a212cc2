"""Exported maps, read back: every value at its voxel or vertex, in files that other tools take."""

import json
import re
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import SafetensorError

from brainwavlm import open_maps
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.anatomy import write_anatomy
from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.maps.writer import file_names
from tests.brains import CENTRE, _voxel_to_surface
from tests.made_up import fake_evaluation, native_evaluation, without_checksums

XFM = "derivative/pycortex-db/UTS03/transforms/UTS03_auto"
UNSCORED = 7  # every seventh column


@pytest.fixture(scope="module")
def brain(ds003020, tmp_path_factory):
    """A subject of ds003020, and an evaluation in which r_frozen is half the sine of the latitude."""
    root, truth = ds003020
    values = np.sin(np.radians(truth.latitude)) / 2
    folder = native_evaluation(
        tmp_path_factory.mktemp("scored") / "evaluation", root, {"RH": truth.right}, values, simulated=False
    )
    _drop_voxels(folder)
    return root, truth, folder


def _drop_voxels(folder):
    """As where some columns are constant: their rows are missing, and the voxels are not in order."""
    frame = pd.read_csv(folder / "voxels.csv.gz", dtype=str)
    kept = frame[frame["voxel"].astype(int) % UNSCORED != 0].sample(frac=1, random_state=0)
    kept["alpha_tuned"], kept["remark"] = kept["voxel"], "text"  # a number for each voxel
    kept.to_csv(folder / "voxels.csv.gz", index=False)
    without_checksums(folder)
    summary = json.loads((folder / "summary.json").read_text())
    frozen = summary["runs"][0]["frozen"]
    frozen |= {"n_voxels": len(kept), "unusable_voxels": {"constant": len(frame) - len(kept)}}
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture(scope="module")
def exported(brain, tmp_path_factory):
    return open_maps(brain[2]).save(tmp_path_factory.mktemp("maps") / "out", surfaces=True) / "one"


def latitude_at(index):
    """Of voxels of the made-up brain by its geometry alone: nothing of the program is asked."""
    point = np.column_stack([index, np.ones(len(index))]) @ _voxel_to_surface()[:3].T
    centre = np.where(point[:, :1] > 0, CENTRE * [-1, 1, 1], CENTRE)
    away = point - centre
    return np.arcsin(away[:, 2] / np.linalg.norm(away, axis=1))


def test_each_value_of_a_volume_is_where_its_voxel_is_in_the_head(exported, brain):
    image = nibabel.load(exported / "r_frozen.nii.gz")
    data = image.get_fdata(dtype=np.float32)
    index = np.argwhere(np.isfinite(data))
    assert len(index) == np.count_nonzero(np.arange(len(brain[1].right)) % UNSCORED)
    assert_allclose(data[tuple(index.T)], np.sin(latitude_at(index)) / 2, atol=2e-6)
    for name in ("mask_thick.nii.gz", "reference.nii.gz"):
        other = nibabel.load(brain[0] / XFM / name)
        assert_array_equal(image.affine, other.affine)
        for form in ("get_sform", "get_qform"):
            ours, theirs = (getattr(one.header, form)(coded=True) for one in (image, other))
            assert ours[1] == theirs[1]
    assert image.get_data_dtype() == np.float32
    assert nibabel.load(exported / "target-RH.nii.gz").get_data_dtype() == np.uint8
    assert image.header.get_slope_inter() in ((1.0, 0.0), (None, None))


def test_every_column_of_the_table_comes_back_value_for_value(exported, brain):
    frame = pd.read_csv(brain[2] / "voxels.csv.gz").sort_values("voxel")
    frame["difference"] = frame["r_tuned"] - frame["r_frozen"]
    mask = np.asarray(nibabel.load(brain[0] / XFM / "mask_thick.nii.gz").dataobj)
    sidecar = json.loads((exported / "maps.json").read_text())
    names = {one["name"]: one for one in sidecar["maps"]}
    columns = set(frame) - {"run", "subject", "voxel", "cortex", "RH", "remark"}
    assert set(names) == columns | {"scored", "target:cortex", "target:RH"}
    # x runs fastest: the order of the columns, by numpy's Fortran order alone.
    columns_of_mask = np.flatnonzero(mask.ravel(order="F"))
    for name, entry in names.items():
        data = np.asarray(nibabel.load(exported / entry["volume"]).dataobj).ravel(order="F")
        expected = np.full(len(columns_of_mask), 0 if entry["unit"] == "0 or 1" else np.nan, data.dtype)
        expected[frame["voxel"]] = 1 if name == "scored" else frame[name.removeprefix("target:")]
        assert_array_equal(data[columns_of_mask], expected, err_msg=name)
        outside = np.delete(data, columns_of_mask)
        assert (outside == 0).all() if entry["unit"] == "0 or 1" else np.isnan(outside).all()


def _arrays(path):
    return {one.meta["Name"]: one.data for one in nibabel.load(path).darrays}


def test_the_sidecar_and_the_surface_files_tell_what_the_maps_are(exported, brain):
    sidecar = json.loads((exported / "maps.json").read_text())
    assert sidecar["simulated"] is False
    assert (sidecar["run"], sidecar["subject"], sidecar["tuned_on"]) == ("one", "UTS03", "cortex")
    assert sidecar["source"]["folder"] == "evaluation"
    assert sidecar["surface"]["space"] == "native, UTS03"
    assert sidecar["volume"]["shape"] == [46, 33, 24]
    assert "Column remark of voxels.csv.gz holds text and is no map." in sidecar["notes"]
    assert str(brain[0]) not in (exported / "maps.json").read_text()  # nobody's paths
    assert all(one["unit"] and one["meaning"] for one in sidecar["maps"])
    surfaces = (one["surface"][side]["file"] for one in sidecar["maps"] for side in ("left", "right"))
    named = {one["volume"] for one in sidecar["maps"]} | {*surfaces, "maps.json", "maps.spec"}
    assert named == {file.name for file in exported.iterdir() if not file.name.endswith(".surf.gii")}
    for one in sidecar["maps"]:
        place = one["surface"]["left"]
        assert list(_arrays(exported / place["file"]))[place["map"]] == one["name"]
    for side, structure in (("L", "CortexLeft"), ("R", "CortexRight")):
        for name in ("scores", "targets"):
            image = nibabel.load(exported / f"{name}_hemi-{side}.func.gii")
            assert image.meta["AnatomicalStructurePrimary"] == structure
            assert "SIMULATED" not in image.meta["Description"]
            assert {one.data.dtype for one in image.darrays} == {np.dtype(np.float32)}
        flat = nibabel.load(exported / f"flat_hemi-{side}.surf.gii")
        assert flat.meta["AnatomicalStructurePrimary"] == structure
        assert flat.darrays[0].meta["GeometricType"] == "Flat"
        assert not (exported / f"inflated_hemi-{side}.surf.gii").exists()  # this subject has none


def test_on_fsaverage5_each_value_is_at_its_vertex_in_files_that_say_simulated(native_scores, tmp_path):
    folder = fake_evaluation(tmp_path, n_voxels=300)
    out = open_maps(folder).save(tmp_path / "out", surfaces=True)
    subject = load_dataset(tmp_path / "data").subject("sim01")
    frame = pd.read_csv(folder / "voxels.csv.gz")
    frame["difference"] = frame["r_tuned"] - frame["r_frozen"]
    for run in ("on-cortex", "on-AC"):
        assert json.loads((out / run / "maps.json").read_text())["simulated"] is True
        assert list((out / run).glob("*.nii*")) == []
        rows = frame[frame["run"] == run].set_index("voxel")
        for code, side in enumerate("LR"):
            image = nibabel.load(out / run / f"scores_hemi-{side}.func.gii")
            for meta in (image.meta, *(one.meta for one in image.darrays)):
                assert "SIMULATED" in meta["Description"]
            arrays = {one.meta["Name"]: one.data for one in image.darrays}
            assert {"r_frozen", "q_difference", "p_max_tuned", "normalised_tuned", "difference"} <= {*arrays}
            here = np.flatnonzero(subject.hemisphere == code)
            for name, values in arrays.items():
                expected = np.full(10242, np.nan, np.float32)
                expected[subject.vertex[here]] = rows[name][here]
                assert_array_equal(values, expected, err_msg=name)
            mask = _arrays(out / run / f"targets_hemi-{side}.func.gii")["target:AC"]
            members = subject.vertex[here][rows["AC"][here].astype(bool)]
            assert_array_equal(np.flatnonzero(mask), np.sort(members))
    image = open_maps(native_scores)["one"].volume("r_tuned")
    assert image.header["descrip"].item().startswith(b"SIMULATED r_tuned")


def test_a_surface_whose_shapes_are_not_here_still_has_its_maps(tmp_path):
    folder = fake_evaluation(tmp_path, n_voxels=40)
    file = tmp_path / "data/subjects/sim01.h5"
    vertex = np.arange(40) * 1000
    hemisphere = np.arange(40) % 2
    write_anatomy(file, hemisphere=hemisphere, surface="fsaverage6", vertex=vertex)
    out = open_maps(folder).save(tmp_path / "out", surfaces=True)
    rows = pd.read_csv(folder / "voxels.csv.gz").groupby("run").get_group("on-AC").set_index("voxel")
    values = _arrays(out / "on-AC" / "scores_hemi-R.func.gii")["r_tuned"]
    assert len(values) == 40962
    assert_array_equal(values[vertex[1::2]], rows["r_tuned"][1::2].to_numpy(np.float32))
    assert np.isfinite(values).sum() == 20
    assert list(out.rglob("*.surf.gii")) == []


def test_what_of_a_data_set_is_missing_is_named_and_the_rest_is_written(brain, tmp_path):
    root = shutil.copytree(brain[0], tmp_path / "copy")
    folder = native_evaluation(tmp_path / "evaluation", root, {}, brain[1].latitude / 200)
    (root / "derivative/pycortex-db/UTS03/surfaces/wm_rh.gii").unlink()
    out = open_maps(folder).save(tmp_path / "out") / "one"
    assert (out / "r_tuned.nii.gz").is_file()
    assert list(out.glob("*.gii")) == []
    assert "wm_rh.gii: no such file" in " ".join(json.loads((out / "maps.json").read_text())["notes"])
    volume = nibabel.load(root / XFM / "mask_thick.nii.gz")
    mask = np.asarray(volume.dataobj).copy()
    mask[tuple(np.argwhere(mask)[5])] = 0
    nibabel.save(nibabel.Nifti1Image(mask, volume.affine), root / XFM / "mask_thick.nii.gz")
    maps = open_maps(folder)
    with pytest.raises(RunError, match=r"no volume of UTS03\. .*voxels, the responses have"):
        maps["one"].volume("r_tuned")
    with pytest.raises(RunError, match=r"No volume: .*No surface: "):
        maps.save(tmp_path / "other")
    shutil.rmtree(root)
    with pytest.raises(RunError, match="the data set cannot be read any more"):
        open_maps(folder).save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_map_that_is_not_there_and_text_in_a_known_column_are_named(brain, tmp_path):
    with pytest.raises(ConfigError, match=r"'r_best' is no map of run one(.|\n)*r_tuned"):
        open_maps(brain[2])["one"].volume("r_best")
    folder = shutil.copytree(brain[2], tmp_path / "evaluation")
    frame = pd.read_csv(folder / "voxels.csv.gz", dtype=str)
    frame.loc[3, "alpha_tuned"] = "much"
    frame.to_csv(folder / "voxels.csv.gz", index=False)
    with pytest.raises(RunError, match="column alpha_tuned holds text"):
        open_maps(folder)


def test_no_place_with_other_things_is_written_to_and_what_breaks_half_way_leaves_nothing(
    brain, tmp_path, monkeypatch
):
    maps = open_maps(brain[2])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for place in (tmp_path / "full", tmp_path / "file", brain[0] / "maps"):
        with pytest.raises(ConfigError, match="output"):
            maps.save(place)
    assert not (brain[0] / "maps").exists()

    def full(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("brainwavlm.reporting.maps.writer.write_json", full)
    with pytest.raises(OSError, match=rf"No space.*{tmp_path / 'out'}"):
        maps.save(tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_names_of_files_are_safe_and_each_once():
    names = ["../../etc/passwd", "<script>", "target:AC", "target-ac", "ceiling>0.2", "..", "", "ä" * 300]
    safe = file_names(names)
    assert safe[2:5] == ["target-AC", "target-ac-2", "ceiling_0.2"]
    assert len({name.lower() for name in safe}) == len(names)
    assert all(re.fullmatch(r"[^./<>:\\][^/<>:\\]{0,128}", name) for name in safe)
    assert all(name.strip("._") or name.startswith("_") for name in safe)


def test_the_command_writes_maps_and_says_so(brain, tmp_path, brainwavlm):
    printed = json.loads(brainwavlm("maps", brain[2], "-o", tmp_path / "out", "--json").out)
    assert printed["simulated"] is False
    assert [row["surface"] for row in printed["runs"]] == ["native, UTS03"]
    assert (tmp_path / "out" / "one" / "maps.json").is_file()
    told = brainwavlm("maps", brain[2], "-o", tmp_path / "told").out
    assert f"Maps of {brain[2].name}" in told
    assert "native, UTS03" in told
    done = brainwavlm("maps", tmp_path, "-o", tmp_path / "other", code=2)
    assert "summary.json" in done.err


def test_a_target_that_was_not_scored_can_be_added_as_a_mask(brain, tmp_path):
    truth = brain[1]
    maps = open_maps(brain[2], targets=["aparc:insula&LH", "RH"])
    out = maps.save(tmp_path / "out") / "one"
    mask = np.asarray(nibabel.load(brain[0] / XFM / "mask_thick.nii.gz").dataobj)
    data = np.asarray(nibabel.load(out / "target-aparc-insula_LH.nii.gz").dataobj).ravel(order="F")
    scored = np.arange(len(truth.right)) % UNSCORED != 0
    expected = truth.masks["aparc:insula"] & ~truth.right & scored
    assert expected.sum() > 100
    assert_array_equal(data[np.flatnonzero(mask.ravel(order="F"))], expected)
    with pytest.raises(ConfigError, match="'aparc:insular' is no target of UTS03"):
        open_maps(brain[2], targets=["aparc:insular"])


def test_names_that_mean_something_elsewhere_are_only_names(brain, tmp_path):
    names = ("<b>&amp;]]></b>", "ceiling\x1b[31m>0.2", "../../up")
    folder = shutil.copytree(brain[2], tmp_path / "evaluation")
    voxels, table = (
        pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        for name in ("voxels.csv.gz", "table.csv")
    )
    rows = [table.replace({"target": {"RH": name}})[table["target"] == "RH"] for name in names]
    pd.concat([table, *rows]).to_csv(folder / "table.csv", index=False)
    voxels.assign(**dict.fromkeys(names, voxels["RH"])).to_csv(folder / "voxels.csv.gz", index=False)
    out = open_maps(folder).save(tmp_path / "maps" / "out", space="surfaces")
    assert list((tmp_path / "maps").iterdir()) == [out]
    sidecar = json.loads((out / "one" / "maps.json").read_text())
    assert sidecar["volume"]["space"] == "surfaces, UTS03"
    written = _arrays(out / "one" / "targets_hemi-R.func.gii")
    for name, entry in zip(names, sidecar["maps"][-3:], strict=True):
        assert f"target:{name.replace(chr(27), '?')}" in written
        assert entry["name"] == f"target:{name}"
        assert nibabel.load(out / "one" / entry["volume"]).shape == (46, 33, 24)
