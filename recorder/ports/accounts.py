"""Accounts, what they show, and keys of other sites and nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.model.timebase import Instant


@dataclass(frozen=True, slots=True)
class Account:
    """A person or a service; its name is never given to another.

    ``kind``: ``user`` or ``service``; ``grants``: as documents; ``password``: its argon2id hash,
    empty while there is none; ``closed``: since when it is no more; ``identity``: who it is at
    the provider that vouches for it, empty for one of this site's own.
    """

    name: str
    kind: str
    grants: Sequence[Mapping[str, object]]
    created: Instant
    password: str = ""
    closed: Instant | None = None
    identity: str = ""

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.kind!r})"


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that was shown once, by its digest: a session, a token, an invitation.

    ``only``: what it is limited to, ``None``: to nothing.  It counts from ``created`` to
    ``expires``, unless it was ``ended`` before.
    """

    credential_id: str
    kind: str
    account: str
    digest: str
    created: Instant
    expires: Instant
    label: str = ""
    only: Sequence[str] | None = None
    address: str = ""
    used: Instant | None = None
    ended: Instant | None = None

    def counts(self, now: Instant) -> bool:
        """Tell whether it counts."""
        return now < self.expires and (self.ended is None or now < self.ended)

    def __repr__(self) -> str:
        return f"Credential({self.credential_id!r}, {self.kind!r}, {self.account!r})"


@dataclass(frozen=True, slots=True)
class Peer:
    """The public key (Ed25519, base64) of a site or a node.

    ``kind``: ``child``, ``parent`` or ``node``; ``ended``: since when it is cast out.
    """

    public_key: str
    kind: str
    name: str
    created: Instant
    ended: Instant | None = None


class Accounts(Protocol):
    """Persons and services."""

    def any(self) -> bool:
        """Tell whether there is, or ever was, an account."""

    def all(self) -> list[Account]:
        """Return all accounts, closed ones too, by name."""

    def get(self, name: str) -> Account | None:
        """Return an account, closed or not."""

    def by_identity(self, identity: str) -> Account | None:
        """Return the account of somebody whom a provider vouches for, closed or not."""

    def add(self, account: Account) -> bool:
        """Store a new account; false when its name or its identity is or was another's."""

    def put(self, account: Account, before: Account) -> bool:
        """Store grants, password and end of an account that is as ``before``; else false."""


class Credentials(Protocol):
    """What was shown once."""

    def by_digest(self, digest: str) -> Credential | None:
        """Return what has a digest, whether it counts or not."""

    def of(self, account: str | None = None, kind: str | None = None) -> list[Credential]:
        """Return those of an account, or of a kind, newest first."""

    def add(self, credential: Credential) -> None:
        """Store a new one."""

    def use(self, credential_id: str, at: Instant) -> None:
        """Note that it was used."""

    def use_up(self, credential_id: str, at: Instant) -> bool:
        """End one that counts once; true for the one who did."""

    def end(self, credential_id: str, at: Instant) -> bool:
        """End one, at once or at a later instant; false when there is none that still counts."""

    def end_all(self, account: str, at: Instant, but: str = "") -> int:
        """End those of an account but one; return how many."""

    def sweep(self, before: Instant) -> None:
        """Forget those that count no more since an instant."""


class Peers(Protocol):
    """Keys of other sites and nodes."""

    def all(self) -> list[Peer]:
        """Return all keys, by name; those that were cast out, too."""

    def get(self, public_key: str) -> Peer | None:
        """Return what is known of a key."""

    def add(self, peer: Peer) -> None:
        """Store a key; one that is there stays as it is."""

    def end(self, kind: str, name: str, at: Instant) -> int:
        """Cast all keys of a site or node out; return how many."""
