"""The link of a node to the site above, made of what the node has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recorder.accounts.standing import standing
from recorder.app import App
from recorder.door import certificate_ends
from recorder.errors import RecorderError
from recorder.janitor.thin import make_thin
from recorder.logbook.witness import Vouched
from recorder.model.media import Segment
from recorder.model.places import PARENT
from recorder.model.schedule import parse_timetable
from recorder.model.timebase import format_instant
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.sites.noted import FromAbove
from recorder.sites.remote import RemoteSite

ANEW_S = 30.0
"""So often it is looked how a site stands: it says something each second."""


class About:
    """What a site tells above of how it stands: access, and the certificate of its API."""

    def __init__(self, app: App) -> None:
        self._app, self._at, self._facts = app, float("-inf"), dict[str, object]()

    def facts(self) -> Mapping[str, object]:
        """Return what is told; looked up anew now and then.

        Raises: ``CatalogUnavailable``.
        """
        now = self._app.clock.monotonic()
        if now - self._at >= ANEW_S:
            self._facts, self._at = self._look(), now
        return self._facts

    def _look(self) -> dict[str, object]:
        app = self._app
        found = standing(app.people, on=app.knower.look_whether())
        access = {"on": found.on, "admins": len(found.admins), "ending": len(found.ending)}
        path = app.settings.api.certificate
        if path is None:
            return {"access": access}
        try:
            end = format_instant(certificate_ends(path), 0)
        except RecorderError as exc:  # the API says so itself; here it is told above
            end = f"unknown: {exc}"
        return {"access": access, "certificate_end": end}


def link_of(app: App) -> Link:
    """Return the link of a node, whose settings name a parent."""
    settings = app.settings

    def catalog_id() -> str:  # when it is asked for: at the start the catalog may be away
        return app.catalog_id

    vouched = Vouched(app.catalog.audit_tree, lambda: app.log_store, lambda: app.press, app.clock)
    windows = {
        str(name): parse_timetable(table, f"uplink.windows.{name}")
        for name, table in settings.uplink.windows.items()
    }

    def thin(original: Segment) -> tuple[Path, Segment]:
        path, writing = make_thin(app.view, original, app.spool.root / "sending")
        assert writing.segment is not None  # noqa: S101 - all blocks were written
        return path, writing.segment

    site, sign = settings.site, app.sign_for(PARENT)
    budget, law = settings.uplink.budget, settings.law
    return Link(
        RemoteSite("parent", settings.parent, own=site, catalog_id=catalog_id, sign=sign),
        app.catalog,
        app.stores[settings.ship_store],
        app.clock,
        LinkSettings(
            site,
            settings.level,
            settings.own_url,
            budget,
            windows,
            catalog_id,
            law,
            About(app).facts,
            settings.node,
        ),
        lambda segment, offset, length: app.view.read(segment, offset, length),
        thin,
        app.allowed.check_camera,
        FromAbove(lambda: app.book, vouched),
    )
