"""Blocks cover a story once, in an order that only the seed and the epoch decide."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainwavlm.config import load_config
from brainwavlm.encoding.blocks import cut_blocks, epoch_steps


def config(**overrides):
    return load_config(overrides={"subject": "s", **{k.replace("__", "."): v for k, v in overrides.items()}})


@given(n_trs=st.integers(2, 300), block_rows=st.integers(2, 60))
def test_blocks_cover_each_row_once_and_none_is_tiny(n_trs, block_rows):
    blocks = cut_blocks("a", n_trs, block_rows)
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(n_trs))
    assert all(block.stop - block.start >= min(block_rows / 2, n_trs) for block in blocks)


def test_the_authors_skip_a_tail_of_one_row():
    assert [block.stop for block in cut_blocks("a", 21, 10, short_tail=True)] == [10, 20]
    assert [block.stop for block in cut_blocks("a", 22, 10, short_tail=True)] == [10, 20, 22]


def order(run, epoch):
    lengths = {"a": 40, "b": 30, "c": 20}
    return [block for _, steps in epoch_steps(lengths, run, epoch) for step in steps for block in step]


def test_an_epoch_visits_every_block_once_and_epochs_differ():
    first, second = order(config(), 0), order(config(), 1)
    assert first != second
    assert set(first) == set(second)
    assert len(first) == len(set(first)) == 9
    assert sum(a.story != b.story for a, b in pairwise(first)) > 2  # of all stories, mixed
    assert order(config(), 1) == second
    assert order(config(seed=1), 1) != second
    fixed = config(quirks__fixed_story_order=True)
    assert order(fixed, 0) == order(fixed, 5)


@pytest.mark.parametrize("held", [1, 2, 3])
def test_no_more_stories_are_held_than_asked(held):
    groups = epoch_steps({"a": 40, "b": 30, "c": 20}, config(training__stories_in_memory=held), 0)
    assert max(len(stories) for stories, _ in groups) == held
    for stories, steps in groups:
        assert {block.story for step in steps for block in step} == set(stories)


def test_blocks_of_a_step_follow_each_other_in_one_story():
    run = config(training__blocks_per_step=2, training__adjacent_blocks=True)
    ((_, steps),) = epoch_steps({"a": 50, "b": 30, "c": 20}, run, 0)
    assert sorted(map(len, steps)) == [1, 1, 2, 2, 2, 2]
    for step in steps:
        assert len({block.story for block in step}) == 1
        assert all(one.stop == other.start for one, other in pairwise(step))
    assert steps != epoch_steps({"a": 50, "b": 30, "c": 20}, run, 1)[0][1]
