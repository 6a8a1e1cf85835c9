"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import Instant, TimeRange


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


class Audit(Protocol):
    """What was done to copies, and why; it outlives them."""

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Write audit entries that no transaction of the catalog writes by itself."""

    def newest(self, limit: int) -> list[AuditEntry]:
        """Return the newest audit entries."""

    def about(self, camera: CameraId, asked: TimeRange, limit: int = 1000) -> list[AuditEntry]:
        """Return the audit entries on a camera's footage that touch a range, by start."""
