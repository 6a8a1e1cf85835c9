"""Read an init segment: tracks, timescales, codecs (RFC 6381), decoder configuration."""

from __future__ import annotations

import hashlib
import struct

from recorder.bmff.boxes import find, unsigned, walk
from recorder.bmff.codecs import codec_string
from recorder.errors import MalformedMedia
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo, TrackInfo

MAX_INIT = 1 << 20  # an init segment is about 1 kB; parameter sets are tens of bytes

_KINDS = {b"vide": "video", b"soun": "audio"}


def init_size(buf: Buffer) -> int | None:
    """Return the length of ``ftyp`` + ``moov`` at the head, ``None`` when not whole yet.

    Raises: ``MalformedMedia`` when the file begins with something else.
    """
    at, total = 0, len(buf)
    while total - at >= 8:
        size = int.from_bytes(buf[at : at + 4], "big")
        kind = bytes(buf[at + 4 : at + 8])
        if kind not in (b"ftyp", b"styp", b"free", b"moov", b"uuid") or size < 8:
            raise MalformedMedia(f"box {kind!r} at byte {at} where the init segment should be")
        if size > MAX_INIT or at + size > MAX_INIT:
            raise MalformedMedia(f"init segment claims {at + size} bytes")
        if at + size > total:
            return None
        at += size
        if kind == b"moov":
            return at
    return None


def read_init(buf: Buffer) -> InitInfo:
    """Read the init segment at the head of a file.

    Raises: ``MalformedMedia`` when it is torn, or is not one.
    """
    size = init_size(buf)
    if size is None:
        raise MalformedMedia("init segment is torn")
    moov = find(buf, 0, size, "moov")
    if moov is None:
        raise MalformedMedia("no moov")
    defaults = _defaults(buf, *moov)
    tracks = tuple(
        _track(buf, payload, after, defaults)
        for kind, _, payload, after in walk(buf, *moov)
        if kind == "trak"
    )
    if not tracks:
        raise MalformedMedia("init segment has no track")
    if len(tracks) > 32 or len({track.track_id for track in tracks}) != len(tracks):
        raise MalformedMedia("init segment has too many tracks, or two of one id")
    mvhd = find(buf, *moov, "mvhd")
    timescale = _timescale(buf, mvhd)
    return InitInfo(size, timescale, tracks, _decoder_digest(tracks))


def _decoder_digest(tracks: tuple[TrackInfo, ...]) -> str:
    digest = hashlib.sha256()
    for track in tracks:
        head = struct.pack(">III", track.track_id, track.timescale, len(track.entry))
        digest.update(head + track.kind.encode() + track.entry)
    return digest.hexdigest()


def _timescale(buf: Buffer, place: tuple[int, int] | None) -> int:
    """Read the timescale of an ``mvhd`` or ``mdhd``; it must not be zero."""
    if place is None:
        raise MalformedMedia("header without timescale")
    at, end = place
    version = unsigned(buf, at, 1, end)
    value = unsigned(buf, at + (20 if version == 1 else 12), 4, end)
    if value == 0:
        raise MalformedMedia("timescale is zero")
    return value


def _defaults(buf: Buffer, start: int, end: int) -> dict[int, tuple[int, int, int]]:
    found = {}
    mvex = find(buf, start, end, "mvex")
    if mvex is not None:
        for kind, _, at, after in walk(buf, *mvex):
            if kind == "trex":
                values = [unsigned(buf, at + 4 * i, 4, after) for i in range(1, 6)]
                found[values[0]] = (values[2], values[3], values[4])
    return found


def _track(
    buf: Buffer, start: int, end: int, defaults: dict[int, tuple[int, int, int]]
) -> TrackInfo:
    tkhd = find(buf, start, end, "tkhd")
    mdhd = find(buf, start, end, "mdia", "mdhd")
    hdlr = find(buf, start, end, "mdia", "hdlr")
    stsd = find(buf, start, end, "mdia", "minf", "stbl", "stsd")
    if tkhd is None or hdlr is None or stsd is None:
        raise MalformedMedia("track without tkhd, hdlr or stsd")
    version = unsigned(buf, tkhd[0], 1, tkhd[1])
    track_id = unsigned(buf, tkhd[0] + (20 if version == 1 else 12), 4, tkhd[1])
    unsigned(buf, hdlr[0] + 8, 4, hdlr[1])
    kind = _KINDS.get(bytes(buf[hdlr[0] + 8 : hdlr[0] + 12]), "other")
    entry = bytes(buf[stsd[0] : stsd[1]])
    facts = _entry_facts(entry, kind)
    return TrackInfo(
        track_id=track_id,
        kind=kind,
        timescale=_timescale(buf, mdhd),
        codec=codec_string(entry),
        entry=entry,
        defaults=defaults.get(track_id, (0, 0, 0)),
        **facts,
    )


def _entry_facts(entry: bytes, kind: str) -> dict[str, int]:
    """Read size, or rate and channels, from the first sample entry."""
    if len(entry) < 16 or unsigned(entry, 4, 4, len(entry)) < 1:
        raise MalformedMedia("track without a sample entry")
    first = next(walk(entry, 8, len(entry)))
    at, end = first[2], first[3]
    if kind == "video":
        return {
            "width": unsigned(entry, at + 24, 2, end),
            "height": unsigned(entry, at + 26, 2, end),
        }
    if kind == "audio":
        return {
            "channels": unsigned(entry, at + 16, 2, end),
            "sample_rate": unsigned(entry, at + 24, 4, end) >> 16,
        }
    return {}
