"""Clean points are judged by their NAL units, and odd bytes make no trouble."""

from __future__ import annotations

import hashlib
import struct
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import _index, _index_py, index
from recorder.bmff.boxes import box
from recorder.bmff.footer import FOOTER_ID, MAGIC, build_footer, read_footer
from recorder.bmff.nal import length_size, mark_clean_points, units
from recorder.errors import IndexCorrupt
from recorder.index import CLOSED, OPEN, FrameTable, TrackFrames
from recorder.model.media import InitInfo, TrackInfo
from tests.support.make import table

HEVC_SLICE, HEVC_CRA, HEVC_IDR, HEVC_RADL, HEVC_RASL = (
    bytes([n << 1, 1]) for n in (1, 21, 19, 6, 8)
)
IDR, REFERENCE, LOOSE = b"\x65", b"\x61", b"\x01"


def init(codec: str) -> InitInfo:
    if codec == "avc1":
        config = box("avcC", bytes([1, 77, 0, 30, 0xFF, 0xE0, 0]))
    else:
        config = box("hvcC", bytes(21) + b"\x03\0")
    entry = bytes(8) + box(codec, bytes(78), config)
    track = TrackInfo(1, "video", 90000, codec, entry)
    return InitInfo(0, 90000, (track,), "d")


def recovery(frames: int) -> bytes:
    """A recovery point SEI as x264 writes it, ``ue(v)`` first."""
    bits = f"{frames + 1:b}"
    text = ("0" * (len(bits) - 1) + bits + "100").ljust(40, "0")
    body = int(text, 2).to_bytes(5, "big").replace(b"\0\0", b"\0\0\3")
    return b"\x06" + bytes([1, 3, 0, 0, 3, 1, 6, 5]) + body + b"\x80"


def marked(codec: str, samples: list[tuple[int, list[bytes], int]]) -> list[int]:
    """The ``sync`` column of frames, each with its composition in frames, NAL units, and flag."""
    body, columns = b"", [array("q") for _ in range(6)]
    for number, (late, nals, sync) in enumerate(samples):
        sample = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
        row = (3600 * number, len(sample), 3600, 3600 * late, sync, len(body))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        body += sample
    one = array("q", [0])
    dts, size, duration, cts, sync_, offset = columns
    first = array("q", [0, len(samples)])
    track = TrackFrames(dts, size, duration, cts, sync_, offset, first)
    made = FrameTable(one, array("q", [len(body)]), one, one, (track,))
    return list(mark_clean_points(body, init(codec), made).tracks[0].sync)


def test_an_idr_closes_its_gop_whatever_follows() -> None:
    frames = [(2, [b"\x67", IDR + b"x"], 1), (0, [LOOSE], 0), (1, [REFERENCE], 0)]
    assert marked("avc1", frames) == [CLOSED, 0, 0]


def test_frames_shown_before_a_picture_that_is_no_idr_are_not_decoded_from_it() -> None:
    frames = [(2, [recovery(0), REFERENCE], 1), (0, [LOOSE], 0), (1, [REFERENCE], 0)]
    assert marked("avc1", frames) == [OPEN, 0, 0]
    alone = [(0, [recovery(0), REFERENCE], 1), (0, [REFERENCE], 0)]
    assert marked("avc1", alone) == [CLOSED, 0], "without leading frames it is as good as one"


def test_a_refresh_is_whole_at_the_reference_picture_its_count_names() -> None:
    rest: list[tuple[int, list[bytes], int]] = [
        (0, [REFERENCE], 0), (0, [LOOSE], 0), (0, [REFERENCE], 0), (0, [REFERENCE], 0),
    ]  # fmt: skip
    assert marked("avc1", [(0, [recovery(2), REFERENCE], 1), *rest])[0] == OPEN + 3 * 3600
    beyond = marked("avc1", [(0, [recovery(5), REFERENCE], 1), *rest])[0]
    assert beyond == OPEN + (4 + 2 * 2) * 3600, "as slowly as the slowest in the file"
    assert marked("avc1", [(0, [recovery(60_000), REFERENCE], 1), *rest])[0] == CLOSED


def test_skipped_leading_pictures_open_a_cra_and_decodable_ones_do_not() -> None:
    def after(head: bytes, leading: bytes) -> int:
        return marked("hvc1", [(2, [head], 1), (0, [leading], 0), (1, [HEVC_SLICE], 0)])[0]

    assert after(HEVC_CRA, HEVC_RASL) == OPEN
    assert after(HEVC_CRA, HEVC_RADL) == CLOSED
    assert after(HEVC_IDR, HEVC_RADL) == CLOSED


