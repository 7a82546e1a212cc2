"""`brainwavlm targets` on a subject of ds003020 whose labels are known, and regions in a run's configuration."""

import json
import re

import numpy as np
from numpy.testing import assert_array_equal

from brainwavlm.encoding.run_data import run_data
from tests.brains import write_brain
from tests.damage import put


def test_targets_are_listed_with_their_voxels_and_what_is_missing_is_said(brainwavlm, tmp_path):
    root = tmp_path / "brain"
    brain = write_brain(root)

    def counts(*arguments):
        done = brainwavlm("targets", root, *arguments, "--json")
        return {row["target"]: row["voxels"] for row in json.loads(done.out)}, done.err

    listed, _ = counts("UTS03")
    assert listed["LH"] + listed["RH"] == listed["cortex"] == len(brain.right)
    assert {name: listed[name] for name in brain.masks} == {k: int(m.sum()) for k, m in brain.masks.items()}
    assert counts("--subject", "UTS03") == (listed, "")
    done = brainwavlm("targets", root, "UTS03")
    assert re.search(rf"aparc:insula +{brain.masks['aparc:insula'].sum():,}\b", done.out)

    config = tmp_path / "run.yaml"
    config.write_text("subject: UTS03\nregions: {AC: [aparc:insula], mine: ['AC&LH', 'BA:V1']}\n")
    insula, v1 = brain.masks["aparc:insula"], brain.masks["BA:V1"]
    listed, _ = counts("UTS03", "--config", config)
    assert (listed["AC"], listed["mine"]) == (insula.sum(), ((insula & ~brain.right) | v1).sum())
    assert counts("UTS03", "--set", "regions.AC=[BA:V1]")[0]["AC"] == v1.sum()

    (root / "derivative/freesurfer_subjdir/UTS03/label/lh.aparc.a2009s.annot").unlink()
    listed, said = counts("UTS03")
    assert "aparc:insula" in listed
    assert "AC" not in listed
    assert "lh.aparc.a2009s.annot: no such file" in said


def test_a_run_is_tuned_on_a_region_of_its_configuration(settings, own_tree):
    chosen = run_data(settings(target="mine", regions={"mine": ["AC&LH", "RH"]}))
    assert_array_equal(chosen.voxels, (np.arange(30) % 3 == 0) | (np.arange(30) >= 15))
    put("subjects/anna.h5", "ceiling", None)(own_tree)  # measured then, also for a region that asks for it
    data = {"dataset": str(own_tree)}
    measured = run_data(settings(**data, target="good", regions={"good": ["ceiling>0.1"]}))
    assert_array_equal(measured.voxels, run_data(settings(**data, target="ceiling>0.1")).voxels)
