"""H.264 parameter sets: those that travel in the samples, and the header made of them.  Pure.

Source: ISO/IEC 14496-15 section 5.3.3 (avcC), ITU-T H.264 sections 7.3.2.1 (sequence parameter
set), 7.4.1 (NAL unit types), 9.1 (Exp-Golomb codes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recorder.bmff.boxes import box, find, walk
from recorder.bmff.nal import length_size, units
from recorder.errors import MalformedMedia
from recorder.model.media import TrackInfo

SPS, PPS = 7, 8
_SLICES = range(1, 6)
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134)

Sets = dict[tuple[int, int], bytes]
"""Parameter sets by (NAL unit type, id)."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How the NAL units of a track are written.

    ``length_size``: bytes that give a unit's length; ``hevc``: H.265, else H.264.
    """

    length_size: int
    hevc: bool = False

    def begins_picture(self, head: bytes) -> bool | None:
        """Tell by a unit's first three bytes whether it is a picture's first slice.

        ``None`` when it is no slice.  Source: ITU-T H.264 section 7.3.3, first_mb_in_slice;
        H.265 section 7.3.6.1, first_slice_segment_in_pic_flag.
        """
        if self.hevc:
            return bool(head[2] & 0x80) if head[0] >> 1 & 63 < 32 else None
        return bool(head[1] & 0x80) if head[0] & 31 in _SLICES else None


def coding_of(track: TrackInfo) -> Coding | None:
    """Return how a track's samples are written, ``None`` for other codecs than H.264 and H.265."""
    size = length_size(track)
    return Coding(size, track.codec.startswith(("hvc1", "hev1"))) if size is not None else None


def _config(track: TrackInfo) -> bytes | None:
    if not track.codec.startswith(("avc1", "avc3")):
        return None
    try:
        entry = find(track.entry, 8, len(track.entry), track.codec[:4])
        place = entry and find(track.entry, entry[0] + 78, entry[1], "avcC")
    except MalformedMedia:
        return None
    return track.entry[place[0] : place[1]] if place else None


