"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import Instant, TimeRange


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What was done to which copy, by which rule, and why; outlives the footage (law L8).

    ``number``: its place in this catalog's log; 0 before it has one.
    """

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
    number: int = field(default=0, compare=False)


class Audit(Protocol):
    """What was done to copies, and why; it outlives them."""

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Write audit entries that no transaction of the catalog writes by itself."""

    def newest(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return the newest audit entries, or the newest of those before one's number."""

    def about(self, camera: CameraId, asked: TimeRange, limit: int = 1000) -> list[AuditEntry]:
        """Return the audit entries on a camera's footage that touch a range, by start."""
