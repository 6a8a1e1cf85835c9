"""Parameter sets: those that travel in the samples, and the header made of them.  Pure.

Source: ISO/IEC 14496-15 sections 5.3 (avc1) and 8.3 (hvc1, hev1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from recorder.bmff import avc, hevc
from recorder.bmff.boxes import box, find, walk
from recorder.bmff.nal import length_size, units
from recorder.errors import MalformedMedia
from recorder.model.media import TrackInfo

Sets = dict[tuple[int, int], bytes]
"""Parameter sets by (NAL unit type, id)."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """What the sets of a codec are, and who knows them.

    ``sets``, ``sequence``, ``slices``: NAL unit types; ``config``: the box of the decoder's
    configuration.
    """

    sets: tuple[int, ...]
    sequence: int
    slices: range
    config: str
    kind_of: Callable[[bytes], int]
    id_of: Callable[[bytes], int]
    size_of: Callable[[bytes], tuple[int, int]]
    read_config: Callable[[bytes], list[bytes]]
    build_config: Callable[[Sequence[bytes], int], bytes]


_AVC = Syntax(
    (avc.SPS, avc.PPS),
    avc.SPS,
    avc.SLICES,
    "avcC",
    avc.kind_of,
    avc.id_of,
    avc.size_of,
    avc.read_config,
    avc.build_config,
)
_HEVC = Syntax(
    (hevc.VPS, hevc.SPS, hevc.PPS),
    hevc.SPS,
    hevc.SLICES,
    "hvcC",
    hevc.kind_of,
    hevc.id_of,
    hevc.size_of,
    hevc.read_config,
    hevc.build_config,
)


@dataclass(frozen=True, slots=True)
class Coding:
    """How the NAL units of a track are written.

    ``length_size``: bytes that give a unit's length; ``hevc``: H.265, else H.264.
    """

    length_size: int
    hevc: bool = False

    @property
    def syntax(self) -> Syntax:
        """What the codec's sets are."""
        return _HEVC if self.hevc else _AVC

    def begins_picture(self, head: bytes) -> bool | None:
        """Tell by a unit's first three bytes whether it is a picture's first slice.

        ``None`` when it is no slice.  Source: ITU-T H.264 section 7.3.3, first_mb_in_slice;
        H.265 section 7.3.6.1, first_slice_segment_in_pic_flag.
        """
        if self.hevc:
            return bool(head[2] & 0x80) if head[0] >> 1 & 63 in hevc.SLICES else None
        return bool(head[1] & 0x80) if head[0] & 31 in avc.SLICES else None


def coding_of(track: TrackInfo) -> Coding | None:
    """Return how a track's samples are written, ``None`` for other codecs than H.264 and H.265."""
    size = length_size(track)
    return Coding(size, track.codec.startswith(("hvc1", "hev1"))) if size is not None else None


def header_sets(track: TrackInfo) -> Sets:
    """Return the parameter sets that a track's header holds; none of another codec."""
    coding = coding_of(track)
    if coding is None:
        return {}
    try:
        entry = find(track.entry, 8, len(track.entry), track.codec[:4])
        place = entry and find(track.entry, entry[0] + 78, entry[1], coding.syntax.config)
    except MalformedMedia:
        return {}
    if not place:
        return {}
    return named(coding.syntax.read_config(track.entry[place[0] : place[1]]), coding)


def sample_sets(sample: bytes, coding: Coding) -> Sets:
    """Return the parameter sets at the head of a sample, before its first slice.

    ``sample`` may be cut off, but what is cut off within a set is not returned.
    """
    found: list[bytes] = []
    size = coding.length_size
    for begin, end in units(sample, 0, len(sample), size):
        whole = end - begin == int.from_bytes(sample[begin - size : begin], "big")
        if coding.syntax.kind_of(sample[begin:end]) in coding.syntax.slices or not whole:
            break
        found.append(sample[begin:end])
    return named(found, coding)


