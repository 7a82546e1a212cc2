"""`brainwavlm targets` on a subject of ds003020 whose labels are known, and regions in a run's configuration."""

import json
import re
import shutil

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from brainwavlm.encoding.run_data import run_data
from tests.brains import write_brain


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("brain")
    return root, write_brain(root)


def counts(done):
    return {row["target"]: row["voxels"] for row in json.loads(done.out)}


def test_all_targets_of_a_subject_are_listed_with_their_voxels_and_in_a_table(brainwavlm, built):
    root, brain = built
    found = counts(brainwavlm("targets", root, "UTS03", "--json"))
    assert found["LH"] + found["RH"] == found["cortex"] == len(brain.right)
    assert {name: found[name] for name in brain.masks} == {k: int(m.sum()) for k, m in brain.masks.items()}
    assert counts(brainwavlm("targets", root, "--subject", "UTS03", "--json")) == found
    done = brainwavlm("targets", root, "UTS03")
    assert re.search(rf"aparc:insula +{brain.masks['aparc:insula'].sum():,}\b", done.out)
    assert done.err == ""


def test_regions_come_from_a_file_and_from_the_command_line(brainwavlm, built, tmp_path):
    root, brain = built
    (tmp_path / "run.yaml").write_text(
        "subject: UTS03\nregions: {AC: [aparc:insula], mine: ['AC&LH', 'BA:V1']}\n"
    )
    insula, v1 = brain.masks["aparc:insula"], brain.masks["BA:V1"]
    found = counts(brainwavlm("targets", root, "UTS03", "--config", tmp_path / "run.yaml", "--json"))
    assert found["AC"] == insula.sum()
    assert found["mine"] == ((insula & ~brain.right) | v1).sum()
    found = counts(brainwavlm("targets", root, "UTS03", "--set", "regions.AC=[BA:V1]", "--json"))
    assert found["AC"] == v1.sum()


def test_what_is_missing_is_said_and_the_rest_is_listed(brainwavlm, built, tmp_path):
    root = shutil.copytree(built[0], tmp_path / "copy")
    (root / "derivative/freesurfer_subjdir/UTS03/label/lh.aparc.a2009s.annot").unlink()
    done = brainwavlm("targets", root, "UTS03", "--json")
    found = counts(done)
    assert "aparc:insula" in found
    assert "AC" not in found
    assert "lh.aparc.a2009s.annot: no such file" in done.err


def test_a_run_is_tuned_on_a_region_of_its_configuration(settings):
    chosen = run_data(settings(target="mine", regions={"mine": ["AC&LH", "RH"]}))
    expected = (np.arange(30) % 3 == 0) | (np.arange(30) >= 15)
    assert_array_equal(chosen.voxels, expected)


def test_a_region_may_ask_for_a_measured_ceiling(settings, own_tree):
    with h5py.File(own_tree / "subjects/anna.h5", "a") as file:
        del file["ceiling"]
    measured = run_data(settings(dataset=str(own_tree), target="good", regions={"good": ["ceiling>0.1"]}))
    plain = run_data(settings(dataset=str(own_tree), target="ceiling>0.1"))
    assert_array_equal(measured.voxels, plain.voxels)
