"""Speech models by name: loaded once, adapted, and never computed deeper than asked for."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import torch

from brainwavlm.config import AdapterConfig
from brainwavlm.datasets.demo import model_source
from brainwavlm.errors import BackboneError
from brainwavlm.speech.adapters import attach
from brainwavlm.speech.cpu.linear import use_low_rank_products, use_products
from brainwavlm.speech.hidden_states import Backbone
from brainwavlm.speech.pretrained import load_stock, normalises_sound
from brainwavlm.speech.wavlm import make_reachable


def load_backbone(
    name_or_path: str | Path,
    layer: int | Sequence[int] | Literal["all"],
    adapter: AdapterConfig | None = None,
    *,
    train_noise: bool = False,
    run_unused_blocks: bool = False,
    random_seed: int | None = None,
) -> Backbone:
    """A speech model read at one layer or several.

    Parameters
    ----------
    name_or_path : str or Path
        Hub id or local folder of a model in transformers' format, of a kind that `FAMILIES` has; or
        `wavlm-tiny-demo`, the small model that is embedded.
    layer : int, sequence of int, or "all"
        Hidden states to return: 0 is the input of the first block, k the output of block k. The last one
        includes the model's final norm where it has one, as `last_hidden_state` does.
    adapter : AdapterConfig, optional
        What may change; None: nothing. New weights come from torch's global generator: seed it first.
    train_noise : bool
        Keep the dropouts, layerdrop and SpecAugment of the model's configuration in training mode; all are
        off otherwise. SpecAugment draws from numpy's global generator, the others from torch's. Whisper's
        SpecAugment, off in every published checkpoint, is not offered.
    run_unused_blocks : bool
        Run, and adapt, the blocks above the deepest layer asked for.
    random_seed : int or None
        A model of the same configuration whose weights are drawn as before any training: what the architecture gives.

    Returns
    -------
    Backbone
        In eval mode, float32, on the CPU.

    Raises
    ------
    BackboneError
        A model or an adapter that cannot be used as asked.
    """
    name = str(name_or_path)
    source = model_source(name)
    model, family = load_stock(source, train_noise)
    if random_seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random_seed)
            model = type(model)(model.config).eval()
    part: Any = family.kept(model)
    n_blocks = part.config.num_hidden_layers
    layers = _layers(layer, n_blocks)
    make_reachable(part, family)
    backbone = Backbone(part, family, name, layers, normalises_sound(source, family), run_unused_blocks)
    attach(part, family, adapter or AdapterConfig(method="frozen"), backbone.n_run, n_blocks)
    use_products(part.get_submodule(family.blocks))
    use_low_rank_products(part)
    return backbone.eval()  # the adapters' dropout starts in training mode


def _layers(layer: int | Sequence[int] | str, n_blocks: int) -> tuple[int, ...]:
    if isinstance(layer, str) and layer == "all":
        return tuple(range(n_blocks + 1))
    asked: Any = layer if isinstance(layer, Iterable) and not isinstance(layer, str) else (layer,)
    asked = tuple(asked)
    whole = all(isinstance(number, Integral) and not isinstance(number, bool) for number in asked)
    if not asked or not whole or min(asked) < 0 or max(asked) > n_blocks:
        asked_for = f"{', '.join(map(str, asked)) or 'none'}."
        raise BackboneError("backbone.layer", asked_for, f"hidden states from 0 to {n_blocks}.", "Change it.")
    return tuple(int(number) for number in asked)
