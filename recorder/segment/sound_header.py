"""A file's head with a track for the sound that came beside the picture."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass

from recorder.bmff.boxes import box, find, walk
from recorder.errors import MalformedMedia
from recorder.model.media import InitInfo, TrackInfo


def with_sound(head: bytes, init: InitInfo, sound: SoundFrames) -> bytes:
    """Return an init segment with a track of sound behind its own, under the next track id.

    Raises: ``MalformedMedia`` when either is not one.
    """
    track_id = max(track.track_id for track in init.tracks) + 1
    trak, trex = _sound_boxes(sound.head, sound.info.track_id, track_id)
    pieces = []
    for kind, start, payload, end in walk(head, 0, init.size):
        if kind != "moov":
            pieces.append(head[start:end])
            continue
        children: list[bytes] = []
        for name, begin, inner, after in walk(head, payload, end):
            if name == "mvex":
                children += [trak, box("mvex", head[inner:after], trex)]
            elif name == "mvhd":
                children.append(_next_track(head[begin:after], track_id + 1))
            else:
                children.append(head[begin:after])
        pieces.append(box("moov", *children))
    return b"".join(pieces)


def _next_track(mvhd: bytes, number: int) -> bytes:
    return mvhd[:-4] + struct.pack(">I", number)


def _sound_boxes(head: bytes, old: int, new: int) -> tuple[bytes, bytes]:
    """Return ``trak`` and ``trex`` of a sound file's init segment, under another track id."""
    moov = find(head, 0, len(head), "moov")
    trak = find(head, 0, len(head), "moov", "trak")
    mvex = find(head, 0, len(head), "moov", "mvex")
    tkhd = find(head, 0, len(head), "moov", "trak", "tkhd")
    if moov is None or trak is None or mvex is None or tkhd is None:
        raise MalformedMedia("sound without an init segment")
    body = bytearray(head[trak[0] : trak[1]])
    at = tkhd[0] - trak[0] + (20 if head[tkhd[0]] == 1 else 12)
    struct.pack_into(">I", body, at, new)
    trex = next(
        (
            bytearray(head[start:end])
            for kind, start, payload, end in walk(head, *mvex)
            if kind == "trex" and int.from_bytes(head[payload + 4 : payload + 8], "big") == old
        ),
        None,
    )
    if trex is None:
        raise MalformedMedia("sound without trex")
    struct.pack_into(">I", trex, 12, new)
    return box("trak", bytes(body)), bytes(trex)


@dataclass(frozen=True, slots=True)
class SoundFrames:
    """Frames of sound for one segment, in order.

    Shape: columns of one length.  Units: ``dts`` and ``duration`` in ticks of the track,
    ``size`` and ``offset`` in bytes of the file ``source``.
    """

    info: TrackInfo
    head: bytes
    dts: array[int]
    duration: array[int]
    size: array[int]
    offset: array[int]
    source: array[int]
