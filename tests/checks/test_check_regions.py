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


def gone(name):
    return lambda folder: (folder / name).unlink()


def without_labels(folder):
    for file in (folder / LABELS).iterdir():
        file.unlink()


def other_labels(folder):
    nibabel.freesurfer.write_annot(
        folder / LABELS / "lh.aparc.a2009s.annot",
        np.zeros(14, int),
        np.zeros((1, 5), int),
        ["x"],
        fill_ctab=True,
    )


def fewer_points(folder):
    path = folder / DERIVED / "surfaces/wm_lh.gii"
    points = read_points(path)[:-1]
    write_surface(path, points, sphere_triangles(len(points)))


def moved(folder):
    matrix = np.eye(4)
    matrix[:3, 3] = 40
    (folder / XFM).write_text(json.dumps({"coord": matrix.tolist()}))


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        *(
            (gone(name), name, "no such file.")
            for name in (XFM, f"{DERIVED}/surfaces/wm_rh.gii", f"{LABELS}/rh.aparc.annot")
        ),
        (without_labels, LABELS, "no annot file.|3.1.0"),
        (other_labels, f"{LABELS}/lh.aparc.a2009s.annot", "14 vertices.|Expected 15, as on the surface"),
        (fewer_points, f"{DERIVED}/surfaces/wm_lh.gii", "14 vertices."),
        (moved, XFM, "8 mm or more from the surfaces"),
    ],
)
def test_what_does_not_fit_is_one_warning(published, checked, change, name, words):
    change(published)
    (told,) = regions(checked(published))
    assert (told.severity, told.path) == ("warning", name)
    for word in words.split("|"):
        assert word in str(told)
