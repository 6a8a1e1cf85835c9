"""Who asks, from where and for what: access decides about it, the audit log keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CallerKind(StrEnum):
    """What a caller is."""

    USER = "user"
    SERVICE = "service"
    SITE = "site"
    NODE = "node"
    MACHINE = "machine"
    """A command on the node itself: file permissions are its proof."""
    NOBODY = "nobody"
    """Has shown nothing; on loopback without access control, everybody."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    ``name``: the user's, service's, site's or node's.  ``address``: of the connection, without
    its port; empty on the machine.  ``session``: an id of the login or token that was shown,
    never its secret.  ``purpose``: what the caller says it is for.
    """

    kind: CallerKind
    name: str = ""
    address: str = ""
    session: str = ""
    purpose: str = ""

    def __str__(self) -> str:
        """Return it as logs and answers name it, like ``user:ana``."""
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value
