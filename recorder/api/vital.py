"""How a node does: what it is asked at rest, by those who watch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from recorder.app import App
from recorder.errors import RecorderError
from recorder.metrics import exposition
from recorder.model.secrets import mask
from recorder.model.timebase import format_instant
from recorder.service import Service
from recorder.side_by_side import SideBySide
from recorder.store.watched import WatchedStore

PATIENCE_S = 3.0
"""So long a catalog and stores are waited for; a mount that hangs would keep a thread for each who
asks."""
SILENT = "does not answer"
UNTOLD_S = 5.0
"""A catalog that owes an answer to a sign of life for so long takes nothing: it is locked, full or
frozen.  What is sealed waits 30 s for it, and comes once a minute."""

if TYPE_CHECKING:
    from recorder.api.shown import ShownOk, ShownReady
    from recorder.catalog.sql import SqlCatalog


def alive() -> ShownOk:
    """Say that this process answers."""
    return {"status": "ok"}


def ready(app: App, service: Service | None, *, told: bool) -> tuple[int, ShownReady]:
    """Say whether this node can serve: status and body; ``told``: why not, too."""
    asked: dict[str, SqlCatalog | WatchedStore] = {"catalog": app.catalog}
    asked |= {f"store {name}": store for name, store in app.stores.items()}
    said = _ASKED.ask(asked, PATIENCE_S)
    catalog, *stores = (said.get(name, SILENT) for name in asked)
    records = service is not None and service.capture is not None
    serves = records or app.settings.shared
    own = {} if service is None else _own_checks(service)
    well = all(one == "ok" for one in stores)
    state = "ok" if well and not own else "degraded" if serves else "down"
    state = state if catalog == "ok" else "down"
    # without leave it would tell of disks and hosts
    heard = dict(zip(asked, (catalog, *stores), strict=True))
    checks = {**heard, **own} if told else {}
    status = 503 if state == "down" else 200
    return status, {"ready": state != "down", "state": state, "checks": checks}


def _own_checks(service: Service) -> dict[str, str]:
    """Say what keeps footage from the catalog, or from the spool; nothing where all is well."""
    found = {}
    if (untold_s := service.untold_s) >= UNTOLD_S:
        found["catalog"] = f"has taken nothing for {untold_s:.0f} s"
    if service.register is not None and service.register.refused:
        found["catalog"] = f"takes nothing: {service.register.refused}"
    if older := service.wanted.lost or service.app.upkeep.keeper.older:
        found["catalog"] = older
    if service.lacks_spool:
        found["spool"] = SILENT
    if service.keeper is not None and service.keeper.sheds:
        found["spool"] = "too full: footage went that was in no store"
    if service.capture is not None:
        unsealed = list(service.capture.unsealed().values())
        failing = [
            one.detail or one.condition
            for one in service.capture.states().values()
            if one.condition.startswith("spool-")
        ]
        if said := next(iter([*failing, *unsealed]), ""):
            found["spool"] = mask(said)
    return found


def _said_of(one: SqlCatalog | WatchedStore) -> str:
    """Say how a catalog or a store does: whether it answers, and how the last writes went."""
    try:
        if not isinstance(one, WatchedStore):
            one.footage.streams()
            return "ok"
        one.head("spanstore.json")
    except RecorderError as exc:
        return str(exc)
    writes = one.writes
    if writes.failing_since is None:
        return "ok"
    return f"takes nothing since {format_instant(writes.failing_since, 0)}: {writes.error}"


_ASKED: SideBySide[SqlCatalog | WatchedStore, str] = SideBySide("ready", _said_of)


def metrics(app: App, service: Service | None) -> Response:
    """Tell Prometheus; the streams' figures are of this moment."""
    return Response(exposition(service, app.clock), media_type=CONTENT_TYPE_LATEST)
