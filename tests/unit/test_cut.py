"""A cut takes each frame of a range once, whatever spans overlap, and what decoding needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.clean_points import fragment_points, pack_points, unpack_points
from recorder.cut import (
    Piece,
    adjoins,
    cut_segments,
    fragments_of,
    frames_of,
    piece_at,
    runs_of,
    segments_of,
    wanted_before,
)
from recorder.index import OPEN, FrameTable
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import SECOND, TimeRange
from tests.support.make import T0, segment, table

FRAMES, GOP = 50, 10
LENGTH_S = FRAMES / 25


def opened(recovery: int, *, fragment: int = GOP, frames: int = FRAMES) -> FrameTable:
    """A table whose clean points are whole ``recovery`` frames later."""
    made = table(frames, GOP, fragment)
    (track,) = made.tracks
    for i, clean in enumerate(track.sync):
        if clean and recovery:
            track.sync[i] = OPEN + 3600 * recovery
    return made


def spans_of(rows: Sequence[tuple[int, int, int, int]]) -> dict[str, tuple[Segment, FrameTable]]:
    """Spans as segments and tables, by key; a row is node, start and recovery in frames, count."""
    found = {}
    for number, (node, start, recovery, count) in enumerate(rows):
        begin = start / 25
        for i in range(count):
            made = opened(recovery)
            one = segment(
                begin + i * LENGTH_S, LENGTH_S, writer=f"n{node}.{number}", counter=i,
                span_start=T0 + round(begin * SECOND), media_start=0, media_end=3600 * FRAMES,
                frames=FRAMES, points=pack_points(fragment_points(made, 0)),
            )  # fmt: skip
            found[one.key] = (one, made)
    return found


def shown(piece: Piece, tables: dict[str, tuple[Segment, FrameTable]]) -> list[int]:
    """Numbers of the frames of its segment that a piece shows."""
    chosen = frames_of(
        piece, tables[piece.segment.key][1], 0, [tables[one.key][1] for one in piece.before]
    )[-1]
    last = chosen.first_pts + 3600 * chosen.shown
    return list(range(chosen.first_pts // 3600, last // 3600))


rows = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 300), st.integers(0, 12), st.integers(1, 4)),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(rows, st.integers(-60, 500), st.integers(1, 400), st.sets(st.integers(0, 23)))
def test_overlapping_spans_are_cut_within_the_range_each_frame_once(
    found: list[tuple[int, int, int, int]], start: int, length: int, gone: set[int]
) -> None:
    tables = spans_of(found)
    asked = TimeRange(T0 + start * SECOND // 25, T0 + (start + length) * SECOND // 25)
    touching = [one for one, _ in tables.values() if one.range.overlaps(asked)]
    away = {one.key for number, one in enumerate(touching) if number in gone}
    pieces = cut_segments(touching, asked, [one for one, _ in tables.values()], away)
    taken: set[tuple[str, int]] = set()
    for piece in pieces:
        assert asked.start <= piece.range.start < piece.range.end <= asked.end
        assert all(adjoins(a, b) for a, b in zip(piece.before, piece.before[1:], strict=False))
        fragments_of(piece)
        for number in shown(piece, tables):
            frame = (piece.segment.key, number)
            assert frame not in taken
            taken.add(frame)
    if len({node for node, *_ in found}) == 1:  # a node never records a frame twice
        for one in touching:
            inside = range(
                -(-one.ticks_at(max(asked.start, one.start)) // 3600),
                -(-one.ticks_at(min(asked.end, one.end)) // 3600),
            )
            missing = [i for i in inside if (one.key, i) not in taken]
            recovery = max(row[2] for row in found)
            assert all(one.counter == 0 and i < recovery for i in missing)


@settings(max_examples=200, deadline=None)
@given(rows, st.integers(-60, 500), st.integers(1, 400), st.sets(st.integers(0, 23)))
def test_of_what_is_away_is_taken_what_no_other_node_has_and_no_moment_is_left_out(
    found: list[tuple[int, int, int, int]], start: int, length: int, gone: set[int]
) -> None:
    segments = [one for one, _ in spans_of([(row[0], row[1], 0, row[3]) for row in found]).values()]
    asked = TimeRange(T0 + start * SECOND // 25, T0 + (start + length) * SECOND // 25)
    touching = [one for one in segments if one.range.overlaps(asked)]
    away = {one.key for number, one in enumerate(touching) if number in gone}
    pieces = cut_segments(touching, asked, segments, away)
    for at in range(asked.start + 1, asked.end, SECOND // 50):
        near = [one for one in touching if one.start <= at < one.end]
        shown_by = [one for one in pieces if one.range.start <= at < one.range.end]
        assert bool(near) == bool(shown_by), "what is there is shown"
        wide = TimeRange(at - GOP * SECOND // 25, at + GOP * SECOND // 25)  # but for a seam
        for piece in shown_by:
            if piece.segment.key in away:
                others = [one for one in near if one.node != piece.segment.node]
                assert all(
                    one.key in away or not (one.start <= wide.start and wide.end <= one.end)
                    for one in others
                )


def test_a_span_goes_on_over_what_is_away_in_it_or_another_nodes_is_shown() -> None:
    tables = spans_of([(1, 0, 0, 3), (2, 10, 0, 3)])
    first, second = ([one for one, _ in tables.values() if one.node == node] for node in
                     ("n1", "n2"))  # fmt: skip
    asked, away = TimeRange(first[0].start, first[2].end), {first[1].key}
    alone = cut_segments(first, asked, (), away)
    assert [(one.segment.key, one.joined) for one in alone] == [
        (first[0].key, False), (first[1].key, True), (first[2].key, True)
    ]  # fmt: skip
    both = cut_segments([*first, *second], asked, (), away)
    assert [one.segment for one in both] == [first[0], second[0], second[1], first[2]]
    assert both[0].range.end == both[1].range.start
    assert both[2].range.end == both[3].range.start == first[2].start


@settings(max_examples=400, deadline=None)
@given(rows, st.integers(-60, 500), st.integers(1, 400))
def test_a_run_cut_again_among_the_segments_of_its_span_is_the_same_run(
    found: list[tuple[int, int, int, int]], start: int, length: int
) -> None:
    tables = spans_of(found)
    segments = [one for one, _ in tables.values()]
    asked = TimeRange(T0 + start * SECOND // 25, T0 + (start + length) * SECOND // 25)
    touching = [one for one in segments if one.range.overlaps(asked)]
    for run in runs_of(cut_segments(touching, asked, segments)):
        range_ = TimeRange(run[0].range.start, run[-1].range.end)
        alone = [one for one in segments_of(run, segments) if one.range.overlaps(range_)]
        again = cut_segments(alone, range_, segments)
        assert [(one.segment, one.range, shown(one, tables)) for one in again] == [
            (one.segment, one.range, shown(one, tables)) for one in run
        ]


def test_a_range_goes_back_over_the_edge_as_far_as_decoding_needs() -> None:
    tables = spans_of([(1, 0, 12, 4)])  # whole after a GOP and two frames
    segments = [one for one, _ in tables.values()]
    last = segments[3]
    asked = TimeRange(last.start, last.start + SECOND)
    assert wanted_before([last], (), asked) == [last]
    assert wanted_before([last], segments[2:3], asked) == []
    late = TimeRange(last.start + SECOND, last.end)
    assert wanted_before([last], (), late) == [], "its own first clean point is early enough"
    (piece,) = cut_segments([last], asked, segments[:3])
    assert piece.before == (segments[2],)
    hidden, chosen = frames_of(piece, tables[last.key][1], 0, [tables[segments[2].key][1]])
    assert (hidden.clean, hidden.stop, hidden.shown) == (30, 50, 0)
    assert (chosen.clean, chosen.first_pts, chosen.shown) == (0, 0, 25)
    ((first, fragments), (second, _)) = fragments_of(piece)
    assert (first, second) == (segments[2], last)
    assert [one.start_ticks // 3600 for one in fragments] == [30, 40]


def test_without_the_segment_before_a_piece_begins_at_the_first_whole_picture() -> None:
    tables = spans_of([(1, 0, 7, 2)])
    (_, last) = (one for one, _ in tables.values())
    (piece,) = cut_segments([last], last.range)
    assert piece.before == ()
    assert shown(piece, tables) == list(range(7, FRAMES))
    assert piece_at(last, 3600, ()).before == ()


def test_fragments_need_not_begin_with_a_clean_point() -> None:
    made = opened(3, fragment=4)
    points = fragment_points(made, 0)
    assert [one.clean for one in points[:6]] == [OPEN + 3 * 3600, 0, 0, 0, 0, OPEN + 3 * 3600]
    one = segment(0, LENGTH_S, media_end=3600 * FRAMES, points=pack_points(points))
    (piece,) = cut_segments([one], TimeRange(one.start + SECOND, one.end))
    ((_, fragments),) = fragments_of(piece)
    assert fragments[0].start_ticks == 20 * 3600
    assert unpack_points(one.points) == points


def test_points_of_rows_written_before_are_read_on() -> None:
    old = [FragmentPoint(800, 10, 0, 5, 1), FragmentPoint(810, 10, 5, 5, 0)]
    assert unpack_points(pack_points(old)) == old
    assert [one.ready_ticks for one in old] == [0, 5]


def test_a_segment_goes_on_by_its_counter_whatever_its_media_time() -> None:
    one = segment(0)
    later = segment(60, media_start=7, media_end=60 * 90000)
    assert adjoins(one, later)
    assert not adjoins(one, replace(later, counter=2))
    assert not adjoins(one, replace(later, span_start=T0 + 1))
    assert not adjoins(one, replace(later, decoder_digest="e"))
