"""A connection on which an answer's head leaves with the first of its body.

By itself each is a call of the kernel, a packet, and something that wakes the client.
"""

from __future__ import annotations

import asyncio

SMALL = 1 << 16
"""More of a body is not copied to have it join a head."""


class Joined(asyncio.Transport):
    """A transport that keeps a head until something follows, or nothing does at once."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._inner, self._loop = inner, loop
        self._comes = False
        self._head = b""

    def head_comes(self) -> None:
        """Know that what is written next is a head."""
        self._comes = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, or keep a head."""
        if self._comes:
            self._comes = False
            self.flush()
            self._head = bytes(data)
            self._loop.call_soon(self.flush)
        elif self._head and len(data) <= SMALL:
            head, self._head = self._head, b""
            self._inner.write(head + data)
        else:
            self.flush()
            self._inner.write(data)

    def flush(self) -> None:
        """Write a head that was kept."""
        if self._head:
            head, self._head = self._head, b""
            self._inner.write(head)

    def close(self) -> None:
        """Close, when all is written."""
        self.flush()
        self._inner.close()

    def abort(self) -> None:
        """Close at once."""
        self._head = b""
        self._inner.abort()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or about to be."""
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return what is known of the connection."""
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read nothing for now."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._inner.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say how much may wait to be written."""
        self._inner.set_write_buffer_limits(high, low)
