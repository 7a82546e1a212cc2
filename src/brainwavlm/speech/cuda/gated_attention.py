"""Softmax attention with a gated bias in one Triton kernel: squares of frames stay on the chip, in both passes.

Stock attention has to be handed gate * bias, (n_windows, n_heads, n_frames, n_frames), and writes its gradient: at
4 s of sound that is as much traffic as all else in a block (docs/results/performance.md).
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_TILE = 64  # frames on either side of a square


def gated_attention(
    query: Tensor, key: Tensor, value: Tensor, gates: Tensor, bias: Tensor, mask: Tensor | None
) -> Tensor:
    """`cpu.gated_attention`, with gradients of all but bias and mask.

    Products in the type of the query, sums in float32. n_dims / n_heads is a power of two from 16 on, the mask
    (1, 1, n_queries, n_frames) or None.

    References
    ----------
    Dao et al. 2022 (arXiv 2205.14135): softmax by tiles, and weights made again in the backward pass.
    """
    return _attention(query, key, value, gates, bias[0], None if mask is None else mask[0, 0])[0]


@torch.library.custom_op("brainwavlm::gated_attention", mutates_args=())
def _attention(
    query: Tensor, key: Tensor, value: Tensor, gates: Tensor, bias: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The attention, and the logarithm of each softmax's sum, (n_windows, n_heads, n_queries)."""
    query, key, value, gates, bias = (part.contiguous() for part in (query, key, value, gates.float(), bias))
    attended, total = torch.empty_like(query), torch.empty_like(gates[..., 0])
    mask = None if mask is None else mask.contiguous()
    _forward[_grid(query, query)](
        query, key, value, gates, bias, mask, attended, total, *_sizes(query, key), **_constants(query, mask)
    )
    return attended, total


@_attention.register_fake
def _(query, key, value, gates, bias, mask):
    return torch.empty_like(query), gates.new_empty(gates.shape[:-1], dtype=torch.float32)


