"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # they take a second to import, which --help has no use for
    pass


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def range_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--start`` and ``--end`` to a command."""
    command = click.option("--end", default="now", show_default=True, help="End of the range.")(
        command
    )
    return click.option("--start", default="-1h", show_default=True, help="Start of the range.")(
        command
    )


def burnt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--masked`` and ``--mark`` to a command that gives copies of footage."""
    command = click.option("--mark", is_flag=True, help="Burn in who asks, when, and what for.")(
        command
    )
    return click.option("--masked", is_flag=True, help="Burn the camera's masks in.")(command)


def site_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--site`` to a command that names a camera."""
    return click.option("--site", help="Site of the camera; or name it SITE/CAMERA.")(command)


def stream_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--stream`` and ``--site`` to a command that names a camera."""
    command = site_option(command)
    return click.option("--stream", help="Stream of the camera; by default main.")(command)
