"""Columns of ds003020 on a subject's surfaces: on two spheres every mask is known by formula."""

import json
import shutil

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.labels import AUDITORY_CORTEX
from brainwavlm.datasets.surfaces import mask_voxels, nearest_vertices
from brainwavlm.encoding.targets import target_counts, target_mask, target_masks, with_regions
from brainwavlm.errors import ConfigError, DatasetError
from tests.brains import AC, write_brain

XFM = "derivative/pycortex-db/UTS03/transforms/UTS03_auto"
SURFACES = "derivative/pycortex-db/UTS03/surfaces"
LABELS = "derivative/freesurfer_subjdir/UTS03/label"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("brain")
    return root, write_brain(root)


@pytest.fixture(scope="module")
def brain(built):
    return built[1]


@pytest.fixture(scope="module")
def subject(built):
    return load_dataset(built[0]).subject("UTS03")


@pytest.fixture
def copied(built, tmp_path):
    return shutil.copytree(built[0], tmp_path / "copy")


def test_the_mask_of_each_label_is_the_truth_voxel_for_voxel(subject, brain):
    assert {name for name in brain.masks if not brain.masks[name].any()} == set()
    for name, truth in brain.masks.items():
        assert_array_equal(target_mask(name, subject), truth, err_msg=name)
    assert set(subject.rois) == set(brain.masks)
    assert_array_equal(target_mask("RH", subject), brain.right)
    assert_array_equal(target_mask("LH", subject), ~brain.right)


def test_auditory_cortex_is_the_named_union_and_the_sum_of_its_hemispheres(subject, brain):
    assert tuple(f"a2009s:{name}" for name in AC) == AUDITORY_CORTEX
    truth = np.logical_or.reduce([brain.masks[name] for name in AUDITORY_CORTEX])
    assert_array_equal(target_mask("AC", subject), truth)
    assert_array_equal(target_mask("AC&LH+AC&RH", subject), truth)


def test_labels_under_the_names_of_older_freesurfer_have_the_same_targets(tmp_path, brain):
    write_brain(tmp_path, "UTS02", old_names=True)
    subject = load_dataset(tmp_path).subject("UTS02")
    for name in ("DKT:bankssts", "BA:V1", "BA.thresh:BA44"):
        assert_array_equal(target_mask(name, subject), brain.masks[name])


def test_an_atlas_that_is_not_known_keeps_the_name_of_its_file(copied, brain):
    for side in ("lh", "rh"):
        shutil.copy(copied / LABELS / f"{side}.aparc.annot", copied / LABELS / f"{side}.mine.annot")
    subject = load_dataset(copied).subject("UTS03")
    assert_array_equal(target_mask("mine:insula", subject), brain.masks["aparc:insula"])


def test_regions_that_name_each_other_are_an_error(subject):
    circular = with_regions(subject, {"one": ["two"], "two": ["LH", "one"]})
    with pytest.raises(ConfigError, match=r"regions\.one: leads back to itself: one, two, one"):
        target_mask("one", circular)


def test_a_region_with_an_unknown_part_names_the_part_and_the_region(subject):
    with pytest.raises(ConfigError, match="'aparc:insular' of region mine is no target"):
        target_mask("mine", with_regions(subject, {"mine": ["aparc:insular"]}))
    counts, missing = target_counts(with_regions(subject, {"mine": ["aparc:insular"]}))
    assert "mine" not in counts
    assert "aparc:insular" in missing["mine"]


def test_regions_of_the_users_own_file_go_before_labels(copied):
    from brainwavlm.datasets.anatomy import write_anatomy

    own = np.arange(load_dataset(copied).subject("UTS03").n_voxels) % 5 == 0
    write_anatomy(copied / "brainwavlm/UTS03.h5", rois={"AC": own}, hemisphere=own)
    subject = load_dataset(copied).subject("UTS03")
    assert_array_equal(target_mask("AC", subject), own)
    assert_array_equal(target_mask("RH", subject), own)
    assert "aparc:insula" in subject.rois


@pytest.mark.parametrize("name", [f"{SURFACES}/wm_rh.gii", f"{XFM}/mask_thick.nii.gz"])
def test_without_a_file_cortex_remains_and_other_targets_say_what_is_missing(copied, name):
    (copied / name).unlink()
    subject = load_dataset(copied).subject("UTS03")
    assert target_mask("cortex", subject).all()
    for target in ("LH", "aparc:insula"):
        with pytest.raises(ConfigError, match=f"is no target of UTS03: .*{name}: no such file"):
            target_mask(target, subject)
    with pytest.raises(ConfigError, match=r"'cortx' is no target of UTS03\.(.|\n)*Did you mean cortex"):
        target_mask("cortx", subject)  # not blamed on files that are missing
    masks, missing = target_masks(["cortex", "AC"], subject)
    assert list(masks) == ["cortex"]
    assert name in missing["AC"]