@torch.library.custom_op("brainwavlm::gated_attention_backward", mutates_args=())
def _backward(
    given: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    gates: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    attended: Tensor,
    total: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of query, key, value and gates."""
    level = (given.float() * attended.float()).sum(-1).transpose(1, 2).contiguous()
    given, query, key, value, gates, bias = (
        part.contiguous() for part in (given, query, key, value, gates.float(), bias)
    )
    mask = None if mask is None else mask.contiguous()
    d_query, d_key, d_value, d_gates = (torch.empty_like(part) for part in (query, key, value, gates))
    inputs = (query, key, value, gates, bias, mask, given, total, level)
    sizes, constants = _sizes(query, key), _constants(query, mask)
    _backward_of_queries[_grid(query, query)](*inputs, d_query, d_gates, *sizes, **constants)
    _backward_of_frames[_grid(query, key)](*inputs, d_key, d_value, *sizes, **constants)
    return d_query, d_key, d_value, d_gates


@_backward.register_fake
def _(given, query, key, value, gates, bias, mask, attended, total):
    parts = (query, key, value, gates.float())
    return tuple(torch.empty_like(part, memory_format=torch.contiguous_format) for part in parts)


def _keep(ctx: Any, inputs: tuple[Tensor | None, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)


def _gradients(ctx: Any, given: Tensor, _total: Tensor) -> tuple[Tensor | None, ...]:
    *d_inputs, d_gates = _backward(given, *ctx.saved_tensors)
    return *d_inputs, d_gates.to(ctx.saved_tensors[3].dtype), None, None


_attention.register_autograd(_gradients, setup_context=_keep)


def _grid(query: Tensor, frames: Tensor) -> tuple[int, int]:
    return triton.cdiv(frames.shape[1], _TILE), query.shape[0] * query.shape[2]


def _sizes(query: Tensor, key: Tensor) -> tuple[float, int, int, int]:
    return query.shape[3] ** -0.5, query.shape[2], query.shape[1], key.shape[1]


def _constants(query: Tensor, mask: Tensor | None) -> dict[str, Any]:
    return {"MASKED": mask is not None, "TILE": _TILE, "SIZE": query.shape[3], "num_warps": 4}


# A program has one head of one window: queries and frames are (n_windows, n_frames, n_heads, SIZE), what belongs to a
# query (n_windows, n_heads, n_queries). Tiles reach beyond the last frame; what they read there is 0.


@triton.jit
def _tile(of, rows, n_rows, n_heads, SIZE: tl.constexpr):
    window, head = tl.program_id(1) // n_heads, tl.program_id(1) % n_heads
    at = ((window * n_rows + rows[:, None]) * n_heads + head) * SIZE + tl.arange(0, SIZE)[None, :]
    return tl.load(of + at, mask=rows[:, None] < n_rows, other=0.0)


@triton.jit
def _put(values, of, rows, n_rows, n_heads, SIZE: tl.constexpr):
    window, head = tl.program_id(1) // n_heads, tl.program_id(1) % n_heads
    at = ((window * n_rows + rows[:, None]) * n_heads + head) * SIZE + tl.arange(0, SIZE)[None, :]
    tl.store(of + at, values.to(of.dtype.element_ty), mask=rows[:, None] < n_rows)


@triton.jit
def _of_queries(of, rows, n_queries):
    return tl.load(of + tl.program_id(1) * n_queries + rows, mask=rows < n_queries, other=0.0)


@triton.jit
def _scores(
    query, key, gate, bias, mask, rows, columns, scale, n_heads, n_queries, n_frames, MASKED: tl.constexpr
):
    inside = (rows[:, None] < n_queries) & (columns[None, :] < n_frames)
    at = rows[:, None] * n_frames + columns[None, :]
    head = tl.program_id(1) % n_heads
    by_distance = tl.load(bias + head * n_queries * n_frames + at, mask=inside, other=0.0).to(tl.float32)
    scores = tl.dot(query, tl.trans(key)) * scale + gate[:, None] * by_distance
    if MASKED:
        scores += tl.load(mask + at, mask=inside, other=0.0).to(tl.float32)
    # Finite, so that a row that sees nothing in its first tiles has a difference of maxima.
    return tl.maximum(tl.where(inside, scores, -1e30), -1e30), by_distance


@triton.jit
def _forward(
    queries, keys, values, gates, bias, mask, attended, totals, scale, n_heads, n_queries, n_frames,
    MASKED: tl.constexpr, TILE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    query, gate = _tile(queries, rows, n_queries, n_heads, SIZE), _of_queries(gates, rows, n_queries)
    largest, total = tl.full([TILE], -1e30, tl.float32), tl.zeros([TILE], tl.float32)
    weighted = tl.zeros([TILE, SIZE], tl.float32)
    for first in range(0, n_frames, TILE):
        columns = first + tl.arange(0, TILE)
        key = _tile(keys, columns, n_frames, n_heads, SIZE)
        value = _tile(values, columns, n_frames, n_heads, SIZE)
        scores, _ = _scores(
            query, key, gate, bias, mask, rows, columns, scale, n_heads, n_queries, n_frames, MASKED
        )
        larger = tl.maximum(largest, tl.max(scores, 1))
        weights, shrunk = tl.exp(scores - larger[:, None]), tl.exp(largest - larger)
        total = total * shrunk + tl.sum(weights, 1)
        weighted = weighted * shrunk[:, None] + tl.dot(weights.to(value.dtype), value)
        largest = larger
    _put(weighted / total[:, None], attended, rows, n_queries, n_heads, SIZE)
    tl.store(totals + tl.program_id(1) * n_queries + rows, largest + tl.log(total), mask=rows < n_queries)


@triton.jit
def _backward_of_queries(
    queries, keys, values, gates, bias, mask, given, totals, levels, d_queries, d_gates,
    scale, n_heads, n_queries, n_frames, MASKED: tl.constexpr, TILE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    query = _tile(queries, rows, n_queries, n_heads, SIZE)
    d_out = _tile(given, rows, n_queries, n_heads, SIZE)
    gate = _of_queries(gates, rows, n_queries)
    total, level = _of_queries(totals, rows, n_queries), _of_queries(levels, rows, n_queries)
    d_query, d_gate = tl.zeros([TILE, SIZE], tl.float32), tl.zeros([TILE], tl.float32)
    for first in range(0, n_frames, TILE):
        columns = first + tl.arange(0, TILE)
        key = _tile(keys, columns, n_frames, n_heads, SIZE)
        value = _tile(values, columns, n_frames, n_heads, SIZE)
        scores, by_distance = _scores(
            query, key, gate, bias, mask, rows, columns, scale, n_heads, n_queries, n_frames, MASKED
        )
        d_scores = tl.exp(scores - total[:, None]) * (tl.dot(d_out, tl.trans(value)) - level[:, None])
        d_gate += tl.sum(d_scores * by_distance, 1)
        d_query += tl.dot(d_scores.to(key.dtype), key)
    _put(d_query * scale, d_queries, rows, n_queries, n_heads, SIZE)
    tl.store(d_gates + tl.program_id(1) * n_queries + rows, d_gate, mask=rows < n_queries)


@triton.jit
def _backward_of_frames(
    queries, keys, values, gates, bias, mask, given, totals, levels, d_keys, d_values,
    scale, n_heads, n_queries, n_frames, MASKED: tl.constexpr, TILE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    columns = tl.program_id(0) * TILE + tl.arange(0, TILE)
    key = _tile(keys, columns, n_frames, n_heads, SIZE)
    value = _tile(values, columns, n_frames, n_heads, SIZE)
    d_key, d_value = tl.zeros([TILE, SIZE], tl.float32), tl.zeros([TILE, SIZE], tl.float32)
    for first in range(0, n_queries, TILE):
        rows = first + tl.arange(0, TILE)
        query = _tile(queries, rows, n_queries, n_heads, SIZE)
        d_out = _tile(given, rows, n_queries, n_heads, SIZE)
        gate = _of_queries(gates, rows, n_queries)
        total, level = _of_queries(totals, rows, n_queries), _of_queries(levels, rows, n_queries)
        scores, _ = _scores(
            query, key, gate, bias, mask, rows, columns, scale, n_heads, n_queries, n_frames, MASKED
        )
        weights = tl.exp(scores - total[:, None])
        d_value += tl.dot(tl.trans(weights.to(d_out.dtype)), d_out)
        d_scores = weights * (tl.dot(d_out, tl.trans(value)) - level[:, None])
        d_key += tl.dot(tl.trans(d_scores.to(query.dtype)), query)
    _put(d_key * scale, d_keys, columns, n_frames, n_heads, SIZE)
    _put(d_value, d_values, columns, n_frames, n_heads, SIZE)
