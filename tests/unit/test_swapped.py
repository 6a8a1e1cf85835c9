"""Two children whose folders, catalogs or settings were swapped: neither is taken for the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.cli.serve import running
from recorder.config import Settings
from recorder.errors import ConfigError, NameTaken, StateError
from recorder.model.timebase import HOUR
from recorder.ports import SiteBeat
from recorder.sites.admitted import admit, check_child, check_sender_catalog, turned_away
from tests.support.make import T0


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    catalog = SqlCatalog("sqlite://", site="centre")
    for name in ("post1", "post2"):
        check_child(catalog, name, f"catalog of {name}", "", T0)
        catalog.sites.put(SiteBeat(name, "post", "", T0, {}))
    yield catalog
    catalog.close()


def test_a_child_that_speaks_with_another_s_catalog_is_told_so_and_not_admitted(
    centre: SqlCatalog,
) -> None:
    for name, other in (("post1", "post2"), ("post2", "post1")):
        with pytest.raises(NameTaken, match=f"site {name}: .* the catalog of site {other}") as told:
            check_child(centre, name, f"catalog of {other}", "", T0)
        with pytest.raises(NameTaken, match=f"catalog of site {other}"):
            check_sender_catalog(centre.identities, name, f"catalog of {other}")
        assert "swapped" in told.value.hint
        assert turned_away(centre, T0)[name].why == str(told.value)
        with pytest.raises(StateError, match=f"catalog of site {other}"):
            admit(centre, name, f"catalog of {other}", T0 + HOUR)


def test_a_node_does_not_start_with_the_catalog_of_another_site(tmp_path: Path) -> None:
    def started(site: str) -> None:
        app = App(Settings(site=site, data=tmp_path, roles=["janitor"]))

        async def run() -> None:
            async with running(app):
                pass

        try:
            asyncio.run(run())
        finally:
            app.close()

    started("post2")
    started("post2")
    with pytest.raises(ConfigError, match="site is post1, and the catalog is that of site post2"):
        started("post1")
