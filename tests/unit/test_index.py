"""The compiled index and its twin agree, and neither trusts a length."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import _index, _index_py, index
from recorder.bmff.footer import build_footer, read_footer, tail_needed
from recorder.bmff.init import read_init
from recorder.errors import IndexCorrupt, MalformedMedia
from tests.support.make import table
from tests.support.media import FF9

TWINS: list[Any] = [_index_py, _index]


@pytest.fixture(scope="module")
def fragmented(h264_file: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Eight seconds of fragmented MP4 as ffmpeg writes it."""
    path = tmp_path_factory.mktemp("f") / "f.mp4"
    flags = "+frag_keyframe+empty_moov+default_base_moof"
    subprocess.run(
        [FF9, "-v", "error", "-t", "8", "-i", str(h264_file), "-c", "copy", "-movflags", flags,
         "-write_prft", "wallclock", str(path)], check=True,
    )  # fmt: skip
    return path.read_bytes()


def specs(body: bytes) -> tuple[int, list[tuple[int, int, int, int]]]:
    init = read_init(body)
    return init.size, [(track.track_id, *track.defaults) for track in init.tracks]


def test_the_implementation_under_test_is_the_compiled_one() -> None:
    assert index.COMPILED
    index.self_test()


def test_twins_scan_a_real_file_alike(fragmented: bytes) -> None:
    size, tracks = specs(fragmented)
    found = [twin.scan(fragmented, size, tracks) for twin in TWINS]
    assert found[0] == found[1]
    assert len(found[0][0]) == 4
    assert found[0][5] == index.END
    assert len(found[0][3][0][0]) == 200


def test_a_file_torn_at_every_offset_of_its_last_fragment_keeps_the_others(
    fragmented: bytes,
) -> None:
    size, tracks = specs(fragmented)
    whole = _index.scan(fragmented, size, tracks)
    last, end = whole[0][-1], whole[1][-1]
    step = max(1, (end - last) // 3000)
    edges = list(range(last, last + 1500)) + list(range(last + 1500, end, step))
    for cut in edges:
        found = _index.scan(fragmented[:cut], size, tracks)
        assert found[4] == last
        assert list(found[0]) == list(whole[0])[:-1]
        assert found[5] == index.TORN or cut in (last, last + 32)  # between two boxes


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2**31), st.booleans()), max_size=6), max_size=20),
    st.integers(0, 2**40), st.integers(0, 2**40),
)  # fmt: skip
def test_twins_score_activity_alike(
    fragments: list[list[tuple[int, bool]]], base: int, spread: int
) -> None:
    size, sync, first = array("q"), array("q"), array("q", [0])
    for fragment in fragments:
        size.extend(one for one, _ in fragment)
        sync.extend(int(clean) for _, clean in fragment)
        first.append(len(size))
    found = [twin.activity(size, sync, first, base, spread) for twin in TWINS]
    assert found[0] == found[1]
    assert len(found[0][0]) == len(fragments)


@pytest.mark.parametrize("first", [[0, 5], [-1, 2], [0, 2, 1]])
def test_twins_refuse_fragments_that_are_none(first: list[int]) -> None:
    two = array("q", [1, 1])
    for twin in TWINS:
        with pytest.raises(ValueError, match="fragments"):
            twin.activity(two, two, array("q", first), 0, 0)


