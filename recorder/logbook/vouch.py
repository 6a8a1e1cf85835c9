"""Vouching for what leaves the site: an entry of its own in the log, and the proof of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives import serialization

from recorder.audit.tiles import hashes_in
from recorder.audit.tree import hashes_of, inclusion, leaf_hashes
from recorder.errors import StateError
from recorder.evidence.chain import ACTION as SEALED
from recorder.evidence.chain import head_of, read_link
from recorder.evidence.chained import Run, name_of, write_runs
from recorder.evidence.included import ACTION, write_proof
from recorder.evidence.manifest import CHECKPOINT, ENTRY, PROOF
from recorder.evidence.path import Path
from recorder.logbook.keys import Signer
from recorder.logbook.press import Press
from recorder.logbook.sealed import SealedLog
from recorder.logbook.shelf import Shelf
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange
from recorder.ports import (
    AskedEntries,
    AuditLog,
    Chain,
    ChainLink,
    LoggedEntry,
    LogState,
    ObjectStore,
)

TRIES = 8
"""Another process may sign between our entry and our asking for its place."""


class VouchCatalog(Protocol):
    """The parts of the catalog that vouching uses."""

    audit_log: AuditLog
    chain: Chain


@dataclass(frozen=True, slots=True)
class SiteVoucher:
    """The site, as it vouches for a bundle.  ``note`` writes an entry of an action."""

    catalog: VouchCatalog
    press: Press
    store: Callable[[], ObjectStore]
    note: Callable[[str, dict[str, object]], None]
    sealed: SealedLog

    @property
    def public_pem(self) -> bytes:
        """The public key."""
        return public_pem(self.press.signer())

    def sign(self, text: bytes) -> bytes:
        """Sign with the key that signs the log."""
        return self.press.signer().sign(text)

    def log(self, manifest_sha256: str, streams: Sequence[Sequence[Segment]]) -> dict[str, bytes]:
        """Write that a bundle was made of streams' segments; return the files that prove it.

        Raises: ``StateError`` when this node does not sign the log; ``AuditUnavailable``.
        """
        self.sealed.log()
        self.note(ACTION, {"manifest_sha256": manifest_sha256})
        state, entry = self._placed(manifest_sha256)
        proofs = _Proofs(self, state)
        files = {
            ENTRY: entry.raw,
            PROOF: write_proof(state.origin, proofs.path(entry)),
            CHECKPOINT: state.checkpoint.encode(),
        }
        for segments in streams:
            runs = proofs.runs(segments)
            if runs:
                files[name_of(segments[0].stream)] = write_runs(runs)
        return files

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


class _Proofs:
    """Proofs that lead to one checkpoint: most lead through the same few tiles, read once."""

    def __init__(self, voucher: SiteVoucher, state: LogState) -> None:
        self.voucher, self.state = voucher, state
        tile = functools.cache(Shelf(voucher.store(), state.origin).tile)
        self._hash_of = hashes_in(state.size, tile)

    def path(self, entry: LoggedEntry) -> Path:
        """Prove that an entry stands in the log."""
        leaf, size = entry.leaf, self.state.size
        assert leaf is not None  # noqa: S101 - only such are asked about
        return Path(leaf, size, tuple(inclusion(leaf, size, self._hash_of)))

    def runs(self, segments: Sequence[Segment]) -> list[Run]:
        """Return the links of segments, as runs that follow one another."""
        ids = list(dict.fromkeys(one.id for one in segments))
        links = self.voucher.catalog.chain.of(ids)
        runs: dict[tuple[StreamId, bytes], list[ChainLink]] = {}  # by the head that they end with
        for link in links:
            before = read_link(link.line).before
            run = runs.pop((link.id.stream, before), [])
            run.append(link)
            runs[link.id.stream, head_of(link.line)] = run
        return [self._run(run) for run in runs.values()]

    def _run(self, links: Sequence[ChainLink]) -> Run:
        """Prove of the last link that it was logged, as far as store and log have what it takes."""
        lines, last = tuple(one.line for one in links), links[-1]
        entry = self._batch_entry(last)
        batch = self.voucher.sealed.lines(last.batch, last.at) if entry is not None else None
        if entry is None or batch is None or last.line not in batch:
            return Run(lines)
        leaf = batch.index(last.line)
        hashes = tuple(inclusion(leaf, len(batch), hashes_of(leaf_hashes(batch))))
        return Run(lines, entry.raw, Path(leaf, len(batch), hashes), self.path(entry))

    def _batch_entry(self, link: ChainLink) -> LoggedEntry | None:
        """Find the entry of a batch; of a log of before, or without a place yet, none."""
        asked = AskedEntries(action=SEALED, when=TimeRange(link.at, link.at + 1))
        for one in self.voucher.catalog.audit_log.search(asked, 100):
            root = json.loads(one.raw)["details"].get("root")
            if root == link.batch.hex() and (one.log, one.leaf) != (None, None):
                ours = one.log == self.state.number and (one.leaf or 0) < self.state.size
                return one if ours else None
        return None


def public_pem(signer: Signer) -> bytes:
    """Write a key's public half as ``openssl`` reads it."""
    return signer.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
