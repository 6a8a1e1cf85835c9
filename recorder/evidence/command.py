"""Verifying from a command line: what is trusted, and what is said of a bundle.

``recorder verify`` calls it; alone, as the package that ``make verifier`` builds, it is
``spanstore-verify``: for who is handed a bundle, and has no recorder.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from recorder.errors import IntegrityError, MissingProgram, NotFound, RecorderError, RequestError
from recorder.evidence.certificate import read_chain
from recorder.evidence.opened import opened
from recorder.evidence.trust import Anchors
from recorder.evidence.verdict import Verdict
from recorder.evidence.verify import verify
from recorder.model.counting import number_of

WHAT = "Verify a bundle: what is proven, what is not, what is broken.  Needs no recorder."
MOST_LINE = 2000
"""Characters of a line that is told; a name in a bundle has half of them at most."""
KEY = "Fingerprint that the signer must have."
CA = "Certificates of CAs, PEM: one must have issued the certificate of who signed."
TIMESTAMP_CA = "Certificates of CAs, PEM: they must vouch for the authority that stamped it."


def look(
    bundle: Path,
    key: str,
    ca: Path | None,
    timestamp_ca: Path | None,
    step: Callable[[int], object],
) -> Verdict:
    """Verify a bundle; ``step`` is called with the bytes that were read.

    Raises: ``RequestError``, ``NotFound``, ``MissingProgram`` for what is to be trusted;
    ``NotFound`` for the bundle, ``IntegrityError`` when it cannot be read.
    """
    trusted = _plain_fingerprint(key)
    anchors = Anchors(_certificates(ca, "--ca"), _certificates(timestamp_ca, "--timestamp-ca"))
    if timestamp_ca is not None and find_spec("rfc3161_client") is None:
        raise MissingProgram(
            "--timestamp-ca: rfc3161-client, which checks stamps, is not installed here",
            hint="pip install rfc3161-client; or openssl ts -verify, as VERIFY.txt says",
        )
    try:
        with opened(bundle) as found:
            return verify(found, trusted, step, anchors)
    except FileNotFoundError as exc:
        raise NotFound(f"{bundle}: there is no bundle") from exc
    except OSError as exc:
        raise IntegrityError(f"{bundle}: {exc}") from exc


def check_whole(bundle: Path, verdict: Verdict) -> None:
    """Refuse a bundle that is not what was handed out.

    Raises: ``IntegrityError``.
    """
    if not verdict.whole:
        raise IntegrityError(
            f"{bundle}: is NOT what was handed out: {number_of(len(verdict.faults), 'fault')}",
            hint="keep it as it is, and ask the site for it again",
        )


def show(verdict: Verdict) -> dict[str, object]:
    """Write a verdict as JSON's values."""
    return {
        "whole": verdict.whole,
        "signer": verdict.signer,
        "proven": verdict.proven,
        "not_proven": verdict.unproven,
        "broken": [{"kind": one.kind, "detail": one.detail} for one in verdict.faults],
    }


def tell(verdict: Verdict) -> Iterator[str]:
    """Yield the lines that tell people a verdict."""
    for title, lines in (
        ("PROVEN", verdict.proven),
        ("NOT PROVEN", verdict.unproven),
        ("BROKEN", [f"{one.kind}: {one.detail}" for one in verdict.faults]),
    ):
        if lines:
            yield title
            yield from (f"  {_told(line)}" for line in lines)


def _told(line: str) -> str:
    """Return a line as a terminal may have it: names in a bundle are anybody's words.

    >>> len(_told(chr(10))), len(_told(chr(0xDCFF)))
    (2, 6)
    """
    shown = line if len(line) <= MOST_LINE else f"{line[:MOST_LINE]}…"
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in shown)


def _certificates(path: Path | None, what: str) -> bytes:
    """Read certificates to trust; an error of theirs is not one of the bundle."""
    if path is None:
        return b""
    try:
        raw = path.read_bytes()
        read_chain(raw)
    except OSError as exc:
        raise NotFound(f"{what} {path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise RequestError(f"{what} {path}: holds no certificate in PEM: {exc}") from exc
    return raw


def _plain_fingerprint(text: str) -> str:
    """Read a fingerprint as people write them: in groups, in capitals."""
    plain = re.sub(r"[\s:]", "", text).lower()
    if plain and re.fullmatch(r"[0-9a-f]{64}", plain) is None:
        raise RequestError(
            f"--key {text[:80]!r}: is no SHA-256 fingerprint",
            hint="64 digits of 0-9 and a-f, as `recorder export key` prints",
        )
    return plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``spanstore-verify``; return its exit code: 65 for a bundle that is not whole."""
    parser = argparse.ArgumentParser("spanstore-verify", description=WHAT)
    parser.add_argument("bundle", type=Path, help="A folder, or a zip.")
    parser.add_argument("--key", default="", help=KEY)
    parser.add_argument("--ca", type=Path, help=CA)
    parser.add_argument("--timestamp-ca", type=Path, help=TIMESTAMP_CA)
    parser.add_argument("--json", action="store_true", help="Answer in JSON.")
    asked = parser.parse_args(arguments)
    try:
        verdict = look(asked.bundle, asked.key, asked.ca, asked.timestamp_ca, lambda _: None)
        lines = [json.dumps(show(verdict), indent=1)] if asked.json else tell(verdict)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        check_whole(asked.bundle, verdict)
    except RecorderError as exc:
        sys.stderr.write(f"spanstore-verify: {exc}\n" + (f"hint: {exc.hint}\n" if exc.hint else ""))
        return exc.exit_code
    return 0
