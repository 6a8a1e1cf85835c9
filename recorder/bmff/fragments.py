"""The ``mfra`` box: written for salvaged files, read by its size at the file's end."""

from __future__ import annotations

import base64
import struct

from recorder.bmff.boxes import box, full_box
from recorder.index import FrameTable
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo


def build_mfra(table: FrameTable, init: InitInfo) -> bytes:
    """List every fragment of every track.

    Source: ISO/IEC 14496-12, 8.8.9 to 8.8.11; the ONVIF annex wants it last.
    """
    tfras = []
    for number, (info, track) in enumerate(zip(init.tracks, table.tracks, strict=True)):
        entries = bytearray()
        count = 0
        for i in range(len(table.offsets)):
            lo = track.first[i]
            if lo == track.first[i + 1]:
                continue
            time = track.dts[lo] + track.cts[lo]
            entries += struct.pack(
                ">QQBBB", max(time, 0), table.offsets[i], _traf_number(table, number, i), 1, 1
            )
            count += 1
        head = struct.pack(">III", info.track_id, 0, count)
        tfras.append(full_box("tfra", 1, 0, head, entries))
    body = b"".join(tfras)
    total = 8 + len(body) + 16
    return box("mfra", body, full_box("mfro", 0, 0, struct.pack(">I", total)))


def _traf_number(table: FrameTable, track: int, fragment: int) -> int:
    """Number of a track's ``traf`` within its ``moof``, from 1."""
    return 1 + sum(
        1 for other in table.tracks[:track] if other.first[fragment] < other.first[fragment + 1]
    )


def mfra_size(tail: Buffer) -> int | None:
    """Return the length of the ``mfra`` that ends a file, from its last bytes, or ``None``."""
    if len(tail) < 24 or bytes(tail[-12:-8]) != b"mfro":
        return None
    size = int.from_bytes(tail[-4:], "big")
    return size if 24 <= size <= 1 << 24 else None


def seek_table(table: FrameTable, init: InitInfo, most: int = 20) -> str:
    """Build the ``SeekTable`` attribute: a condensed ``mfra``, base64, at most 20 entries.

    Holds the first sample of each track, then clean fragments of the lead track, evenly.
    """
    lead = init.tracks.index(init.lead)
    track = table.tracks[lead]
    clean = [
        i
        for i in range(len(table.offsets))
        if track.first[i] < track.first[i + 1] and track.sync[track.first[i]]
    ]
    room = max(1, most - (len(init.tracks) - 1))
    step = max(1, -(-len(clean) // room))
    tfras = []
    for number, (info, frames) in enumerate(zip(init.tracks, table.tracks, strict=True)):
        if not frames.dts:
            continue
        first = next(i for i in range(len(table.offsets)) if frames.first[i + 1] > frames.first[i])
        chosen = clean[::step] or [first] if number == lead else [first]
        entries = b"".join(
            struct.pack(
                ">QQBBB",
                max(0, frames.dts[frames.first[i]] + frames.cts[frames.first[i]]),
                table.offsets[i],
                _traf_number(table, number, i),
                1,
                1,
            )
            for i in chosen
        )
        head = struct.pack(">III", info.track_id, 0, len(chosen))
        tfras.append(full_box("tfra", 1, 0, head, entries))
    body = b"".join(tfras)
    total = 8 + len(body) + 16
    mfra = box("mfra", body, full_box("mfro", 0, 0, struct.pack(">I", total)))
    return base64.b64encode(mfra).decode()
