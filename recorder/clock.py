"""The machine's clock and dice: the only place that reads them."""

from __future__ import annotations

import ctypes
import random
import time
import uuid


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
    status = ctypes.cast(ctypes.byref(facts, 5 * ctypes.sizeof(ctypes.c_long)),
                         ctypes.POINTER(ctypes.c_int)).contents.value  # fmt: skip
    if state < 0 or state == TIME_ERROR or status & STA_UNSYNC:
        return None
    return time.time_ns()


def new_id() -> str:
    """Make an identity that nothing else has."""
    return str(uuid.uuid4())
