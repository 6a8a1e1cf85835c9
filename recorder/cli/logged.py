"""Where the commands about the audit log get their entries: this node, or a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from recorder.errors import NotFound
from recorder.logbook.shown import all_entries, show_logged, when
from recorder.model.keys import CameraId, read_camera_id
from recorder.ports import AskedEntries

if TYPE_CHECKING:
    from recorder.cli.context import Context
    from recorder.client import Client


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries a command asks for, as it was written."""

    camera: str | None
    site: str | None
    since: str | None
    until: str | None
    who: str
    action: str
    result: str | None


class LogAnswers(Protocol):
    """What the commands about the audit log are answered with."""

    def newest(self, filters: Filters, limit: int) -> list[dict[str, Any]]:
        """Return entries, the newest first."""

    def all(self, filters: Filters) -> Iterator[dict[str, Any]]:
        """Yield entries, the oldest first."""

    def checkpoint(self) -> str:
        """Return the newest checkpoint.  Raises: ``NotFound``."""


def answers(context: Context) -> LogAnswers:
    """Return whom the commands ask."""
    return There(context, context.client) if context.client is not None else Here(context)


class Here:
    """The node on this machine: its catalog."""

    def __init__(self, context: Context) -> None:
        self._context, self._catalog = context, context.app.catalog

    def _asked(self, filters: Filters) -> AskedEntries:
        context = self._context
        begin = context.instant(filters.since, "since") if filters.since else None
        end = context.instant(filters.until, "until") if filters.until else None
        named: CameraId | None = None
        if filters.camera is not None:
            found = context.app.cameras_of([filters.camera], filters.site, ahead=True)
            named = read_camera_id(found[0])
        who, action, result = filters.who, filters.action, filters.result or ""
        return AskedEntries(named, when(begin, end), None, who, action, result)

    def _origins(self) -> dict[int, str]:
        return {one.number: one.origin for one in self._catalog.audit_tree.logs()}

    def newest(self, filters: Filters, limit: int) -> list[dict[str, Any]]:
        """See :class:`LogAnswers`."""
        origins = self._origins()
        found = self._catalog.audit_log.search(self._asked(filters), limit)
        return [show_logged(one, origins) for one in found]

    def all(self, filters: Filters) -> Iterator[dict[str, Any]]:
        """See :class:`LogAnswers`."""
        origins = self._origins()
        for one in all_entries(self._catalog.audit_log, self._asked(filters)):
            yield show_logged(one, origins)

    def checkpoint(self) -> str:
        """See :class:`LogAnswers`."""
        logs = self._catalog.audit_tree.logs()
        if not logs or not logs[-1].checkpoint:
            raise NotFound("nothing is signed yet", hint="a running node signs each minute")
        return logs[-1].checkpoint


class There:
    """A server, by its API."""

    def __init__(self, context: Context, client: Client) -> None:
        self._context, self._client = context, client

    def _asked(self, filters: Filters) -> dict[str, Any]:
        at = {
            name: self._context.instant(text, name)
            for name, text in (("since", filters.since), ("until", filters.until))
            if text
        }
        return {
            "camera": filters.camera,
            "site": filters.site,
            "who": filters.who or None,
            "action": filters.action or None,
            "result": filters.result,
            **at,
        }

    def newest(self, filters: Filters, limit: int) -> list[dict[str, Any]]:
        """See :class:`LogAnswers`."""
        found: list[dict[str, Any]] = []
        for one in self._client.audit(**self._asked(filters), page=min(limit, 1000)):
            found.append(dict(one))
            if len(found) == limit:
                break
        return found

    def all(self, filters: Filters) -> Iterator[dict[str, Any]]:
        """See :class:`LogAnswers`."""
        for one in self._client.audit(**self._asked(filters), oldest=True):
            yield dict(one)

    def checkpoint(self) -> str:
        """See :class:`LogAnswers`."""
        return self._client.checkpoint()
