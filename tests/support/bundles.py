"""Bundles of evidence, looked at and tampered with."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recorder.evidence import manifest
from recorder.evidence.manifest import File
from recorder.evidence.opened import opened
from recorder.evidence.sums import write_sums
from recorder.evidence.trust import Anchors
from recorder.evidence.verdict import Verdict
from recorder.evidence.verify import verify
from recorder.logbook.keys import Signer
from recorder.logbook.vouch import public_pem
from tests.support.exhibit import Exhibit
from tests.support.issuer import Issued, p256_sign

Edit = Callable[[dict[str, Any]], object]


def look(path: Path, trusted: str = "", **anchors: bytes) -> Verdict:
    with opened(path) as found:
        return verify(found, trusted, anchors=Anchors(**anchors))


def kinds(verdict: Verdict) -> set[str]:
    return {one.kind for one in verdict.faults}


def natives(bundle: Path) -> list[Path]:
    return sorted((bundle / "native").rglob("*.mp4"))


def sign_again(bundle: Path, signer: Signer, desk: Issued | None = None) -> None:
    """Make sums and signature anew, as somebody with a key can; ``desk`` signs, too."""
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
    if desk is not None:
        (bundle / manifest.P256_SIGNATURE).write_bytes(p256_sign(desk.key, sums))


def follow(bundle: Path, **files: Path) -> list[tuple[int, str]]:
    """Give the commands that ``VERIFY.txt`` tells, as a person would copy them.

    ``files``: what is to be had elsewhere, by the name that the text gives it.
    """
    text = (bundle / manifest.HELP).read_text()
    for name, path in files.items():
        text = text.replace(f"{name}.pem", str(path))
    commands = re.findall(r"^     ((?:openssl|sha256sum|find)(?:[^\n]*\\\n)*[^\n]*)", text, re.M)
    done = [
        subprocess.run(["sh", "-c", one], cwd=bundle, capture_output=True, text=True, check=False)
        for one in commands
    ]
    return [(one.returncode, one.stdout) for one in done]


def lie(bundle: Path, exhibit: Exhibit, edit: Edit, desk: Issued | None = None) -> Verdict:
    """Have the site itself sign a manifest that lies; the log has it, too, for it wrote it."""
    path = bundle / manifest.NAME
    body = json.loads(path.read_bytes())
    edit(body)
    path.write_bytes(manifest.write(body))
    sign_again(bundle, exhibit.app.press.signer(), desk)
    return look(bundle)
