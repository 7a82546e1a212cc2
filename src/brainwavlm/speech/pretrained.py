"""Speech models from the hub or a folder, in transformers' format: nothing missing, nothing left over."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import logging

from brainwavlm.datasets.demo import DEMO_MODEL
from brainwavlm.errors import BackboneError
from brainwavlm.speech.families import FAMILIES, Family

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def load_stock(name: str, train_noise: bool = True) -> tuple[PreTrainedModel, Family]:
    """A model as transformers makes it, of the hub or a folder, in float32 and eval mode, its weights checked.

    A checkpoint with a head (pretraining, CTC) is read without it. Without `train_noise` dropouts, layerdrop and
    SpecAugment of its configuration are 0.

    Raises
    ------
    BackboneError
        No such model, a family that is not in the table, weights of the encoder missing, of another shape,
        unknown, not finite, or in another format than safetensors.
    """
    _require_folder(name)
    try:
        config = AutoConfig.from_pretrained(name)
    except Exception as error:  # transformers lets anything through when config.json is damaged
        raise _unreadable(name, error) from error
    family = _family(name, config)
    _require_convolutions(name, config)
    if not train_noise:
        for key in family.noise:
            setattr(config, key, 0.0)
    if any(Path(name).glob("*.bin")) and not any(Path(name).glob("*.safetensors")):
        raise _without_safetensors(name)
    try:
        with quiet():
            model, info = AutoModel.from_pretrained(
                name, config=config, dtype=torch.float32, output_loading_info=True, use_safetensors=True
            )
    except Exception as error:  # or the weights
        known = _without_safetensors(name) if "safetensors`" in str(error) else _unreadable(name, error)
        raise known from error
    _require_weights(name, family, info, model)
    _require_finite(name, family, model)
    return model.eval(), family


def is_hub_id(name: str) -> bool:
    """Whether a name can be OWNER/NAME of the hub's, and is no path of a folder beside it."""
    return bool(HUB_ID.fullmatch(name)) and not Path(name).parent.is_dir()


def _require_folder(name: str) -> None:
    """BackboneError where a name that can only be a folder's is of none: the hub is not asked for a slip of the pen."""
    folder = Path(name).expanduser()
    parent = folder.parent
    if folder.is_dir() or is_hub_id(name):
        return
    here = [path.name for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    here += [DEMO_MODEL] * (folder.name == name)
    similar = get_close_matches(folder.name, here, n=3, cutoff=0.5)
    raise BackboneError(
        name,
        f"no folder {folder.absolute()}, and no hub id."
        + (f" Similarly named: {', '.join(similar)}." if similar else "")
        + ("" if parent.is_dir() else f" {parent.absolute()} is not there either."),
        "a hub id such as microsoft/wavlm-base-plus, or a folder with config.json and model.safetensors.",
        "Correct the name of the folder.",
    )


def normalises_sound(name: str, family: Family) -> bool:
    """`do_normalize` of the checkpoint's preprocessor_config.json; False where it has none.

    Raises
    ------
    BackboneError
        The file exists on the hub but cannot be fetched, or is no JSON.
    """
    if not family.can_normalise:
        return False
    path = Path(name) / "preprocessor_config.json"
    if not Path(name).is_dir():
        try:
            path = Path(hf_hub_download(name, "preprocessor_config.json"))
        except LocalEntryNotFoundError as error:
            raise _unreadable(name, error) from None
        except EntryNotFoundError:
            return False
    if not path.is_file():
        return False
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise _unreadable(str(path), error) from None
    normalises = said.get("do_normalize", False) if isinstance(said, dict) else said
    if not isinstance(normalises, bool) or not isinstance(said, dict):
        raise BackboneError(
            str(path),
            f"do_normalize = {normalises!r}." if isinstance(said, dict) else f"a {type(said).__name__}.",
            "a JSON object with do_normalize true or false.",
            "Mend the file as the model's authors wrote it, or download it again.",
        )
    return normalises


def weights_digest(state: dict[str, torch.Tensor]) -> bytes:
    """SHA-256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.digest()


def _family(name: str, config: Any) -> Family:
    if config.model_type not in FAMILIES:
        raise BackboneError(
            name,
            f"a model of type {config.model_type}.",
            f"one of {', '.join(FAMILIES)}.",
            "Choose another speech model, or add a row to speech/families.py.",
        )
    return FAMILIES[config.model_type]


def _require_convolutions(name: str, config: Any) -> None:
    for key in ("conv_kernel", "conv_stride"):
        sizes = getattr(config, key, ())
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise BackboneError(
                f"{name}, config.json",
                f"{key} = {list(sizes)}.",
                "whole numbers from 1.",
                "Mend the file as the model's authors wrote it, or download it again.",
            )


def _require_weights(name: str, family: Family, info: dict[str, Any], model: PreTrainedModel) -> None:
    def concerned(keys: Iterable[str]) -> list[str]:
        # A checkpoint with a head has the model under its name there.
        bare = (key.removeprefix(f"{model.base_model_prefix}.") for key in keys)
        return sorted(key for key in bare if key.startswith(family.read))

    missing, unexpected = concerned(info["missing_keys"]), concerned(info["unexpected_keys"])
    if "masked_spec_embed" in info["missing_keys"] and model.config.mask_time_prob > 0:
        missing.append("masked_spec_embed")
    if missing or unexpected:
        raise BackboneError(
            name,
            f"weights missing: {_listed(missing)}; weights unknown: {_listed(unexpected)}.",
            f"every weight of the {family.name} encoder, under the names of transformers.",
            "Convert the checkpoint with the transformers version that wrote it, or download it again.",
        )


def _require_finite(name: str, family: Family, model: PreTrainedModel) -> None:
    broken = [
        key
        for key, tensor in model.state_dict().items()
        if key.startswith(family.read) and not torch.isfinite(tensor).all()
    ]
    if broken:
        raise BackboneError(
            name,
            f"weights with NaN or infinite values: {_listed(broken)}.",
            "finite weights.",
            "Download the checkpoint again, or take an earlier one of the training that made it.",
        )


def _without_safetensors(name: str) -> BackboneError:
    return BackboneError(
        name,
        "no weights in safetensors format.",
        "model.safetensors; other formats can hold code and are not read.",
        "Convert it once, if you trust its authors, and name the new folder:\n"
        f'    python -c \'from transformers import AutoModel as A; A.from_pretrained("{name}")'
        '.save_pretrained("FOLDER")\'\n    and copy preprocessor_config.json into FOLDER where the model has one.',
    )


def _listed(names: list[str]) -> str:
    if not names:
        return "none"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _unreadable(name: str, error: Exception) -> BackboneError:
    kind = "" if isinstance(error, (OSError, ValueError, RuntimeError)) else f"{type(error).__name__}: "
    return BackboneError(
        name,
        f"no speech model could be read: {kind}{' '.join(str(error).split())[:300]}",
        "a hub id, or a folder with config.json and model.safetensors.",
        "Check the name and the network, or download the model to a folder and name that.",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' loading report and progress bar away: what matters in it is raised as an error."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
