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


@pytest.mark.parametrize("name", [XFM, f"{DERIVED}/surfaces/wm_rh.gii", f"{LABELS}/rh.aparc.annot"])
def test_a_missing_file_is_one_warning(published, checked, name):
    (published / name).unlink()
    (told,) = regions(checked(published))
    assert (told.severity, told.path, told.found) == ("warning", name, "no such file.")


def test_a_missing_folder_of_labels_is_one_warning(published, checked):
    for file in (published / LABELS).iterdir():
        file.unlink()
    (told,) = regions(checked(published))
    assert (told.path, told.found) == (LABELS, "no annot file.")
    assert "3.1.0" in told.remedy


def test_labels_of_another_number_of_vertices_are_a_warning(published, checked):
    name = f"{LABELS}/lh.aparc.a2009s.annot"
    nibabel.freesurfer.write_annot(
        published / name, np.zeros(14, int), np.zeros((1, 5), int), ["x"], fill_ctab=True
    )
    (told,) = regions(checked(published))
    assert (told.path, told.found) == (name, "14 vertices.")
    assert told.expected.startswith("15, as on the surface")


def test_surfaces_of_unequal_size_are_a_warning(published, checked):
    name = f"{DERIVED}/surfaces/wm_lh.gii"
    points = read_points(published / name)[:-1]
    write_surface(published / name, points, sphere_triangles(len(points)))
    (told,) = regions(checked(published))
    assert (told.path, told.found) == (name, "14 vertices.")


def test_a_transform_that_does_not_fit_is_a_warning(published, checked):
    matrix = np.eye(4)
    matrix[:3, 3] = 40
    (published / XFM).write_text(json.dumps({"coord": matrix.tolist()}))
    (told,) = regions(checked(published))
    assert told.path == XFM
    assert "8 mm or more from the surfaces" in told.found
