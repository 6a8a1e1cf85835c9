"""Pure decisions: cut, spool room, ffmpeg's words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder import clean_points
from recorder.capture import lines
from recorder.capture.command import Tracks, record_command
from recorder.capture.offer import Choice, choose
from recorder.cut import WHOLE_HIGH, WHOLE_LOW, cut_segments, fragments_of, runs_of, slices
from recorder.model.camera_document import parse_camera
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import SECOND, TimeRange
from recorder.playback.hls import Address, Present, playlist
from recorder.spool.room import SpoolItem, make_room
from tests.support.make import T0, segment


def at(start: float, end: float) -> TimeRange:
    return TimeRange(T0 + round(start * SECOND), T0 + round(end * SECOND))


def test_a_cut_takes_each_moment_once_and_joins_what_adjoins() -> None:
    pieces = cut_segments([segment(120), segment(0), segment(60)], at(30, 150))
    assert [piece.joined for piece in pieces] == [False, True, True]
    assert sum(piece.range.duration_ns for piece in pieces) == 120 * SECOND
    assert len(runs_of(pieces)) == 1


def test_overlapping_spans_of_two_nodes_are_followed_one_after_the_other() -> None:
    first = [segment(0), segment(60)]
    second = [
        segment(start, span_start=T0 + 90 * SECOND, counter=i, writer="n2.1")
        for i, start in enumerate((90, 150))
    ]
    pieces = cut_segments(first + second, at(0, 200))
    assert [piece.segment.writer for piece in pieces] == ["n1.1", "n1.1", "n2.1", "n2.1"]
    for before, after in itertools.pairwise(pieces):
        assert before.range.end == after.range.start


def test_another_node_fills_in_where_one_has_a_hole_or_no_segment() -> None:
    hole = at(70, 75)
    first = [segment(0), segment(60, holes=(hole,)), segment(180)]
    second = [segment(start, counter=i, writer="n2.1") for i, start in enumerate(range(0, 240, 60))]
    pieces = cut_segments(first + second, at(0, 240))
    found = [((p.range.start - T0) // SECOND, (p.range.end - T0) // SECOND, p.segment.node)
             for p in pieces]  # fmt: skip
    assert found == [
        (0, 60, "n1"), (60, 70, "n1"), (70, 74, "n2"), (74, 120, "n1"), (120, 180, "n2"),
        (180, 240, "n1"),
    ]  # fmt: skip
    assert [piece.joined for piece in pieces] == [False, True, False, False, False, False]
    alone = cut_segments(first, at(0, 240))
    assert len(alone) == 3, "a hole that nobody fills does not part a piece"


def test_going_over_to_another_node_begins_at_its_clean_point_before() -> None:
    first, second = segment(0, 33), segment(20, writer="n2.1", span_start=T0 + 20 * SECOND)
    before, after = cut_segments([first, second], at(0, 70))
    assert (before.range.end - T0, after.range.start - T0) == (32 * SECOND, 32 * SECOND)
    assert after.low == second.media_start + 12 * 90000
    assert before.high == first.media_start + 32 * 90000
    sparse = segment(0, holes=(at(10, 25),), points=clean_points.pack_points([
        FragmentPoint(800, 1000, 0, 900_000, 1),
        FragmentPoint(1800, 1000, 2_250_000, 90_000, 0),  # its first frame after the hole
        FragmentPoint(2800, 1000, 2_430_000, 2_970_000, 1),
    ]))  # fmt: skip
    pieces = cut_segments([sparse, segment(0, writer="n2.1")], at(0, 60))
    ends = [(piece.range.end - T0) // SECOND for piece in pieces]
    assert ends == [10, 27, 60], "the other is followed to the next clean point"


def test_a_thin_segment_is_taken_only_where_no_whole_one_is() -> None:
    segments = [segment(0), segment(60)]
    small = [segment(60 * i, writer="n1.1.thin") for i in range(3)]
    pieces = cut_segments(segments + small, at(0, 180))
    assert [p.segment.writer for p in pieces] == ["n1.1", "n1.1", "n1.1.thin"]


@pytest.mark.parametrize("overlap_ns", [2_000, 30 * SECOND])
def test_overlapping_spans_of_one_node_are_both_taken_whole(overlap_ns: int) -> None:
    start = 60 - overlap_ns / SECOND
    second = segment(start, span_start=T0 + round(start * SECOND), counter=0)
    for piece in cut_segments([segment(0), second], at(0, 200)):
        assert (piece.low, piece.high) == (WHOLE_LOW, WHOLE_HIGH)
        assert piece.range == piece.segment.range


def test_fragments_begin_at_the_clean_point_before_the_start() -> None:
    (piece,) = cut_segments([segment(0)], at(7, 11))
    ((_, chosen),) = fragments_of(piece)
    assert [point.start_ticks // 90000 for point in chosen] == [6, 8, 10]
    assert slices(chosen) == [(800 + 3000, 3000)]


def test_a_playlist_marks_seams_and_gives_true_times() -> None:
    other = segment(300, span_start=T0 + 300 * SECOND, counter=0)
    text = playlist(
        [segment(0), segment(60), other],
        at(0, 400),
        lambda one, *_: Address(f"/o/{one.counter}"),
        False,
    )
    assert text.count("#EXT-X-DISCONTINUITY") == 1
    assert text.count("#EXTINF:2.000000,") == 90
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-01-05T14:03:07.000Z" in text
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert '#EXT-X-MAP:URI="/o/1",BYTERANGE="800@0"' in text
    assert text.count("#EXT-X-BYTERANGE:1000@800\n/o/1\n") == 1


def test_a_fragment_with_a_url_of_its_own_has_no_byte_range() -> None:
    def address(_: Segment, offset: int, size: int) -> Address:
        return Address(f"/o?bytes={offset}-{offset + size - 1}", own=True)

    text = playlist([segment(0)], at(0, 60), address, False)
    assert "BYTERANGE" not in text
    assert '#EXT-X-MAP:URI="/o?bytes=0-799"\n' in text
    assert text.count("/o?bytes=1800-2799\n") == 1


def grouped(start_s: float, clean: Sequence[int], **more: Any) -> Segment:
    """Fragments of half a second, of a thousand bytes each."""
    points = [FragmentPoint(800 + 1000 * n, 1000, 45_000 * n, 45_000, clean[n])
              for n in range(len(clean))]  # fmt: skip
    return segment(start_s, len(clean) / 2, points=clean_points.pack_points(points), **more)


def named(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^#EXTINF:(\d\.\d)0+,\n#EXT-X-BYTERANGE:(.+)$", text, re.M)


def test_a_playlist_names_what_can_be_decoded_by_itself() -> None:
    def listed(clean: Sequence[int], start_s: int, end_s: int) -> list[tuple[str, str]]:
        asked = at(start_s, end_s)
        return named(playlist([grouped(0, clean)], asked, lambda *_: Address("/o"), False))

    groups = [1, 0, 0, 0, 1, 0, 2 + 90_000, 0]
    assert listed(groups, 0, 4) == [
        ("2.0", "4000@800"), ("1.0", "2000@4800"), ("1.0", "2000@6800")]  # fmt: skip
    assert listed(groups, 1, 2) == [("2.0", "4000@800")], "from the clean point before"
    assert listed(groups, 2, 3) == [("1.0", "2000@4800")]
    assert listed([0, 0, 1, 0], 0, 2) == [("1.0", "2000@800"), ("1.0", "2000@2800")]
    apart = grouped(0, groups)
    points = clean_points.unpack_points(apart.points)
    points[2:] = [replace(one, offset=one.offset + 7) for one in points[2:]]
    text = playlist([replace(apart, points=clean_points.pack_points(points))], at(0, 2),
                    lambda *_: Address("/o"), False)  # fmt: skip
    assert named(text) == [("1.0", "2000@800"), ("1.0", "2000@2807")], "bytes of nobody between"


def test_a_playlists_target_is_the_nearest_second_to_the_longest() -> None:
    for late, target in ((9, 2), (44_000, 2), (46_000, 3)):
        points = [FragmentPoint(800, 1000, 0, 180_000 + late, 1)]
        one = segment(0, 2, points=clean_points.pack_points(points))
        text = playlist([one], at(0, 2), lambda *_: Address("/o"), False)
        assert f"#EXT-X-TARGETDURATION:{target}\n" in text


def test_an_open_playlist_only_ever_grows() -> None:
    clean = [1, 0, 0, 0, 1, 0, 0, 0]
    sealed = [grouped(0, clean), grouped(4, clean, counter=1)]

    def text(segments: Sequence[Segment], growing: Set[str], end_s: int = 60) -> str:
        now = Present(T0 + 9 * SECOND, growing, 9 * SECOND)
        return playlist(segments, at(0, end_s), lambda one, *_: Address(one.key), True, present=now)

    last = text([grouped(0, clean[:1])], {grouped(0, clean[:1]).key})
    assert "EXTINF" not in last
    for number in range(1, 17):
        segments = [grouped(4 * n, clean[: number - 8 * n], counter=n)
                    for n in range(2) if number > 8 * n]  # fmt: skip
        open_ = {one.key for one in segments if number < 16}
        now = text(segments, open_)
        assert number < 5 or now.startswith(last), number
        last = now
    assert text(sealed, set()) == last
    assert len(named(last)) == 4
    assert "#EXT-X-TARGETDURATION:2\n" in last
    assert len(named(text(sealed, {sealed[1].key}))) == 3
    assert len(named(text(sealed, {one.key for one in sealed}))) == 1, "the first is not sealed yet"
    assert len(named(text(sealed, {sealed[0].key}))) == 4, "what follows it is"
    assert len(named(text(sealed, {sealed[1].key}, 8))) == 4, "no more is asked for than it has"
    assert len(named(text(sealed, {sealed[1].key}, 9))) == 3


# -- spool room --------------------------------------------------------------------------------

items = st.lists(
    st.builds(
        SpoolItem, st.uuids().map(str), st.integers(1, 100), st.integers(0, 1000),
        st.integers(0, 3), st.sampled_from(["", "here", "begun", "below"]), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(items, st.integers(0, 2000))
def test_what_is_safe_goes_first_and_what_is_held_never_unshipped(
    pool: list[SpoolItem], needed: int
) -> None:
    chosen = make_room(pool, needed, "oldest-least-important")
    shed = [one.item for one in chosen if one.shed]
    assert not any(item.held for item in shed)
    if shed:
        assert {one.item.key for one in chosen if not one.shed} == {i.key for i in pool if i.safe}
        left = [i for i in pool if not i.safe and not i.held and i not in shed]
        assert all(gone.importance <= stays.importance for gone in shed for stays in left)
    freed = sum(one.item.size_bytes for one in chosen)
    most = sum(i.size_bytes for i in pool if i.safe or not i.held)
    assert freed >= min(needed, most)
    gone = {one.item.key for one in chosen}
    for first, later in (("here", "begun"), ("begun", "below"), ("here", "below")):
        if any(one.item.safe == later for one in chosen):
            assert {item.key for item in pool if item.safe == first} <= gone, (first, later)
    assert not any(one.shed for one in make_room(pool, needed, "never"))


# -- ffmpeg ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("[error] method DESCRIBE failed: 401 Unauthorized", "auth-refused"),
        ("[tcp @ 0x1] Connection to tcp://10.0.0.1:554 failed: Connection refused", "unreachable"),
        ("method DESCRIBE failed: 404 Not Found", "not-found"),
        ("Failed to resolve hostname cam.local: Name or service not known", "no-such-host"),
        ("rtsp://10.0.0.1/x: Connection timed out", "timeout"),
        ("av_interleaved_write_frame(): No space left on device", "spool-full"),
        ("av_interleaved_write_frame(): Disk quota exceeded", "spool-full"),
        (
            "[vost#0:0/copy @ 0x5] Error submitting a packet to the muxer: Input/output error",
            "spool-failing",
        ),
        (
            "Could not write header for output file #0 (incorrect codec parameters ?): "
            "Read-only file system",
            "spool-refused",
        ),
        ("[out#0/segment @ 0x5] Error writing trailer: Stale file handle", "spool-failing"),
        ("Error muxing a packet: Too many open files", "no-resources"),
        ("file:/x.mp4: Permission denied", "bad-source"),
        ("rtsp://10.0.0.1/x: Input/output error", None),
        ("Could not find tag for codec pcm_alaw in stream #1", "unsupported-codec"),
        ("Stream mapping:", None),
    ],
)
def test_stderr_is_classified(line: str, name: str | None) -> None:
    assert lines.condition_of(line) == name
    assert name is None or lines.ADVICE[name]


@pytest.mark.parametrize(
    ("line", "output", "ticks"),
    [
        ("[vost#0:0/copy @ 0x1] [warning] Non-monotonic DTS; previous: 0, current: 0; c", -1, 0),
        ("[vost#0:0/copy @ 0x1] [warning] Non-monotonic DTS; previous: 90000, current: 40; c",
         0, 89960),
        ("[aost#1:0/aac @ 0x1] [warning] Non-monotonic DTS; previous: 800, current: 500; c",
         1, 300),
        ("[segment @ 0x1] Non-monotonous DTS in output stream 1:0; previous: 9, current: 9; c",
         1, 0),
        ("frame=1", -1, 0),
    ],
)  # fmt: skip
def test_a_stamp_that_does_not_run_on_is_told_of_its_output(
    line: str, output: int, ticks: int
) -> None:
    found = lines.stamps_back(line)
    assert found == (lines.StampsBack(output, ticks) if output >= 0 else None)


def test_only_the_first_tracks_of_a_kind_are_learnt_from() -> None:
    def track(line: str) -> lines.InputTrack:
        found = lines.parse_track(line)
        assert found is not None
        return found

    offered = [
        track("  Stream #0:0: Video: hevc (Main), yuv420p(tv), 640x360, 25 fps, 25 tbr, 90k tbn"),
        track("  Stream #0:1: Video: h264 (High), yuv420p, 640x360, 25 fps, 25 tbr, 90k tbn"),
        track("  Stream #0:2: Audio: pcm_alaw, 8000 Hz, mono, s16, 64 kb/s"),
        track("  Stream #0:3: Audio: none, 16000 Hz, mono"),
    ]
    able = {"pcm_alaw"}
    assert choose(offered, able, sound=True).tracks == Tracks(("aac",))
    assert choose(offered, able, sound=True).refused == ("none",)
    assert choose(offered, able, sound=False) == Choice(Tracks())
    assert choose(offered[::-1], able, sound=True).tracks.sounds == ("", "aac")


def test_the_recording_command_never_decodes_video() -> None:
    source = parse_camera("c", {"url": "rtsp://u:p@10.0.0.1/x"}).streams["main"]
    argv = record_command("ffmpeg", source, Path("/spool"), 60, Tracks(("aac",)))
    assert argv[argv.index("-c:v") + 1] == "copy"
    assert argv[argv.index("-c:a") + 1] == "aac"
    assert "-tag:v" not in argv  # of H.265, ffmpeg's own leaves parameter sets in the samples
    assert argv[argv.index("-rtsp_transport") + 1] == "tcp"
