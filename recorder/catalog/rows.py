"""Between rows and values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from recorder.audit.entry import Entry, Subject, write_entry
from recorder.catalog.readable import facts_of
from recorder.errors import BadDocument
from recorder.model.about import show_about, take_about
from recorder.model.caller import Caller, CallerKind
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import Camera, StreamSource
from recorder.model.keys import StreamId, segment_key
from recorder.model.masks import read_privacy, show_privacy
from recorder.model.media import Segment
from recorder.model.schedule import parse_timetable, show_timetable
from recorder.model.secrets import MASK
from recorder.model.timebase import Instant, TimeRange
from recorder.model.timeline import Span
from recorder.ports import AuditEntry, StreamStatus

_HOLE = re.compile(r"(-?\d+)-(-?\d+)")


def derived_key(segment: Segment) -> str:
    """The key our own rule gives a segment."""
    return segment_key(str(segment.stream), segment.start, segment.writer, segment.counter)


def key_of(stream: StreamId, row: Any) -> str:
    """Return the key of a row of ``segment``."""
    return row.key or segment_key(str(stream), row.start_ns, row.writer, row.counter)


def segment_row(
    segment: Segment, stream_no: int, config_no: int, committed: Instant | None = None
) -> dict[str, object]:
    """Write a segment as a row; its key only where our rule would give another.

    ``committed`` is when it was taken in by the site that recorded it, where that is known.
    """
    return {
        "stream_no": stream_no,
        "start_ns": segment.start,
        "writer": segment.writer,
        "span_ns": segment.span_start,
        "counter": segment.counter,
        "end_ns": segment.end,
        "media_start": segment.media_start,
        "media_end": segment.media_end,
        "timescale": segment.timescale,
        "size_bytes": segment.size_bytes,
        "digest": bytes.fromhex(segment.digest),
        "init_bytes": segment.init_bytes,
        "config_no": config_no,
        "frames": segment.frames,
        "camera_offset_ns": segment.camera_offset_ns,
        "gap_cause": segment.gap_cause,
        "key": None if segment.key == derived_key(segment) else segment.key,
        "points": segment.points,
        "holes": _write_holes(segment.holes),
        "activity": segment.activity or None,
        "committed_ns": committed,
    }


def read_segment(stream: StreamId, row: Any) -> Segment:
    """Read a row of ``segment`` joined with ``config``."""
    return Segment(
        stream=stream,
        writer=row.writer,
        span_start=row.span_ns,
        counter=row.counter,
        start=row.start_ns,
        end=row.end_ns,
        media_start=row.media_start,
        media_end=row.media_end,
        timescale=row.timescale,
        size_bytes=row.size_bytes,
        digest=bytes(row.digest).hex(),
        init_bytes=row.init_bytes,
        decoder_digest=row.decoder_digest,
        codecs=row.codecs,
        key=key_of(stream, row),
        frames=row.frames,
        width=row.width,
        height=row.height,
        camera_offset_ns=row.camera_offset_ns,
        gap_cause=row.gap_cause,
        points=bytes(row.points),
        holes=read_holes(row.holes),
        activity=bytes(row.activity or b""),
    )


def _write_holes(holes: Sequence[TimeRange]) -> str | None:
    return " ".join(f"{hole.start}-{hole.end}" for hole in holes) or None


def read_holes(text: str | None) -> tuple[TimeRange, ...]:
    """Read the holes of a segment's row."""
    if not text:
        return ()
    return tuple(TimeRange(int(start), int(end)) for start, end in _HOLE.findall(text))


def read_span(row: Any) -> Span:
    """Read a row of ``span``."""
    return Span(
        row.start_ns,
        row.end_ns,
        row.writer,
        row.span_ns,
        row.codecs,
        row.gap_cause,
        row.camera_offset_ns,
    )


def camera_body(camera: Camera) -> dict[str, object]:
    """Write a camera document with its secrets: only for the catalog."""
    return {
        "group": camera.group,
        "importance": camera.importance,
        "enabled": camera.enabled,
        "critical": camera.critical,
        "author": camera.author,
        **{key: one for key, one in show_about(camera.about).items() if one is not None},
        **{key: one for key, one in show_privacy(camera.privacy).items() if one is not None},
        "streams": {name: _source_body(source) for name, source in camera.streams.items()},
    }


def _source_body(source: StreamSource) -> dict[str, object]:
    table = show_timetable(source.timetable) if source.timetable is not None else None
    body = {**asdict(source), "timetable": table}
    if not source.cipher:
        del body["cipher"]  # older releases do not know it
    return body


