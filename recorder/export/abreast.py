"""Work on several things at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def side_by_side(
    most: int, work: Callable[[T], R], things: Iterable[T]
) -> Iterator[list[Future[R]]]:
    """Do work on things, so many at a time; what has not begun is left when something fails."""
    with ThreadPoolExecutor(most, thread_name_prefix="bundle") as pool:
        try:
            yield [pool.submit(work, one) for one in things]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