def test_a_region_that_asks_for_a_ceiling_is_not_counted_and_says_why(subject):
    counts, missing = target_counts(with_regions(subject, {"good": ["AC&ceiling>0.2"]}))
    assert "good" not in counts
    assert "measured when a run needs it" in missing["good"]
    assert target_mask(
        "good", with_regions(subject, {"good": ["AC&ceiling>0.2"]}), np.ones(subject.n_voxels)
    ).any()


def test_without_labels_hemispheres_remain(copied):
    shutil.rmtree(copied / LABELS)
    subject = load_dataset(copied).subject("UTS03")
    assert target_mask("LH&cortex", subject).any()
    with pytest.raises(ConfigError, match=r"region AC is no target .*label: no annot file(.|\n)*3\.1\.0"):
        target_mask("AC", subject)


def test_an_atlas_of_another_size_is_out_and_says_so(copied, brain):
    labels = np.zeros(100, int)
    nibabel.freesurfer.write_annot(
        copied / LABELS / "rh.aparc.a2009s.annot", labels, np.zeros((1, 5), int), ["x"], fill_ctab=True
    )
    subject = load_dataset(copied).subject("UTS03")
    assert_array_equal(target_mask("aparc:insula", subject), brain.masks["aparc:insula"])
    with pytest.raises(
        ConfigError, match=r"rh\.aparc\.a2009s\.annot: 100 vertices(.|\n)*Expected 7080, as on"
    ):
        target_mask("AC", subject)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        (f"{XFM}/matrices.xfm", "{}", "no transform: KeyError: 'coord'"),
        (f"{XFM}/matrices.xfm", json.dumps({"coord": np.zeros((4, 4)).tolist()}), "coord = "),
        (f"{SURFACES}/pia_lh.gii", "", "cannot be read"),
        (
            f"{SURFACES}/pia_lh.gii",
            "/annex/objects/MD5E-s3963149--64b2.gii",
            r"a git-annex pointer(.|\n)*datalad get pia_lh\.gii",
        ),
        (f"{LABELS}/lh.aparc.a2009s.annot", "", "cannot be read"),
    ],
)
def test_a_damaged_file_is_named(copied, name, content, found):
    (copied / name).write_text(content)
    with pytest.raises(ConfigError, match=f"{name}: {found}"):
        target_mask("AC", load_dataset(copied).subject("UTS03"))


def test_a_voxel_far_from_both_surfaces_has_a_hemisphere_but_no_label(copied, brain):
    file = copied / XFM / "mask_thick.nii.gz"
    volume = nibabel.load(file)
    mask = np.asarray(volume.dataobj).copy()
    mask[-1, -1, -1] = 1  # a corner, and the last column
    nibabel.save(nibabel.Nifti1Image(mask, volume.affine), file)
    from tests.brains import write_responses

    write_responses(copied / "derivative", "UTS03", len(brain.right) + 1)
    subject = load_dataset(copied).subject("UTS03")
    assert_array_equal(target_mask("LH+RH", subject), np.ones(len(brain.right) + 1, bool))
    assert not any(mask[-1] for mask in subject.rois.values())
    assert_array_equal(target_mask("aparc:insula", subject)[:-1], brain.masks["aparc:insula"])
    problems = load_dataset(copied).region_problems("UTS03", subject.n_voxels)
    assert [problem.found for problem in problems] == [
        f"1 of {subject.n_voxels} voxels are 8 mm or more from the surfaces."
    ]


def test_a_mask_with_another_number_of_voxels_than_columns_is_refused(copied):
    with pytest.raises(DatasetError, match=r"mask_thick\.nii\.gz: \d+ voxels\.\n.*12, the number of columns"):
        load_dataset(copied).surface_files("UTS03").places(12)


def test_vertices_are_those_of_the_voxels(subject, brain):
    assert subject.surface == "native"
    assert_array_equal(subject.hemisphere, brain.right)
    # The lattice runs around the sphere first: the vertex itself tells its sector and band.
    from tests.brains import LATITUDES, LONGITUDES, SECTORS, _sector

    row, column = np.divmod(subject.vertex, len(LONGITUDES))
    assert row.max() < len(LATITUDES)
    for code, name in enumerate(SECTORS):
        assert_array_equal(
            _sector(LONGITUDES[column], subject.hemisphere) == code, brain.masks[f"aparc:{name}"]
        )


def test_columns_run_fastest_along_x():
    mask = np.zeros((3, 2, 2))
    mask[2, 0, 0] = mask[0, 1, 0] = mask[1, 0, 1] = 7
    assert mask_voxels(mask).tolist() == [[2, 0, 0], [0, 1, 0], [1, 0, 1]]


def test_distances_are_in_millimetres_of_the_surfaces():
    # Voxels of 1 x 1 x 10 mm: the left point is one voxel away and 10 mm, the right one three and 3 mm.
    left, right = np.array([[0.0, 0, 10]]), np.array([[3.0, 0, 0]])
    places = nearest_vertices(np.array([[0, 0, 0]]), np.diag([1, 1, 0.1, 1]), left, right)
    assert (places.hemisphere.tolist(), places.vertex.tolist(), places.distance.tolist()) == ([1], [0], [3.0])