def test_other_codecs_are_left_as_they_are() -> None:
    assert length_size(TrackInfo(1, "video", 1, "av01.0.04M.08", b"")) is None
    assert length_size(TrackInfo(1, "video", 1, "avc1", b"\0" * 20)) is None
    assert length_size(init("avc1").lead) == length_size(init("hvc1").lead) == 4


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 4), st.booleans()), min_size=1),
    st.sampled_from(["avc1", "hvc1"]), st.integers(0, 60),
)  # fmt: skip
def test_any_bytes_are_read_without_harm(
    samples: list[tuple[bytes, int, bool]], codec: str, short: int
) -> None:
    body, columns = b"", [array("q") for _ in range(6)]
    for number, (sample, late, sync) in enumerate(samples):
        row = (3600 * number, len(sample), 3600, 3600 * late, int(sync), len(body))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        body += sample
    one = array("q", [0])
    dts, size, duration, cts, sync_, offset = columns
    first = array("q", [0, len(samples)])
    track = TrackFrames(dts, size, duration, cts, sync_, offset, first)
    made = FrameTable(one, array("q", [len(body)]), one, one, (track,))
    found = mark_clean_points(body[: max(0, len(body) - short)], init(codec), made)
    assert [bool(n) for n in found.tracks[0].sync] == [bool(n) for n in track.sync]
    assert all(at < end <= len(body) for at, end in units(body, 0, len(body), 4))


def opened() -> FrameTable:
    made = table()
    made.tracks[0].sync[50] = OPEN + 64_800
    return made


def test_open_points_make_a_footer_of_version_2_and_closed_ones_of_version_1() -> None:
    mfra = b"\0\0\0\x18mfra\0\0\0\x10mfro\0\0\0\0\0\0\0\x18"
    for version, made in ((1, table()), (2, opened())):
        whole = build_footer({"init_bytes": 800}, made) + mfra
        assert whole[24:26] == version.to_bytes(2, "big")
        footer = read_footer(whole, len(whole))
        assert footer is not None
        assert footer.frames() == made


def test_a_footer_whose_words_are_nested_without_end_is_none() -> None:
    text = b"[" * 100_000 + b"]" * 100_000
    payload = struct.pack(">HHI", 1, 0, len(text)) + text + struct.pack(">I", 0)
    payload += hashlib.sha256(payload).digest()
    end = struct.pack(">I4s", 32 + len(payload), MAGIC)
    whole = (
        box("uuid", FOOTER_ID, payload, end) + b"\0\0\0\x18mfra\0\0\0\x10mfro" + bytes(7) + b"\x18"
    )
    with pytest.raises(IndexCorrupt, match="recursion"):
        read_footer(whole, len(whole))


GOLDEN_1 = bytes.fromhex(
    "00000070757569647d6f5a3e0b1c4d8e9a2f53706e73746f00010000000000127b22696e69745f6279746573"
    "223a3830307d00000012010100d809010e028b9601a038d804e08b0170e5acc8ef9e807bcff7db54b88ec408"
    "01c5feb4c78f80a45b2774cfbca19668000000705350414e"
)
"""A footer of version 1, as releases before open points wrote it."""


def test_a_footer_of_version_1_is_read_on() -> None:
    mfra = b"\0\0\0\x18mfra\0\0\0\x10mfro\0\0\0\0\0\0\0\x18"
    footer = read_footer(GOLDEN_1 + mfra, len(GOLDEN_1) + len(mfra))
    assert footer is not None
    (track,) = footer.frames().tracks
    assert list(track.sync) == [CLOSED, 0]
    assert list(track.size) == [300, 20]
    assert build_footer(footer.meta, footer.frames()) == GOLDEN_1


def test_twins_see_open_points_alike_and_refuse_false_ones() -> None:
    made = opened()
    (track,) = made.tracks
    for low in range(0, 360_000, 1800):
        asked = (track.dts, track.cts, track.duration, track.sync, (low, low + 3600))
        first, second = (tuple(twin.cut(*asked)) for twin in (_index_py, _index))
        assert first == second
        assert first[0] == (50 if first[2] >= 180_000 + 64_800 else 0)
    tables: list[Any] = [twin.TrackTables() for twin in (_index_py, _index)]
    for one in tables:
        one.add(0, track.columns(), 0, 100, -1)
        one.close()
    assert tables[0].stss == tables[1].stss == (1).to_bytes(4, "big")
    packed = index.encode(made, 800)
    assert index.decode(packed, 800) == made
    plain = index.encode(table(), 800)
    assert packed.startswith(plain)
    for false in ([0, 50, 1], [0, 51, 9], [0, 500, 9], [3, 50, 9], [0, 50], [-1, 50, 9]):
        with pytest.raises(IndexCorrupt):
            index.decode(plain + _index.pack_ints(array("q", false)), 800)
