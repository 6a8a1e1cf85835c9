"""Medians and percentiles of repeated calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Time a call again and again; sorted."""
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return sorted(taken)


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def p99(values: list[float]) -> float:
    """The value that 99 of 100 stay below."""
    return values[min(len(values) - 1, int(len(values) * 0.99))]
