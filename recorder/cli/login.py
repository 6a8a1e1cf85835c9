"""``recorder login`` and ``logout``: a session at a server, kept for this user alone."""

from __future__ import annotations

import getpass
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recorder.cli.context import Context, Server, echo, emit, pass_context
from recorder.cli.options import json_option
from recorder.errors import RequestError, UnavailableError
from recorder.model.counting import number_of

if TYPE_CHECKING:
    from recorder.api.shown import ShownMe


def session_file(url: str) -> Path:
    """Return where the session at a server is kept."""
    name = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]
    return Path(click.get_app_dir("spanstore")) / "sessions" / name


def session_of(url: str) -> str:
    """Return the word of the session at a server; empty when nobody has signed in."""
    path = session_file(url)
    return path.read_text().strip() if path.exists() else ""


def _server(context: Context) -> Server:
    if context.server is None:
        raise RequestError("at which recorder?", hint="recorder --server https://… login NAME")
    return context.server


@click.command()
@click.argument("name", default=getpass.getuser)
@click.option(
    "--oidc",
    "by_provider",
    is_flag=True,
    help="In a browser, at the OpenID provider of that server.",
)
@click.option(
    "--device",
    "on_device",
    is_flag=True,
    help="Likewise, in a browser on another machine, where a code is typed in.",
)
@json_option
@pass_context
def login(context: Context, name: str, by_provider: bool, on_device: bool, as_json: bool) -> None:
    """Sign in at a server; commands with --server are asked as this user until it ends.

    The password is asked for, or a line of input: never an argument, which others see.
    """
    server = _server(context)
    if by_provider and on_device:
        raise RequestError(
            "--oidc and --device: one of them", hint="--device needs no browser here"
        )
    if on_device:
        me, word = _on_device(server)
    else:
        me, word = _by_browser(server) if by_provider else _by_password(server, name)
    path = session_file(server.url)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(word)
    part.replace(path)
    if as_json:
        emit({"server": server.url, **me})
    else:
        echo(f"signed in at {server.url} as {me['name']}; recorder logout ends it")


def _by_password(server: Server, name: str) -> tuple[ShownMe, str]:
    from recorder.cli.access import asked
    from recorder.client import Client

    (password,) = asked("Password")
    with Client(server.url, ca_file=server.ca_file) as client:
        return client.sign_in(name, password)


def _by_browser(server: Server) -> tuple[ShownMe, str]:
    from recorder.cli.browser import code_and_verifier
    from recorder.client import Client

    code, verifier = code_and_verifier(server.url, lambda text: echo(text, err=True))
    with Client(server.url, ca_file=server.ca_file) as client:
        return client.sign_in_by(code, verifier)


def _on_device(server: Server) -> tuple[ShownMe, str]:
    from recorder.client import Client

    with Client(server.url, ca_file=server.ca_file) as client:
        begun = client.begin_on_device()
        minutes = max(1, begun["lasts_seconds"] // 60)
        echo(f"in a browser on any machine open {begun['address']}", err=True)
        echo(f"and type in {begun['code']}, within {number_of(minutes, 'minute')}", err=True)
        if begun["whole_address"]:
            echo(f"or open {begun['whole_address']}", err=True)
        wait_s = begun["wait_seconds"]
        until = time.monotonic() + begun["lasts_seconds"]
        while time.monotonic() < until:
            time.sleep(wait_s)
            found = client.sign_in_on_device(begun["device"])
            if not isinstance(found, int):
                return found
            wait_s += found
    raise UnavailableError("nobody signed in with that code", hint="try again")


@click.command()
@json_option
@pass_context
def logout(context: Context, as_json: bool) -> None:
    """End the session at a server, there and here."""
    server = _server(context)
    path = session_file(server.url)
    if context.client is not None and path.exists():
        context.client.sign_out()
    path.unlink(missing_ok=True)
    if as_json:
        emit({"server": server.url})
    else:
        echo(f"signed out at {server.url}")


COMMANDS = (login, logout)
