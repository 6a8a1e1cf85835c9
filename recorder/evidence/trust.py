"""Whom a verifier trusts, and what it may rely on while it looks at who signed, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recorder.evidence.opened import Bundle
from recorder.model.timebase import Instant

Read = Callable[[Bundle, str], bytes]
"""Reads a small file of a bundle.  Raises: ``OSError``."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Whom the verifier trusts, besides the site's key: certificates in PEM; empty: nobody told.

    ``organisation``: CAs that are to have issued the certificate of who signed; ``timestamp``:
    those that are to have issued the certificate of the authority that stamped it.
    """

    organisation: bytes = b""
    timestamp: bytes = b""


@dataclass(frozen=True, slots=True)
class When:
    """When a bundle was signed; ``proven``: by somebody else than who signed it."""

    at: Instant
    proven: bool = False
