"""``recorder unit``: the systemd unit of this node, written for its settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recorder.cli.context import Context, emit, pass_context
from recorder.cli.options import json_option
from recorder.errors import RequestError
from recorder.model.keys import check_name

if TYPE_CHECKING:
    from recorder.config import Settings

UNIT = """\
[Unit]
Description=Spanstore recorder, node {node} of site {site}
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target postgresql.service

[Service]
Type=exec
User={user}
ExecStart={program} --config {config} serve
Restart=always
RestartSec=2
# ffmpeg is ended by the recorder, in order: each file is sealed and the stream's end noted
KillMode=mixed
TimeoutStopSec=90
LimitNOFILE=65536
OOMScoreAdjust=-500

UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writable}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


@click.command()
@click.option("--user", default="recorder", show_default=True, help="User to run as.")
@json_option
@pass_context
def unit(context: Context, user: str, as_json: bool) -> None:
    """Print a systemd unit that runs this node, and lets it write only where it must.

    Give the settings with --config: their folders are the only ones that it may write to.
    """
    check_name(user, "user")
    if context.config is None:
        raise RequestError(
            "a unit needs a settings file", hint="recorder --config /etc/recorder.yaml unit"
        )
    config = context.config.resolve()
    settings = context.settings
    text = UNIT.format(
        node=settings.node,
        site=settings.site,
        user=user,
        program=_quoted(_program()),
        config=_quoted(config),
        writable=" ".join(_quoted(one) for one in folders(settings)),
    )
    if as_json:
        emit({"unit": text})
    else:
        click.echo(text, nl=False)


def folders(settings: Settings) -> list[Path]:
    """Return the folders that a node writes to; one within another is left out.

    Raises: ``RequestError`` when one is relative: nobody knows to what, in a unit.
    """
    stores = [one.path for one in settings.all_stores if one.path and not one.readonly]
    found = [settings.data, settings.spool_path, *stores]
    for one in found:
        if not one.is_absolute():
            raise RequestError(
                f"{one} is a relative path", hint="write absolute ones: data: /var/lib/recorder"
            )
    return _outer(found)


def _outer(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []  # the outer before what is within it
    for one in sorted(set(paths), key=lambda path: (len(path.parts), path)):
        if not any(one.is_relative_to(outer) for outer in found):
            found.append(one)
    return sorted(found)


def _program() -> Path:
    """Return the program that runs now, as another can start it."""
    beside = Path(sys.executable).parent / "recorder"
    return beside if beside.exists() else Path(sys.argv[0]).resolve()


def _quoted(path: Path) -> str:
    """Write a path as systemd reads it."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if any(one in text for one in " '\"\\;") else text


COMMANDS = (unit,)
