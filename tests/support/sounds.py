"""What a camera sends beside pictures: sound of many codecs, and metadata."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache

from tests.support.media import FF9
from tests.support.rtp import cut_aac

PACKET_MS = 40


@dataclass(frozen=True, slots=True)
class Sound:
    """How a payload is described, and how much of it a packet takes.

    ``packet_bytes`` 0: made by an encoder.
    """

    payload: int
    name: str
    clock: int
    packet_bytes: int
    packet_ticks: int
    format: str = ""
    medium: str = "audio"


SOUNDS: dict[str, Sound] = {
    "PCMA": Sound(8, "PCMA/8000", 8000, 320, 320),
    "PCMU": Sound(0, "PCMU/8000", 8000, 320, 320),
    "clicks": Sound(8, "PCMA/8000", 8000, 320, 320),
    "L16": Sound(97, "L16/16000/1", 16000, 1280, 640),
    "G726": Sound(98, "G726-32/8000", 8000, 160, 320),
    "G7221": Sound(101, "G7221/16000", 16000, 120, 640, "bitrate=24000"),
    "AAC": Sound(99, "mpeg4-generic/16000/1", 16000, 0, 1024,
                 "streamtype=5;profile-level-id=15;mode=AAC-hbr;config=1408;"
                 "sizelength=13;indexlength=3;indexdeltalength=3"),
    "metadata": Sound(107, "vnd.onvif.metadata/90000", 90000, 0, 90000, medium="application"),
}  # fmt: skip
"""By name.  G7221 is one that no ffmpeg decodes; its packets hold noise.  Of ``clicks`` the first
80 ms of each second are heard."""


@cache
def packets(name: str) -> tuple[bytes, ...]:
    """Return the payloads of one second or more, to be sent again and again."""
    if name == "AAC":
        return tuple(cut_aac(frame) for frame in _aac_frames())
    if name == "metadata":
        text = (
            '<?xml version="1.0"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema"/>'
        )
        return (text.encode(),)
    if name == "clicks":
        click, nothing = bytes([0x25] * 4 + [0xA5] * 4) * 40, b"\xd5" * 320
        return (click, click, *[nothing] * 23)
    sound = SOUNDS[name]
    quiet, loud = {"PCMA": (0xD5, 0x95), "PCMU": (0xFF, 0xBF)}.get(name, (0x00, 0x11))
    # a square wave of 250 Hz at 8 kHz
    wave = bytes([quiet] * 16 + [loud] * 16)
    return ((wave * (sound.packet_bytes // len(wave) + 1))[: sound.packet_bytes],)


def _aac_frames() -> list[bytes]:
    argv = [FF9, "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:d=4",
            "-ac", "1", "-c:a", "aac", "-b:a", "32k", "-f", "adts", "-"]  # fmt: skip
    data = subprocess.run(argv, capture_output=True, check=True).stdout
    frames, at = [], 0
    while at < len(data):
        # 13 bits of length in bytes 3 to 5 of the header (ISO/IEC 13818-7, 6.2)
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames.append(data[at + 7 : at + size])
        at += size
    return frames
