"""Nodes that shared a catalog and lost it: each may rebuild, and none puts out one that lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from recorder.app import App
from recorder.config import Settings, StorePart
from recorder.errors import StoreRefused
from recorder.model.timebase import MINUTE
from recorder.store.owners import read_owners
from tests.support.clock import FakeClock
from tests.support.make import T0


@contextmanager
def node(folder: Path, name: str, catalog: str, clock: FakeClock) -> Iterator[App]:
    part = StorePart(name="main", kind="directory", path=folder / "store")
    url = f"sqlite:///{folder / catalog}"
    data = folder / name
    app = App(Settings(stores=(part,), site="north", node=name, data=data, catalog=url))
    app.upkeep.owners._clock = clock
    yield app
    app.close()


def test_each_node_of_a_site_that_lost_its_catalog_may_rebuild(tmp_path: Path) -> None:
    """Whichever of them wrote the last sign; while that one goes on with it nothing is deleted."""
    clock = FakeClock(T0)
    with ExitStack() as stack:
        first, second, anew, stranger = (
            stack.enter_context(node(tmp_path, name, catalog, clock))
            for name, catalog in (("n1", "a.db"), ("n2", "a.db"), ("n1", "b.db"), ("n3", "c.db"))
        )
        for app in (first, second):
            app.admit("main")
        store = anew.stores["main"]
        (sign,) = read_owners(store, "north")
        assert sign.node == "n2"
        for app, over in ((anew, False), (stranger, True)):
            with pytest.raises(StoreRefused, match="another recorder writes there"):
                app.admit("main", over=over)
        anew.admit("main", over=True)
        found = {one.catalog for one in read_owners(store, "north")}
        assert found == {sign.catalog, anew.catalog_id}, "it is watched"
        clock.at += 15 * MINUTE
        second.upkeep.owners._write(second.stores["main"], sign, left=False)  # it has it still
        for wait in (0, 15):
            clock.at += wait * MINUTE
            assert "written by another recorder" in anew.upkeep.owners.doubt(store)
        clock.at += 2 * MINUTE
        assert anew.upkeep.owners.doubt(store) == ""
        stack.enter_context(node(tmp_path, "n2", "b.db", clock)).admit("main")
        (sign,) = read_owners(store, "north")
        assert (sign.node, sign.catalog) == ("n2", anew.catalog_id)
