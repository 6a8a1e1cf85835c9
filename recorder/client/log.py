"""Questions about the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from recorder.client.asked import Moment, moment
from recorder.client.asking import Asking
from recorder.errors import NotFound

if TYPE_CHECKING:
    from recorder.api import shown_log as seen
    from recorder.model import shown


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
        return self._connection.content("/audit/checkpoint").decode()

    def logs(self) -> list[shown.ShownLog]:
        """Return the logs of the site, the present one last, each with its key."""
        return cast("list[shown.ShownLog]", list(self._connection.pages("/audit/logs", {})))

    def log_object(self, log_id: str, path: str) -> bytes | None:
        """Return a log's ``checkpoint`` or one of its tiles (C2SP tlog-tiles), if there is one."""
        try:
            return self._connection.content(f"/audit/logs/{quote(log_id, '')}/{path}")
        except NotFound:
            return None

    def witness_key(self) -> str:
        """Return the key by which the site vouches for the logs of sites below."""
        return cast("seen.ShownKey", self.ask("GET", "/audit/witness"))["key"]
