"""The doors to the world, as promises.  Only :mod:`recorder.app` knows who keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from policies.facts import Lane
from recorder.model.cameras import Camera
from recorder.model.events import Event, Point
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.media import Copy, ObjectInfo, Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.model.timeline import Gap, Span


class Clock(Protocol):
    """Time, as this node sees it."""

    def now(self) -> Instant:
        """Return ns since the Unix epoch, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never step."""

    def jitter(self) -> float:
        """Return a number in ``[0, 1)`` to spread retries with."""


class ObjectStore(Protocol):
    """A flat, durable map from key to bytes."""

    name: str

    def put_file(self, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store a file's bytes under ``key``; return the etag.

        Putting the same bytes again is harmless; keys are unique per writer.
        Raises: ``StoreUnavailable``, ``StoreRefused``.
        Durable: once this returns, the bytes survive the loss of this process and host.
        """

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store ``body`` under ``key``; return the etag.  As :meth:`put_file`."""

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``, in blocks, without holding all.

        Raises: ``CopyMissing`` when there is no such object, or it is shorter;
        ``StoreUnavailable`` when it stops answering, before or between blocks.
        """

    def head(self, key: str) -> ObjectInfo | None:
        """Describe an object, or ``None`` when there is none."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order; never on a request path."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those already gone count as deleted."""

    def presign(self, key: str, seconds: int) -> str | None:
        """Return a URL that reads the object for a while, or ``None`` when there are none."""

    @property
    def protects(self) -> bool:
        """Whether it can keep an object from being deleted by anybody (S3 legal hold)."""

    def protect(self, key: str, on: bool) -> None:
        """Place or lift a legal hold on an object; only where the store :attr:`protects`.

        Raises: ``CopyMissing``, ``StoreUnavailable``, ``StoreRefused``.
        """

    def free_bytes(self) -> tuple[int, int] | None:
        """Return (free, total) bytes where the store knows them."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The present state of one stream on its node.

    ``state``: ``recording``, ``connecting``, ``failing``, ``off``.  ``condition`` names what
    ails it (``auth-refused``, ``unreachable`` …), ``cause`` is the gap cause while dark.
    ``health``: figures of the day (:mod:`recorder.capture.health`), and ``habits`` of the camera.
    """

    stream: StreamId
    node: str
    state: str
    cause: str
    condition: str
    detail: str
    since: Instant
    at: Instant
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeBeat:
    """A node's sign of life; ``facts`` are small figures to show."""

    node: str
    site: str
    at: Instant
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteBeat:
    """A site's sign of life; ``url`` is where its API answers, if it says so.

    ``name`` is a child's name, or ``..`` for the parent.  ``facts`` are small figures.
    """

    name: str
    level: str
    url: str
    at: Instant
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """A node's right to do what ``name`` says (a stream to record, a job) until an instant.

    ``term`` grows by one per holder; ``handing`` is the node it is offered to, if any.
    """

    name: str
    node: str
    term: int
    until: Instant
    handing: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A versioned document with author and time."""

    kind: str
    version: int
    body: Mapping[str, Any]
    author: str
    at: Instant


@dataclass(frozen=True, slots=True)
class CameraBelow:
    """What a site below should record, as decided here or above; ``body`` ``None``: no longer.

    ``body`` holds the camera's secrets.
    """

    site: str
    name: str
    version: int
    body: Mapping[str, Any] | None
    author: str
    at: Instant


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What was done to which copy, by which rule, and why; outlives the footage (law L8)."""

    at: Instant
    action: str
    stream: StreamId
    key: str
    place: str
    range: TimeRange
    size_bytes: int
    rule: str
    reason: str
    document_version: int


