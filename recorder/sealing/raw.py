"""What capture left of a file, read as far as it is whole."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recorder import index
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.errors import MalformedMedia
from recorder.index import Scan
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo
from recorder.segment.arrival import (
    Arrival,
    Follower,
    observations,
)
from recorder.segment.mend import (
    begins_squeezed,
)
from recorder.segment.sound import SoundFile


@dataclass(frozen=True, slots=True)
class Raw:
    """What capture left of one file of a run, and what is known around it.

    ``number``: the file's, from 0; ``video``: its bytes; ``arrivals`` say when it had which
    length, the last one when it was closed; ``follower``: the first frame of the file after it;
    ``growing``: it is still being written; ``sounds``: the files of sound beside it.
    """

    number: int
    video: Any
    arrivals: Sequence[Arrival]
    follower: Follower | None = None
    growing: bool = False
    sounds: tuple[SoundFile, ...] = ()


@contextlib.contextmanager
def made_sense_of() -> Iterator[None]:
    """Name what bytes that lie make fail: one damaged file must not keep the rest from sealing.

    Raises: ``MalformedMedia``.
    """
    try:
        yield
    except (ArithmeticError, LookupError, ValueError, struct.error) as exc:
        raise MalformedMedia(f"times or sizes make no sense ({exc})") from exc


@made_sense_of()
def survey(buf: Buffer) -> tuple[InitInfo, Scan]:
    """Read a file as far as it is whole.

    Raises: ``MalformedMedia`` when not even one fragment can be read.
    """
    init = read_init(buf)
    scan = index.scan(buf, init)
    lead = init.tracks.index(init.lead)
    if not scan.table.offsets or not scan.table.tracks[lead].dts:
        raise MalformedMedia("no whole fragment")
    return init, replace(scan, table=mark_clean_points(buf, init, scan.table))


def follower_of(buf: Buffer, arrivals: Sequence[Arrival] = ()) -> Follower | None:
    """Return the first frame of a file, for the file before it; ``None`` while it has none."""
    try:
        init, scan = survey(buf)
    except MalformedMedia:
        return None
    lead = init.tracks.index(init.lead)
    track = scan.table.tracks[lead]
    stop = max(1, track.first[1])
    shown = (dts + cts for dts, cts in zip(track.dts[:stop], track.cts[:stop], strict=True))
    end = track.presentation()[1]
    came = observations(scan.table, lead, init.lead.timescale, arrivals, end, 0)
    return Follower(track.dts[0], min(shown), begins_squeezed(track), tuple(came))
