"""Exported weights say in stock transformers, without this package, what the run's model says."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModel

from brainwavlm.config import AdapterConfig
from brainwavlm.models.card import loading_code
from brainwavlm.models.weights import load_adapter, save_adapter, save_merged
from brainwavlm.speech.backbones import load_backbone
from tests.models import FAMILIES, KINDS, noise

METHODS = {
    "lora": AdapterConfig(rank=2),
    "rslora": AdapterConfig(rank=2, rslora=True),
    "dora": AdapterConfig(rank=2, dora=True),
    "full": AdapterConfig(method="full"),
    "reinit": AdapterConfig(method="reinit", after_reinit="lora", rank=2),
    "frozen": AdapterConfig(method="frozen"),
}
SOUNDS = [noise(1, seconds, seed=n)[0].numpy() for n, seconds in enumerate((0.3, 0.5, 0.96))]
STRANGER = """
import json, sys
sys.modules["brainwavlm"] = None  # whoever imports it fails
import numpy as np
expected, sounds = np.load(sys.argv[1]), np.load(sys.argv[2])
worst = {}
for name, code in json.loads(sys.stdin.read()).items():
    place = {}
    exec(code, place)
    states = [place["hidden_state"](sounds[key])[0].numpy() for key in sounds]
    worst[name] = max(float(np.abs(s - expected[f"{name}/{k}"]).max()) for k, s in enumerate(states))
print(json.dumps(worst))
"""


def tuned(folder, layer, config):
    """A backbone with trained weights away from their start."""
    torch.manual_seed(1)
    backbone = load_backbone(folder, layer, config)
    with torch.no_grad():
        for _, parameter in backbone.adapter_parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return backbone


@pytest.mark.parametrize("in_a_process", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_stranger_reads_the_runs_state_of_every_family_and_method_with_transformers_alone(
    saved, tmp_path, monkeypatch, in_a_process
):
    """Each family with one method, and one of them with each: how a method is merged does not hang on the family.

    In a process of its own all of them whole too, two with each method, and both depths.
    """
    cases = [("wavlm", way, 3, False) for way in METHODS]
    cases += [(kind, "lora", 2, True) for kind in ("wavlm-large", *FAMILIES)]
    cases.append(("wavlm-large", "lora", 4, True))  # as deep as it is: nothing to trim
    if in_a_process:
        cases += [("whisper", way, 3, False) for way in METHODS]
        cases += [(kind, "lora", 3, False) for kind in KINDS if kind not in ("wavlm", "whisper")]
        cases += [(kind, "lora", 4, True) for kind in FAMILIES]
    expected, codes = {}, {}
    for kind, method, layer, trim in cases:
        name = f"{kind}-{method}-{layer}{'-trimmed' * trim}"
        backbone = tuned(saved(kind), layer, METHODS[method])
        n_blocks = save_merged(backbone, layer, tmp_path / name, trim)
        assert n_blocks == (min(layer + ("large" in kind or kind == "whisper"), 4) if trim else 4)
        codes[name] = loading_code(backbone.family.name, str(tmp_path / name), layer, n_blocks)
        with torch.no_grad():
            for number, sound in enumerate(SOUNDS):
                expected[f"{name}/{number}"] = backbone(torch.from_numpy(sound)[None])[layer][0].numpy()
    np.savez(tmp_path / "expected.npz", **expected)
    np.savez(tmp_path / "sounds.npz", *SOUNDS)
    command, asked = ["-c", str(tmp_path / "expected.npz"), str(tmp_path / "sounds.npz")], json.dumps(codes)
    if in_a_process:
        command = [sys.executable, "-c", STRANGER, *command[1:]]
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=tmp_path)
        said = done.stdout
    else:
        monkeypatch.setitem(sys.modules, "brainwavlm", None)  # as the stranger does: here it comes back
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setattr(sys, "stdin", io.StringIO(asked))
        with redirect_stdout(io.StringIO()) as out:
            exec(STRANGER, {})
        said = out.getvalue()
    worst = json.loads(said.splitlines()[-1])
    assert len(worst) == len(cases)
    assert {name: value for name, value in worst.items() if not value < 1e-5} == {}


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's affair
@pytest.mark.parametrize(
    ("kind", "method"),
    [("wavlm", "lora"), ("wavlm", "dora"), ("hubert-large", "dora"), ("whisper", "lora")],
)
def test_an_adapter_is_loaded_whole_and_acts_in_stock_models_other_than_wavlm(saved, tmp_path, kind, method):
    backbone = tuned(saved(kind), 3, METHODS[method])
    save_adapter(backbone, tmp_path)
    again = load_backbone(saved(kind), 3, METHODS[method])
    load_adapter(again, tmp_path)
    state, other = backbone.trained_state(), again.trained_state()
    assert state.keys() == other.keys()
    assert all(torch.equal(state[name], other[name]) for name in state)
    if kind == "whisper":
        return  # stock Whisper hears 30 s only
    windows = torch.from_numpy(SOUNDS[1])[None]
    stock = AutoModel.from_pretrained(saved(kind)).eval()
    untuned = stock(windows, output_hidden_states=True).hidden_states[3]
    adapted = PeftModel.from_pretrained(stock, tmp_path).eval()
    with torch.no_grad():
        told = adapted(windows, output_hidden_states=True).hidden_states[3]
        acts = (told - backbone(windows)[3]).abs().max() < 1e-5
    assert acts == (not kind.startswith("wavlm"))
    if kind.startswith("wavlm") and method == "lora":
        torch.testing.assert_close(told, untuned, atol=1e-5, rtol=0)
