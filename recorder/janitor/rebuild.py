"""Rebuild: segments, spans and copies from the bucket alone (law L9).

Objects of ours describe themselves in their footers.  Objects of other recorders that
follow the annex (a camera that records to the bucket itself) are scanned: key for time
and counter, moov for codecs, fragments for frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from recorder import index
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.errors import IntegrityError
from recorder.model.keys import KeyParts, parse_key, stream_of_prefix
from recorder.model.media import ObjectInfo, Segment
from recorder.model.timebase import Instant, ticks_to_ns
from recorder.ports import Commits, ObjectStore
from recorder.segment.meta import holes_in, segment_from_footer
from recorder.segment.tail import read_tail


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found: segments of ours, of others, and objects it could not read."""

    ours: int = 0
    foreign: int = 0
    ends: int = 0
    other: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def rebuild(
    commits: Commits,
    store: ObjectStore,
    site: str,
    now: Instant,
    progress: Callable[[], object] = lambda: None,
) -> Rebuilt:
    """Put every segment of a store into the catalog."""
    done = Rebuilt()
    foreign: list[tuple[KeyParts, ObjectInfo]] = []
    for info in store.list():
        progress()
        parts = parse_key(info.key)
        if parts is None:
            done.other += 1
        elif parts.is_end:
            done.ends += 1
        else:
            try:
                segment = _read_ours(store, info)
            except IntegrityError as exc:
                done.unreadable.append((info.key, str(exc)))
                continue
            if segment is None:
                foreign.append((parts, info))
                continue
            commits.add_segment(segment, store.name, info.etag, now)
            done.ours += 1
    _read_all_foreign(commits, store, site, now, foreign, done)
    return done


def _read_ours(store: ObjectStore, info: ObjectInfo) -> Segment | None:
    """Make a segment from an object's tail, ``None`` when it has no footer of ours."""
    footer = read_tail(lambda at, length: b"".join(store.read(info.key, at, length)), info.size)
    if footer is None:
        return None
    described = store.head(info.key)
    digest = described.metadata.get("sha256", "") if described is not None else ""
    if not digest:
        digest = _digest(store, info)
    return segment_from_footer(footer.meta, footer.frames(), info.key, info.size, digest)


def _digest(store: ObjectStore, info: ObjectInfo) -> str:
    digest = hashlib.sha256()
    for block in store.read(info.key, 0, info.size):
        digest.update(block)
    return digest.hexdigest()


def _read_all_foreign(
    commits: Commits,
    store: ObjectStore,
    site: str,
    now: Instant,
    found: list[tuple[KeyParts, ObjectInfo]],
    done: Rebuilt,
) -> None:
    """Read objects of other recorders in order, so that counters tell spans."""
    found.sort(key=lambda pair: (pair[0].prefix, pair[0].postfix, pair[0].start))
    span: dict[tuple[str, str], tuple[int, Instant]] = {}
    for parts, info in found:
        lane = (parts.prefix, parts.postfix)
        last = span.get(lane)
        if last is None or parts.counter != last[0] + 1:
            span[lane] = (parts.counter, parts.start)
        else:
            span[lane] = (parts.counter, last[1])
        try:
            segment = read_foreign(store, info, parts, site, span[lane][1])
        except IntegrityError as exc:
            done.unreadable.append((info.key, str(exc)))
            continue
        commits.add_segment(segment, store.name, info.etag, now)
        done.foreign += 1


def read_foreign(
    store: ObjectStore, info: ObjectInfo, parts: KeyParts, site: str, span_start: Instant
) -> Segment:
    """Make a segment from another recorder's object by reading all of it.

    Raises: ``MalformedMedia`` when it is not fragmented MP4.
    """
    body = b"".join(store.read(info.key, 0, info.size))
    init = read_init(body)
    table = mark_clean_points(body, init, index.scan(body, init).table)
    lead = init.tracks.index(init.lead)
    media_start, media_end = table.tracks[lead].presentation()
    length = ticks_to_ns(media_end - media_start, init.lead.timescale)
    segment = Segment(
        stream=stream_of_prefix(parts.prefix, site), writer=parts.postfix or "foreign",
        span_start=span_start, counter=parts.counter, start=parts.start,
        end=parts.start + length, media_start=media_start, media_end=media_end,
        timescale=init.lead.timescale, size_bytes=info.size,
        digest=hashlib.sha256(body).hexdigest(), init_bytes=init.size,
        decoder_digest=init.decoder_digest, codecs=init.codecs, key=info.key,
        frames=len(table.tracks[lead].dts), width=init.lead.width, height=init.lead.height,
        points=index.pack_points(index.fragment_points(table, lead)),
    )  # fmt: skip
    return replace(segment, holes=holes_in(segment, table.tracks[lead]))
