"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import click

Command: TypeAlias = Callable[..., object]
"""What click makes a command of, and options are added to."""


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def address_options(command: Command) -> Command:
    """Add the options that say where a camera of a make is, instead of a URL."""
    options = (
        click.option("--make", help="Make of the camera, instead of URL: see camera makes."),
        click.option("--host", help="Its name or address; for a make, or a URL that has {host}."),
        click.option("--port", type=int, help="Port; by default what the make has."),
        click.option("--channel", type=int, help="Its number at an encoder or recorder, from 1."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def range_options(command: Command) -> Command:
    """Add ``--start`` and ``--end`` to a command."""
    command = click.option("--end", default="now", show_default=True, help="End of the range.")(
        command
    )
    return click.option("--start", default="-1h", show_default=True, help="Start of the range.")(
        command
    )


def burnt_options(command: Command) -> Command:
    """Add ``--masked`` and ``--mark`` to a command that gives copies of footage."""
    command = click.option("--mark", is_flag=True, help="Burn in who asks, when, and what for.")(
        command
    )
    return click.option("--masked", is_flag=True, help="Burn the camera's masks in.")(command)


def site_option(command: Command) -> Command:
    """Add ``--site`` to a command that names a camera."""
    return click.option("--site", help="Site of the camera; or name it SITE/CAMERA.")(command)


def stream_option(command: Command) -> Command:
    """Add ``--stream`` and ``--site`` to a command that names a camera."""
    command = site_option(command)
    return click.option("--stream", help="Stream of the camera; by default main.")(command)
