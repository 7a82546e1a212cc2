"""What check says of surfaces, transform and labels: warnings, since no run on cortex needs them."""

import json

import nibabel
import numpy as np
import pytest

from brainwavlm.datasets.surfaces import read_points
from tests.brains import sphere_triangles, write_surface

DERIVED = "derivative/pycortex-db/UTS03"
XFM = f"{DERIVED}/transforms/UTS03_auto/matrices.xfm"
LABELS = "derivative/freesurfer_subjdir/UTS03/label"


def regions(report):
    assert report.usable
    return [problem for problem in report.problems if problem.kind == "regions"]


def test_whole_files_have_no_problem_and_uts09_needs_no_freesurfer(published, checked):
    report = checked(published)
    assert regions(report) == []
    assert any("UTS09 has no FreeSurfer folder" in fact for fact in report.facts)


def other_labels(root):
    labels = np.zeros(14, int), np.zeros((1, 5), int), ["x"]
    nibabel.freesurfer.write_annot(root / f"{LABELS}/lh.aparc.a2009s.annot", *labels, fill_ctab=True)


def fewer_vertices(root):
    name = root / f"{DERIVED}/surfaces/wm_lh.gii"
    points = read_points(name)[:-1]
    write_surface(name, points, sphere_triangles(len(points)))


def shifted(root):
    matrix = np.eye(4)
    matrix[:3, 3] = 40
    (root / XFM).write_text(json.dumps({"coord": matrix.tolist()}))


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (lambda root: (root / XFM).unlink(), XFM, "no such file."),
        (other_labels, f"{LABELS}/lh.aparc.a2009s.annot", "14 vertices.\n    Expected 15, as on the surface"),
        (fewer_vertices, f"{DERIVED}/surfaces/wm_lh.gii", "14 vertices."),
        (shifted, XFM, "8 mm or more from the surfaces"),
    ],
)
def test_what_is_wrong_is_one_warning(published, checked, change, path, words):
    change(published)
    (told,) = regions(checked(published))
    assert (told.severity, told.path) == ("warning", path)
    assert words in str(told)
