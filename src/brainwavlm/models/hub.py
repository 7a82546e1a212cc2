"""The hub, both ways: only when asked for."""

import re
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)

from brainwavlm.errors import ConfigError, RunError

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FAILED = (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    OSError,
    ValueError,
)


def is_hub_id(name: str) -> bool:
    """Whether a name can be OWNER/NAME of the hub's, and is no path of a folder beside it."""
    return bool(_HUB_ID.fullmatch(name)) and not Path(name).parent.is_dir()


def require_hub(name: str) -> None:
    """ConfigError unless the name can be one of the hub's, which knows who asks: before hours of computing."""
    if not _HUB_ID.fullmatch(name):
        raise ConfigError("push", repr(name), "OWNER/NAME on the hub.", "For instance: my-lab/my-model")
    try:
        HfApi().whoami()
    except _FAILED as error:
        raise _unreachable("push", error, "Log in with: hf auth login; or leave push out.") from None


def push_folder(folder: Path, name: str) -> None:
    """Upload an exported folder; it stays where it is. ConfigError where the hub does not take it."""
    try:
        api = HfApi()
        api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload of brainwavlm export")
    except _FAILED as error:
        again = f"{folder} is whole. Upload it:  hf upload {name} {folder}"
        raise _unreachable("push", error, again) from None


def fetched(name: str) -> Path:
    """The folder of a model on the hub, on this machine. RunError where it cannot be had."""
    try:
        return Path(snapshot_download(name))
    except _FAILED as error:
        told = _unreachable(name, error, "")
        expected = "a folder of `export`, a run, or a model on the hub that can be reached."
        raise RunError(name, told.found, expected, "Check the name and the network.") from None


def _unreachable(key: str, error: Exception, remedy: str) -> ConfigError:
    told = f"the hub cannot be reached or refuses: {' '.join(str(error).split())[:200]}"
    return ConfigError(key, told, "a hub that can be reached and knows who you are.", remedy)
