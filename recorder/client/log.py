"""Questions about the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recorder.client.asked import Moment, moment
from recorder.client.asking import Asking

if TYPE_CHECKING:
    from recorder.api import shown as seen


class LogAsking(Asking):
    """Asks about the audit log."""

    def audit(
        self,
        *,
        camera: str | None = None,
        site: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        who: str | None = None,
        action: str | None = None,
        result: str | None = None,
        oldest: bool = False,
        page: int = 1000,
    ) -> Iterator[seen.ShownLogged]:
        """Yield entries of the audit log, the newest first; ``who`` is like ``user:ana``."""
        query = {
            "camera": camera,
            "site": site,
            "who": who,
            "action": action,
            "result": result,
            "since": moment(since) if since is not None else None,
            "until": moment(until) if until is not None else None,
            "oldest": oldest or None,
            "limit": page,
        }
        yield from self._connection.pages("/audit", query)

    def checkpoint(self) -> str:
        """Return the audit log's newest checkpoint, a C2SP signed note: keep it elsewhere."""
        answer = self._connection.open("GET", self._connection.address("/audit/checkpoint"))
        return answer.read().decode()
