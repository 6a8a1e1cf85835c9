"""That an export stands in the site's audit log: its entry, the proof, the signed checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from recorder.audit.entry import read_entry
from recorder.audit.note import Checkpoint, Key, read_checkpoint
from recorder.audit.tree import check_inclusion, leaf_hash
from recorder.errors import RecorderError
from recorder.evidence.manifest import CHECKPOINT, ENTRY, PROOF, time
from recorder.evidence.opened import Bundle
from recorder.evidence.path import Path, read_path
from recorder.evidence.sums import signer_key
from recorder.evidence.verdict import Fault, Verdict
from recorder.model.checks import read_json
from recorder.model.counting import number_of

ACTION = "export.made"
"""The entry that names the digest of a bundle's manifest."""
LOG_FILES = (ENTRY, PROOF, CHECKPOINT)


def write_proof(origin: str, path: Path) -> bytes:
    """Write where an entry stands, and the hashes that prove it (RFC 6962)."""
    return (json.dumps({"log": origin, **path.show()}, indent=1) + "\n").encode()


def verify_log(
    bundle: Bundle,
    manifest_sha256: str,
    signer: bytes,
    verdict: Verdict,
    read: Callable[[Bundle, str], bytes],
) -> Iterator[Fault]:
    """Check that the log has an entry of this very manifest."""
    there = [name for name in LOG_FILES if name in bundle.names()]
    if not there:
        verdict.unproven.append(
            "That the export stands in the site's audit log: no proof is in it."
        )
        return
    try:
        entry, proof, note = (read(bundle, name) for name in LOG_FILES)
        checkpoint = read_checkpoint(note.decode())
        shown = read_json(proof, PROOF, exact=True)
        faults = list(_faults(entry, shown, checkpoint, manifest_sha256, signer))
        at = read_entry(entry).at
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecorderError) as exc:
        yield Fault("log", f"the proof from the log cannot be read: {exc}")
        return
    yield from faults
    if not faults:
        verdict.proven.append(
            f"The export stands in the audit log {checkpoint.origin} as entry {shown['leaf']}, "
            f"written {time(at)}, before the log had {number_of(checkpoint.size, 'entry')}."
        )


def _faults(
    entry: bytes, proof: Any, checkpoint: Checkpoint, manifest_sha256: str, signer: bytes
) -> Iterator[Fault]:
    said = read_entry(entry)
    if said.action != ACTION or said.details.get("manifest_sha256") != manifest_sha256:
        yield Fault("log", f"{ENTRY} is of another bundle")
    if not checkpoint.by(Key(checkpoint.origin, signer_key(signer).public_bytes_raw())):
        yield Fault("log", f"{CHECKPOINT} is not signed by the key that signed the bundle")
    path = read_path(proof)
    same = (proof["log"], path.size) == (checkpoint.origin, checkpoint.size)
    if not same or not check_inclusion(
        leaf_hash(entry), path.leaf, path.size, path.hashes, checkpoint.root
    ):
        yield Fault("log", f"{PROOF} does not show that {ENTRY} stands in the log")