def named(sets: Iterable[bytes], coding: Coding) -> Sets:
    """Name parameter sets by what they say of themselves; other units are left out.

    Of two with one id the later holds; zero bytes behind a set belong to the byte stream.
    """
    found: Sets = {}
    syntax = coding.syntax
    for unit in sets:
        kind = syntax.kind_of(unit) if unit else -1
        if kind in syntax.sets:
            body = unit.rstrip(b"\0")
            try:
                found[kind, syntax.id_of(body)] = body
            except MalformedMedia:
                continue
    return found


def with_sets(head: bytes, sets: Mapping[tuple[int, int], bytes], coding: Coding) -> bytes:
    """Return an init segment whose video track is described by these parameter sets.

    Raises: ``MalformedMedia`` when it has no such track, or they say nothing.
    """
    syntax = coding.syntax
    config = syntax.build_config([sets[key] for key in sorted(sets)], coding.length_size)
    first = next(sets[key] for key in sorted(sets) if key[0] == syntax.sequence)
    done = _rebuilt(head, 0, len(head), _New(syntax.config, config, syntax.size_of(first)))
    if done == head and find(head, 0, len(head), "moov") is None:
        raise MalformedMedia("no moov")
    return done


_INSIDE = ("moov", "trak", "mdia", "minf", "stbl")
_ENTRIES = ("avc1", "avc3", "hvc1", "hev1")


@dataclass(frozen=True, slots=True)
class _New:
    """A configuration and a size for the track that has a box of this name."""

    name: str
    config: bytes
    size: tuple[int, int]


def _rebuilt(buf: bytes, start: int, end: int, new: _New) -> bytes:
    """Copy boxes, with another configuration and size in the track that has one."""
    out = []
    for kind, begin, payload, after in walk(buf, start, end):
        if kind == "trak" and new.name.encode() not in buf[payload:after]:
            out.append(buf[begin:after])
        elif kind in _INSIDE:
            out.append(box(kind, _rebuilt(buf, payload, after, new)))
        elif kind == "tkhd" and len(buf[begin:after]) >= 20:
            wide, high = new.size
            out.append(buf[begin : after - 8] + struct.pack(">II", wide << 16, high << 16))
        elif kind == "stsd":
            head = buf[payload : payload + 8]
            out.append(box("stsd", head, _rebuilt(buf, payload + 8, after, new)))
        elif kind in _ENTRIES:
            fixed = bytearray(buf[payload : payload + 78])
            struct.pack_into(">HH", fixed, 24, *new.size)
            inner = (
                box(name, new.config) if name == new.name else buf[at:stop]
                for name, at, _, stop in walk(buf, payload + 78, after)
            )
            out.append(box(kind, bytes(fixed), *inner))
        else:
            out.append(buf[begin:after])
    return b"".join(out)


def as_complete(head: bytes) -> bytes:
    """Return an init segment that says ``hvc1`` where it says ``hev1``; of the same length.

    ``hev1`` lets decoders look for parameter sets in the samples; players of Apple's take only
    ``hvc1``.  An init segment without such a track comes back as it is.
    """
    place = find(head, 0, len(head), "moov", "trak", "mdia", "minf", "stbl", "stsd")
    if place is None or b"hev1" not in head[place[0] : place[1]]:
        return head
    made = bytearray(head)
    for kind, begin, payload, after in walk(head, place[0] + 8, place[1]):
        if kind == "hev1":
            made[begin + 4 : begin + 8] = b"hvc1"
            config = find(head, payload + 78, after, "hvcC")
            if config is not None:
                _complete_arrays(made, *config)
    return bytes(made)


def _complete_arrays(buf: bytearray, at: int, end: int) -> None:
    """Say of the arrays of an ``hvcC`` payload that no parameter set stands elsewhere."""
    count, at = buf[at + 22] if at + 22 < end else 0, at + 23
    for _ in range(count):
        if at + 3 > end:
            return
        if buf[at] & 63 in _HEVC.sets:  # SEI messages may stand anywhere
            buf[at] |= hevc.COMPLETE
        units_left, at = int.from_bytes(buf[at + 1 : at + 3], "big"), at + 3
        for _ in range(units_left):
            at += 2 + int.from_bytes(buf[at : at + 2], "big")
