"""A segment from another recorder's object, which says of itself only what all of it says.

The object is fetched once, into a file that has no name and so goes with the process; what is
looked at is mapped from there.  However large an object is, a block of it is held.
"""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from recorder import clean_points, index
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.errors import MalformedMedia, SpoolFull
from recorder.mapped import mapped
from recorder.model.keys import FOREIGN, KeyParts, stream_of_prefix
from recorder.model.media import ObjectInfo, Segment
from recorder.model.timebase import Instant, ticks_to_ns
from recorder.ports import ObjectStore
from recorder.room import room_of
from recorder.segment.meta import holes_in
from recorder.spool.full import full_is_said


@contextmanager
def _fetched(
    store: ObjectStore, info: ObjectInfo, scratch: Path | None
) -> Iterator[tuple[mmap.mmap, str]]:
    """Fetch an object; yield its bytes, mapped, and their digest."""
    _look_for_room(info, scratch or Path(tempfile.gettempdir()))
    digest = hashlib.sha256()
    with tempfile.TemporaryFile(dir=scratch) as file:
        with full_is_said(f"read {info.key}"):
            for block in store.read(info.key, 0, info.size):
                digest.update(block)
                file.write(block)
            file.flush()
        with mapped(file) as body:
            yield body, digest.hexdigest()


def _look_for_room(info: ObjectInfo, scratch: Path) -> None:
    """See that half of what is free stays free: who records on that disk needs it.

    Raises: ``SpoolFull``.
    """
    free, _ = room_of(scratch)
    if info.size > free // 2:
        raise SpoolFull(
            f"read {info.key}: {info.size} bytes to be fetched, and {free} are free at {scratch}",
            hint="free space, or add disk, and rebuild again",
        )


def read_foreign(
    store: ObjectStore,
    info: ObjectInfo,
    parts: KeyParts,
    site: str,
    span_start: Instant,
    scratch: Path | None = None,
) -> Segment:
    """Make a segment from another recorder's object by reading all of it, once.

    ``scratch``: the folder for it meanwhile; the system's, if none.
    Raises: ``MalformedMedia`` when it is not fragmented MP4; ``SpoolFull``.
    """
    if not info.size:
        raise MalformedMedia("the object is empty")
    with _fetched(store, info, scratch) as (body, digest):
        init = read_init(body)
        table = mark_clean_points(body, init, index.scan(body, init).table)
    lead = init.tracks.index(init.lead)
    media_start, media_end = table.tracks[lead].presentation()
    length = ticks_to_ns(media_end - media_start, init.lead.timescale)
    segment = Segment(
        stream=stream_of_prefix(parts.prefix, site),
        writer=parts.postfix or FOREIGN,
        span_start=span_start,
        counter=parts.counter,
        start=parts.start,
        end=parts.start + length,
        media_start=media_start,
        media_end=media_end,
        timescale=init.lead.timescale,
        size_bytes=info.size,
        digest=digest,
        init_bytes=init.size,
        decoder_digest=init.decoder_digest,
        codecs=init.codecs,
        key=info.key,
        frames=len(table.tracks[lead].dts),
        width=init.lead.width,
        height=init.lead.height,
        points=clean_points.pack_points(clean_points.fragment_points(table, lead)),
    )
    return replace(segment, holes=holes_in(segment, table.tracks[lead]))
