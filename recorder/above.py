"""The link of a node to the site above, made of what the node has."""

from __future__ import annotations

from pathlib import Path

from recorder.app import App
from recorder.janitor.thin import make_thin
from recorder.logbook.witness import Vouched
from recorder.model.media import Segment
from recorder.model.places import PARENT
from recorder.model.schedule import parse_timetable
from recorder.sites.link import Link, LinkSettings
from recorder.sites.noted import FromAbove
from recorder.sites.remote import RemoteSite


def link_of(app: App) -> Link:
    """Return the link of a node, whose settings name a parent."""
    settings = app.settings

    def catalog_id() -> str:  # when it is asked for: at the start the catalog may be away
        return app.catalog_id

    vouched = Vouched(app.catalog.audit_tree, lambda: app.log_store, lambda: app.press)
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
        LinkSettings(site, settings.level, settings.own_url, budget, windows, catalog_id, law),
        lambda segment, offset, length: app.view.read(segment, offset, length),
        thin,
        app.allowed.check_camera,
        FromAbove(lambda: app.book, vouched),
    )
