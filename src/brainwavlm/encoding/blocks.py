"""Blocks of consecutive TRs, and the order in which an epoch visits them."""

from collections.abc import Sequence
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


def spanned(blocks: Sequence[Block]) -> Block:
    """All rows from the first of these blocks to the last, of one story."""
    return Block(blocks[0].story, blocks[0].start, blocks[-1].stop)


def read_together(step: Sequence[Block], config: RunConfig) -> list[Sequence[Block]]:
    """The blocks of a step by those whose sound goes through the model in one piece."""
    if config.training.adjacent_blocks:
        return [step]
    return [[block] for block in step]


def epoch_steps(
    lengths: dict[str, int], config: RunConfig, epoch: int
) -> list[tuple[tuple[str, ...], list[list[Block]]]]:
    """The steps of an epoch: stories in random order, a few at a time in memory, blocks shuffled among these.

    Parameters
    ----------
    lengths : dict of str to int
        TRs by story.
    config : RunConfig
        With training.slow blocks count rows of so many TRs each, training.block_rows // training.slow a block: they
        span the same time. With training.adjacent_blocks those of a step follow each other in a story, and steps are
        shuffled.
    epoch : int

    Returns
    -------
    list of (stories, steps)
        Stories that are held in memory together, and steps of training.blocks_per_step blocks; the last of the stories,
        or with training.adjacent_blocks of a story, may have fewer.
    """
    epoch = 0 if config.quirks.fixed_story_order else epoch
    generator = np.random.default_rng([config.seed, epoch])
    names = [str(name) for name in generator.permutation(sorted(lengths))]
    training = config.training
    rows, size = training.block_rows // training.slow, training.blocks_per_step
    groups = []
    for first in range(0, len(names), training.stories_in_memory):
        held = tuple(names[first : first + training.stories_in_memory])
        cut = [
            cut_blocks(name, -(-lengths[name] // training.slow), rows, config.quirks.short_tail)
            for name in held
        ]
        if training.adjacent_blocks:
            steps = [step for blocks in cut for step in _in_steps(blocks, size)]
            steps = [steps[index] for index in generator.permutation(len(steps))]
        else:
            blocks = [block for some in cut for block in some]
            steps = _in_steps([blocks[index] for index in generator.permutation(len(blocks))], size)
        groups.append((held, steps))
    return groups


def _in_steps(blocks: list[Block], size: int) -> list[list[Block]]:
    return [blocks[first : first + size] for first in range(0, len(blocks), size)]
