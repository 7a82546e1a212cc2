"""A model whose voxels lie on a surface."""

import shutil

import pytest

from brainwavlm.models import export


@pytest.fixture(scope="session")
def simulated_model(finished, features, tree, tmp_path_factory):
    """Of responses that are called simulated: folder of its export."""
    folder = tmp_path_factory.mktemp("simulated")
    description = shutil.copytree(tree, folder / "data") / "dataset.yaml"
    text = description.read_text().replace("simulated: false\n", "")
    description.write_text(text + "simulated: true\n")
    return export(finished(dataset=str(folder / "data")), folder / "model", cache=features)
