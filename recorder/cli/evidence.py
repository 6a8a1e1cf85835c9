"""``recorder export`` and ``recorder verify``: evidence to hand over, and to check."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.allowed import check_asked
from recorder.cli.context import (
    Context,
    burnt_options,
    echo,
    emit,
    json_option,
    pass_context,
    progress,
    site_option,
)
from recorder.errors import IntegrityError, MissingProgram, NotFound, RequestError
from recorder.evidence.certificate import read_chain
from recorder.evidence.opened import opened
from recorder.evidence.sums import fingerprint
from recorder.evidence.trust import Anchors
from recorder.evidence.verify import verify
from recorder.model.sizes import format_size

if TYPE_CHECKING:
    from recorder.evidence.verdict import Verdict


@click.group("export")
def export() -> None:
    """Make bundles of evidence: signed, to be verified by anybody, without a recorder."""


@export.command("create")
@click.option("--camera", "cameras", multiple=True, required=True, help="May be given again.")
@site_option
@click.option("--stream", help="Stream of the cameras; by default main.")
@click.option("--start", required=True, help="Start of the range.")
@click.option("--end", required=True, help="End of the range.")
@click.option("--case", required=True, help="Name or number of the case.")
@click.option("--purpose", required=True, help="What it is for.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True,
              help="Folder to make, or a file that ends in .zip.")  # fmt: skip
@burnt_options
@click.option("--onvif", is_flag=True, help="Clips in ONVIF Export File Format, too.")
@click.option("--c2pa", is_flag=True, help="A C2PA manifest beside each clip, too.")
@click.option("--timestamp/--no-timestamp", default=True, show_default=True,
              help="With a time stamp, where the settings name an authority.")  # fmt: skip
@json_option
@pass_context
def create(context: Context, /, output: Path, start: str, end: str, as_json: bool,
           **given: Any) -> None:  # fmt: skip
    """Make a bundle: segments as recorded, clips, what is missing and why; all of it signed.

    With --masked or --mark it has copies, encoded anew, instead of what was recorded, which it
    names by digests.

    A folder that broke off (NAME.part) is gone on with when the same is asked for again.
    """
    from recorder.export.sinks import bundle_at
    from recorder.handover import Asked, hand_over

    app = context.app
    asked = Asked(range=context.range(start, end), **given)
    check_asked(context, asked)
    with bundle_at(output) as sink, progress("exporting", None) as step:
        body = hand_over(app, context.me, asked, sink, step)
    if as_json:
        emit({"file": str(output), **body})
        return
    echo(f"{output}: bundle {body['id']}")
    for camera in body["cameras"]:
        size = sum(one["bytes"] for one in camera["segments"])
        echo(
            f"  {camera['site']}/{camera['camera']}: {len(camera['segments'])} segment(s), "
            f"{format_size(size)}, {camera['covered_seconds']:.3f} s of footage"
        )
        if camera["gaps"]:
            echo(f"  MISSING {camera['missing_seconds']:.3f} s in {len(camera['gaps'])} gap(s)")
        for problem in camera["problems"]:
            echo(f"  {problem}", err=True)
    echo("whoever gets it needs the key's fingerprint some other way: recorder export key")


@export.command("key")
@json_option
@pass_context
def key(context: Context, as_json: bool) -> None:
    """Show the key that signs this site's bundles: its fingerprint, to be told in person."""
    from recorder.logbook.vouch import public_pem

    pem = public_pem(context.app.press.signer())
    if as_json:
        emit({"fingerprint": fingerprint(pem), "pem": pem.decode()})
        return
    echo(fingerprint(pem))
    echo(pem.decode().rstrip())


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


COMMANDS = (export, verify_bundle)
