"""H.265 parameter sets, and the decoder configuration made of them.  Pure.

Source: ISO/IEC 14496-15 section 8.3.3 (hvcC), ITU-T H.265 sections 7.3.1.2 (NAL unit header),
7.3.2 (parameter sets), 7.3.3 (profile, tier and level), table 7-1 (NAL unit types).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.bmff.bits import Bits, unescaped
from recorder.errors import MalformedMedia

VPS, SPS, PPS = 32, 33, 34
SLICES = range(32)
COMPLETE = 0x80
"""All sets of a kind stand in the header: what ``hvc1`` says."""


def kind_of(unit: bytes) -> int:
    """Return the type of a NAL unit; -1 of those that belong to a layer above the base."""
    layer = (unit[0] & 1) << 5 | unit[1] >> 3 if len(unit) > 1 else 1
    return unit[0] >> 1 & 63 if layer == 0 else -1


def id_of(unit: bytes) -> int:
    """Return the id that a parameter set gives itself.

    Raises: ``MalformedMedia``.
    """
    kind = kind_of(unit)
    if kind == SPS:
        return read_sequence(unit).number
    bits = Bits(unescaped(unit[2:]))
    return bits.u(4) if kind == VPS else bits.ue()


@dataclass(frozen=True, slots=True)
class Picture:
    """What a sequence parameter set says of the picture: pixels, and sample format.

    ``profile``: profile, tier and level as they stand in it and in ``hvcC``, 12 bytes;
    ``layers``: how many temporal ones; ``nested``: whether each can be switched to at any time.
    """

    number: int
    width: int
    height: int
    chroma: int
    luma_bits: int
    chroma_bits: int
    profile: bytes
    layers: int
    nested: int


def read_sequence(unit: bytes) -> Picture:
    """Read the picture's size and format from a sequence parameter set.

    Raises: ``MalformedMedia``.
    """
    bits = Bits(unescaped(unit[2:]))
    bits.u(4)
    below, nested = bits.u(3), bits.u(1)
    profile = bits.u(96).to_bytes(12, "big")
    _skip_layers(bits, below)
    number, chroma = bits.ue(), bits.ue()
    if chroma == 3:
        bits.u(1)
    width, height = bits.ue(), bits.ue()
    if bits.u(1):
        across, down = 2 if chroma in (1, 2) else 1, 2 if chroma == 1 else 1
        width -= across * (bits.ue() + bits.ue())
        height -= down * (bits.ue() + bits.ue())
    luma_bits, chroma_bits = bits.ue() + 8, bits.ue() + 8
    if not (0 < width < 1 << 16 and 0 < height < 1 << 16 and chroma < 4):
        raise MalformedMedia("sequence parameter set names no picture")
    if max(luma_bits, chroma_bits) > 15:
        raise MalformedMedia("sequence parameter set names no sample format")
    return Picture(
        number, width, height, chroma, luma_bits, chroma_bits, profile, below + 1, nested
    )


def _skip_layers(bits: Bits, below: int) -> None:
    """Pass over the profiles of the temporal layers below the highest."""
    said = [(bits.u(1), bits.u(1)) for _ in range(below)]
    if below:
        bits.u(2 * (8 - below))
    for profile, level in said:
        bits.u(88 * profile + 8 * level)


def size_of(unit: bytes) -> tuple[int, int]:
    """Return width and height that a sequence parameter set names.

    Raises: ``MalformedMedia``.
    """
    picture = read_sequence(unit)
    return picture.width, picture.height


def read_config(config: bytes) -> list[bytes]:
    """Return the parameter sets of an ``hvcC`` payload; none when it is torn."""
    found: list[bytes] = []
    at = 23
    for _ in range(config[22] if len(config) > 22 else 0):
        count, at = int.from_bytes(config[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(config[at : at + 2], "big")
            if at + 2 + size > len(config):
                return found
            found.append(config[at + 2 : at + 2 + size])
            at += 2 + size
    return found


def build_config(sets: Sequence[bytes], length_size: int) -> bytes:
    """Build the ``hvcC`` payload of parameter sets.

    Raises: ``MalformedMedia`` when there is no sequence parameter set among them.
    """
    first = next((unit for unit in sets if kind_of(unit) == SPS), None)
    if first is None:
        raise MalformedMedia("no sequence parameter set")
    what = read_sequence(first)
    body = bytes((1, *what.profile))
    body += struct.pack(
        ">HBBBB",
        0xF000,
        0xFC,
        0xFC | what.chroma,
        0xF8 | what.luma_bits - 8,
        0xF8 | what.chroma_bits - 8,
    )
    body += bytes((0, 0, what.layers << 3 | what.nested << 2 | length_size - 1))
    kinds = [kind for kind in (VPS, SPS, PPS) if any(kind_of(unit) == kind for unit in sets)]
    body += bytes((len(kinds),))
    for kind in kinds:
        units = [unit for unit in sets if kind_of(unit) == kind]
        body += struct.pack(">BH", COMPLETE | kind, len(units))
        body += b"".join(struct.pack(">H", len(unit)) + unit for unit in units)
    return body
