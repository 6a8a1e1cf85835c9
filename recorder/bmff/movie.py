"""The ``moov`` of a clip: sample tables over bytes that stay where they are.

Source: ISO/IEC 14496-12 (box names in section 8), edit lists 8.6.6.
"""

from __future__ import annotations

import itertools
import struct
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recorder.bmff.boxes import box
from recorder.model.media import TrackInfo

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
FTYP = box("ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
MDAT_HEADER = 16
EPOCH_1904_S = 2_082_844_800


Tree = list["bytes | bytearray"]
"""A box in pieces: a day's sample tables are 10 MB, which are joined once, at the end."""


def _tree(kind: str, *children: bytes | bytearray | Tree) -> Tree:
    pieces: Tree = [b""]
    for child in children:
        if isinstance(child, list):
            pieces += child
        else:
            pieces.append(child)
    size = 8 + sum(len(piece) for piece in pieces)
    pieces[0] = struct.pack(">I4s", size, kind.encode("latin-1"))
    return pieces


def _full(kind: str, version: int, flags: int, *payload: bytes | bytearray | Tree) -> Tree:
    return _tree(kind, struct.pack(">I", version << 24 | flags), *payload)


@dataclass(frozen=True, slots=True)
class MovieTrack:
    """One track of a clip.

    ``tables`` are the closed sample tables; ``entries`` the sample entries (raw ``stsd``
    payloads of one entry each); ``entry_of_part`` gives each source file's entry, from 1.
    ``edits`` are the stretches that are shown, as media time and length in the track's
    timescale; ``empty_ticks`` a silence before them, in the movie's.
    """

    info: TrackInfo
    tables: Any
    entries: Sequence[bytes]
    entry_of_part: Sequence[int]
    edits: Sequence[tuple[int, int]]
    empty_ticks: int = 0


def merge_chunks(
    tracks: Sequence[MovieTrack],
) -> tuple[list[array[int]], tuple[array[int], array[int], array[int]]]:
    """Lay the chunks of all tracks into ``mdat`` in the order of their source bytes.

    Returns per track the chunk positions within ``mdat``, and the columns ``part``,
    ``offset``, ``length`` of all chunks in that order.
    """
    places = [array("q") for _ in tracks]
    parts, offsets, lengths = array("q"), array("q"), array("q")
    columns = [track.tables.chunks for track in tracks]
    done = [0] * len(tracks)
    at = 0
    for part in sorted({*itertools.chain.from_iterable(column[0] for column in columns)}):
        rows: list[tuple[int, int, int]] = []
        for number, column in enumerate(columns):
            lo, hi = done[number], bisect_right(column[0], part, done[number])
            rows += zip(column[1][lo:hi], column[2][lo:hi], itertools.repeat(number), strict=False)
            done[number] = hi
        rows.sort()
        for offset, length, number in rows:
            places[number].append(at)
            offsets.append(offset)
            lengths.append(length)
            at += length
        parts.extend(itertools.repeat(part, len(rows)))
    return places, (parts, offsets, lengths)


def build_header(
    tracks: Sequence[MovieTrack],
    places: Sequence[array[int]],
    created_s: int,
    timescale: int,
    notes: bytes = b"",
) -> bytes:
    """Build everything before the media bytes: ``ftyp``, ``moov``, the head of ``mdat``.

    ``places`` are chunk positions within ``mdat``; ``created_s`` is Unix time; ``notes`` is a
    ``udta``, or nothing.
    """
    rooms = [bytearray(8 * len(one)) for one in places]
    moov = _moov(tracks, rooms, created_s, timescale, notes)
    base = len(FTYP) + sum(len(piece) for piece in moov) + MDAT_HEADER
    for room, one in zip(rooms, places, strict=True):
        room[:] = _offsets(one, base)
    media = sum(sum(track.tables.chunks[2]) for track in tracks)
    return b"".join([FTYP, *moov, struct.pack(">I4sQ", 1, b"mdat", MDAT_HEADER + media)])


def _moov(
    tracks: Sequence[MovieTrack],
    rooms: Sequence[bytearray],
    created_s: int,
    timescale: int,
    notes: bytes,
) -> Tree:
    """Lay the box out; ``rooms``, one a track, are for chunks' places in the file.

    Where the chunks are depends on how long all this is.
    """
    longest = max((_movie_ticks(track, timescale) for track in tracks), default=0)
    created = created_s + EPOCH_1904_S
    mvhd = struct.pack(">QQIQ", created, created, timescale, longest)
    mvhd += struct.pack(">IHHII", 0x10000, 0x100, 0, 0, 0) + _MATRIX + bytes(24)
    mvhd += struct.pack(">I", len(tracks) + 1)
    traks = [
        _trak(number, track, room, (created, timescale))
        for number, (track, room) in enumerate(zip(tracks, rooms, strict=True), 1)
    ]
    return _tree("moov", _full("mvhd", 1, 0, mvhd), *traks, notes)


def _movie_ticks(track: MovieTrack, timescale: int) -> int:
    lengths = (ticks * timescale // track.info.timescale for _, ticks in track.edits)
    return track.empty_ticks + sum(lengths)


def _trak(number: int, track: MovieTrack, room: bytearray, movie: tuple[int, int]) -> Tree:
    created, timescale = movie
    info = track.info
    tkhd = struct.pack(">QQIIQ", created, created, number, 0, _movie_ticks(track, timescale))
    volume = 0x100 if info.kind == "audio" else 0
    tkhd += struct.pack(">QHHHH", 0, 0, 1 if info.kind == "audio" else 0, volume, 0) + _MATRIX
    tkhd += struct.pack(">II", info.width << 16, info.height << 16)
    edits = []
    if track.empty_ticks:
        edits.append(struct.pack(">QqHH", track.empty_ticks, -1, 1, 0))
    for media_time, ticks in track.edits:
        shown = ticks * timescale // info.timescale
        edits.append(struct.pack(">QqHH", shown, media_time, 1, 0))
    elst = _full("elst", 1, 0, struct.pack(">I", len(edits)), *edits)
    return _tree(
        "trak",
        _full("tkhd", 1, 3, tkhd),
        _tree("edts", elst),
        _mdia(track, room, created),
    )


def _mdia(track: MovieTrack, room: bytearray, created: int) -> Tree:
    info = track.info
    mdhd = struct.pack(">QQIQHH", created, created, info.timescale, track.tables.ticks, 0x55C4, 0)
    handler = {"video": b"vide", "audio": b"soun"}.get(info.kind, b"meta")
    hdlr = bytes(4) + handler + bytes(12) + b"Spanstore\0"
    media_header = {
        "video": _full("vmhd", 0, 1, bytes(8)),
        "audio": _full("smhd", 0, 0, bytes(4)),
    }.get(info.kind, _full("nmhd", 0, 0))
    dref = _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1))
    return _tree(
        "mdia",
        _full("mdhd", 1, 0, mdhd),
        _full("hdlr", 0, 0, hdlr),
        _tree("minf", media_header, _tree("dinf", dref), _stbl(track, room)),
    )


