"""Exports: bundles that people asked for."""

from __future__ import annotations

from typing import Protocol

from recorder.model.exports import Export


class Exports(Protocol):
    """Exports, and how far each is."""

    def add(self, export: Export) -> None:
        """Store a new one."""

    def get(self, export_id: str) -> Export | None:
        """Return one, whatever became of it."""

    def all(self) -> list[Export]:
        """Return all, the newest first."""

    def present(self) -> list[Export]:
        """Return those of which something is to be done yet, the newest first."""

    def counts(self) -> dict[str, int]:
        """Return how many there are, by state."""

    def change(self, export: Export, before: Export) -> bool:
        """Store how far one is; false when another was faster, and it stays.

        It is as it was when state, node and term are.
        """

    def drop(self, export_id: str) -> None:
        """Forget one."""
