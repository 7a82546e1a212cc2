"""The embedded data set and speech model, which make every command run on any machine in minutes."""

from importlib.resources import files
from pathlib import Path

from brainwavlm.datasets.folder import FolderDataset

DEMO_MODEL = "wavlm-tiny-demo"
_ASSETS = Path(str(files("brainwavlm"))) / "assets"


def demo_dataset() -> FolderDataset:
    """Two simulated listeners of stories written for this project, in the native format."""
    return FolderDataset(demo_folder())


def demo_folder() -> Path:
    """Folder of the embedded data set."""
    return _ASSETS / "demo"


def demo_model_path() -> Path:
    """Folder of `wavlm-tiny-demo`, a small WavLM in transformers format."""
    return _ASSETS / "demo" / "model"
