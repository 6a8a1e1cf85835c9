"""What becomes of a copy without a policy, as the log has it."""

from __future__ import annotations

from recorder.model.media import Copy
from recorder.model.timebase import Instant
from recorder.ports import AuditEntry


def entry_of(copy: Copy, action: str, at: Instant, rule: str, reason: str) -> AuditEntry:
    """Make the entry; ``rule``: what did it."""
    one = copy.segment
    return AuditEntry(
        at, action, one.stream, one.key, copy.place, one.range, one.size_bytes, rule, reason, 0
    )
