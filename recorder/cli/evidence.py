"""``recorder verify``: evidence that was handed over, checked."""

from __future__ import annotations

from pathlib import Path

import click

from recorder.cli.context import echo, emit, progress
from recorder.cli.options import json_option
from recorder.evidence import command as verifier


@click.command("verify", help=verifier.WHAT)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", default="", help=verifier.KEY)
@click.option("--ca", type=click.Path(path_type=Path), help=verifier.CA)
@click.option("--timestamp-ca", type=click.Path(path_type=Path), help=verifier.TIMESTAMP_CA)
@json_option
def verify_bundle(
    bundle: Path, key: str, ca: Path | None, timestamp_ca: Path | None, as_json: bool
) -> None:
    """Verify a bundle."""
    with progress("verifying", None) as step:
        verdict = verifier.look(bundle, key, ca, timestamp_ca, step)
    if as_json:
        emit(verifier.show(verdict))
    for line in () if as_json else verifier.tell(verdict):
        echo(line)
    verifier.check_whole(bundle, verdict)


COMMANDS = (verify_bundle,)
