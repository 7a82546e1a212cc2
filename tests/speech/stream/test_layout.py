"""Where a story is cut and which frame may see which, counted by hand and in general."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from brainwavlm.config import WindowConfig
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.stream.layout import Layout, cut_segments, equal_layouts, needed_segments
from brainwavlm.stimulus.windows import cut_windows
from tests.models import FAMILIES

GRID = (320, 400)  # wav2vec-type: 20 ms between frames, 25 ms for the first


def segments_of(seconds, **settings):
    config = WindowConfig(mode="stream", **settings)
    windows = cut_windows(round(seconds * 16000), config)
    return windows, cut_segments(windows, config, GRID)


@given(
    seconds=st.floats(0.5, 40.0),
    context=st.floats(0.05, 6.0),
    stride=st.floats(0.05, 2.0),
    chunk=st.floats(0.05, 10.0),
    lookahead=st.none() | st.floats(0.02, 3.0),
)
def test_each_reading_is_in_one_segment_that_holds_its_window_or_begins_with_it(
    seconds, context, stride, chunk, lookahead
):
    assume(stride < seconds - 0.01)
    windows, segments = segments_of(seconds, context=context, stride=stride, chunk=chunk, lookahead=lookahead)
    ahead = round(16000 * (stride if lookahead is None else lookahead)) + 1
    read = 0
    for segment in segments:
        layout = segment.layout
        assert segment.first == read
        ends = np.array(layout.reading_ends) + segment.start
        np.testing.assert_array_equal(ends, windows.ends[read : read + len(ends)])
        assert segment.start == windows.starts[read]
        assert layout.n_samples == layout.reading_ends[-1]
        assert layout.block_ends[0] == layout.reading_ends[0]
        assert (np.diff(layout.block_ends) > 0).all()
        assert (np.diff(layout.block_ends) <= ahead).all()
        assert ends[-1] - ends[0] < chunk * 16000 + 1
        assert layout.members("mean").any(1).all()
        read += len(ends)
    assert read == len(windows)


def test_a_chunk_of_readings_follows_the_context_of_the_first():
    windows, segments = segments_of(20.0, context=4.0, stride=0.25, chunk=8.0)
    assert len(windows) == 80
    assert [(s.start / 16000, s.first, s.layout.n_samples / 16000) for s in segments] == [
        (0.0, 0, 7.75),
        (4.0, 31, 11.75),
        (12.0, 63, 8.0),
    ]


@pytest.mark.parametrize("cut", [9.0, 12.3, 18.0])
def test_a_shorter_sound_is_cut_in_the_same_places(cut):
    settings = {"context": 2.0, "stride": 0.5, "chunk": 3.0, "lookahead": 0.7}
    _, whole = segments_of(30.0, **settings)
    _, part = segments_of(cut, **settings)
    assert part[:-1] == whole[: len(part) - 1]
    assert part[-1].start == whole[len(part) - 1].start
    shared = part[-1].layout.block_ends[:-1]
    assert whole[len(part) - 1].layout.block_ends[: len(shared)] == shared


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_frame_belongs_to_the_time_from_which_a_window_has_it(saved, kind):
    backbone = load_backbone(saved(kind), 1)
    layout = Layout(*backbone.family.frame_grid(backbone.model.config), 16000, (16000,), (16000,))
    for n_samples in range(backbone.min_samples, 3000, 7):
        assert layout.frames_by(n_samples) == backbone.n_frames(n_samples)


def test_frames_see_their_block_and_the_context_before_their_own_end():
    layout = Layout(1, 1, 3, block_ends=(3, 5, 8), reading_ends=(3, 5, 8))
    assert layout.blocks == ((0, 3, 3), (3, 5, 5), (5, 8, 8))
    expected = """
        11100000
        11100000
        11100000
        01111000
        00111000
        00011111
        00001111
        00000111
    """
    np.testing.assert_array_equal(layout.visible(), [[c == "1" for c in row] for row in expected.split()])


def test_a_reading_is_of_the_frames_wholly_in_its_window():
    layout = Layout(
        10, 15, 40, block_ends=(40, 52), reading_ends=(40, 52)
    )  # frame k is heard from 10 k to 10 k + 15
    assert layout.n_frames == 4
    np.testing.assert_array_equal(layout.members("last"), [[0, 0, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(layout.members("first"), [[1, 0, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(layout.members("mean"), [[1, 1, 1, 0], [0, 0, 1, 1]])
    short = Layout(10, 15, 16, block_ends=(16, 29), reading_ends=(16, 29))
    for frame in ("last", "mean", "first"):  # no whole frame: the last one before the window's end
        np.testing.assert_array_equal(short.members(frame), [[1, 0], [0, 1]])


def test_a_block_too_short_for_a_frame_is_none():
    layout = Layout(320, 400, 16000, block_ends=(16000, 16100, 16200, 16400), reading_ends=(16000, 16400))
    assert layout.blocks == ((0, 49, 16000), (49, 50, 16100), (50, 51, 16400))


def test_a_segment_ends_where_its_last_chosen_reading_needs_it():
    _, segments = segments_of(60.0, context=4.0, stride=0.5, chunk=5.0)
    needed = needed_segments(segments, [33, 20, 30, 38])  # readings at 17, 10.5, 15.5 and 19.5 s
    assert sorted(needed) == [2, 3]
    assert needed[2].layout.n_samples == (10.5 - 6.0) * 16000
    assert needed[3] == segments[3]
    assert needed[2].layout.reading_ends == segments[2].layout.reading_ends[:2]


@pytest.mark.parametrize("lookahead", [None, 0.03, 0.7])
def test_the_beginning_of_a_segment_has_the_same_frames_and_sees_the_same(lookahead):
    _, segments = segments_of(20.0, context=1.0, stride=0.11, chunk=5.0, lookahead=lookahead)
    whole = segments[1].layout
    for n_readings in (1, 7, 30):
        part = whole.up_to(n_readings)
        n_frames = part.n_frames
        assert n_frames < whole.n_frames
        assert whole.blocks[: len(part.blocks)] == part.blocks
        assert not whole.visible()[:n_frames, n_frames:].any()
        np.testing.assert_array_equal(part.visible(), whole.visible()[:n_frames, :n_frames])
        for frame in ("last", "mean", "first"):
            members = whole.members(frame)[:n_readings]
            assert not members[:, n_frames:].any()
            np.testing.assert_array_equal(part.members(frame), members[:, :n_frames])


def test_segments_of_one_layout_go_together_and_each_goes_once():
    _, segments = segments_of(60.0, context=4.0, stride=0.5, chunk=5.0)
    chosen = {number: segments[number] for number in (0, 3, 4, 5, 7, 11, 12)}
    batches = equal_layouts(chosen, lambda layout: 2)
    assert sorted(number for batch in batches for number in batch) == list(chosen)
    assert all(len(batch) <= 2 and len({segments[i].layout for i in batch}) == 1 for batch in batches)
    assert [3, 4] in batches
