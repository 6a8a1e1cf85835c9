"""A camera that signs its stream: SEI with a UUID of a scheme before each clean point."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.media import FF9

ONVIF = bytes.fromhex("005bc93f2d715e95ada4796f90877a6f")
AXIS = b"Signed Video...0"
CODERS = {
    "264": ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"],
    "265": ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
            "repeat-headers=1:open-gop=0:bframes=0:log-level=none"],
}  # fmt: skip


def sei(codec: str, uuid: bytes, text: bytes) -> bytes:
    """Write an SEI NAL unit, user_data_unregistered, without start code."""
    payload = uuid + text
    sizes = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    body = bytes([5]) + sizes + payload + b"\x80"
    head = b"\x06" if codec == "264" else bytes([39 << 1, 1])
    return head + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", body)


def kind_of(codec: str, unit: bytes) -> int:
    return unit[0] & 0x1F if codec == "264" else unit[0] >> 1 & 0x3F


def units(raw: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a stream with start codes."""
    for one in re.split(rb"\x00*\x00\x00\x01", raw):
        if one:
            yield one


def make_signed_film(folder: Path, codec: str, uuid: bytes, seconds: int = 9) -> Path:
    """A film whose camera signs each second of it, the signatures of 20 to 700 bytes."""
    plain, signed, film = (
        folder / one for one in (f"plain.{codec}", f"signed.{codec}", "film.mkv")
    )
    subprocess.run(
        [FF9, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", str(seconds),
         *CODERS[codec], "-g", "25", "-keyint_min", "25", "-sc_threshold", "0", str(plain)],
        check=True,
    )  # fmt: skip
    clean = (5,) if codec == "264" else range(16, 22)
    out, number = [], 0
    for unit in units(plain.read_bytes()):
        if kind_of(codec, unit) in clean:
            text = number.to_bytes(4, "big") + bytes(20 + 97 * number)
            out.append(sei(codec, uuid, text))
            number += 1
        out.append(unit)
    assert number == seconds
    signed.write_bytes(b"".join(b"\0\0\0\1" + one for one in out))
    subprocess.run(
        [FF9, "-v", "error", "-r", "25", "-i", str(signed), "-f", "lavfi", "-i", "sine", "-t",
         str(seconds), "-c:v", "copy", "-c:a", "aac", str(film)], check=True,
    )  # fmt: skip
    return film


def signatures_in(path: Path, codec: str, uuid: bytes) -> list[bytes]:
    """Return the SEI of a scheme in a file, whole and in order, by their NAL units."""
    raw = subprocess.run(
        [FF9, "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy", "-bsf:v",
         f"{'h264' if codec == '264' else 'hevc'}_mp4toannexb", "-f",
         "h264" if codec == "264" else "hevc", "-"], capture_output=True, check=True,
    ).stdout  # fmt: skip
    kind = 6 if codec == "264" else 39
    return [one for one in units(raw) if kind_of(codec, one) == kind and uuid in one]
