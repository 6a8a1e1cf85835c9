"""Thin: a smaller segment of a segment's clean points alone.  Pure.

Only where GOPs are closed: a picture that begins a refresh shows nothing by itself, and the key
pictures of open GOPs, without what lies between, are put in a wrong order by decoders.

No picture is decoded or encoded: the new object is byte ranges of the old one between new
fragment headers.  One fragment per clean point, shown until the next; other tracks (sound)
are left out.  It has the place in time, the span, the counter of its original, and a writer of
its own (``<node>.<term>.thin``), so its key is new.  Its footer names the original's digest.

Source: ISO/IEC 14496-12, movie fragments (8.8.4 to 8.8.8, 8.8.12), ``prft`` (8.16.5).
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recorder import clean_points, index
from recorder.bmff.boxes import box, find, full_box, walk
from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.bmff.init import read_init
from recorder.errors import NotThinnable
from recorder.index import FrameTable, TrackFrames
from recorder.model.keys import segment_key
from recorder.model.media import THIN, InitInfo, Segment
from recorder.segment.meta import footer_meta

NTP_UNIX_S = 2_208_988_800
SYNC_FLAGS = 0x02000000  # sample_depends_on = 2: on no other


@dataclass(frozen=True, slots=True)
class Thinned:
    """A thin segment laid out: ``parts`` are bytes of its own, or ``(offset, length)`` of the
    original; the footer and ``mfra`` follow.  ``segment`` has no size and digest yet.
    """

    segment: Segment
    original: Segment
    init: InitInfo
    table: FrameTable
    parts: tuple[bytes | tuple[int, int], ...]
    source: str


def thin(original: Segment, init_raw: bytes, table: FrameTable, source: str = "") -> Thinned:
    """Lay out the thin segment of a segment.

    ``table`` is the original's; ``source`` what its footer calls its source.
    Raises: ``NotThinnable`` when its clean points do not all stand alone.
    """
    whole = read_init(init_raw)
    lead = whole.tracks.index(whole.lead)
    head = lead_init(init_raw, whole)
    init = read_init(head)
    track = table.tracks[lead]
    clean = [i for i in range(len(track.dts)) if track.sync[i]]
    if not clean or any(track.sync[i] > index.CLOSED for i in clean):
        raise NotThinnable(
            f"thin {original.key}: its pictures cannot be shown one by one",
            hint="it stays whole; a camera that closes its GOPs can be thinned",
        )
    made, parts = _laid_out(original, head, table, lead, clean)
    segment = replace(
        original,
        writer=original.writer + THIN,
        frames=len(clean),
        init_bytes=len(head),
        size_bytes=0,
        digest="",
        decoder_digest=init.decoder_digest,
        codecs=init.codecs,
        media_start=track.dts[clean[0]] + track.cts[clean[0]],
        activity=_activity(original, track, clean),
        key=segment_key(
            str(original.stream), original.start, original.writer + THIN, original.counter
        ),
    )
    starts = (track.dts[i] + track.cts[i] for i in clean)
    made = replace(made, walls=array("q", map(segment.instant_at, starts)))
    points = clean_points.pack_points(clean_points.fragment_points(made, 0))
    return Thinned(replace(segment, points=points), original, init, made, (head, *parts), source)


def _laid_out(
    original: Segment, head: bytes, table: FrameTable, lead: int, clean: Sequence[int]
) -> tuple[FrameTable, list[bytes | tuple[int, int]]]:
    """Lay out clean points, each shown until the next; where they are the first of a fragment,
    its time of capture goes with them.
    """
    track = table.tracks[lead]
    starts = array("q", (track.dts[i] + track.cts[i] for i in clean))
    ends = array("q", [*starts[1:], max(original.media_end, starts[-1] + 1)])
    first = track.first
    opens = {first[i]: i for i in range(len(table.offsets)) if first[i + 1] > first[i]}
    layout = _Layout(read_init(head).tracks[0].track_id, len(head))
    for number, i in enumerate(clean):
        fragment = opens.get(i)
        prft = table.prfts[fragment] if fragment is not None else -1
        layout.add(
            number,
            starts[number],
            ends[number] - starts[number],
            (track.offset[i], track.size[i]),
            prft,
        )
    return layout.table(), layout.parts


def _activity(original: Segment, track: TrackFrames, clean: list[int]) -> bytes:
    """Return the highest score of the fragments from each clean point to the next."""
    scores = original.activity
    at = [bisect_right(track.first, i) - 1 for i in clean]
    if not scores or at[-1] >= len(scores):
        return b""
    stops = [*at[1:], len(scores)]
    return bytes(max(scores[i : max(stop, i + 1)]) for i, stop in zip(at, stops, strict=True))


class _Layout:
    """Fragments of one frame each, as they come."""

    def __init__(self, track_id: int, begin: int) -> None:
        self.track_id, self.at = track_id, begin
        self.parts: list[bytes | tuple[int, int]] = []
        self.columns = [array("q") for _ in range(6)]
        self.fragments = [array("q") for _ in range(3)]

    def add(self, number: int, dts: int, duration: int, place: tuple[int, int], prft: int) -> None:
        """Add a fragment; ``place`` is the frame's offset and size in the original."""
        head = fragment_head(self.track_id, number + 1, dts, duration, place[1], prft)
        data = self.at + len(head)
        for column, value in zip(self.columns, (dts, place[1], duration, 0, 1, data), strict=True):
            column.append(value)
        for column, value in zip(self.fragments, (self.at, data + place[1], prft), strict=True):
            column.append(value)
        self.parts += [head, place]
        self.at = data + place[1]

    def table(self) -> FrameTable:
        """Return the frame table, without wall-clock times."""
        count = len(self.fragments[0])
        dts, size, duration, cts, sync, offset = self.columns
        frames = TrackFrames(dts, size, duration, cts, sync, offset, array("q", range(count + 1)))
        offsets, ends, prfts = self.fragments
        return FrameTable(offsets, ends, prfts, array("q", [0]) * count, (frames,))


