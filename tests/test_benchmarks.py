"""Measurements, run small on the CPU: what they name, and that they find numbers."""

import json
import math
import runpy
import sys
from functools import partial
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
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
def written(tmp_path, monkeypatch):
    """What a script writes, run in this process, which has torch loaded."""

    def run(name, *options):
        output = tmp_path / "made" / "result.json"
        monkeypatch.syspath_prepend(FOLDER)
        monkeypatch.setattr(sys, "argv", [name, *options, "--output", str(output)])
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        return json.loads(output.read_text())

    return run


@pytest.fixture
def measured(written):
    """What the measurement on a card writes of the CPU."""
    return partial(written, "gpu.py", "--device", "cpu", "--small")


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
    parts = ["extract", "tests"]
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


def test_false_positives_of_every_test_are_shares(written):
    rows = written("false_positives.py", "held-out", "--size", "2")
    assert len(rows) == 15  # five kinds of noise, three numbers of stories
    for row in rows:
        tests = [row[name] for name in ("shifts", "blocks", "paired blocks") if row[name] is not None]
        assert all(0 <= share <= 1 for test in tests for share in test.values()), row
        assert (row["blocks"] is None) == (2 * row["block_rows"] > row["rows"])


def test_both_readouts_are_timed_at_the_shape_that_is_asked_for(written):
    (row,) = written("ridge.py", "--readouts", "200x12x30", "--pairs", "1")["shapes"]
    assert (row["rows"], row["columns"], row["voxels"]) == (200, 12, 30)
    assert set(row["cpu_seconds"]) == {"voxelwise", "both"}
    assert row["ratio"] > 0


@pytest.mark.slow
def test_predictions_of_two_lengths_are_compared(written):
    result = written("predict.py", "--hours", "0.05", "0.1")
    assert [row["hours"] for row in result["sounds"]] == [0.05, 0.1]
    assert_numbers(result)


@pytest.mark.slow
def test_check_is_timed_cold_and_warm_beside_another_version(written):
    source = str(FOLDER.parent / "src")
    options = ("--stories", "3", "--rows", "12", "--voxels", "20", "--rounds", "1", "--against", source)
    result = written("check.py", *options)
    assert list(result) == ["other", "cold", "warm"]
    assert_numbers(result)