class Catalog(Protocol):
    """The database of segments, copies, gaps, documents.  Every method is one transaction.

    Raises: ``CatalogUnavailable`` from every method when the database does not answer.
    """

    def add_segment(self, segment: Segment, place: str, etag: str, at: Instant) -> None:
        """Record a segment, its span and one copy; doing it twice is doing it once."""

    def add_segments(self, segments: Sequence[Segment], place: str, at: Instant) -> None:
        """Record segments, their spans and a copy each, in one transaction."""

    def spans(self, stream: StreamId, asked: TimeRange) -> list[Span]:
        """Return the spans that touch a range, by start."""

    def next_span(self, stream: StreamId, after: Instant) -> Span | None:
        """Return the first span that starts at or after an instant."""

    def segments(self, stream: StreamId, asked: TimeRange) -> list[Segment]:
        """Return the segments that touch a range, by start."""

    def segment_by_key(self, stream: StreamId, start: Instant, key: str) -> Segment | None:
        """Return one segment; ``start`` is the microsecond in the key."""

    def copies(self, segments: Sequence[Segment]) -> dict[str, list[Copy]]:
        """Return the copies of segments, by key."""

    def copies_at(
        self, place: str, after: tuple[StreamId, Instant, str] | None, limit: int,
        condemned: bool = False,
    ) -> list[Copy]:  # fmt: skip
        """Page through the copies at a place; ``after``: the last seen, as it is named."""

    def gaps(self, stream: StreamId, asked: TimeRange) -> list[Gap]:
        """Return recorded gaps (``purged``, ``spool-full``, ``lost``) that touch a range."""

    def streams(self) -> list[StreamId]:
        """Return every stream that has, or had, footage."""

    def lanes(
        self, place: str, above: bool = False, before: Instant | None = None,
        after: Instant | None = None,
    ) -> list[Lane]:  # fmt: skip
        """Return all living copies at a place as columns, one lane a stream.

        ``above``: mark the copies that live, or lived, at levels above too.
        ``before``, ``after``: only footage that began before this, or after.
        """

    def named(self, place: str, names: Sequence[tuple[StreamId, Instant, str]]) -> list[Copy]:
        """Return the copies at a place that (stream, start, writer) name."""

    def condemned_bytes(self, place: str, since: Instant) -> tuple[int, int]:
        """Return the bytes marked at a place and not yet freed: all, and those since."""

    def condemn(self, copies: Sequence[Copy], at: Instant, audit: Sequence[AuditEntry]) -> int:
        """Mark the copies for deletion and write the audit of those marked, in one transaction.

        A copy that a live hold covers by now is left alone (law L5), and so is one that is
        marked already.  Returns how many were marked.
        """

    def take_due(self, place: str, before: Instant, at: Instant, limit: int) -> list[Copy]:
        """Begin the deletion of copies condemned by ``before``; no hold can save them now.

        Those begun earlier and not forgotten come first.
        """

    def forget(self, copies: Sequence[Copy], cause: str) -> None:
        """Drop copies whose bytes are gone; a segment's last one leaves a gap of ``cause``."""

    def add_hold(self, hold: Hold) -> Hold:
        """Record a hold and take back every condemnation it covers; twice is once."""

    def hold(self, hold_id: str) -> Hold | None:
        """Return one hold."""

    def holds(self) -> list[Hold]:
        """Return all holds, released and expired ones too, newest first."""

    def release_hold(self, hold_id: str, by: str, at: Instant) -> bool:
        """Let a hold go; false when there is no live one of this name."""

    def put_point(self, point: Point) -> Point:
        """Store an alarm point or checkpoint; return it with its new version."""

    def points(self) -> list[Point]:
        """Return all points, by name."""

    def point(self, name: str) -> Point | None:
        """Return one point."""

    def delete_point(self, name: str) -> bool:
        """Remove a point; its events stay."""

    def add_event(self, event: Event, image: bytes | None) -> bool:
        """Record an event and what it touches; false when it was known already."""

    def events(
        self, asked: TimeRange, cameras: Sequence[str] = (), limit: int = 1000
    ) -> list[Event]:
        """Return the events that touch footage of a range, by start; of some cameras or all."""

    def event_image(self, event_id: str) -> bytes | None:
        """Return an event's image."""

    def touches(
        self, asked: TimeRange, camera: str | None = None
    ) -> list[tuple[str, TimeRange, str]]:
        """Return (camera, touched range, kind) of what touches a range, by camera and start."""

    def take_leases(
        self, node: str, free: Iterable[str], held: Iterable[str], now: Instant, until: Instant
    ) -> dict[str, Lease]:
        """Take those of ``free`` that nobody holds, renew those of ``held`` that are ours.

        Returns the leases of all names as they are now.
        """

    def offer_lease(self, name: str, node: str, to: str) -> None:
        """Say that ``node``, which holds a lease, would hand it to another; ``""`` to nobody."""

    def claim_lease(self, name: str, node: str, until: Instant) -> bool:
        """Take a lease that was offered to ``node``; false when it was not, or no more."""

    def release_leases(self, node: str) -> None:
        """Let go of everything a node holds, so that others need not wait."""

    def leases(self) -> list[Lease]:
        """Return all leases, by name."""

    def fill_outbox(self, at: Instant) -> int:
        """Note everything there is to be told upward: the first time a site has a parent."""

    def outbox_depth(self) -> tuple[int, Instant | None]:
        """Return how many changes are not told yet, and when the oldest was noted."""

    def take_outbox(self, limit: int) -> tuple[list[int], list[dict[str, Any]]]:
        """Return the oldest changes, by number, and what is to be told of them."""

    def drop_outbox(self, numbers: Sequence[int]) -> None:
        """Forget changes that were told."""

    def apply_feed(self, child: str, messages: Sequence[dict[str, Any]], at: Instant) -> None:
        """Take in what a child site said; its places get its name in front.  Twice is once."""

    def take_word(self, child: str, limit: int) -> list[dict[str, Any]]:
        """Return the oldest word for a child of copies of its footage here and above."""

    def drop_word(self, child: str, numbers: Sequence[int]) -> None:
        """Forget word that a child has taken in."""

    def hear_word(self, messages: Sequence[dict[str, Any]], at: Instant) -> None:
        """Take in what the parent said of copies above; twice is once."""

    def put_camera_below(
        self, site: str, name: str, body: Mapping[str, Any] | None, author: str, at: Instant
    ) -> CameraBelow:
        """Store what a site below should record; ``None``: no longer."""

    def cameras_below(self, after: Instant = 0) -> list[CameraBelow]:
        """Return what sites below should record, stored after an instant, in that order."""

    def put_site(self, beat: SiteBeat) -> None:
        """Record a site's sign of life."""

    def sites(self) -> list[SiteBeat]:
        """Return the last sign of life of the parent (named ``..``) and of every child."""

    def put_delivery(self, hold_id: str, site: str, facts: dict[str, Any], at: Instant) -> None:
        """Record what a site below says of a hold it has got."""

    def deliveries(self, hold_id: str) -> dict[str, dict[str, Any]]:
        """Return what sites below said of a hold, by site."""

    def mark_verified(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies were read whole and match their digests."""

    def mark_damaged(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies do not match their digests and could not be repaired."""

    def damaged(self, place: str) -> int:
        """Count the copies at a place that are known to be damaged."""

    def write_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Write audit entries that no transaction of the catalog writes by itself."""

    def to_lock(self, place: str, now: Instant, limit: int) -> list[Copy]:
        """Return held copies at a place that its store does not protect yet."""

    def to_unlock(self, place: str, now: Instant, limit: int) -> list[Copy]:
        """Return copies at a place that its store protects and no live hold covers."""

    def set_locked(self, copies: Iterable[Copy], locked: bool) -> None:
        """Record whether copies are protected by their store."""

    def locks_of(self, hold: Hold) -> dict[str, tuple[int, int]]:
        """Return, per store of this site, how many copies a hold covers and how many are locked."""

    def progress(self, name: str) -> dict[str, Any]:
        """Return how far a long job is; nothing when it never ran."""

    def put_progress(self, name: str, facts: dict[str, Any], at: Instant) -> None:
        """Record how far a long job is."""

    def audit_log(self, limit: int) -> list[AuditEntry]:
        """Return the newest audit entries."""

    def audit_of(self, camera: str, asked: TimeRange, limit: int = 1000) -> list[AuditEntry]:
        """Return the audit entries on a camera's footage that touch a range, by start."""

    def cameras(self) -> list[Camera]:
        """Return all camera documents, by name."""

    def camera(self, name: str) -> Camera | None:
        """Return one camera document."""

    def put_camera(self, camera: Camera, at: Instant, expected: int | None) -> Camera:
        """Store a camera; return it with its new version.

        Raises: ``StaleVersion`` when ``expected`` is not its present version.
        """

    def groups(self) -> dict[str, str]:
        """Return the group of every camera there is or was: its footage stays in it."""

    def delete_camera(self, name: str) -> bool:
        """Remove a camera document; its footage stays."""

    def put_status(self, statuses: Iterable[StreamStatus]) -> None:
        """Record the present state of streams."""

    def statuses(self) -> list[StreamStatus]:
        """Return the last recorded state of every stream."""

    def status(self, stream: StreamId) -> StreamStatus | None:
        """Return the last recorded state of one stream."""

    def beat(self, node: NodeBeat) -> None:
        """Record a node's sign of life."""

    def nodes(self) -> list[NodeBeat]:
        """Return the last sign of life of every node."""

    def document(self, kind: str) -> Document | None:
        """Return the newest version of a document."""

    def put_document(
        self, kind: str, body: Mapping[str, Any], author: str, at: Instant
    ) -> Document:
        """Store a new version of a document."""

    def store_id(self, name: str) -> str | None:
        """Return the identity a store must show, once it has been registered."""

    def register_store(self, name: str, identity: str, *, replace: bool = False) -> str:
        """Remember a store's identity unless one is known; return the one that holds."""

    def clear_footage(self) -> None:
        """Forget segments, spans and copies (documents stay): the start of a rebuild."""

    def counts(self) -> dict[str, int]:
        """Return how many rows there are, by kind."""

    def close(self) -> None:
        """Let go of connections."""
