"""One segment on its way to the parent: whole, or its clean points alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from recorder.errors import NotThinnable, SiteUnreachable
from recorder.janitor.thin import MOST_WHOLE
from recorder.model.media import Segment
from recorder.model.places import PARENT, seen_through
from recorder.ports import Clock, Commits
from recorder.sites.remote import RemoteSite
from recorder.throttle import Throttle

log = logging.getLogger("recorder.sites")

BLOCK = 1 << 18


class Sending:
    """Sends segments; every method may fail and be called again."""

    def __init__(
        self,
        parent: RemoteSite,
        commits: Commits,
        clock: Clock,
        throttle: Throttle,
        read: Callable[[Segment, int, int], Iterator[bytes]],
        make_thin: Callable[[Segment], tuple[Path, Segment]],
    ) -> None:
        self._parent, self._commits, self._clock, self._throttle = parent, commits, clock, throttle
        self._read, self._make_thin = read, make_thin
        self._sent_thin: dict[str, Segment] = {}
        self._whole: set[str] = set()
        self._checked: set[str] = set()

    def begin_anew(self) -> None:
        """Forget what was said of another parent."""
        self._sent_thin, self._checked = {}, set()

    def send_whole(self, segment: Segment) -> bool:
        """Send one segment, from where it stands; true when the parent's store has it."""
        return self._send(segment, lambda offset, left: self._read(segment, offset, left))

    def send_clean(self, original: Segment) -> bool:
        """Send the clean points of a segment, as a thin one."""
        sent = self._sent_thin.get(original.key)
        if sent is not None and self._parent.standing(sent.key, sent.digest)[1]:
            del self._sent_thin[original.key]
            return self.send_whole(sent)  # it is there
        if original.key in self._whole:
            return False
        try:
            path, segment = self._make_thin(original)
        except NotThinnable as exc:  # the others do not wait for it
            if len(self._whole) >= MOST_WHOLE:
                self._whole.clear()
            self._whole.add(original.key)
            log.warning("not sent", extra={"key": original.key, "reason": str(exc)})
            return False
        try:
            done = self._send(segment, lambda offset, left: read_file(path, offset, left))
        finally:
            path.unlink(missing_ok=True)
        if not done:
            self._sent_thin[original.key] = segment
        return done

    def _send(self, segment: Segment, read: Callable[[int, int], Iterator[bytes]]) -> bool:
        offset, place = self._parent.standing(segment.key, segment.digest)
        key, left = segment.key, segment.size_bytes - offset
        if place:
            self._checked.discard(key)
            self._commits.add_segment(segment, seen_through(PARENT, place), "", self._clock.now())
            return True
        if left > 0 or key not in self._checked:  # with nothing left it may still be unchecked
            body = self._paced(read(offset, left)) if left > 0 else iter(())
            at = min(offset, segment.size_bytes)
            if self._parent.send(key, at, segment.size_bytes, segment.digest, body):
                if len(self._checked) >= MOST_WHOLE:
                    self._checked.clear()  # they are asked for once more
                self._checked.add(key)
        return False  # the parent's store is asked for it the next time

    def _paced(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Let bytes through no faster than the budget."""
        for whole in blocks:
            for i in range(0, len(whole), BLOCK):
                block = whole[i : i + BLOCK]
                if not self._throttle.take(len(block)):
                    raise SiteUnreachable("sending was broken off")
                yield block


def read_file(path: Path, offset: int, length: int) -> Iterator[bytes]:
    """Yield bytes of a file, in blocks."""
    with path.open("rb") as file:
        file.seek(offset)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block
