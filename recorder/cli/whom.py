"""Whom a command asks: the node on this machine, or a server by its API.

Each group of commands has a ``Protocol`` of what it is answered with, and two that answer: one
``Here``, by the rooms themselves, and one ``There``, by the client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from recorder.reading.named import read_asked

if TYPE_CHECKING:
    from recorder.app import App
    from recorder.cli.context import Context
    from recorder.client import Client
    from recorder.config import Settings

H = TypeVar("H", bound="Here")
T = TypeVar("T", bound="There")


class Here:
    """The node on this machine: its settings, its catalog, its stores."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._doing, self._note = context.doing, context.note

    @property
    def _app(self) -> App:
        return self._context.app

    @property
    def _settings(self) -> Settings:
        return self._context.settings

    @property
    def _own(self) -> str:
        """The site of this node."""
        return self._settings.site


class There:
    """A server, by its API."""

    def __init__(self, client: Client) -> None:
        self._client = client


def ask(context: Context, here: Callable[[Context], H], there: Callable[[Client], T]) -> H | T:
    """Return who answers the commands: ``here``, unless a server is named."""
    client = context.client
    return here(context) if client is None else there(client)


def named(camera: str, site: str | None) -> str:
    """Name a camera to a server, with its site where one is said.

    Raises: ``RequestError``.

    >>> named("gate", None), named("gate", "post1"), named("post1/gate", None)
    ('gate', 'post1/gate', 'post1/gate')
    """
    return str(read_asked(camera, site))
