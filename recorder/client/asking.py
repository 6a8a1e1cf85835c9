"""What every question to a server takes: whose it is, and its camera."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recorder.client.asked import address_of
from recorder.client.connection import Connection


class Asking:
    """One who asks a server, by a connection of its own."""

    _connection: Connection

    @property
    def server(self) -> str:
        """The URL of the server."""
        return self._connection.server

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask any address below ``/api/v1``; return its JSON."""
        return self._connection.json(method, path, query, body, headers)

    def listed(self, path: str, query: Mapping[str, object] | None = None) -> list[object]:
        """Return all that a list below ``/api/v1`` has, page after page."""
        return list(self._connection.pages(path, query or {}))

    def _of(self, camera: str, what: str, query: Mapping[str, object]) -> object:
        return self.ask("GET", *address_of(camera, what, query))