def test_motion_stands_out_of_a_quiet_scene_and_is_the_usual_one_after_minutes() -> None:
    def frames(sizes: list[int]) -> index.TrackFrames:
        count = 50 * len(sizes)
        size = array("q", (sizes[i // 50] + i % 7 for i in range(count)))
        sync = array("q", (int(i % 50 == 0) for i in range(count)))
        zero = array("q", [0]) * count
        return index.TrackFrames(
            zero, size, zero, zero, sync, zero, array("q", range(0, count + 1, 50))
        )

    quiet, state = index.activity(frames([1000 + 10 * (i % 3) for i in range(40)]), (0, 0))
    assert max(quiet[20:]) < index.MOTION
    busy, state = index.activity(frames([1000] * 5 + [1300] * 5 + [1000] * 5), state)
    assert [score >= index.MOTION for score in busy] == [False] * 5 + [True] * 5 + [False] * 5
    later, state = index.activity(frames([1300] * 150), state)
    assert later[0] >= index.MOTION
    assert max(later[-10:]) < index.MOTION


@given(data=st.data())
def test_twins_agree_on_damaged_files(fragmented: bytes, data: st.DataObject) -> None:
    size, tracks = specs(fragmented)
    body = bytearray(fragmented[: size + 4000])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(size, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    found = [twin.scan(bytes(body), size, tracks) for twin in TWINS]
    assert found[0] == found[1]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_twins_agree_on_any_bytes(body: bytes) -> None:
    asks: list[tuple[str, tuple[Any, ...]]] = [
        ("scan", (body, 0, [(1, 0, 0, 0)])), ("decode_table", (body, 10)), ("unpack_ints", (body,))
    ]  # fmt: skip
    for name, arguments in asks:
        answers: list[Any] = []
        for twin in TWINS:
            try:
                answers.append(getattr(twin, name)(*arguments))
            except ValueError:
                answers.append("refused")
        assert answers[0] == answers[1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_as_a_file_are_refused_in_words(body: bytes) -> None:
    with contextlib.suppress(MalformedMedia):
        assert read_init(body).tracks


frames = st.lists(
    st.tuples(
        st.integers(0, 2**24), st.integers(0, 10**6), st.integers(-(10**6), 10**6),
        st.booleans(), st.integers(0, 50),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(frames, min_size=1, max_size=4), st.integers(0, 2**40))
def test_a_table_comes_back_from_its_bytes(fragments: list[Any], base: int) -> None:
    columns: list[array[int]] = [array("q") for _ in range(6)]
    first, offsets, ends = array("q"), array("q"), array("q")
    at, dts = 800, base
    for fragment in fragments:
        first.append(len(columns[0]))
        offsets.append(at)
        at += 100
        for size, duration, cts, sync, skip in fragment:
            at += skip
            for column, value in zip(
                columns, (dts, size, duration, cts, int(sync), at), strict=True
            ):
                column.append(value)
            at, dts = at + size, dts + duration
        ends.append(at)
        dts += 7
    first.append(len(columns[0]))
    prfts, walls = array("q", [-1]) * len(offsets), array("q", [base]) * len(offsets)
    tracks = [(*columns, first)]
    packed = [twin.encode_table(offsets, ends, prfts, walls, tracks, 800) for twin in TWINS]
    assert packed[0] == packed[1]
    for twin in TWINS:
        assert twin.decode_table(packed[0], 800) == (
            offsets, ends, prfts, walls, tracks, len(packed[0])
        )  # fmt: skip


def test_the_packed_form_is_golden() -> None:
    packed = index.encode(table(), 800)
    assert hashlib.sha256(packed).hexdigest()[:16] == "572a836344d13325"
    assert len(packed) < 100 * 4


@given(st.lists(st.integers(0, 2**62), max_size=64).map(sorted), st.integers(0, 2**62))
def test_twins_locate_alike(starts: list[int], t: int) -> None:
    column = array("q", starts)
    found = {twin.locate(column, t) for twin in TWINS}
    assert len(found) == 1
    (i,) = found
    assert i == -1 or starts[i] <= t
    assert i + 1 == len(starts) or starts[i + 1] > t


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 9)), max_size=30),
    st.integers(-5, 150), st.integers(0, 150),
)  # fmt: skip
def test_twins_cut_alike_and_show_exactly_the_frames_in_range(
    rows: list[tuple[int, int, int]], low: int, length: int
) -> None:
    duration = array("q", [row[0] for row in rows])
    cts = array("q", [row[1] for row in rows])
    sync = array("q", [row[2] or int(i == 0) for i, row in enumerate(rows)])
    dts = array("q")
    at = 0
    for value in duration:
        dts.append(at)
        at += value
    found = {tuple(twin.cut(dts, cts, duration, sync, (low, low + length))) for twin in TWINS}
    assert len(found) == 1
    clean, stop, first, last, _, shown = next(iter(found))
    inside = [d + c for d, c in zip(dts, cts, strict=True) if low <= d + c < low + length]
    assert shown == len(inside)
    if inside:
        assert (first, last) == (min(inside), max(inside))
        assert sync[clean]
        assert 0 <= clean < stop <= len(rows)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2**20), st.integers(0, 9), st.integers(-3, 3), st.integers(0, 4)),
        min_size=1, max_size=40,
    ),
    st.integers(0, 10), st.integers(-1, 9),
)  # fmt: skip
def test_twins_gather_the_same_sample_tables(rows: list[Any], skip: int, last: int) -> None:
    size, duration, cts, sync = (array("q", column) for column in zip(*rows, strict=True))
    dts = array("q", range(len(rows)))
    offset, at = array("q"), 100
    for i, value in enumerate(size):
        at += 50 if i % 7 == 0 else 0
        offset.append(at)
        at += value
    results = []
    for twin in TWINS:
        tables = twin.TrackTables()
        for part in range(2):
            tables.add(
                part,
                (dts, size, duration, cts, sync, offset),
                min(skip, len(rows)),
                len(rows),
                last,
            )
        tables.close()
        results.append(
            (tables.stsz, tables.stss, tables.stts, tables.ctts, tables.chunks, tables.samples,
             tables.ticks, tables.syncs, bool(tables.has_ctts))
        )  # fmt: skip
    assert results[0] == results[1]


def test_a_footer_is_found_from_the_end_and_guards_itself() -> None:
    mfra = b"\0\0\0\x18mfra\0\0\0\x10mfro\0\0\0\0\0\0\0\x18"
    box = build_footer({"init_bytes": 800, "site": "x"}, table())
    body = bytes(5000) + box + mfra
    tail = body[-900:]
    assert tail_needed(tail) == len(box) + len(mfra)
    footer = read_footer(tail, len(body))
    assert footer is not None
    assert footer.frames() == table()
    assert footer.offset == 5000
    assert read_footer(bytes(900), 900) is None
    for at in range(len(body) - len(mfra) - len(box) + 24, len(body) - len(mfra) - 8):
        damaged = bytearray(body)
        damaged[at] ^= 1
        with pytest.raises(IndexCorrupt):
            read_footer(bytes(damaged[-900:]), len(body))
