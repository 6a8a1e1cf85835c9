"""What a log is proved from, fetched from a server that need not be believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recorder.audit.entry import canonical
from recorder.logbook.proof import Known

if TYPE_CHECKING:
    from recorder.client import Client

MOST_TILES = 4096
"""Of leaves' hashes so many are kept: a million entries, 32 MiB."""


class ServerEvidence:
    """The tiles of a server, and its list of entries: that is what was shown to people there."""

    def __init__(self, client: Client) -> None:
        self._client, self.place = client, client.server
        self._tiles: dict[tuple[str, str], bytes] = {}
        self._waiting: int | None = None

    def logs(self) -> list[Known]:
        """See :class:`recorder.logbook.proof.Evidence`."""
        return [
            Known(one["log"], one["key"] or "", one["checkpoint"] or "")
            for one in self._client.logs()
        ]

    def newest(self) -> str:
        """See :class:`recorder.logbook.proof.Evidence`."""
        return ""  # a server says it by the order of its logs

    def read(self, origin: str, path: str) -> bytes | None:
        """See :class:`recorder.logbook.proof.Evidence`."""
        if (origin, path) in self._tiles:
            return self._tiles[origin, path]
        found = self._client.log_object(origin.rpartition("/")[2], path)
        if found is not None and path.startswith("tile/0/") and len(self._tiles) < MOST_TILES:
            self._tiles[origin, path] = found
        return found

    def entries(self, origin: str, size: int) -> Iterator[tuple[int, bytes]]:
        """See :class:`recorder.logbook.proof.Evidence`."""
        waiting = 0
        for one in self._client.audit(oldest=True):
            waiting += one["leaf"] is None
            if one["log"] == origin and one["leaf"] is not None:
                yield one["leaf"], canonical(one["entry"])
        self._waiting = waiting

    def waiting(self) -> int:
        """See :class:`recorder.logbook.proof.Evidence`."""
        if self._waiting is None:  # nobody has asked for the entries
            self._waiting = sum(one["leaf"] is None for one in self._client.audit(oldest=True))
        return self._waiting
