"""Attention as one kernel: in Triton's interpreter, since the suite has no card; and the trial of the kernel itself."""

import importlib
import os

import pytest
import torch
from torch.testing import assert_close

from brainwavlm.speech import cuda
from brainwavlm.speech.cpu.gated_attention import gated_attention


def inputs(n_queries, n_frames, size=16):
    query = torch.randn(2, n_queries, 3, size, requires_grad=True)
    key, value = (torch.randn(2, n_frames, 3, size, requires_grad=True) for _ in range(2))
    gates, bias = torch.rand(2, 3, n_queries, 1, requires_grad=True), torch.randn(1, 3, n_queries, n_frames)
    return query, key, value, gates, bias


# Triton reads this when it is imported, and PyTorch imports it.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" and cuda.has_triton()


@pytest.mark.skipif(not INTERPRETED, reason="needs `pip install triton` and TRITON_INTERPRET=1, but no card")
@pytest.mark.parametrize(
    ("n_queries", "n_frames", "masked"), [(37, 37, False), (37, 37, True), (1, 37, False), (32, 32, True)]
)
def test_the_kernel_equals_attention_of_the_cpu(n_queries, n_frames, masked, monkeypatch):
    kernel = importlib.import_module("brainwavlm.speech.cuda.gated_attention")
    monkeypatch.setattr(kernel, "_TILE", 16)
    parts = inputs(n_queries, n_frames)
    ahead = torch.ones(n_queries, n_frames).triu(1).bool()[None, None]
    mask = torch.zeros(ahead.shape).masked_fill(ahead, float("-inf")) if masked else None
    fused, expected = kernel.gated_attention(*parts, mask), gated_attention(*parts, mask)
    assert_close(fused, expected)
    given = torch.randn_like(expected)
    assert_close(
        torch.autograd.grad(fused, parts[:4], given), torch.autograd.grad(expected, parts[:4], given)
    )


def right(*parts):
    return gated_attention(*(None if part is None else part.float() for part in parts)).bfloat16()


def fails(*_):
    raise RuntimeError("no such target")


@pytest.mark.parametrize(
    ("kernel", "word"),
    [
        (right, None),
        (lambda *parts: 1.1 * right(*parts), "wrong numbers"),
        (lambda *parts: right(parts[0].detach(), *parts[1:]) + 0 * parts[0], "wrong numbers"),
        (fails, "no such target"),
    ],
)
def test_a_kernel_that_fails_its_trial_is_not_used(kernel, word, monkeypatch, recwarn):
    monkeypatch.setattr(cuda, "has_triton", lambda: True)
    monkeypatch.setattr(cuda, "fused_attention", kernel)
    with torch.no_grad():  # as in the first pass of a run
        assert cuda.kernel_agrees.__wrapped__(32, "cpu") is (word is None)
    assert [word in str(warning.message) for warning in recwarn] == [True] * (word is not None)


def test_heads_that_no_kernel_takes_are_not_tried(monkeypatch):
    monkeypatch.setattr(cuda, "has_triton", lambda: True)
    monkeypatch.setattr(cuda, "fused_attention", fails)
    assert not cuda.kernel_agrees(24)
    assert not cuda.kernel_agrees(8)


def test_without_a_compiler_blocks_run_as_they_are_and_a_warning_says_why(monkeypatch, recwarn):
    monkeypatch.setattr(cuda, "has_triton", lambda: True)
    monkeypatch.setattr(torch, "compile", fails)
    assert not cuda.compiler_works.__wrapped__("cpu")
    assert [str(warning.message) for warning in recwarn] == ["Blocks are not compiled: no such target"]
    monkeypatch.setattr(torch, "compile", lambda function: function)
    assert cuda.compiler_works.__wrapped__("cpu")
    monkeypatch.setattr(cuda, "has_triton", lambda: False)
    assert not cuda.compiler_works.__wrapped__("cpu")