def header_sets(track: TrackInfo) -> Sets:
    """Return the parameter sets that a track's header holds; none when it is not H.264."""
    config = _config(track)
    if config is None or len(config) < 7:
        return {}
    units: list[bytes] = []
    at = 5
    for mask in (31, 255):
        if at >= len(config):
            break
        count, at = config[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(config[at : at + 2], "big")
            units.append(config[at + 2 : at + 2 + size])
            at += 2 + size
    return named(units)


def sample_sets(sample: bytes, size: int) -> Sets:
    """Return the parameter sets at the head of a sample, before its first slice.

    ``sample`` may be cut off, but what is cut off within a set is not returned; ``size``:
    bytes that give a unit's length.
    """
    found: list[bytes] = []
    for begin, end in units(sample, 0, len(sample), size):
        whole = end - begin == int.from_bytes(sample[begin - size : begin], "big")
        if sample[begin] & 31 in _SLICES or not whole:
            break
        found.append(sample[begin:end])
    return named(found)


def named(units: Iterable[bytes]) -> Sets:
    """Name parameter sets by what they say of themselves; other units are left out.

    Of two with one id the later holds; zero bytes behind a set belong to the byte stream.
    """
    found: Sets = {}
    for unit in units:
        kind = unit[0] & 31 if unit else 0
        if kind in (SPS, PPS):
            body = unit.rstrip(b"\0")
            try:
                bits = _Bits(unescaped(body[4:] if kind == SPS else body[1:]))
                found[kind, bits.ue()] = body
            except MalformedMedia:
                continue
    return found


def unescaped(body: bytes) -> bytes:
    """Take the emulation prevention bytes out of a NAL unit."""
    return body.replace(b"\0\0\3", b"\0\0")


class _Bits:
    """Reads bits; past the end is ``MalformedMedia``."""

    def __init__(self, body: bytes) -> None:
        self.value, self.left = int.from_bytes(body, "big"), 8 * len(body)

    def u(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise MalformedMedia("parameter set is cut off")
        return self.value >> self.left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 31:
                raise MalformedMedia("parameter set holds no number where one belongs")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence parameter set says of the picture: pixels, and sample format."""

    width: int
    height: int
    chroma: int
    luma_bits: int
    chroma_bits: int


def read_sequence(unit: bytes) -> Sequence:
    """Read the picture's size and format from a sequence parameter set.

    Raises: ``MalformedMedia``.
    """
    if len(unit) < 5:
        raise MalformedMedia("parameter set is cut off")
    bits = _Bits(unescaped(unit[4:]))
    bits.ue()
    chroma, luma_bits, chroma_bits = 1, 8, 8
    if unit[1] in _HIGH:
        chroma, luma_bits, chroma_bits = _format(bits)
    bits.ue()  # log2_max_frame_num
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1)
        bits.se(), bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue(), bits.u(1)  # reference frames, gaps allowed
    wide, high = bits.ue() + 1, bits.ue() + 1
    progressive = bits.u(1)
    if not progressive:
        bits.u(1)
    bits.u(1)
    left = right = top = bottom = 0
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
    across = 2 if chroma in (1, 2) else 1
    down = (2 if chroma == 1 else 1) * (2 - progressive)
    return Sequence(
        16 * wide - across * (left + right), 16 * (2 - progressive) * high - down * (top + bottom),
        chroma, luma_bits, chroma_bits,
    )  # fmt: skip


def _format(bits: _Bits) -> tuple[int, int, int]:
    chroma = bits.ue()
    if chroma == 3:
        bits.u(1)
    luma_bits, chroma_bits = bits.ue() + 8, bits.ue() + 8
    bits.u(1)
    if bits.u(1):
        for i in range(8 if chroma != 3 else 12):
            if bits.u(1):
                _skip_list(bits, 16 if i < 6 else 64)
    return chroma, luma_bits, chroma_bits


def _skip_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def build_config(sets: Mapping[tuple[int, int], bytes], length_size: int) -> bytes:
    """Build the ``avcC`` payload of parameter sets.

    Raises: ``MalformedMedia`` when there is no sequence parameter set among them.
    """
    sequences = [sets[key] for key in sorted(sets) if key[0] == SPS]
    pictures = [sets[key] for key in sorted(sets) if key[0] == PPS]
    if not sequences or len(sequences[0]) < 4:
        raise MalformedMedia("no sequence parameter set")
    first = sequences[0]
    body = bytes((1, *first[1:4], 0xFC | length_size - 1, 0xE0 | len(sequences)))
    body += b"".join(struct.pack(">H", len(unit)) + unit for unit in sequences)
    body += bytes((len(pictures),))
    body += b"".join(struct.pack(">H", len(unit)) + unit for unit in pictures)
    if first[1] in (100, 110, 122, 144):
        what = read_sequence(first)
        body += bytes((0xFC | what.chroma, 0xF8 | what.luma_bits - 8,
                       0xF8 | what.chroma_bits - 8, 0))  # fmt: skip
    return body


def with_sets(head: bytes, sets: Mapping[tuple[int, int], bytes], length_size: int) -> bytes:
    """Return an init segment whose H.264 track is described by these parameter sets.

    Raises: ``MalformedMedia`` when it has no such track, or they say nothing.
    """
    config = build_config(sets, length_size)
    first = next(sets[key] for key in sorted(sets) if key[0] == SPS)
    size = read_sequence(first)
    done = _rebuilt(head, 0, len(head), config, (size.width, size.height))
    if done == head and find(head, 0, len(head), "moov") is None:
        raise MalformedMedia("no moov")
    return done


_INSIDE = ("moov", "trak", "mdia", "minf", "stbl")


def _rebuilt(buf: bytes, start: int, end: int, config: bytes, size: tuple[int, int]) -> bytes:
    """Copy boxes, with another ``avcC`` and size in the track that has one."""
    out = []
    for kind, begin, payload, after in walk(buf, start, end):
        if kind == "trak" and b"avcC" not in buf[payload:after]:
            out.append(buf[begin:after])
        elif kind in _INSIDE:
            out.append(box(kind, _rebuilt(buf, payload, after, config, size)))
        elif kind == "tkhd" and len(buf[begin:after]) >= 20:
            out.append(buf[begin : after - 8] + struct.pack(">II", size[0] << 16, size[1] << 16))
        elif kind == "stsd":
            head = buf[payload : payload + 8]
            out.append(box("stsd", head, _rebuilt(buf, payload + 8, after, config, size)))
        elif kind in ("avc1", "avc3"):
            fixed = bytearray(buf[payload : payload + 78])
            struct.pack_into(">HH", fixed, 24, *size)
            inner = (
                box("avcC", config) if name == "avcC" else buf[at:stop]
                for name, at, _, stop in walk(buf, payload + 78, after)
            )
            out.append(box(kind, bytes(fixed), *inner))
        else:
            out.append(buf[begin:after])
    return b"".join(out)
