"""``recorder verify``: evidence that was handed over, checked."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.context import (
    echo,
    emit,
    json_option,
    progress,
)
from recorder.errors import IntegrityError, MissingProgram, NotFound, RequestError
from recorder.evidence.certificate import read_chain
from recorder.evidence.opened import opened
from recorder.evidence.trust import Anchors
from recorder.evidence.verify import verify

if TYPE_CHECKING:
    from recorder.evidence.verdict import Verdict


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", "trusted", default="", help="Fingerprint that the signer must have.")
@click.option("--ca", type=click.Path(path_type=Path), help="Certificates of CAs, PEM: one must "
              "have issued the certificate of who signed.")  # fmt: skip
@click.option("--timestamp-ca", type=click.Path(path_type=Path), help="Certificates of CAs, PEM: "
              "they must vouch for the authority that stamped it.")  # fmt: skip
@json_option
def verify_bundle(bundle: Path, trusted: str, ca: Path | None, timestamp_ca: Path | None,
                  as_json: bool) -> None:  # fmt: skip
    """Verify a bundle: what is proven, what is not, what is broken.  Needs no recorder."""
    trusted = _plain_fingerprint(trusted)
    anchors = Anchors(_certificates(ca, "--ca"), _certificates(timestamp_ca, "--timestamp-ca"))
    if timestamp_ca is not None and find_spec("rfc3161_client") is None:
        raise MissingProgram(
            "--timestamp-ca: rfc3161-client, which checks stamps, is not installed here",
            hint="pip install rfc3161-client; or openssl ts -verify, as VERIFY.txt says",
        )
    try:
        with opened(bundle) as found, progress("verifying", None) as step:
            verdict = verify(found, trusted, step, anchors)
    except FileNotFoundError as exc:
        raise NotFound(f"{bundle}: there is no bundle") from exc
    except OSError as exc:
        raise IntegrityError(f"{bundle}: {exc}") from exc
    if as_json:
        emit(_shown(verdict))
    else:
        _tell(verdict)
    if not verdict.whole:
        raise IntegrityError(
            f"{bundle}: is NOT what was handed out: {len(verdict.faults)} fault(s)",
            hint="keep it as it is, and ask the site for it again",
        )


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


def _shown(verdict: Verdict) -> dict[str, Any]:
    return {
        "whole": verdict.whole,
        "signer": verdict.signer,
        "proven": verdict.proven,
        "not_proven": verdict.unproven,
        "broken": [{"kind": one.kind, "detail": one.detail} for one in verdict.faults],
    }


def _tell(verdict: Verdict) -> None:
    for title, lines in (
        ("PROVEN", verdict.proven),
        ("NOT PROVEN", verdict.unproven),
        ("BROKEN", [f"{one.kind}: {one.detail}" for one in verdict.faults]),
    ):
        if lines:
            echo(title)
            for line in lines:
                echo(f"  {line}")


COMMANDS = (verify_bundle,)
