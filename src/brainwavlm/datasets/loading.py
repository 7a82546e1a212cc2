"""Which kind of data set lies at a path."""

from pathlib import Path

from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.dataset_yaml import FILE_NAME
from brainwavlm.datasets.demo import demo_dataset
from brainwavlm.datasets.folder import FolderDataset
from brainwavlm.datasets.lebel2023 import Lebel2023, derivative_folder
from brainwavlm.errors import DatasetError
from brainwavlm.files import reachable


def load_dataset(path_or_name: str | Path) -> Dataset:
    """A data set, recognised by its content. No response is read yet.

    Parameters
    ----------
    path_or_name : str or Path
        The word `demo`, a folder in the native format, or a copy of OpenNeuro ds003020.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        No such folder, one that is neither, or a `dataset.yaml` with mistakes.
    """
    if path_or_name == "demo":
        return demo_dataset()
    path = Path(path_or_name)
    with reachable(path):
        if (path / FILE_NAME).is_file():
            return FolderDataset(path)
        if derivative_folder(path) is not None:
            return Lebel2023(path)
    raise DatasetError(
        path,
        "holds neither dataset.yaml nor derivative/preprocessed_data."
        if path.is_dir()
        else "no such folder.",
        "a folder in the native format (dataset.yaml), a copy of ds003020 "
        "(derivative or derivatives with preprocessed_data), or the word demo.",
        "Give the data set's own folder; docs/reference/file-formats.md shows how to write one.",
    )
