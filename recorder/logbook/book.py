"""Writing entries: many callers share one transaction, and nobody goes on before it is done."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from recorder import telemetry
from recorder.audit.entry import NOTHING, Entry, Result, Subject
from recorder.errors import AuditUnavailable, BadDocument, RecorderError
from recorder.logbook.looks import Looks
from recorder.model.caller import Caller
from recorder.model.keys import StreamId
from recorder.model.timebase import TimeRange
from recorder.ports import AuditLog, Clock

log = logging.getLogger("recorder.logbook")

GATHER_S = 0.001
PATIENCE_S = 10.0
"""So long one waits for others' entries to be written; then the log counts as away."""


@dataclass(eq=False, slots=True)
class _Waiting:
    entries: Sequence[Entry]
    ready: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    error: Exception | None = None


class Book:
    """Writes the audit log of this node.

    ``required``: what is not written does not happen; else it does, and that is said.
    """

    def __init__(self, audit_log: AuditLog, clock: Clock, *, required: bool = True) -> None:
        self._log, self._clock, self.required = audit_log, clock, required
        self._lock = threading.Lock()
        self._queue: list[_Waiting] = []
        self._busy = False
        self._last = 1
        self._looks = Looks()

    def note(
        self,
        caller: Caller,
        action: str,
        subject: Subject = NOTHING,
        result: Result = Result.ALLOWED,
        **details: object,
    ) -> None:
        """Write that somebody does or sees something, before it happens.

        Raises: ``AuditUnavailable`` when it cannot be written, and must be.
        Durable: once this returns, the entry survives the loss of this process.
        """
        entry = Entry(self._clock.now(), caller, action, subject, result, details)
        try:
            self.write([entry])
        except (RecorderError, ValueError) as exc:
            telemetry.AUDIT_FAILURES.inc()
            said = {"action": action, "caller": str(caller), "reason": str(exc)}
            log.error("not written to the audit log", extra=said)
            if self.required:
                raise AuditUnavailable(
                    f"{action}: the audit log cannot be written: {exc}",
                    hint="nothing is shown or changed without an entry, unless audit.required is "
                    "false",
                ) from exc

    def look(
        self,
        caller: Caller,
        action: str,
        stream: StreamId,
        asked: TimeRange,
        *,
        way: str = "",
        live: bool = False,
        **details: Any,
    ) -> None:
        """Write that somebody looks at footage; once, however often a player asks for it.

        ``way``: of what the looks are told apart by, if not the action.
        Raises: ``AuditUnavailable``.
        """
        now, way = self._clock.monotonic(), way or action
        if self._looks.goes_on(caller, way, stream, asked, now, live=live):
            return
        if live:
            details["open"] = True
        subject = Subject(stream.site, stream.camera, stream.stream, asked)
        self.note(caller, action, subject, **details)
        self._looks.know(caller, way, stream, asked, now)  # no sooner: it may not be written

    def look_within(
        self, caller: Caller, action: str, stream: StreamId, part: TimeRange, around: TimeRange
    ) -> None:
        """Write that somebody looks at a part of footage, unless a playlist led there.

        ``around``: what is looked at from now on without another entry.
        Raises: ``AuditUnavailable``.
        """
        now = self._clock.monotonic()
        for way in (PLAYBACK, action):
            if self._looks.goes_on(caller, way, stream, part, now, part=True):
                return
        self.look(caller, action, stream, around)

    @contextlib.contextmanager
    def doing(
        self, caller: Caller, action: str, subject: Subject = NOTHING, **details: Any
    ) -> Iterator[None]:
        """Write that somebody changes something; and, if it then fails, that it did.

        Raises: ``AuditUnavailable``.
        """
        self.note(caller, action, subject, **details)
        try:
            yield
        except Exception as exc:
            with contextlib.suppress(AuditUnavailable):  # what failed did not happen
                self.note(caller, action, subject, Result.FAILED, reason=str(exc)[:500])
            raise

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries; those of others that wait go with them.

        Raises: what the catalog raises; ``AuditUnavailable`` when it takes too long.
        """
        own = _Waiting(entries)
        with self._lock:
            self._queue.append(own)
            if not self._busy:
                self._busy = own.leads = True
        if not own.leads and not own.ready.wait(PATIENCE_S):
            self._give_up(own)
        if own.leads:
            self._lead()
        if own.error is not None:
            raise own.error

    def _give_up(self, own: _Waiting) -> None:
        with self._lock:
            if own.leads or own.ready.is_set():
                return
            if own in self._queue:
                self._queue.remove(own)
        own.error = AuditUnavailable(f"the audit log has not been written for {PATIENCE_S:g} s")

    def _lead(self) -> None:
        """Write all that waits; whoever came meanwhile leads the next.

        Where many wrote together, they are about to come again: they are waited for, a moment.
        """
        if self._last > 1:
            time.sleep(GATHER_S)
        with self._lock:
            batch, self._queue = self._queue, []
            self._last = len(batch)
        try:
            self._write_all(batch)
        finally:
            with self._lock:
                if self._queue:
                    self._queue[0].leads = True
                    self._queue[0].ready.set()
                else:
                    self._busy = False
            for one in batch:
                one.ready.set()

    def _write_all(self, batch: Sequence[_Waiting]) -> None:
        try:
            self._log.write([entry for one in batch for entry in one.entries])
            telemetry.AUDIT_ENTRIES.inc(sum(len(one.entries) for one in batch))
        except (BadDocument, ValueError) as exc:
            if len(batch) == 1:
                batch[0].error = exc
                return
            for one in batch:  # one that cannot be stored keeps no other from it
                self._write_all([one])
        except Exception as exc:  # noqa: BLE001 - it is raised where it is waited for
            for one in batch:
                one.error = exc


PLAYBACK = "footage.playback"
"""The way of looking that leads to objects, one by one."""
