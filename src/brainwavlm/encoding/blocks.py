"""Blocks of consecutive TRs, and the order in which an epoch visits them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brainwavlm.config import RunConfig


@dataclass(frozen=True)
class Block:
    """Rows [start, stop) of one story."""

    story: str
    start: int
    stop: int


def cut_blocks(story: str, n_trs: int, block_rows: int, short_tail: bool = False) -> list[Block]:
    """Consecutive blocks that cover a story; a tail shorter than half a block, or of one row, joins the one before it.

    Parameters
    ----------
    story : str
    n_trs : int
    block_rows : int
    short_tail : bool
        The authors' way: keep a short last block, skip it when it has fewer than 2 rows.
    """
    starts = list(range(0, n_trs, block_rows))
    tail = n_trs - starts[-1]
    if short_tail:
        return [Block(story, s, min(s + block_rows, n_trs)) for s in starts if n_trs - s >= 2]
    if len(starts) > 1 and tail < max(block_rows / 2, min(block_rows, 2)):
        starts.pop()
    return [Block(story, s, e) for s, e in zip(starts, [*starts[1:], n_trs], strict=True)]


def epoch_order(
    lengths: dict[str, int], config: RunConfig, epoch: int
) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """The blocks of an epoch: stories in random order, a few at a time in memory, blocks shuffled among these.

    Parameters
    ----------
    lengths : dict of str to int
        TRs by story.
    config : RunConfig
        With training.slow blocks count rows of so many TRs each, training.block_rows // training.slow a block: they
        span the same time.
    epoch : int

    Yields
    ------
    stories : tuple of str
        Held in memory together.
    blocks : list of Block
    """
    epoch = 0 if config.quirks.fixed_story_order else epoch
    generator = np.random.default_rng([config.seed, epoch])
    names = [str(name) for name in generator.permutation(sorted(lengths))]
    size, slow = config.training.stories_in_memory, config.training.slow
    rows = config.training.block_rows // slow
    for first in range(0, len(names), size):
        held = tuple(names[first : first + size])
        blocks = [
            block
            for name in held
            for block in cut_blocks(name, -(-lengths[name] // slow), rows, config.quirks.short_tail)
        ]
        yield held, [blocks[index] for index in generator.permutation(len(blocks))]


def epoch_steps(
    lengths: dict[str, int], config: RunConfig, epoch: int
) -> list[tuple[tuple[str, ...], list[list[Block]]]]:
    """`epoch_order` in steps of training.blocks_per_step blocks; the last step of a group may have fewer."""
    size = config.training.blocks_per_step
    return [
        (held, [blocks[first : first + size] for first in range(0, len(blocks), size)])
        for held, blocks in epoch_order(lengths, config, epoch)
    ]
