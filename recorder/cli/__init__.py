"""The command line: thin doors over :mod:`recorder.app`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import click

from recorder.cli.context import Context, Server
from recorder.cli.files import read_text
from recorder.cli.lazy import LazyGroup
from recorder.errors import RecorderError
from recorder.model.checks import printable
from recorder.model.secrets import mask
from recorder.private import keep_to_oneself


class Commands(LazyGroup):
    """All commands."""

    places: ClassVar[Mapping[str, tuple[str, str]]] = {
        "access": ("recorder.cli.access", "Say who may do what, and why."),
        "approval": ("recorder.cli.approval", "Ask for another's approval; give or refuse it."),
        "audit": ("recorder.cli.audit", "Who looked at what; prove that log."),
        "backup": ("recorder.cli.catalog", "Write the whole catalog into a file."),
        "camera": ("recorder.cli.camera", "Add, change, show, remove and probe cameras."),
        "check": ("recorder.cli.maintenance", "Prove the laws on catalog and stores."),
        "clip": ("recorder.cli.footage", "Save exactly the frames of a range."),
        "coverage": ("recorder.cli.footage", "Show how much of what should be there is."),
        "demo": ("recorder.cli.demo", "Record two synthetic cameras; show what happens."),
        "doctor": ("recorder.cli.maintenance", "Explain what is missing or slow on this machine."),
        "event": ("recorder.cli.events", "Report and list motion, alarms, checkpoints."),
        "export": ("recorder.cli.exports", "Make bundles of evidence, signed."),
        "frame": ("recorder.cli.footage", "Save the frame on screen at an instant, as JPEG."),
        "hold": ("recorder.cli.marks", "Hold footage, whatever policy says."),
        "login": ("recorder.cli.login", "Sign in at a server."),
        "logout": ("recorder.cli.login", "Sign out at a server."),
        "node": ("recorder.cli.node", "Look at the nodes of this site; drain or remove one."),
        "point": ("recorder.cli.marks", "Alarm points and vehicle checkpoints."),
        "policy": ("recorder.cli.policy", "Set, explain, try and apply what is kept."),
        "rebuild": ("recorder.cli.catalog", "Make the catalog anew from the stores."),
        "restore": ("recorder.cli.catalog", "Put a backup into the catalog."),
        "scrub": ("recorder.cli.maintenance", "Read every copy again, prove it, repair it."),
        "secrets": ("recorder.cli.secrets", "The keys that cameras' passwords are kept under."),
        "serve": ("recorder.cli.serve", "Run this node: capture, ship, serve, keep."),
        "settings": ("recorder.cli.settings", "Show what can be set, and what is."),
        "site": ("recorder.cli.site", "Show the tree of sites, and how each is linked."),
        "store": ("recorder.cli.maintenance", "Look at stores, and take one as one's own."),
        "timeline": ("recorder.cli.footage", "Show spans and gaps of a camera, and why."),
        "token": ("recorder.cli.token", "Give services tokens, rotate and end them."),
        "unit": ("recorder.cli.unit", "Print a systemd unit that runs this node."),
        "verify": ("recorder.cli.evidence", "Verify a bundle of evidence."),
        "user": ("recorder.cli.access", "Add users and services, say what they may, close them."),
    }


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    envvar="RECORDER_CONFIG",
    help="Settings file (YAML).",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="RECORDER_DATA",
    help="Folder for what has no place of its own.",
)
@click.option("--zone", help="Zone of times without one, and that times are shown in; see below.")
@click.option(
    "--server",
    metavar="URL",
    envvar="RECORDER_SERVER",
    help="Ask this recorder by its API, instead of the node on this machine.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="RECORDER_TOKEN_FILE",
    help="File with the token that is shown to the server.",
)
@click.option(
    "--ca-file",
    "server_ca",
    type=click.Path(exists=True, dir_okay=False),
    envvar="RECORDER_CA_FILE",
    help="PEM file of the CA that signed the server's certificate.",
)
@click.option(
    "--purpose",
    envvar="RECORDER_PURPOSE",
    help="What it is for; kept in the audit log, and wanted for sensitive cameras.",
)
@click.version_option(package_name="spanstore", prog_name="recorder")
@click.pass_context
def recorder(
    ctx: click.Context,
    config: Path | None,
    data: Path | None,
    zone: str | None,
    server: str | None,
    token_file: Path | None,
    server_ca: str | None,
    purpose: str | None,
) -> None:
    """Record HD cameras, find footage by time, fetch exactly what you ask for.

    Times are RFC 3339 with a zone (2026-01-05T14:03:07.2Z), relative to now (-90s, -2h), Unix
    seconds, or, with --zone Europe/Berlin or `zone` in the settings, local ones (14:30).

    Times are shown in UTC; with --zone, and on a terminal where the settings say one, in that
    zone, with their offset. JSON is always in UTC.
    """
    asked = _server(server, token_file, server_ca, purpose) if server else None
    ctx.obj = ctx.with_resource(Context(config, data, zone, asked, purpose or ""))


def _server(url: str, token_file: Path | None, ca_file: str | None, purpose: str | None) -> Server:
    """Say which server is asked, and as whom: with a token, else by the session at it."""
    if token_file is not None:
        return Server(url, read_text(token_file).strip(), ca_file, purpose or "")
    from recorder.cli.login import session_of

    return Server(url, session_of(url), ca_file, purpose or "")


def _commands_of(exc: click.ClickException) -> str:
    """Name the commands there are, on a line, where one was named that is not."""
    ctx = exc.ctx if isinstance(exc, click.UsageError) else None
    if ctx is None or not isinstance(ctx.command, click.Group) or "command" not in exc.message:
        return ""
    return f"{ctx.command_path} has: {', '.join(ctx.command.list_commands(ctx))}\n"


def _open_closed() -> None:
    """Give what was closed by who called (``>&-``) somewhere to go, and files no such number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as the process


def main() -> None:
    """Run the command line; errors become one sentence, a hint and a sysexits code."""
    _open_closed()
    keep_to_oneself()
    logging.getLogger("recorder").addHandler(logging.NullHandler())  # serve says where logs go
    try:
        code = recorder(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except RecorderError as exc:
        click.echo(f"recorder: {printable(mask(str(exc)), lines=True)}", err=True)
        if exc.hint:
            click.echo(f"hint: {printable(mask(exc.hint), lines=True)}", err=True)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        click.echo(_commands_of(exc), err=True, nl=False)
        sys.exit(64)  # EX_USAGE
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as exc:  # of a file that was named, or a disk that is full
        said = exc.strerror or str(exc)
        click.echo(f"recorder: {f'{exc.filename}: ' if exc.filename else ''}{said}", err=True)
        sys.exit(74)  # EX_IOERR
