"""Who heard what, and what the scanner saw."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainwavlm.errors import DatasetError

if TYPE_CHECKING:
    from brainwavlm.datasets.base import Dataset

_HOME = {
    "Story": "responses",
    "Recording": "responses",
    "Subject": "base",
    "Dataset": "base",
    "split_recordings": "base",
    "FolderDataset": "folder",
    "Description": "dataset_yaml",
    "Responses": "folder",
    "write_folder": "folder",
    "Lebel2023": "lebel2023",
    "demo_dataset": "demo",
    "demo_model_path": "demo",
    "usable_voxels": "usable_voxels",
}
__all__ = ["load_dataset", *_HOME]


def __getattr__(name: str) -> Any:
    """Public names, imported from their module when first used: h5py and nibabel stay out of `--help`."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def load_dataset(path_or_name: "str | Path") -> "Dataset":
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
    from brainwavlm.datasets.dataset_yaml import FILE_NAME
    from brainwavlm.datasets.demo import demo_dataset
    from brainwavlm.datasets.folder import FolderDataset
    from brainwavlm.datasets.lebel2023 import Lebel2023, derivative_folder
    from brainwavlm.files import reachable

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
