"""Versioned documents, and the identities that stores must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recorder.model.timebase import Instant
from recorder.model.versions import ANY, Expected


@dataclass(frozen=True, slots=True)
class Document:
    """A versioned document with author and time."""

    kind: str
    version: int
    body: Mapping[str, Any]
    author: str
    at: Instant


class Documents(Protocol):
    """Versioned documents, by kind."""

    def newest(self, kind: str) -> Document | None:
        """Return the newest version of a document."""

    def put(
        self,
        kind: str,
        body: Mapping[str, object],
        author: str,
        at: Instant,
        expected: Expected = ANY,
    ) -> Document:
        """Store a new version of a document.

        Raises: ``StaleVersion`` when the newest is not the one expected.
        """


class Identities(Protocol):
    """Which store, or which other site, is meant by a name."""

    def names_of(self, identity: str) -> list[str]:
        """Return the names that an identity was registered for."""

    def of(self, name: str) -> str | None:
        """Return the identity a store must show, once it has been registered."""

    def register(self, name: str, identity: str, *, replace: bool = False) -> str:
        """Remember a store's identity unless one is known; return the one that holds."""

    def forget(self, name: str) -> None:
        """Let a name mean whatever shows itself by it next."""
