"""Answers of footage: how many at once, and how each is sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from typing import TypeVar, cast

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from recorder import telemetry
from recorder.api.connections import Deadline
from recorder.api.outlet import ENDS, EXTENSION, STALLED_S, Outlet
from recorder.errors import UnavailableError
from recorder.export.prepared import Prepared
from recorder.model.counting import number_of
from recorder.reading.extent import Blocks, read_blocks
from recorder.threads import Pool

log = logging.getLogger("recorder.api")
T = TypeVar("T")

MOST = 128
"""Each takes up to four descriptors; of the 1024 there are by default, recording needs most."""
THREADS = 16
"""For clients that take what they get, and for bytes that come from afar."""


SLOW_S = 10.0
"""Who has taken nothing for so long makes room for who asks."""


class Taking:
    """A client that is being sent footage: since when it is waited for, and what ends that."""

    def __init__(self, ends: Callable[[], None] | None) -> None:
        self.ends = ends
        self._since_s: float | None = None

    def waits(self) -> None:
        """Note that it is waited for, and neither a file nor a store."""
        if self._since_s is None:
            self._since_s = time.monotonic()

    def took(self) -> None:
        """Note that it takes what it is given."""
        self._since_s = None

    @property
    def waited_s(self) -> float:
        """For how long it has taken nothing."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s


class Readers:
    """Those who are being sent footage, and what they asked for last."""

    def __init__(self) -> None:
        self.pool = Pool("readers", THREADS)
        self.prepared = Prepared()
        self.taking: set[Taking] = set()

    @property
    def count(self) -> int:
        """How many are being sent footage."""
        return len(self.taking)

    def _makes_room(self) -> bool:
        """End the connection of the one that has taken nothing for the longest, if for long."""
        slowest = max(self.taking, key=lambda one: one.waited_s)
        if slowest.waited_s < SLOW_S or slowest.ends is None:
            return False
        self.taking.discard(slowest)
        log.warning("answer broken off, its client takes nothing and others ask")
        telemetry.READERS_DROPPED.inc()
        slowest.ends()
        return True

    def admit(self) -> None:
        """Let another one in; the slowest makes room.

        Raises: ``UnavailableError`` when there are too many.
        """
        if self.count >= MOST and not self._makes_room():
            raise UnavailableError(
                f"{number_of(self.count, 'client is', 'clients are')} being sent footage, "
                "which is the most at once",
                hint="ask again when some are done",
            )

    def close(self) -> None:
        """Let the threads end."""
        self.pool.close()


class _Given:
    """What is to be sent, block by block; closed also where a client went away in between."""

    def __init__(self, source: Blocks) -> None:
        self._source, self._blocks = source, read_blocks(source)
        self._left = False

    def read(self) -> bytes:
        """Return the next block, none at the end; in a thread."""
        try:
            return next(self._blocks, b"")
        finally:
            if self._left:
                self.close()

    def close(self) -> None:
        """Close it now, or as soon as the thread that reads it comes out."""
        self._left = True
        with contextlib.suppress(ValueError):  # a thread is in it, and will look
            self._blocks.close()
            self._source.close()


class Footage(Response):
    """An answer whose bytes are footage; its length stands in its headers."""

    def __init__(
        self, source: Blocks, readers: Readers, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(None, status, headers, "video/mp4")
        self.source, self.readers = source, readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it: straight to the socket where the server offers it, else block by block."""
        extensions = scope.get("extensions", {})
        outlet: Outlet | None = extensions.get(EXTENSION)
        taking = Taking(extensions.get(ENDS))
        self.readers.taking.add(taking)
        try:
            with telemetry.READERS.track_inprogress():
                if outlet is None:
                    with contextlib.closing(_Given(self.source)) as given:
                        await self._by_blocks(given, taking)(scope, receive, send)
                    return
                start = {"status": self.status_code, "headers": self.raw_headers}
                await send({"type": "http.response.start", **start})
                await outlet.send(self.source, self.readers.pool, taking)
                await send({"type": "http.response.body", "body": b""})
        finally:
            self.readers.taking.discard(taking)

    def _by_blocks(self, given: _Given, taking: Taking) -> StreamingResponse:
        async def blocks() -> AsyncIterator[bytes]:
            stalled = Deadline(asyncio.get_running_loop())
            try:
                while block := await self.readers.pool.run(given.read):
                    taking.waits()
                    if taking.ends is not None:
                        stalled.set(STALLED_S, taking.ends)
                    yield block
                    stalled.lift()
                    taking.took()
            finally:
                stalled.end()

        return StreamingResponse(blocks(), self.status_code, self.headers)


def first_checked(
    source: Generator[T, None, None], close: Callable[[], None]
) -> Generator[T, None, None]:
    """Have the first block before answering, so that missing bytes are an error, not a 200.

    A later failure breaks the connection off: the client sees fewer bytes than promised,
    never a short file that looks whole.
    """
    try:
        first = next(source, None)
    except BaseException:
        close()
        raise

    def rest() -> Generator[T, None, None]:
        try:
            yield cast("T", None)  # taken below
            if first is not None:
                yield first
                yield from source
        finally:
            source.close()
            close()

    begun = rest()
    next(begun)  # closed before that, it would end without its last lines
    return begun
