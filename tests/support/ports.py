"""Free loopback ports, and waiting for a condition with a deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def free_port() -> int:
    """Ask the system for a free port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(look: Callable[[], T], deadline_s: float, what: str) -> T:
    """Look again and again until the answer is truthy; fail after the deadline."""
    end = time.monotonic() + deadline_s
    last: object = None
    while time.monotonic() < end:
        try:
            found = look()
        except (OSError, KeyError, IndexError, StopIteration) as exc:
            last = exc
        else:
            if found:
                return found
            last = found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {deadline_s:g} s (last seen: {last!r})")
