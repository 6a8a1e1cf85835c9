"""RTP: pictures cut into packets, and sender reports."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905)."""


@dataclass(slots=True)
class Sender:
    """One track's packet numbers, and its counts for sender reports."""

    payload: int
    ssrc: int
    sequence: int = 1000
    packets: int = 0
    octets: int = 0

    def packet(self, body: bytes, stamp: int, *, marker: bool) -> bytes:
        """Put a header before a payload (RFC 3550, 5.1)."""
        head = struct.pack(
            ">BBHII", 0x80, self.payload | marker << 7, self.sequence, stamp, self.ssrc
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(body)
        return head + body

    def report(self, ntp_ns: int, stamp: int) -> bytes:
        """Write a sender report and a name (RFC 3550, 6.4.1 and 6.5).

        Units: ``ntp_ns`` is ns since 1970; negative for an NTP time of 0.
        """
        whole, rest = divmod(ntp_ns, 1_000_000_000)
        ntp = 0 if ntp_ns < 0 else (whole + NTP_EPOCH_S) << 32 | (rest << 32) // 1_000_000_000
        counts = struct.pack(">III", stamp, self.packets, self.octets & 0xFFFFFFFF)
        report = struct.pack(">BBHIQ", 0x80, 200, 6, self.ssrc, ntp) + counts
        name = b"\x01\x06camera" + bytes(4)  # zeros to the end of a word
        return report + struct.pack(">BBHI", 0x81, 202, (4 + len(name)) // 4, self.ssrc) + name


def cut_h264(nals: Sequence[bytes], limit: int) -> list[bytes]:
    """Make the payloads of one picture: single units, or FU-A (RFC 6184, 5.6 and 5.8)."""
    found: list[bytes] = []
    for nal in nals:
        if len(nal) <= limit:
            found.append(nal)
            continue
        indicator, kind = nal[0] & 0xE0 | 28, nal[0] & 0x1F
        found += _fragments(nal[1:], bytes([indicator]), kind, limit - 2)
    return found


def cut_h265(nals: Sequence[bytes], limit: int) -> list[bytes]:
    """Make the payloads of one picture: single units, or FU (RFC 7798, 4.4)."""
    found: list[bytes] = []
    for nal in nals:
        if len(nal) <= limit:
            found.append(nal)
            continue
        kind = nal[0] >> 1 & 0x3F
        head = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
        found += _fragments(nal[2:], head, kind, limit - 3)
    return found


def _fragments(body: bytes, head: bytes, kind: int, size: int) -> list[bytes]:
    pieces = []
    for at in range(0, len(body), size):
        first, last = at == 0, at + size >= len(body)
        pieces.append(head + bytes([first << 7 | last << 6 | kind]) + body[at : at + size])
    return pieces


def cut_aac(frame: bytes) -> bytes:
    """Make the payload of one AAC frame (RFC 3640, mode AAC-hbr: 13 + 3 bits of header)."""
    return struct.pack(">HH", 16, len(frame) << 3) + frame


CUTS = {"H264": cut_h264, "H265": cut_h265}
