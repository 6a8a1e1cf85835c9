"""Asking several that may hang at once, each in a thread of its own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import Generic, TypeVar

from recorder.errors import NoThread
from recorder.threads import give, settle

A = TypeVar("A")
T = TypeVar("T")


class SideBySide(Generic[A, T]):
    """Asks several at once, and waits no longer than for one; each has one question at a time.

    Who hangs is asked nothing more until it has answered, whoever wants to know: it costs one
    thread, not one for each who asks.
    """

    def __init__(self, name: str, ask: Callable[[A], T]) -> None:
        """``ask`` puts the question to one, in a thread called ``name``."""
        self.name, self._ask = name, ask
        self._lock = threading.Lock()
        self._open: weakref.WeakKeyDictionary[A, Future[T]] = weakref.WeakKeyDictionary()

    def ask(self, whom: Mapping[str, A], patience_s: float) -> dict[str, T]:
        """Return the answers that came within ``patience_s``, by name; raise what asking raised.

        Who cannot be asked for want of a thread has not answered.
        """
        all_ = {name: self._asked(one) for name, one in whom.items()}
        asked = {name: one for name, one in all_.items() if one is not None}
        done, _ = wait(asked.values(), patience_s)
        return {name: one.result() for name, one in asked.items() if one in done}

    def _asked(self, one: A) -> Future[T] | None:
        with self._lock:
            known = self._open.get(one)
            if known is not None and not known.done():
                return known
            future: Future[T] = Future()
            self._open[one] = future

        try:
            give(self.name, partial(settle, future, self._ask, one))
        except NoThread:
            with self._lock:  # else nobody would ask it again
                self._open.pop(one, None)
            return None
        return future
