"""A footer of any length is read whole, by everybody who reads one."""

from __future__ import annotations

import hashlib
import subprocess
import tracemalloc
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from recorder import clean_points
from recorder.bmff.footer import MAGIC, build_footer
from recorder.bmff.fragments import build_mfra
from recorder.bmff.init import read_init
from recorder.catalog.sql import SqlCatalog
from recorder.errors import IndexCorrupt
from recorder.index import FrameTable, TrackFrames
from recorder.janitor.rebuild import rebuild
from recorder.janitor.worker import put_again
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Segment
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import SiteBeat
from recorder.reading.found import Found
from recorder.reading.view import View
from recorder.segment.meta import footer_meta
from recorder.segment.tail import MOST_TAIL, TAIL_BYTES, own_footer, read_tail
from recorder.ship.sender import Sender
from recorder.ship.settings import ShipSettings
from recorder.sites.announced import Announced
from recorder.sites.receive import Receiver
from recorder.spool.disk import Spool
from recorder.spool.raw import load_sealed, read_sealed
from recorder.store.files import FileStore
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import T0, segment
from tests.support.media import FF9

GUEST = StreamId("post1", "gate", "main")
MIB = 1 << 20


@dataclass(frozen=True)
class Long:
    """A sealed file; ``needed``: how many of its last bytes hold footer and ``mfra``."""

    body: bytes
    segment: Segment
    table: FrameTable
    needed: int

    def lie(self, spool: Spool, folder: str = "sealed") -> Path:
        """Lay it into a folder of a spool."""
        path = spool.root / folder / self.segment.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.body)
        return path


