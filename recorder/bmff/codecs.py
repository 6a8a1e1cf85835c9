"""Codec strings of RFC 6381 from sample entries.

Source: RFC 6381 section 3.3; ISO/IEC 14496-15 annex E (avc1, hvc1); registered "Opus",
"fLaC"; object types of ISO/IEC 14496-1 (mp4a).
"""

from __future__ import annotations

from recorder.bmff.boxes import unsigned, walk
from recorder.errors import MalformedMedia


def codec_string(stsd: bytes) -> str:
    """Name the codec of the first sample entry of an ``stsd`` payload.

    Falls back to the bare four-character code when the configuration is not readable.
    """
    try:
        kind, _, payload, end = next(walk(stsd, 8, len(stsd)))
    except StopIteration:
        raise MalformedMedia("track without a sample entry") from None
    try:
        if kind in ("avc1", "avc3"):
            return _avc(stsd, kind, payload + 78, end)
        if kind in ("hvc1", "hev1"):
            return _hevc(stsd, kind, payload + 78, end)
        if kind == "mp4a":
            return _mp4a(stsd, payload + 28, end)
    except MalformedMedia:
        return kind
    return kind


def _child(entry: bytes, name: str, start: int, end: int) -> tuple[int, int]:
    for kind, _, payload, after in walk(entry, start, end):
        if kind == name:
            return payload, after
    raise MalformedMedia(f"no {name}")


def _avc(entry: bytes, kind: str, start: int, end: int) -> str:
    at, after = _child(entry, "avcC", start, end)
    return f"{kind}.{unsigned(entry, at + 1, 3, after):06x}"


def _hevc(entry: bytes, kind: str, start: int, end: int) -> str:
    at, after = _child(entry, "hvcC", start, end)
    first = unsigned(entry, at + 1, 1, after)
    space = ["", "A", "B", "C"][first >> 6]
    tier = "H" if first >> 5 & 1 else "L"
    compatible = int(f"{unsigned(entry, at + 2, 4, after):032b}"[::-1], 2)
    constraints = entry[at + 6 : at + 12].rstrip(b"\0")
    level = unsigned(entry, at + 12, 1, after)
    parts = [kind, f"{space}{first & 31}", f"{compatible:x}", f"{tier}{level}"]
    return ".".join(parts + [f"{byte:x}" for byte in constraints])


def _mp4a(entry: bytes, start: int, end: int) -> str:
    """Walk the descriptors of ``esds`` to the object type and the audio object type."""
    at, end = _child(entry, "esds", start, end)
    at += 4
    object_type = 0
    while at < end:
        tag = unsigned(entry, at, 1, end)
        at += 1
        size = 0
        for _ in range(4):
            byte = unsigned(entry, at, 1, end)
            at += 1
            size = size << 7 | byte & 0x7F
            if byte < 0x80:
                break
        if tag == 3:  # ES_Descriptor: its own fields, then its parts
            flags = unsigned(entry, at + 2, 1, end)
            at += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
            if flags & 0x40:
                at += 1 + unsigned(entry, at, 1, end)
        elif tag == 4:  # DecoderConfigDescriptor
            object_type = unsigned(entry, at, 1, end)
            at += 13
        elif tag == 5 and object_type == 0x40:  # DecoderSpecificInfo: AudioSpecificConfig
            audio = unsigned(entry, at, 1, end) >> 3
            return f"mp4a.40.{audio}"
        else:
            at += size
    return f"mp4a.{object_type:x}" if object_type else "mp4a"
