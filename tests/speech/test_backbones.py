import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperModel

from brainwavlm.config import AdapterConfig
from brainwavlm.errors import BackboneError
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.families import log_mel

from .conftest import MODELS, noise, stock_model

WAV2VEC_TYPE = [kind for kind in MODELS if kind != "whisper"]


def stock_states(model, windows):
    outputs = model(windows, output_hidden_states=True)
    # transformers 5 leaves the final norm of layer-norm models out of hidden_states[-1]; version 4 had it there.
    return (*outputs.hidden_states[:-1], outputs.last_hidden_state)


@pytest.mark.parametrize("kind", WAV2VEC_TYPE)
def test_hidden_states_equal_those_of_transformers_in_every_layer(saved, kind):
    windows = noise(2)
    backbone = load_backbone(saved(kind), "all")
    with torch.no_grad():
        expected, found = stock_states(stock_model(kind), windows), backbone(windows)
    assert list(found) == list(range(backbone.n_blocks + 1))
    for layer, state in found.items():
        torch.testing.assert_close(state, expected[layer], atol=1e-5, rtol=1e-5, msg=lambda m, k=layer: f"{k}: {m}")
