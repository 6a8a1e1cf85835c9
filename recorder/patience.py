"""Questions to the catalog that are not waited for without end: it may hang."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

from recorder.errors import CatalogUnavailable, NoThread
from recorder.threads import in_thread

T = TypeVar("T")


class Patience:
    """Asks what may hang, one question at a time, and waits no longer than ``patience_s``."""

    def __init__(self, name: str, patience_s: float) -> None:
        self.name, self.patience_s = name, patience_s
        self._asked: asyncio.Future[object] | None = None

    @property
    def is_owed(self) -> bool:
        """Whether a question still waits for its answer."""
        return self._asked is not None and not self._asked.done()

    async def ask(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what ``work`` returns.

        Raises: ``CatalogUnavailable`` when that takes too long, or an earlier question still
        waits for its answer; what ``work`` raises.
        """
        if self.is_owed:
            raise CatalogUnavailable(f"{self.name}: the catalog has not answered yet")
        asked = in_thread(self.name, work, *arguments)
        self._asked = cast("asyncio.Future[object]", asked)
        asked.add_done_callback(_heard)
        done, _ = await asyncio.wait({asked}, timeout=self.patience_s)
        if not done:
            raise CatalogUnavailable(f"{self.name}: no answer within {self.patience_s:.3g} s")
        try:
            return asked.result()
        except NoThread as exc:
            raise CatalogUnavailable(f"{self.name}: {exc}", hint=exc.hint) from exc


def _heard(asked: asyncio.Future[T]) -> None:
    """Take note of an answer that came too late."""
    if not asked.cancelled():
        asked.exception()