def _stbl(track: MovieTrack, room: bytearray) -> Tree:
    tables = track.tables
    boxes = [
        _full("stsd", 0, 0, struct.pack(">I", len(track.entries)), *track.entries),
        _counted("stts", tables.stts, 8),
    ]
    if tables.has_ctts:
        boxes.append(_counted("ctts", tables.ctts, 8, version=1))
    if tables.syncs != tables.samples:
        boxes.append(_counted("stss", tables.stss, 4))
    boxes.append(_stsc(track))
    sizes = struct.pack(">II", 0, tables.samples)
    boxes.append(_full("stsz", 0, 0, sizes, tables.stsz))
    boxes.append(_counted("co64", room, 8))
    return _tree("stbl", *boxes)


def _offsets(places: array[int], base: int) -> bytes:
    """Write where chunks are in the file."""
    offsets = array("Q", map(base.__add__, places))
    offsets.byteswap()  # the machines this runs on are little-endian; the file is not
    return offsets.tobytes()


def _counted(kind: str, rows: bytearray, each: int, version: int = 0) -> Tree:
    return _full(kind, version, 0, struct.pack(">I", len(rows) // each), rows)


def _stsc(track: MovieTrack) -> Tree:
    """Run-length code samples per chunk and the sample entry each chunk uses."""
    parts, _, _, samples = track.tables.chunks
    rows, last = bytearray(), (-1, -1)
    pack = struct.Struct(">III").pack
    uses = zip(samples, map(track.entry_of_part.__getitem__, parts), strict=True)
    for number, now in enumerate(uses, 1):
        if now != last:
            rows += pack(number, *now)
            last = now
    return _counted("stsc", rows, 12)
