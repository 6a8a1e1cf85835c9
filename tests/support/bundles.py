"""Bundles of evidence, looked at and tampered with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recorder.evidence import manifest
from recorder.evidence.manifest import File
from recorder.evidence.opened import opened
from recorder.evidence.sums import write_sums
from recorder.evidence.verdict import Verdict
from recorder.evidence.verify import verify
from recorder.logbook.keys import Signer
from recorder.logbook.vouch import public_pem
from tests.support.exhibit import Exhibit

Edit = Callable[[dict[str, Any]], object]


def look(path: Path, trusted: str = "") -> Verdict:
    with opened(path) as found:
        return verify(found, trusted)


def kinds(verdict: Verdict) -> set[str]:
    return {one.kind for one in verdict.faults}


def natives(bundle: Path) -> list[Path]:
    return sorted((bundle / "native").rglob("*.mp4"))


def sign_again(bundle: Path, signer: Signer) -> None:
    """Make sums and signature anew, as somebody with a key can."""
    files = [
        File(
            one.relative_to(bundle).as_posix(),
            one.stat().st_size,
            hashlib.sha256(one.read_bytes()).hexdigest(),
        )
        for one in bundle.rglob("*")
        if one.is_file() and one.name not in manifest.UNSUMMED
    ]
    sums = write_sums(files)
    (bundle / manifest.SUMS).write_bytes(sums)
    (bundle / manifest.SIGNATURE).write_bytes(signer.sign(sums))
    (bundle / manifest.SIGNER).write_bytes(public_pem(signer))


def lie(bundle: Path, exhibit: Exhibit, edit: Edit) -> Verdict:
    """Have the site itself sign a manifest that lies; the log has it, too, for it wrote it."""
    path = bundle / manifest.NAME
    body = json.loads(path.read_bytes())
    edit(body)
    path.write_bytes(manifest.write(body))
    sign_again(bundle, exhibit.app.press.signer())
    return look(bundle)