def ragged(frames: int, per_fragment: int, head: int) -> FrameTable:
    """A table of frames of a byte or two, whose times no packing makes small."""
    noise = [i * 2654435761 % (1 << 20) for i in range(frames)]
    q = array
    size = q("q", [1 + (one & 1) for one in noise])
    offset, offsets, ends, first = q("q"), q("q"), q("q"), q("q", [0])
    at = head
    for begin in range(0, frames, per_fragment):
        at += 100
        offsets.append(at - 100)
        for one in size[begin : begin + per_fragment]:
            offset.append(at)
            at += one
        ends.append(at)
        first.append(len(offset))
    sync = q("q", [int(i % per_fragment == 0) for i in range(frames)])
    dts, same = q("q", range(0, 3600 * frames, 3600)), q("q", [3600]) * frames
    count = len(offsets)
    track = TrackFrames(dts, size, same, q("q", noise), sync, offset, first)
    return FrameTable(offsets, ends, q("q", [-1]) * count, q("q", [T0]) * count, (track,))


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An init segment as ffmpeg writes it."""
    path: Path = tmp_path_factory.mktemp("tail") / "one.mp4"
    subprocess.run(
        [FF9, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-t", "0.2", "-c:v",
         "libx264", "-movflags", "empty_moov+default_base_moof+skip_trailer", str(path)],
        check=True,
    )  # fmt: skip
    body = path.read_bytes()
    return body[: read_init(body).size]


def make_long(header: bytes, frames: int, per_fragment: int = 50, **more: object) -> Long:
    """Make a sealed file of so many frames."""
    init = read_init(header)
    frame_table = ragged(frames, per_fragment, len(header))
    values = {
        "stream": GUEST, "frames": frames, "init_bytes": init.size, "timescale": 90000,
        "key": segment_key(str(GUEST), T0, "n1.1", 0), **more,
    }  # fmt: skip
    one = segment(0, 3600, **values)
    packed = clean_points.pack_points(clean_points.fragment_points(frame_table, 0))
    one = replace(one, span_start=T0, points=packed, media_end=3600 * frames)
    meta = footer_meta(one, "n1", 1, "file:test", "")
    trailer = build_footer(meta, frame_table) + build_mfra(frame_table, init)
    body = header.ljust(frame_table.ends[-1], b"\0") + trailer
    digest = hashlib.sha256(body).hexdigest()
    one = replace(one, size_bytes=len(body), digest=digest)
    return Long(body, one, frame_table, len(trailer))


@pytest.fixture(scope="module", params=["over 256 KiB", "over 1 MiB"])
def long(header: bytes, request: pytest.FixtureRequest) -> Long:
    """A segment whose footer is longer than any one read of the end."""
    least, frames = {"over 256 KiB": (MIB // 4, 80_000), "over 1 MiB": (MIB, 300_000)}[
        request.param
    ]
    one = make_long(header, frames)
    assert least < one.needed < 2 * least
    return one


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


# -- the reading itself --------------------------------------------------------------------------


def asking(body: bytes) -> tuple[Callable[[int, int], bytes], list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return body[offset : offset + length]

    return read, asked


@pytest.mark.parametrize(
    ("frames", "per_fragment", "times"), [(50, 50, 1), (50_000, 50, 2), (50_000, 5, 3)]
)
def test_no_byte_of_a_tail_is_asked_for_twice(
    header: bytes, frames: int, per_fragment: int, times: int
) -> None:
    one = make_long(header, frames, per_fragment)
    read, asked = asking(one.body)
    footer = read_tail(read, len(one.body))
    assert footer is not None
    assert footer.frames() == one.table
    assert len(asked) == times, "the mfra of short fragments is longer than the first read, too"
    begins = [offset for offset, _ in asked]
    stops = [offset + length for offset, length in asked]
    assert stops == [len(one.body), *begins[:-1]]
    assert times == 1 or begins[-1] == len(one.body) - one.needed


def test_what_is_not_ours_has_no_footer_and_what_is_torn_says_so(header: bytes) -> None:
    one = make_long(header, 50_000)
    read, _ = asking(bytes(300_000))
    assert read_tail(read, 300_000) is None
    assert read_tail(read, 0) is None
    with pytest.raises(IndexCorrupt, match="object x has no footer"):
        own_footer(read, 300_000, "object x")
    end = one.body[-70_000:]
    read, _ = asking(end)
    with pytest.raises(IndexCorrupt, match=f"needs {one.needed} bytes, the object has 70000"):
        read_tail(read, len(end))
    read, _ = asking(one.body)
    with pytest.raises(IndexCorrupt, match="ends early"):
        read_tail(read, len(one.body) + 1)
    damaged = bytearray(one.body)
    damaged[-one.needed + 100] ^= 1
    read, _ = asking(bytes(damaged))
    with pytest.raises(IndexCorrupt, match="does not match its digest"):
        read_tail(read, len(damaged))


# -- everybody who does it -----------------------------------------------------------------------


@pytest.mark.parametrize(("says", "reads"), [(2**32 - 1, 1), (MOST_TAIL, 1), (MOST_TAIL - 24, 2)])
def test_what_says_that_its_footer_is_longer_than_any_is_not_read(says: int, reads: int) -> None:
    """It would take the memory that recording needs.  A site below may send it, or a stranger."""
    mfra = bytes(12) + b"mfro" + bytes(4) + (24).to_bytes(4, "big")
    end = says.to_bytes(4, "big") + MAGIC + mfra
    asked = list[int]()

    def read(_: int, length: int) -> bytes:
        asked.append(length)
        return bytes(length - len(end)) + end if length == TAIL_BYTES else b"short"

    with pytest.raises(IndexCorrupt):
        read_tail(read, 8 << 30)
    assert len(asked) == reads


@pytest.mark.parametrize("known", [True, False], ids=["sealed now", "of an earlier process"])
def test_a_segment_with_a_long_footer_is_shipped(
    long: Long, spool: Spool, tmp_path: Path, known: bool
) -> None:
    (tmp_path / "store").mkdir()
    store, catalog = FileStore("main", tmp_path / "store"), SqlCatalog("sqlite://")
    long.lie(spool)
    sender = Sender(spool, store, catalog.commits, FakeClock(T0), ShipSettings("n1"), lambda: None)
    sender.offer(long.segment.key, long.segment if known else None)
    sender.ship(long.segment.key)
    assert b"".join(store.read(long.segment.key, 0, len(long.body))) == long.body
    (copy,) = catalog.footage.copies([long.segment])[long.segment.key]
    assert (copy.place, copy.segment) == ("main", long.segment)
    catalog.close()


def test_a_sealed_file_with_a_long_footer_is_known_again(long: Long, spool: Spool) -> None:
    path = long.lie(spool)
    assert load_sealed(path, long.segment.key) == long.segment
    assert read_sealed(path, long.segment.key) == replace(long.segment, digest="")


def test_a_sealed_file_is_known_again_without_holding_it_in_memory(
    header: bytes, spool: Spool
) -> None:
    one = make_long(header.ljust(32 * MIB, b"\0"), 50)
    path = one.lie(spool)
    tracemalloc.start()
    found = load_sealed(path, one.segment.key)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == one.segment
    assert peak < 2 * MIB


def test_a_child_s_segment_with_a_long_footer_is_taken_in(long: Long, spool: Spool) -> None:
    catalog, arrived = SqlCatalog("sqlite://"), list[Segment]()
    receiver = Receiver(
        spool,
        catalog,
        FakeClock(T0),
        "n9",
        "sub",
        lambda: 10 * MIB,
        arrived.append,
    )
    catalog.sites.put(SiteBeat("post1", "post", "", T0, {}))
    one, half = long.segment, len(long.body) // 2
    for offset, part in ((0, long.body[:half]), (half, long.body[half:])):
        whole = receiver.append(Announced(one.key, offset, len(long.body), one.digest), [part])
        assert whole is (offset > 0)
    assert arrived == [one]
    assert load_sealed(spool.root / "sealed" / one.key, one.key) == one
    assert [copy.place for copy in catalog.footage.copies([one])[one.key]] == ["spool:n9"]
    catalog.close()


def test_a_damaged_copy_with_a_long_footer_is_repaired(long: Long, tmp_path: Path) -> None:
    store, path = MemoryStore("main"), tmp_path / "whole.mp4"
    path.write_bytes(long.body)
    put_again(store, long.segment, path)
    info = store.head(long.segment.key)
    assert info is not None
    assert info.size == len(long.body)
    assert info.metadata["Duration"] == f"PT{long.segment.frames // 25}S", "it has its attributes"


def test_a_segment_with_a_long_footer_is_found_by_a_rebuild(long: Long) -> None:
    store, catalog = MemoryStore("main"), SqlCatalog("sqlite://")
    store.put(long.segment.key, long.body, "video/mp4", {})
    done = rebuild(catalog, store, "sub", T0)
    assert (done.ours, done.foreign, done.unreadable) == (1, 0, [])
    assert catalog.footage.segments(GUEST, TimeRange(T0, T0 + SECOND)) == [long.segment]
    catalog.close()


def test_the_frames_of_a_segment_with_a_long_footer_are_read(long: Long, spool: Spool) -> None:
    store, catalog = MemoryStore("main"), SqlCatalog("sqlite://")
    store.put(long.segment.key, long.body, "video/mp4", {})
    catalog.commits.add_segment(long.segment, "main", "", T0)
    view = View(catalog.footage, catalog.statuses, spool, {"main": store}, FakeClock(T0), "sub")
    assert list(view.tables(Found([long.segment]), [long.segment])) == [long.table]
    view.close()
    catalog.close()
