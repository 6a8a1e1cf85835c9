"""Free loopback ports, waiting with a deadline, and a process's clock set wrong."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from recorder.demo.ports import LOWEST, is_free

__all__ = ["clock_moved", "free_port", "until"]

T = TypeVar("T")

FIRST, WORKERS = 10_000, 16
"""Ports from here to those of the demos are tests' own, a part of them each worker's."""
LONGEST_S = 0.5
"""Who waits for long looks again after so long: to look costs CPU that is waited for."""


def _own_ports() -> Iterator[int]:
    """Yield the ports of this worker, again and again, from somewhere among them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    count = (LOWEST - FIRST) // WORKERS
    begin = random.randrange(count)  # others may run these tests at the same time
    for number in itertools.count(begin):
        yield FIRST + worker * count + number % count


_PORTS = _own_ports()


def free_port() -> int:
    """Find a free port that no other test is about to listen at: none is given twice in a row."""
    return next(port for port in _PORTS if is_free(port))


def until(look: Callable[[], T], deadline_s: float, what: str) -> T:
    """Look again and again until the answer is truthy; fail after the deadline.

    A long wait looks less often, and no more than half of it is spent on looking.
    """
    begin = before = time.monotonic()
    last: object = None
    while before < begin + deadline_s:
        try:
            found = look()
        except (OSError, KeyError, IndexError, StopIteration) as exc:
            last = exc
        else:
            if found:
                return found
            last = found
        after = time.monotonic()
        time.sleep(max(0.05, min(LONGEST_S, (after - begin) / 12), after - before))
        before = time.monotonic()
    raise AssertionError(f"{what}: not within {deadline_s:g} s (last seen: {last!r})")


def clock_moved(shift: str) -> dict[str, str]:
    """Give the environment in which a process sees the clock moved, like ``+3600s``."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
