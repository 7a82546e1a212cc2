"""The embedded data set and speech model, which make every command run on any machine in minutes."""

from importlib.resources import files
from os.path import expanduser
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


def model_source(name: str) -> str:
    """The hub id or folder that the name of a speech model stands for: the embedded one has a name of its own."""
    return str(demo_model_path()) if name == DEMO_MODEL else expanduser(name)
