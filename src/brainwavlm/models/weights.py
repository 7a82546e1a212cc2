"""Tuned weights in the form in which others read them: a folder of transformers, an adapter of peft, the hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peft
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from brainwavlm.errors import BackboneError, BrainwavlmError, ConfigError, RunError
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.pretrained import HUB_ID, quiet
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.log_mel import HOP

_FILE, _PEFT = "adapter_model.safetensors", "base_model.model."


def save_merged(backbone: Backbone, layer: int, folder: Path, trim: bool) -> int:
    """Write the stock model with what was learned in its plain weights, and how many blocks it has.

    With `trim` without the blocks that `layer` does not need. A model that normalises last keeps one block more: its
    last state includes the final norm, which the state that was read had not been through.
    """
    stock: Any = backbone.merged()
    family = backbone.family
    part: Any = family.kept(stock)
    n_blocks = backbone.n_blocks
    if trim:
        n_blocks = min(max(layer + int(family.norm_first(part.config)), 1), n_blocks)
        del part.get_submodule(family.blocks)[n_blocks:]
        stock.config.num_hidden_layers = n_blocks  # where a family has another name, transformers maps it
    stock.config.name_or_path = ""  # a folder of the machine that tuned it says nothing elsewhere
    with quiet():
        stock.save_pretrained(folder)
    _feature_extractor(backbone, stock.config).save_pretrained(folder)
    return n_blocks


def _feature_extractor(backbone: Backbone, config: Any) -> Any:
    """What makes of a sound what the run fed to the model."""
    if not backbone.family.can_normalise:
        seconds = config.max_source_positions * 2 * HOP // SAMPLE_RATE
        return WhisperFeatureExtractor(feature_size=config.num_mel_bins, chunk_length=seconds)
    return Wav2Vec2FeatureExtractor(
        sampling_rate=SAMPLE_RATE,
        do_normalize=backbone.normalise_sound,
        return_attention_mask=config.feat_extract_norm == "layer",
    )


def save_adapter(backbone: Backbone, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors as peft reads them on the stock model."""
    model: Any = backbone.model
    part, config = _part(backbone), model.peft_config["default"]
    names = {name.partition(".lora_")[0] for name, _ in backbone.adapter_parameters()}
    changed = {"inference_mode": True, "base_model_name_or_path": backbone.name}
    kept = type(config)(**{**config.to_dict(), **changed})
    kept.target_modules = sorted(part + name for name in names)  # not a set, whose order is another each time
    kept.save_pretrained(folder)
    state = peft.get_peft_model_state_dict(model)
    save_file({_PEFT + part + name: value.contiguous() for name, value in state.items()}, folder / _FILE)


def load_adapter(backbone: Backbone, folder: Path) -> None:
    """Set the adapters of a backbone from such a file; BackboneError where they are not those that it has."""
    part = _PEFT + _part(backbone)
    state = {name.removeprefix(part): value for name, value in load_file(folder / _FILE).items()}
    if state.keys() != peft.get_peft_model_state_dict(backbone.model).keys():
        expected = "the adapters that manifest.json names."
        raise BackboneError(str(folder / _FILE), "other adapters.", expected, "Export the model again.")
    peft.set_peft_model_state_dict(backbone.model, state)


def _part(backbone: Backbone) -> str:
    """What names of the stock model begin with, before those of the part that is run."""
    return backbone.family.part and f"{backbone.family.part}."


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
