import pytest
import torch

from brainwavlm.config import AdapterConfig
from brainwavlm.speech import last_block as one_frame
from brainwavlm.speech.backbones import load_backbone
from tests.models import KINDS, noise


def gradients(backbone, hidden, read):
    for _, parameter in backbone.adapter_parameters():
        parameter.grad = None
    read(hidden).pow(2).sum().backward()
    return {name: parameter.grad.clone() for name, parameter in backbone.reachable_parameters()}


@pytest.mark.parametrize(
    ("kind", "method"), [*((kind, "lora") for kind in KINDS), ("wavlm", "full"), ("whisper", "full")]
)
def test_gradients_of_one_frame_equal_those_of_the_whole_block(saved, kind, method):
    torch.manual_seed(0)
    backbone = load_backbone(saved(kind), 3, AdapterConfig(method=method, projections=("q", "k", "v", "out")))
    with torch.no_grad():
        for _, parameter in backbone.adapter_parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    hidden = backbone.frontend(noise(3))
    found = gradients(backbone, hidden, lambda h: backbone.read(h, "last")[3])
    expected = gradients(backbone, hidden, lambda h: backbone.trunk(h)[3][:, -1])
    assert found.keys() == expected.keys()
    assert any("layers.2." in name for name in found)
    for name, gradient in expected.items():
        torch.testing.assert_close(
            found[name], gradient, rtol=1e-3, atol=1e-5 + 1e-3 * float(gradient.abs().max())
        )


def test_the_other_frames_of_the_last_block_are_not_made(saved, monkeypatch):
    backbone = load_backbone(saved("wavlm"), 3)
    lengths = []
    block = backbone.model.encoder.layers[2]
    block.feed_forward.register_forward_hook(
        lambda _module, inputs, _output: lengths.append(inputs[0].shape[1])
    )
    hidden = backbone.frontend(noise(2))
    backbone.read(hidden, "last")
    backbone.trunk(hidden)
    assert lengths == [1, hidden.shape[1]]


def test_a_block_with_a_part_that_is_unknown_here_is_run_whole(saved, monkeypatch):
    original = one_frame.block_at
    monkeypatch.setattr(one_frame, "block_at", lambda *args: original(*args) + 1.0)
    backbone = load_backbone(saved("hubert"), 2)
    monkeypatch.undo()
    lengths = []
    backbone.model.encoder.layers[1].feed_forward.register_forward_hook(
        lambda _module, inputs, _output: lengths.append(inputs[0].shape[1])
    )
    hidden = backbone.frontend(noise(1))
    backbone.read(hidden, "last")
    assert lengths == [hidden.shape[1]]
