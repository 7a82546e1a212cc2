"""Small models of every family: real configurations, random weights, saved as transformers saves them."""

import copy
from functools import cache

import numpy as np
import torch
from transformers import CONFIG_MAPPING, MODEL_MAPPING

from brainwavlm.speech import families

CONV = {"conv_dim": (8, 8, 8, 16, 16, 16, 16), "num_conv_pos_embeddings": 16}
CONV["num_conv_pos_embedding_groups"] = 4
SMALL = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "num_hidden_layers": 4, **CONV}
LARGE_STYLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 4,
    "decoder_layers": 1,
    "vocab_size": 64,
    "max_source_positions": 50,
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 48),
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
# A row of the table that is built like wav2vec 2.0 is tested without a line here.
CONV_TYPE = [name for name in families.FAMILIES if name != "whisper"]
MODELS = {
    **{name: (name, SMALL) for name in CONV_TYPE},
    **{f"{name}-large": (name, {**SMALL, **LARGE_STYLE}) for name in CONV_TYPE},
    "wavlm-base-shape": ("wavlm", {**SMALL, "num_hidden_layers": 12, "num_attention_heads": 2}),
    "whisper": ("whisper", WHISPER),
}
KINDS = [kind for kind in MODELS if kind != "wavlm-base-shape"]
# Each family and both places of the layer norms once: for what does not hang on the pair.
FAMILIES = ["hubert-large" if name == "hubert" else name for name in families.FAMILIES]


def stock_model(kind: str) -> torch.nn.Module:
    """A random model whose every part matters: position biases, gates and norms are not at their neutral start."""
    return copy.deepcopy(_stock_model(kind))


@cache
def _stock_model(kind: str) -> torch.nn.Module:
    model_type, settings = MODELS[kind]
    config = CONFIG_MAPPING[model_type](**settings)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = MODEL_MAPPING[type(config)](config).eval()
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 or "gru_rel_pos" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif "rel_attn_embed" in name:
                parameter.copy_(torch.randn_like(parameter))
            elif "_proj.weight" in name or "dense.weight" in name or "fc" in name:
                parameter.mul_(5.0)  # the usual small start leaves attention almost uniform
    return model


def noise(n_windows: int, seconds: float = 0.5, seed: int = 0) -> torch.Tensor:
    """Coloured noise (n_windows, n_samples)."""
    generator = np.random.default_rng(seed)
    sound = np.cumsum(generator.standard_normal((n_windows, round(seconds * 16000))), axis=1)
    sound -= sound.mean(axis=1, keepdims=True)
    return torch.from_numpy((sound / np.abs(sound).max()).astype(np.float32))
