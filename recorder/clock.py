"""The machine's clock and dice: the only place that reads them."""

from __future__ import annotations

import ctypes
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from recorder.errors import CatalogUnavailable
from recorder.ports import Clock

SITE_CLOCK_S = 10.0
"""How often the shared clock is asked."""


class SystemClock:
    """A :class:`recorder.ports.Clock` on the real world."""

    def now(self) -> int:
        """Return ns since the Unix epoch, UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds that never step."""
        return time.monotonic()

    def jitter(self) -> float:
        """Return a number in ``[0, 1)`` to spread retries with."""
        return random.random()  # noqa: S311 - spreads retries, guards nothing


class SiteClock:
    """The time that all nodes of a site share: their database's, where it has a clock.

    What nodes compare with one another (leases, signs of life) is kept by it, so that a node
    whose clock is off neither takes what is another's nor is taken for dead.  While the database
    is away, the last known offset counts.
    """

    def __init__(self, own: Clock, ask: Callable[[], int | None]) -> None:
        """``ask`` returns the shared time, ``None`` where there is none but this machine's."""
        self._own, self._ask = own, ask
        self._offset = 0
        self._asked_at = -SITE_CLOCK_S

    def now(self) -> int:
        """Return ns since the Unix epoch, UTC."""
        if self._own.monotonic() - self._asked_at >= SITE_CLOCK_S:
            self._compare()
        return self._own.now() + self._offset

    def monotonic(self) -> float:
        """Return seconds that never step."""
        return self._own.monotonic()

    def jitter(self) -> float:
        """Return a number in ``[0, 1)`` to spread retries with."""
        return self._own.jitter()

    @property
    def own_offset_ns(self) -> int:
        """How far this machine's clock is ahead of the shared one; below zero: behind."""
        return -self._offset

    def _compare(self) -> None:
        self._asked_at = self._own.monotonic()
        before = self._own.now()
        try:
            shared = self._ask()
        except CatalogUnavailable:
            return
        if shared is not None:  # asked half way between
            self._offset = shared - (before + self._own.now()) // 2


TIME_ERROR = 5
STA_UNSYNC = 0x0040
"""Set while no time service keeps the kernel's clock right.  Source: adjtimex(2)."""


def synchronized_time() -> int | None:
    """Return the kernel's time if a time service keeps it right, else ``None``.

    Units: ns since the Unix epoch, UTC.  Source: adjtimex(2), which needs no rights to read.
    """
    facts = (ctypes.c_long * 64)()  # struct timex, with room to spare; modes = 0: only read
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(facts))
    except (OSError, AttributeError):
        return None
    status = ctypes.cast(
        ctypes.byref(facts, 5 * ctypes.sizeof(ctypes.c_long)), ctypes.POINTER(ctypes.c_int)
    ).contents.value
    if state < 0 or state == TIME_ERROR or status & STA_UNSYNC:
        return None
    return time.time_ns()


def is_own_address(host: str) -> bool:
    """Tell whether a host is this machine, as far as its addresses say; no name is a socket here.

    A container of this machine has an address of its own.
    """
    try:
        found = socket.getaddrinfo(host or "localhost", 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, _, address in found:
        with suppress(OSError), socket.socket(family, kind, protocol) as tried:
            tried.bind(address)  # what is not an address of this machine is refused
            return True
    return False


def new_id() -> str:
    """Make an identity that nothing else has."""
    return str(uuid.uuid4())


def chance(size: int) -> bytes:
    """Return bytes that nobody can guess, for secrets."""
    return os.urandom(size)
