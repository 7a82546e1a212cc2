"""The word demo as the name of a small data set, and brains of few triangles."""

import pytest
import yaml
from nilearn.plotting import plot_surf
from nilearn.surface import InMemoryMesh

from tests.trees import native_tree


@pytest.fixture(autouse=True)
def few_triangles(monkeypatch):
    """Pages and figures with every fiftieth triangle of a brain: matplotlib takes seconds for each whole one."""

    def drawn(surf_mesh, **options):
        return plot_surf(surf_mesh=InMemoryMesh(surf_mesh.coordinates, surf_mesh.faces[::50]), **options)

    monkeypatch.setattr("brainwavlm.reporting.figures.brains.plot_surf", drawn)


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory):
    """Seven stories of 30 s for the subjects of the embedded data set."""
    splits = dict.fromkeys(("bees", "dog", "ferry", "play"), "train") | {
        "chess": "validation",
        "museum": "test",
        "flood": "test",
    }
    path = native_tree(tmp_path_factory.mktemp("demo"), ("sim01", "sim02"), splits).path
    description = path / "dataset.yaml"
    content = yaml.safe_load(description.read_text())
    description.write_text(yaml.safe_dump(content | {"simulated": True}))
    return path


@pytest.fixture
def demo_is_small(small_demo, monkeypatch):
    """The word `demo` names these stories."""
    monkeypatch.setattr("brainwavlm.datasets.demo.demo_folder", lambda: small_demo)
