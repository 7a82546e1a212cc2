"""The hub, both ways: only when asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

from brainwavlm.errors import BrainwavlmError, ConfigError, RunError
from brainwavlm.speech.pretrained import HUB_ID

_HTTP: Any = HfHubHTTPError.__bases__  # OSError, and the error of httpx or httpx2, as huggingface_hub has it


def require_hub(name: str) -> None:
    """ConfigError unless the name can be one of the hub's, which knows who asks: before hours of computing."""
    if not HUB_ID.fullmatch(name):
        raise ConfigError("push", repr(name), "OWNER/NAME on the hub.", "For instance: my-lab/my-model")
    with _reached(ConfigError, "push", "Log in with: hf auth login; or leave push out."):
        HfApi().whoami()


def push_folder(folder: Path, name: str) -> None:
    """Upload an exported folder; it stays where it is. ConfigError where the hub does not take it."""
    with _reached(ConfigError, "push", f"{folder} is whole. Upload it:  hf upload {name} {folder}"):
        HfApi().create_repo(name, exist_ok=True)
        HfApi().upload_folder(repo_id=name, folder_path=folder, commit_message="Upload of brainwavlm export")


def fetched(name: str) -> Path:
    """The folder of a model on the hub, on this machine. RunError where it cannot be had."""
    with _reached(RunError, name, "It is no folder here either. Check the name and the network."):
        return Path(snapshot_download(name))


@contextmanager
def _reached(kind: type[BrainwavlmError], key: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (*_HTTP, ValueError) as error:
        told = f"the hub cannot be reached or refuses: {' '.join(str(error).split())[:200]}"
        raise kind(key, told, "a hub that can be reached and knows who you are.", remedy) from None
