"""H.264 parameter sets, and the decoder configuration made of them.  Pure.

Source: ISO/IEC 14496-15 section 5.3.3 (avcC), ITU-T H.264 sections 7.3.2.1 (sequence parameter
set), 7.4.1 (NAL unit types).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.bmff.bits import Bits, unescaped
from recorder.errors import MalformedMedia

SPS, PPS = 7, 8
SLICES = range(1, 6)
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134)


def kind_of(unit: bytes) -> int:
    """Return the type of a NAL unit."""
    return unit[0] & 31


def id_of(unit: bytes) -> int:
    """Return the id that a parameter set gives itself.

    Raises: ``MalformedMedia``.
    """
    return Bits(unescaped(unit[4:] if kind_of(unit) == SPS else unit[1:])).ue()


@dataclass(frozen=True, slots=True)
class Picture:
    """What a sequence parameter set says of the picture: pixels, and sample format."""

    width: int
    height: int
    chroma: int
    luma_bits: int
    chroma_bits: int


def read_sequence(unit: bytes) -> Picture:
    """Read the picture's size and format from a sequence parameter set.

    Raises: ``MalformedMedia``.
    """
    if len(unit) < 5:
        raise MalformedMedia("parameter set is cut off")
    bits = Bits(unescaped(unit[4:]))
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
    return Picture(
        16 * wide - across * (left + right),
        16 * (2 - progressive) * high - down * (top + bottom),
        chroma,
        luma_bits,
        chroma_bits,
    )


def _format(bits: Bits) -> tuple[int, int, int]:
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


def _skip_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def size_of(unit: bytes) -> tuple[int, int]:
    """Return width and height that a sequence parameter set names.

    Raises: ``MalformedMedia``.
    """
    picture = read_sequence(unit)
    return picture.width, picture.height


def read_config(config: bytes) -> list[bytes]:
    """Return the parameter sets of an ``avcC`` payload; none when it is torn."""
    found: list[bytes] = []
    at = 5
    for mask in (31, 255):
        if at >= len(config):
            break
        count, at = config[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(config[at : at + 2], "big")
            found.append(config[at + 2 : at + 2 + size])
            at += 2 + size
    return found


def build_config(sets: Sequence[bytes], length_size: int) -> bytes:
    """Build the ``avcC`` payload of parameter sets.

    Raises: ``MalformedMedia`` when there is no sequence parameter set among them.
    """
    sequences = [unit for unit in sets if kind_of(unit) == SPS]
    pictures = [unit for unit in sets if kind_of(unit) == PPS]
    if not sequences or len(sequences[0]) < 4:
        raise MalformedMedia("no sequence parameter set")
    first = sequences[0]
    body = bytes((1, *first[1:4], 0xFC | length_size - 1, 0xE0 | len(sequences)))
    body += b"".join(struct.pack(">H", len(unit)) + unit for unit in sequences)
    body += bytes((len(pictures),))
    body += b"".join(struct.pack(">H", len(unit)) + unit for unit in pictures)
    if first[1] in (100, 110, 122, 144):
        what = read_sequence(first)
        body += bytes(
            (0xFC | what.chroma, 0xF8 | what.luma_bits - 8, 0xF8 | what.chroma_bits - 8, 0)
        )
    return body
