"""Secrets of cameras in the catalog, and the keys that they are encrypted under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from recorder.model.timebase import Instant


class Keys(Protocol):
    """The keys that this node has; never shown."""

    @property
    def place(self) -> str:
        """Say where they are, for people."""

    def ids(self) -> tuple[str, ...]:
        """Name the keys there are.

        Raises: ``KeyMissing`` when they cannot be read.
        """

    def has(self, name: str) -> bool:
        """Tell whether a key is here; one that is not known is looked for."""

    def encrypt(self, name: str, secrets: Mapping[str, str], of: str) -> str:
        """Encrypt under a key that is here; ``of``: whose they are, needed to read them again."""

    def decrypt(self, cipher: str, of: str) -> dict[str, str] | None:
        """Decrypt; ``None`` when the key is not here, or they are not of that, or were changed."""

    def add(self) -> str:
        """Make a key beside those that are there, durably; return its name.

        Raises: ``KeyMissing`` where they are not ours to write.
        """


@dataclass(slots=True)
class SecretsSeen:
    """How the secrets in a catalog stand.

    ``key_id``: the key in force, empty while there is none; ``here``: whether this node has it.
    ``under``: how many secrets are under each key; ``plain``: how many under none.
    ``unreadable``: whose secrets this node cannot read.  ``wiped``: whether what the catalog's file
    held before they were encrypted under this key is overwritten.
    """

    key_id: str
    here: bool
    under: dict[str, int] = field(default_factory=dict)
    plain: int = 0
    unreadable: list[str] = field(default_factory=list)
    wiped: bool = True


class Secrets(Protocol):
    """What encrypts secrets in the catalog."""

    def cover(self, documents: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, object]]:
        """Return cameras' documents by name as they may be kept beside the catalog.

        Raises: ``KeyMissing``.
        """

    def uncover(
        self, documents: Mapping[str, Mapping[str, object]]
    ) -> dict[str, dict[str, object]]:
        """Return what :meth:`cover` made, with secrets; asks no catalog."""

    def refusal(self, body: Mapping[str, object]) -> str:
        """Say why a document's secrets cannot be stored now; empty when they can."""

    def begin(self, at: Instant) -> str:
        """Return the key in force; the first time one is made, or taken that is there.

        Raises: ``KeyMissing`` when this node does not have it.
        """

    def take(self, key_id: str, at: Instant) -> None:
        """Put another key in force: all that is written from now on is under it."""

    def ids(self) -> tuple[str, ...]:
        """Name the keys that this node has; none when they cannot be read."""

    def unused(self) -> str:
        """Name a key that is here and was never in force, made where none is.

        Raises: ``KeyMissing`` where they are not ours to write.
        """

    def settle(self, at: Instant) -> bool:
        """Encrypt under the key in force what is not yet, and wipe what was there before.

        In bounded transactions; may be stopped anywhere, and run again.  False when it is all done
        already.
        """

    def look(self) -> SecretsSeen:
        """Read all secrets, and say how they stand."""
