"""Vouching for what leaves the site: an entry of its own in the log, and the proof of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization

from recorder.audit.tiles import WIDTH
from recorder.audit.tree import HashOf, inclusion, node_hash, root, split
from recorder.errors import StateError
from recorder.evidence.included import ACTION, write_proof
from recorder.evidence.manifest import CHECKPOINT, ENTRY, PROOF
from recorder.logbook.keys import Signer
from recorder.logbook.press import Press
from recorder.logbook.shelf import Shelf
from recorder.ports import AskedEntries, AuditLog, LoggedEntry, LogState, ObjectStore

TRIES = 8
"""Another process may sign between our entry and our asking for its place."""


class VouchCatalog(Protocol):
    """The parts of the catalog that vouching uses."""

    audit_log: AuditLog


@dataclass(frozen=True, slots=True)
class SiteVoucher:
    """The site, as it vouches for a bundle.  ``note`` writes an entry of an action."""

    catalog: VouchCatalog
    press: Press
    store: Callable[[], ObjectStore]
    note: Callable[[str, dict[str, Any]], None]

    @property
    def public_pem(self) -> bytes:
        """The public key."""
        return public_pem(self.press.signer())

    def sign(self, text: bytes) -> bytes:
        """Sign with the key that signs the log."""
        return self.press.signer().sign(text)

    def log(self, manifest_sha256: str) -> dict[str, bytes]:
        """Write that a bundle was made; return its entry, the proof, the signed checkpoint.

        Raises: ``StateError`` when this node does not sign the log; ``AuditUnavailable``.
        """
        self.note(ACTION, {"manifest_sha256": manifest_sha256})
        state, entry = self._placed(manifest_sha256)
        leaf = entry.leaf
        assert leaf is not None  # noqa: S101 - it was given its place
        path = inclusion(leaf, state.size, hashes_in(Shelf(self.store(), state.origin), state.size))
        return {
            ENTRY: entry.raw,
            PROOF: write_proof(state.origin, leaf, state.size, path),
            CHECKPOINT: state.checkpoint.encode(),
        }

    def _placed(self, manifest_sha256: str) -> tuple[LogState, LoggedEntry]:
        """Sign until the entry is below a checkpoint."""
        met: StateError | None = None
        for _ in range(TRIES):
            try:
                state = self.press.publish()
            except StateError as exc:  # somebody else signed meanwhile; or this node may not
                met = exc
                continue
            entry = self._entry(manifest_sha256)
            if entry is not None and entry.leaf is not None and entry.leaf < state.size:
                return state, entry
        raise met or StateError("the audit log: the entry of the bundle was not given its place")

    def _entry(self, manifest_sha256: str) -> LoggedEntry | None:
        for one in self.catalog.audit_log.search(AskedEntries(action=ACTION), 100):
            if json.loads(one.raw)["details"].get("manifest_sha256") == manifest_sha256:
                return one
        return None


def public_pem(signer: Signer) -> bytes:
    """Write a key's public half as ``openssl`` reads it."""
    return signer.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hashes_in(shelf: Shelf, size: int) -> HashOf:
    """Answer for ranges of a log's leaves from its tiles."""

    def hash_of(start: int, end: int) -> bytes:
        length = end - start
        if length & (length - 1) or start % length:
            middle = start + split(length)
            return node_hash(hash_of(start, middle), hash_of(middle, end))
        level, rest = divmod(length.bit_length() - 1, 8)
        first, there = start >> 8 * level, size >> 8 * level
        number, offset = divmod(first, WIDTH)
        hashes = shelf.tile(level, number, min(WIDTH, there - number * WIDTH))
        return root(hashes[offset : offset + (1 << rest)])

    return hash_of
