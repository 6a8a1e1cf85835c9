"""The way of footage out of the door: from file to socket in the kernel, where it can.

A body of blocks (:mod:`recorder.reading.extent`) is written by a thread straight to the
connection's socket: extents by ``sendfile(2)``, nothing is copied here and nothing is kept.
A thread stays with a client as long as that takes what it is given; one that is slow is waited
for by the event loop, and holds no thread.  The loop itself never touches a file: it records.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from recorder.api.connections import PatientProtocol
from recorder.reading.extent import BLOCK, Blocks, Extent
from recorder.threads import Pool

EXTENSION, ENDS = "spanstore.outlet", "spanstore.ends"
"""The socket to write to, where it is not encrypted here; what ends a connection at once."""
STAY_MS = 20
"""So long a thread waits for a client, when no other does: less than it takes to come back."""
STALLED_S = 300
"""A client that takes nothing for so long is let go; it can ask for the rest (``Range``)."""
LOOK_S = 1.0
SENDING = threading.Semaphore(2)
"""So many threads hand files to the kernel at a time: with 16 at it the event loop, and with it
every small answer, waited longer for a core, and no more was sent."""
HANGS_S = 1.0
"""A file that hangs (a store's server does not answer) keeps others waiting no longer."""


class Client(Protocol):
    """Who is being sent a body."""

    def waits(self) -> None:
        """Note that it is waited for."""

    def took(self) -> None:
        """Note that it has taken more."""


class DoorProtocol(PatientProtocol):
    """A connection whose requests may write to its socket; not where it is encrypted here."""

    def on_headers_complete(self) -> None:
        """Begin a request."""
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            extensions: dict[str, Any] = {ENDS: self.transport.abort}
            if self.scheme == "http":
                extensions[EXTENSION] = Outlet(self.cycle, self.flush)
            self.scope["extensions"] = extensions


class Outlet:
    """The socket behind a request whose answer has begun."""

    def __init__(self, cycle: RequestResponseCycle, flush: Callable[[], None]) -> None:
        """``flush`` has the head written."""
        self._cycle, self._flush = cycle, flush

    async def send(self, source: Blocks, pool: Pool, client: Client) -> None:
        """Write a body, and take note of its length; the answer's end is still to be said.

        ``client`` is told when it is waited for, and when it has taken more, from any thread.
        Raises: what ``source`` raises; the answer is cut short then.
        """
        cycle, transport = self._cycle, self._cycle.transport
        self._flush()
        transport.set_write_buffer_limits(0)
        await cycle.flow.drain()  # the head is out: from now on the socket is ours
        transport.set_write_buffer_limits()
        if cycle.disconnected or transport.is_closing():
            source.close()
            return
        sending = _Sending(
            os.dup(transport.get_extra_info("socket").fileno()), source, cycle, client
        )
        try:
            while not await pool.run(sending.go_on, pool):
                await self._writable(sending)
        finally:
            sending.leave()
        cycle.expected_content_length -= sending.sent
        if sending.gone:
            cycle.disconnected = True
            transport.abort()

    async def _writable(self, sending: _Sending) -> None:
        """Wait until a client takes more, or is gone."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        sending.client.waits()
        loop.add_writer(sending.handle, ready.set)
        try:
            for _ in range(int(STALLED_S / LOOK_S)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ready.wait(), LOOK_S)
                    return
                if sending.left_alone:
                    return
            sending.gone = True
        finally:
            loop.remove_writer(sending.handle)


class _Sending:
    """One body on its way, gone on with by one thread after the other."""

    def __init__(
        self, handle: int, source: Blocks, cycle: RequestResponseCycle, client: Client
    ) -> None:
        self.handle, self.source, self._cycle, self.client = handle, source, cycle, client
        self.sent = 0
        self.gone = False
        """The client went away, or takes nothing any more."""
        self._over = False
        """Nobody waits for the end of this."""
        self._block: Extent | memoryview | None = None
        self._lock = threading.Lock()
        self._busy = False
        self._ready = select.poll()
        self._ready.register(handle, select.POLLOUT)

    @property
    def left_alone(self) -> bool:
        """Whether nobody wants the rest."""
        self.gone = self.gone or self._cycle.transport.is_closing()
        return self.gone or self._over

    def go_on(self, pool: Pool) -> bool:
        """Write as long as the client takes it; true when there is no more to be done."""
        with self._lock:
            if self._over:
                return True
            self._busy = True
        try:
            return self._write_all(pool)
        except (ConnectionError, TimeoutError):
            self.gone = True
            return True
        finally:
            with self._lock:
                self._busy = False
                if self._over:
                    self._close()

    def leave(self) -> None:
        """End this: now, or when the thread that is in it comes out."""
        with self._lock:
            self._over = True
            if not self._busy:
                self._close()

    def _close(self) -> None:
        os.close(self.handle)
        self.source.close()

    def _write_all(self, pool: Pool) -> bool:
        before = self.sent
        while not self.left_alone:
            if self._block is None:
                if pool.waiting and self.sent > before:
                    return False  # another client's turn
                given = next(self.source, None)
                if given is None:
                    return True
                self._block = given if isinstance(given, Extent) else memoryview(given)
            try:
                self._write(self._block)
            except BlockingIOError:
                if not self._ready.poll(0 if pool.waiting else STAY_MS):
                    return False
        return True

    def _write(self, block: Extent | memoryview) -> None:
        """Write a block, or what there is of it."""
        if isinstance(block, Extent):
            entered = SENDING.acquire(timeout=HANGS_S)
            try:
                block.take(self._pass)
            finally:
                if entered:
                    SENDING.release()
        while isinstance(block, memoryview) and block:
            count = os.write(self.handle, block)
            self.sent += count
            self.client.took()
            self._block = block = block[count:]
        self._block = None

    def _pass(self, at: int, end: int) -> int:
        """Write some of the present extent; say how much."""
        assert isinstance(self._block, Extent)  # noqa: S101 - it calls this
        try:
            count = os.sendfile(self.handle, self._block.handle, at, end - at)
        except (BlockingIOError, ConnectionError, TimeoutError):
            raise
        except OSError:  # a file that cannot be sent so; or not read
            count = self._copy(self._block, at, end)
        self.sent += count
        self.client.took()
        return count

    def _copy(self, extent: Extent, at: int, end: int) -> int:
        try:
            block = os.pread(extent.handle, min(end - at, BLOCK), at)
        except OSError as exc:
            extent.problem = exc
            return 0
        return os.write(self.handle, block) if block else 0
