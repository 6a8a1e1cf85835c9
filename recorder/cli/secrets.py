"""``recorder secrets``: the keys that cameras' passwords are encrypted under."""

from __future__ import annotations

from dataclasses import asdict

import click

from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.options import json_option
from recorder.clock import chance
from recorder.errors import KeyMissing, StateError
from recorder.jobs.signing import rotate_secrets
from recorder.model.ciphers import KEY_BYTES, key_id, write_key
from recorder.model.counting import number_of
from recorder.ports import SecretsSeen


@click.group()
def secrets() -> None:
    """The keys that cameras' passwords are encrypted under in the catalog."""


@secrets.command("check")
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Read every secret, and say under which keys they are (exit code 65: some are unreadable)."""
    seen = context.app.catalog.secrets.look()
    if as_json:
        emit(asdict(seen) | {"keys": context.app.catalog.secrets.ids()})
    else:
        _say(context, seen)
    if seen.unreadable or (seen.key_id and not seen.here):
        click.get_current_context().exit(65)


def _say(context: Context, seen: SecretsSeen) -> None:
    keys = context.app.catalog.secrets.ids()
    for key in dict.fromkeys((*keys, *seen.under, *filter(None, [seen.key_id]))):
        count, force = seen.under.get(key, 0), ", in force" if key == seen.key_id else ""
        here = "here" if key in keys else "NOT HERE"
        echo(f"key {key}: {here}{force}, {number_of(count, 'secret')}")
    if seen.plain:
        many = number_of(seen.plain, "secret is", "secrets are")
        echo(f"{many} not encrypted yet: a running node does so")
    if not seen.wiped and seen.key_id:
        echo("the catalog's file may hold what was there before: a running node wipes it")
    for one in seen.unreadable:
        echo(f"CANNOT BE READ: {one}")
    if not seen.key_id:
        echo("no key is in force yet: the first start makes one")


@secrets.command("rotate")
@json_option
@pass_context
def rotate(context: Context, as_json: bool) -> None:
    """Encrypt all secrets under another key, while nodes run; the old one stays for backups.

    May be stopped, and run again.  A key that a setting points to is added there first, on all
    nodes: a line that `recorder secrets new` prints.
    """
    with context.doing("secrets.rotate", Subject(name="secrets")):
        seen = rotate_secrets(context.app)
    if as_json:
        emit(asdict(seen))
    else:
        _say(context, seen)


@secrets.command("begin")
@json_option
@pass_context
def begin(context: Context, as_json: bool) -> None:
    """Go on with a key that is here, or a new one, where that in force is lost for good.

    What is under the lost key stays, and can be read again when it is put back; until then those
    cameras are not recorded.  Set their passwords again: camera set NAME --credentials-file FILE.
    """
    kept, now = context.app.catalog.secrets, context.app.clock.now()
    try:
        raise StateError(
            f"key {kept.begin(now)} is in force, and is here", hint="recorder secrets rotate"
        )
    except KeyMissing:
        with context.doing("secrets.begin", Subject(name="secrets")):
            kept.take(kept.unused(), now)
    seen = kept.look()
    if as_json:
        emit(asdict(seen))
    else:
        _say(context, seen)


@secrets.command("new")
@json_option
def new(as_json: bool) -> None:
    """Print a new key, as a line of a key file; nothing is stored."""
    key = chance(KEY_BYTES)
    if as_json:
        emit({"id": key_id(key), "key": write_key(key)})
    else:
        click.echo(write_key(key))


COMMANDS = (secrets,)