def _read_source(body: dict[str, Any]) -> StreamSource:
    table = body.get("timetable")
    parsed = parse_timetable(table, "timetable") if table is not None else None
    return StreamSource(**{**body, "timetable": parsed})


def read_body(name: str, body: Mapping[str, Any]) -> Camera:
    """Read a document that was stored, or told by another site, as :func:`camera_body` wrote it.

    Raises: ``BadDocument``.
    """
    try:
        streams = {key: dict(one) for key, one in body["streams"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise BadDocument("streams: must be an object of objects") from exc
    ciphers = {key: str(one.pop("cipher", "")) for key, one in streams.items()}
    locked = {
        key: StreamSource(str(streams[key].get("url", "")), cipher=one)
        for key, one in ciphers.items()
        if one
    }
    for key in locked:
        streams[key]["credentials"] = MASK
    return parse_camera(name, {**body, "streams": streams}, Camera(name, locked))


def read_camera(row: Any, body: Mapping[str, Any] | None = None) -> Camera:
    """Read a row of ``camera``; ``body``: its document, decrypted."""
    body = body if body is not None else row.body
    return Camera(
        row.name,
        {name: _read_source(source) for name, source in body["streams"].items()},
        body["group"],
        body["importance"],
        body["enabled"],
        row.version,
        row.created_ns,
        body.get("critical", False),
        body.get("author", ""),
        take_about(dict(body)),
        read_privacy(body),
    )


def status_row(status: StreamStatus) -> dict[str, object]:
    """Write a stream's state as a row."""
    return {
        "site": status.stream.site,
        "camera": status.stream.camera,
        "stream": status.stream.stream,
        "node": status.node,
        "state": status.state,
        "cause": status.cause,
        "condition": status.condition,
        "detail": status.detail,
        "since_ns": status.since,
        "at_ns": status.at,
        "health": dict(status.health),
    }


def read_status(row: Any) -> StreamStatus:
    """Read a row of ``status``."""
    return StreamStatus(
        StreamId(row.site, row.camera, row.stream),
        row.node,
        row.state,
        row.cause,
        row.condition,
        row.detail,
        row.since_ns,
        row.at_ns,
        facts_of(row.health),
    )


def audit_row(entry: AuditEntry, site: str, node: str) -> dict[str, object]:
    """Write what was done to a copy as a row; ``site``, ``node``: whose log, and who did it."""
    said = copy_entry(entry, node)
    return {
        **entry_row(said, site, node),
        "action": entry.action,
        "stream": entry.stream.stream,
        "key": entry.key,
        "place": entry.place,
        "size_bytes": entry.size_bytes,
        "rule": entry.rule,
        "reason": entry.reason,
        "document_version": entry.document_version,
    }


def copy_entry(entry: AuditEntry, node: str) -> Entry:
    """Say what was done to a copy as any entry of the log says it."""
    stream = entry.stream
    details = {
        "key": entry.key,
        "place": entry.place,
        "bytes": entry.size_bytes,
        "rule": entry.rule,
        "reason": entry.reason,
        "version": entry.document_version,
    }
    return Entry(
        entry.at,
        Caller(CallerKind.NODE, node),
        f"copy.{entry.action}",
        Subject(stream.site, stream.camera, stream.stream, entry.range),
        details=details,
    )


def entry_row(entry: Entry, site: str, node: str) -> dict[str, object]:
    """Write an entry of the log as a row; its bytes are what counts, the rest is searched by."""
    return {**entry_columns(entry), "entry": write_entry(entry, site, node)}


def entry_columns(entry: Entry) -> dict[str, object]:
    """Write what an entry of the log is searched by."""
    subject = entry.subject
    return {
        "at_ns": entry.at,
        "action": entry.action,
        "site": subject.site,
        "camera": subject.camera,
        "stream": subject.stream,
        "key": "",
        "place": "",
        "start_ns": subject.range.start if subject.range is not None else 0,
        "end_ns": subject.range.end if subject.range is not None else 0,
        "size_bytes": 0,
        "rule": "",
        "reason": "",
        "document_version": 0,
        "caller": str(entry.caller),
        "result": entry.result.value,
    }


def read_audit(row: Any) -> AuditEntry:
    """Read a row of ``audit``."""
    return AuditEntry(
        row.at_ns,
        row.action,
        StreamId(row.site, row.camera, row.stream),
        row.key,
        row.place,
        TimeRange(row.start_ns, row.end_ns),
        row.size_bytes,
        row.rule,
        row.reason,
        row.document_version,
        row.audit_no,
    )
