"""The measurement on a card, run small on the CPU: what it names, and that it finds numbers."""

import json
import math
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "gpu.py"
# What is 0 on the CPU itself, or of either sign.
SIGNED = ("difference", "loss", "validation_r", "cosine")
ROWS = {
    "limits": ("fp32, square, TFLOP/s", "bf16, 768 to 3072, TFLOP/s", "copy to the card, pageable, GB/s"),
    "parity": ("block, fp32", "block, bf16", "demo, CPU, fp32"),
    "steps": ("tf32, 16 at once, frontend kept", "bf16, 16 at once, frontend computed", "fp32, reference"),
    "stream": ("tf32, chunk 8 s", "bf16, chunk 16 s"),
    "extract": ("layer 9, fp32", "layer all, bf16"),
    "ridge": ("fit",),
    "tests": ("circular shifts, s", "paired blocks, s", "jackknife, s"),
}


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What the script writes, run in this process, which has torch loaded."""

    def run(*options):
        output = tmp_path / "made" / "gpu.json"
        command = [str(SCRIPT), "--device", "cpu", "--small", "--output", str(output), *options]
        monkeypatch.syspath_prepend(SCRIPT.parent)
        monkeypatch.setattr(sys, "argv", command)
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return json.loads(output.read_text())

    return run


def assert_numbers(value, *names):
    """Finite, and positive where that is what they must be."""
    if isinstance(value, dict):
        assert value, names
        for name, part in value.items():
            assert_numbers(part, *names, name)
    elif isinstance(value, list):
        for part in value:
            assert_numbers(part, *names)
    else:
        assert isinstance(value, int | float), (*names, value)
        assert math.isfinite(value), names
        assert value > 0 or any(word in names[-1] for word in SIGNED), (*names, value)


def assert_complete(result, parts):
    assert (result["device"], result["card"], result["small"]) == ("cpu", "none", True)
    assert "torch" in result["versions"]
    assert list(result["parts"]) == parts
    for part in parts:
        assert set(ROWS[part]) <= set(result["parts"][part]), part
    assert_numbers(result["parts"])


def test_the_small_form_names_its_parts_and_finds_numbers(measured):
    parts = ["limits", "extract", "ridge", "tests"]
    assert_complete(measured("--parts", *parts), parts)


@pytest.mark.slow
def test_what_the_time_is_too_short_for_is_named_as_skipped(measured):
    parts = measured("--parts", "ridge", "--minutes", "0")["parts"]
    assert parts == {"ridge": {"fit": "skipped: too little time"}}


@pytest.mark.slow
def test_the_whole_small_form_finds_numbers_and_the_cpu_agrees_with_itself(measured):
    result = measured("--minutes", "60")
    assert_complete(result, list(ROWS))
    same = result["parts"]["parity"]["block, fp32"]
    assert [same[name] for name in same if "difference" in name] == [0.0] * 4
    assert result["parts"]["steps"]["fp32, 16 at once, frontend kept"]["share of the limit"] > 0
