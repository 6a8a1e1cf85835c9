"""The sender: puts sealed segments into a store, verifies, commits.

The spool's ``sealed`` folder is the queue: what lies there has not been shipped.  The
sender may die anywhere; the next one finds the same files and goes on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from recorder import telemetry
from recorder.attributes import attributes, content_type
from recorder.bmff.init import read_init
from recorder.errors import (
    DigestMismatch,
    IndexCorrupt,
    IntegrityError,
    MalformedMedia,
    RecorderError,
    StoreUnavailable,
)
from recorder.model.causes import Cause
from recorder.model.keys import parse_key
from recorder.model.media import Copy, Segment
from recorder.model.places import spool_of
from recorder.ports import Clock, Commits, ObjectStore
from recorder.segment.tail import of_file, own_footer
from recorder.ship.queue import Queue
from recorder.ship.settings import ShipSettings, ShipSpool
from recorder.spool.raw import load_sealed
from recorder.store.verify import verify_stored
from recorder.throttle import Throttle

log = logging.getLogger("recorder.ship")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Sender:
    """Ships from one spool to one store, with several threads."""

    def __init__(
        self,
        spool: ShipSpool,
        store: ObjectStore,
        commits: Commits,
        clock: Clock,
        settings: ShipSettings,
        admit: Callable[[], object],
        ready: Callable[[str], bool] = lambda _: True,
        cataloged: Callable[[str], Segment | None] = lambda _: None,
        mount: Callable[[], str | None] = lambda: "",
    ) -> None:
        """``ready`` says of a key whether it may be shipped yet.

        ``cataloged`` returns what was put into the catalog of a sealed file, if anything.
        ``mount`` names what the store lies on, at no cost, ``None`` when nothing is there: under
        a directory a disk can vanish between two writes.
        """
        self.spool, self.store, self.commits = spool, store, commits
        self.clock, self.settings = clock, settings
        self.admit, self.ready, self.cataloged, self.mount = admit, ready, cataloged, mount
        self._mounted: str | None = None
        self._known: dict[str, Segment] = {}
        self._queue = Queue(settings.newest_first)
        self._errors: dict[str, str] = {}
        self._wake = threading.Condition()
        self._stopping = False
        self._throttle = Throttle(clock, settings.budget_bps, lambda _: None)
        self._check_at = 0.0
        self._threads: list[threading.Thread] = []

    # -- queue -----------------------------------------------------------------------------

    def offer(self, key: str, segment: Segment | None = None) -> None:
        """Queue a sealed file, if it is ready."""
        if not self.ready(key):
            return
        parts = parse_key(key)
        start = parts.start if parts else 0
        with self._wake:
            if segment is not None:
                self._known[key] = segment
            if self._queue.add(key, start):
                self._wake.notify_all()  # one may be somebody who waits for the end

    def refresh(self) -> None:
        """Queue everything that lies unshipped in the spool and is ready."""
        with self._wake:
            queued = self._queue.keys
        for key, _ in self.spool.keys("sealed"):
            if key not in queued:
                self.offer(key)

    @property
    def waiting(self) -> int:
        """How many files wait."""
        return len(self._queue)

    @property
    def sending(self) -> frozenset[str]:
        """Which files are being sent now."""
        with self._wake:
            return self._queue.sending

    @property
    def last_error(self) -> str:
        """Why a file that still waits could not be sent, the last one; empty when all went."""
        with self._wake:
            return next(reversed(self._errors.values()), "")

    def start(self) -> None:
        """Start the threads."""
        for number in range(self.settings.workers):
            thread = threading.Thread(target=self._work, name=f"ship-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, patience_s: float) -> None:
        """Finish what is being sent, within so long altogether; leave the rest in the spool."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        until = self.clock.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - self.clock.monotonic()))

    def drain(self, patience_s: float) -> bool:
        """Wait until nothing is left to ship; false when it took too long or cannot be now."""
        until = self.clock.monotonic() + patience_s
        with self._wake:
            while self._queue and not self._queue.stuck and self.clock.monotonic() < until:
                self._wake.wait(0.1)
            return not self._queue

    def _work(self) -> None:
        while True:
            key = self._take()
            if key is None:
                return
            try:
                shipped = self._ship_or_set_aside(key)
            except RecorderError as exc:
                self._failed(key, exc)
            except OSError as exc:
                self._failed(key, StoreUnavailable(f"ship {key}: {exc}"))
            except Exception as exc:  # a thread that died would stop shipping, and say nothing
                log.exception("shipping failed unexpectedly", extra={"key": key})
                self._failed(key, RecorderError(f"ship {key}: {exc!r}"))
            else:
                with self._wake:
                    (self._queue.passed if shipped else self._queue.forget)(key)
                    self._errors.pop(key, None)
                    self._known.pop(key, None)
                    self._wake.notify_all()

    def _take(self) -> str | None:
        with self._wake:
            while not self._stopping:
                now = self.clock.monotonic()
                turn = self._throttle.wait_s
                key = self._queue.take(now) if turn <= 0 else None
                if key is not None:
                    return key
                wait = self._queue.wait_s(now)  # none: whoever offers something notifies
                self._wake.wait(None if wait is None else min(max(wait, turn, 0.05), 1.0))
            return None

    def _failed(self, key: str, exc: RecorderError) -> None:
        alone = isinstance(exc, IntegrityError)  # whatever the store does, it is this file
        now, jitter = self.clock.monotonic(), self.clock.jitter()
        with self._wake:
            news = self._queue.failed(key, now, jitter, alone=alone)
            self._errors.pop(key, None)
            self._errors[key] = str(exc)
            if not alone:
                self._check_at = 0.0  # the store was away: is it still the same one?
            self._wake.notify_all()
        if news:
            log.warning("shipping failed", extra={"key": key, "reason": str(exc)})
        telemetry.SHIP_FAILURES.labels(type(exc).__name__).inc()

    # -- one segment -----------------------------------------------------------------------

    def _ship_or_set_aside(self, key: str) -> bool:
        """Ship a sealed file; one that is not what was sealed is put aside, and that is said."""
        try:
            return self.ship(key)
        except (DigestMismatch, IndexCorrupt, MalformedMedia) as exc:
            path, place = self.spool.root / "sealed" / key, spool_of(self.settings.node)
            segment = self.cataloged(key)
            if segment is not None and _digest(path) == segment.digest:
                raise  # it is what was sealed; a newer release's, perhaps
            target = self.spool.quarantine(path, str(exc))
            said = {"key": key, "file": target.name, "reason": str(exc)}
            log.error("sealed file damaged, put aside", extra=said)
            telemetry.SPOOL_DAMAGED.inc()
            if segment is not None:
                self.commits.forget([Copy(segment, place)], Cause.LOST)
            return False

    def _load(self, path: Path, key: str) -> Segment:
        """Read a sealed file of an earlier process; it must still be what was sealed.

        Raises: ``IndexCorrupt``, ``DigestMismatch``.
        """
        segment, known = load_sealed(path, key), self.cataloged(key)
        if known is not None and known.digest != segment.digest:
            raise DigestMismatch(f"ship {key}: the spool's file is not what was sealed")
        return segment

    def ship(self, key: str) -> bool:
        """Put one sealed file into the store, verify it, commit it; safe to repeat.

        Returns false when it is not in the spool any more.
        """
        path = self.spool.root / "sealed" / key
        if not path.exists():
            return False
        self._check_store()
        if key.endswith("_end"):
            self.store.put(key, b"", "video/mp4", {})
            self.spool.shipped(key)
            return True
        segment = self._known.get(key) or self._load(path, key)
        etag = self._put(path, segment)
        self.commits.add_segment(segment, self.store.name, etag, self.clock.now())
        self.spool.shipped(key)
        telemetry.SHIPPED_BYTES.inc(segment.size_bytes)
        telemetry.SHIP_LAG.observe((self.clock.now() - segment.end) / 1e9)
        return True

    def commit_stored(self, key: str) -> bool:
        """Commit a sealed file that the store has already, if it has: a process died in between.

        Raises: ``StoreUnavailable`` when the store does not say; ``IntegrityError``.
        """
        path = self.spool.root / "sealed" / key
        if self.store.head(key) is None or not path.exists():
            return False
        segment = self._load(path, key)
        try:
            verify_stored(self.store, segment, read_back=self.settings.read_back)
        except StoreUnavailable:  # another's bytes, or half of ours
            return False
        self.commits.add_segment(segment, self.store.name, "", self.clock.now())
        self.spool.shipped(key)
        return True

    def _check_store(self) -> None:
        """Make sure, again and again, that this is the store the catalog knows."""
        now, mount = self.clock.monotonic(), self.mount()
        if now >= self._check_at or mount is None or mount != self._mounted:
            self.admit()
            self._mounted = mount  # as it was before: what came in its place is not proven
            self._check_at = now + self.settings.recheck_s

    def _put(self, path: Path, segment: Segment) -> str:
        if path.stat().st_size != segment.size_bytes:
            raise DigestMismatch(f"ship {segment.key}: the spool's file changed size")
        self._throttle.charge(segment.size_bytes)  # the next file waits for it
        with path.open("rb") as file:
            init = read_init(file.read(segment.init_bytes))
            footer = own_footer(of_file(file), segment.size_bytes, f"ship {segment.key}: the file")
        said = attributes(segment, init, footer.frames())
        etag = self.store.put_file(segment.key, path, content_type(segment), said)
        verify_stored(self.store, segment, read_back=self.settings.read_back)
        return etag
