"""Where the commands about the audit log get their entries: this node, or a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from recorder.audit.note import Checkpoint, Key
from recorder.cli.fetched import ServerEvidence
from recorder.cli.whom import Here, There, ask, named
from recorder.logbook.keys import own_signer
from recorder.logbook.proof import CatalogEvidence, Proof, prove
from recorder.logbook.shown import (
    all_entries,
    newest_checkpoint,
    show_logged,
    show_logs,
    when,
)
from recorder.model.keys import CameraId, read_camera_id
from recorder.model.timebase import Instant
from recorder.ports import AskedEntries

if TYPE_CHECKING:
    from recorder.cli.context import Context
    from recorder.model.shown import ShownLog


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries a command asks for."""

    camera: str | None
    site: str | None
    since: Instant | None
    until: Instant | None
    who: str
    action: str
    result: str | None


class LogAnswers(Protocol):
    """What the commands about the audit log are answered with."""

    def newest(self, filters: Filters, limit: int) -> list[dict[str, object]]:
        """Return entries, the newest first."""

    def all(self, filters: Filters) -> Iterator[dict[str, object]]:
        """Yield entries, the oldest first."""

    def checkpoint(self) -> str:
        """Return the newest checkpoint.  Raises: ``NotFound``."""

    def logs(self) -> list[ShownLog]:
        """Return the site's logs, the present one last."""

    def witness_key(self) -> str:
        """Return the key that vouches for logs of sites below."""

    def prove(self, kept: Sequence[Checkpoint], keys: Sequence[Key]) -> Proof:
        """Prove the log of this site; ``keys``: what is trusted instead of what is said here."""


def answers(context: Context) -> LogAnswers:
    """Return whom the commands ask."""
    return ask(context, LogHere, LogThere)


class LogHere(Here):
    """The node on this machine: its catalog."""

    def _asked(self, filters: Filters) -> AskedEntries:
        camera: CameraId | None = None
        if filters.camera is not None:
            found = self._app.finder.cameras_of([filters.camera], filters.site, ahead=True)
            camera = read_camera_id(found[0])
        asked = when(filters.since, filters.until)
        return AskedEntries(camera, asked, None, filters.who, filters.action, filters.result or "")

    def _origins(self) -> dict[int, str]:
        return {one.number: one.origin for one in self._app.catalog.audit_tree.logs()}

    def newest(self, filters: Filters, limit: int) -> list[dict[str, object]]:
        """See :class:`LogAnswers`."""
        origins = self._origins()
        found = self._app.catalog.audit_log.search(self._asked(filters), limit)
        return [show_logged(one, origins) for one in found]

    def all(self, filters: Filters) -> Iterator[dict[str, object]]:
        """See :class:`LogAnswers`."""
        origins = self._origins()
        for one in all_entries(self._app.catalog.audit_log, self._asked(filters)):
            yield show_logged(one, origins)

    def checkpoint(self) -> str:
        """See :class:`LogAnswers`."""
        return newest_checkpoint(self._app.catalog.audit_tree)

    def logs(self) -> list[ShownLog]:
        """See :class:`LogAnswers`."""
        return show_logs(self._app.catalog.audit_tree)

    def witness_key(self) -> str:
        """See :class:`LogAnswers`."""
        return str(self._app.witness.key())

    def prove(self, kept: Sequence[Checkpoint], keys: Sequence[Key]) -> Proof:
        """See :class:`LogAnswers`."""
        path = self._settings.audit_key
        own = own_signer(path).key("") if path.exists() else None
        catalog, store = self._app.catalog, self._app.log_store
        return prove(CatalogEvidence(catalog.audit_tree, store, self._own), own, keys, kept)


class LogThere(There):
    """A server, by its API."""

    def _asked(self, filters: Filters) -> dict[str, Any]:
        camera, site = filters.camera, filters.site
        return {
            "camera": named(camera, site) if camera is not None else None,
            "since": filters.since,
            "until": filters.until,
            "who": filters.who or None,
            "action": filters.action or None,
            "result": filters.result,
        }

    def newest(self, filters: Filters, limit: int) -> list[dict[str, object]]:
        """See :class:`LogAnswers`."""
        found: list[dict[str, object]] = []
        for one in self._client.audit(**self._asked(filters), page=min(limit, 1000)):
            found.append(dict(one))
            if len(found) == limit:
                break
        return found

    def all(self, filters: Filters) -> Iterator[dict[str, object]]:
        """See :class:`LogAnswers`."""
        for one in self._client.audit(**self._asked(filters), oldest=True):
            yield dict(one)

    def checkpoint(self) -> str:
        """See :class:`LogAnswers`."""
        return self._client.checkpoint()

    def logs(self) -> list[ShownLog]:
        """See :class:`LogAnswers`."""
        return self._client.logs()

    def witness_key(self) -> str:
        """See :class:`LogAnswers`."""
        return self._client.witness_key()

    def prove(self, kept: Sequence[Checkpoint], keys: Sequence[Key]) -> Proof:
        """See :class:`LogAnswers`."""
        return prove(ServerEvidence(self._client), None, keys, kept)