def fragment_head(
    track_id: int, sequence: int, dts: int, duration: int, size: int, prft_ns: int
) -> bytes:
    """Build all of a fragment of one clean frame that comes before the frame's bytes."""
    mfhd = full_box("mfhd", 0, 0, struct.pack(">I", sequence))
    tfhd = full_box("tfhd", 0, 0x020000, struct.pack(">I", track_id))  # default-base-is-moof
    tfdt = full_box("tfdt", 1, 0, struct.pack(">q", dts))

    def moof(data_offset: int) -> bytes:
        values = struct.pack(">IiIII", 1, data_offset, duration, size, SYNC_FLAGS)
        return box("moof", mfhd, box("traf", tfhd, tfdt, full_box("trun", 0, 0x000701, values)))

    length = len(moof(0))
    before = b""
    if prft_ns >= 0:
        seconds, rest = divmod(prft_ns, 1_000_000_000)
        fraction = -(-(rest << 32) // 1_000_000_000)  # up, so that reading gives the same ns
        ntp = (seconds + NTP_UNIX_S) << 32 | min(fraction, 0xFFFFFFFF)
        before = full_box("prft", 1, 24, struct.pack(">IQq", track_id, ntp, dts))
    return before + moof(length + 8) + struct.pack(">I4s", 8 + size, b"mdat")


def lead_init(raw: bytes, init: InitInfo) -> bytes:
    """Return the init segment with the lead track only; the same bytes where it is alone."""
    if len(init.tracks) == 1:
        return raw[: init.size]
    keep = init.lead.track_id
    pieces = []
    for kind, start, payload, end in walk(raw, 0, init.size):
        pieces.append(_one_track(raw, payload, end, keep) if kind == "moov" else raw[start:end])
    return b"".join(pieces)


def _one_track(raw: bytes, start: int, end: int, keep: int) -> bytes:
    children = []
    for kind, begin, payload, after in walk(raw, start, end):
        if kind == "trak":
            tkhd = find(raw, payload, after, "tkhd")
            if tkhd is None or _track_id(raw, tkhd[0]) != keep:
                continue
        if kind == "mvex":
            inner = [
                raw[begin:after]
                for kind, begin, payload, after in walk(raw, payload, after)
                if kind != "trex" or int.from_bytes(raw[payload + 4 : payload + 8], "big") == keep
            ]
            children.append(box("mvex", *inner))
        else:
            children.append(raw[begin:after])
    return box("moov", *children)


def _track_id(raw: bytes, tkhd: int) -> int:
    at = tkhd + (20 if raw[tkhd] == 1 else 12)
    return int.from_bytes(raw[at : at + 4], "big")


class Writing:
    """A thin segment while its bytes are gathered; :meth:`blocks`, then ``segment``."""

    def __init__(self, found: Thinned, read: Any) -> None:
        """``read(offset, length)`` yields bytes of the original."""
        self.found, self.read = found, read
        self.segment: Segment | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield the object's bytes, in order; its segment is known afterwards."""
        body, size = hashlib.sha256(), 0
        for part in self.found.parts:
            pieces: Iterable[bytes] = (part,) if isinstance(part, bytes) else self.read(*part)
            for piece in pieces:
                body.update(piece)
                size += len(piece)
                yield piece
        whole = body.copy()
        trailer = self._trailer(body.hexdigest())
        whole.update(trailer)
        yield trailer
        self.segment = replace(
            self.found.segment, size_bytes=size + len(trailer), digest=whole.hexdigest()
        )

    def _trailer(self, body_digest: str) -> bytes:
        found = self.found
        meta = thin_meta(found.segment, found.original, found.source, body_digest)
        return build_footer(meta, found.table) + build_mfra(found.table, found.init)


def thin_meta(
    segment: Segment, original: Segment, source: str, body_digest: str
) -> dict[str, object]:
    """Return what the footer says; ``thinned_from`` names the original."""
    node, _, term = original.writer.rpartition(".")
    return {
        **footer_meta(segment, node, int(term) if term.isdecimal() else 0, source, body_digest),
        "writer": segment.writer,
        "holes": [[hole.start, hole.end] for hole in segment.holes],
        "thinned_from": {
            "key": original.key,
            "digest": original.digest,
            "bytes": original.size_bytes,
            "frames": original.frames,
        },
    }
