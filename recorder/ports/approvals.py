"""What people ask others to approve."""

from __future__ import annotations

from typing import Protocol

from recorder.access.approvals import Request, State
from recorder.model.timebase import Instant


class Approvals(Protocol):
    """Requests, and what became of them."""

    def add(self, request: Request) -> None:
        """Store a new request."""

    def get(self, request_id: str) -> Request | None:
        """Return a request, over or not."""

    def all(self) -> list[Request]:
        """Return all requests, the newest first."""

    def of(self, who: str, state: State, now: Instant) -> list[Request]:
        """Return those of somebody in a state whose time is not over."""

    def decide(self, decided: Request, before: State) -> bool:
        """Store what became of a request; false when another was faster, and it stays."""

    def sweep(self, before: Instant) -> None:
        """Forget those whose time was over before an instant."""
