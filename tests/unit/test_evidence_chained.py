"""Bundles of what came from a site below, and of what was recorded before a catalog was lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from recorder.audit.entry import Entry
from recorder.audit.tiles import WIDTH
from recorder.catalog import schema
from recorder.janitor.chained import check_chain
from recorder.janitor.rebuild import rebuild
from recorder.logbook.leaving import Leaving
from recorder.model.caller import Caller, CallerKind
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND
from recorder.store.memory import MemoryStore
from tests.support.bundles import look
from tests.support.exhibit import STORE, Exhibit
from tests.support.make import STREAM, T0

BELOW = StreamId("post1", "gate", "main")


@pytest.fixture
def exhibit(tmp_path: Path) -> Iterator[Exhibit]:
    one = Exhibit(tmp_path / "exhibit")
    yield one
    one.close()


def test_of_a_site_below_the_log_has_digests_since_the_footage_came(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    exhibit.record(T0, 5, BELOW)
    path = exhibit.bundle(tmp_path / "bundle", cameras=["gate"], site="post1", end_s=8)
    verdict = look(path)
    assert verdict.whole
    assert any("came to north from the site that recorded them" in one for one in verdict.proven)


def lose(exhibit: Exhibit) -> None:
    """Forget what the catalog has of segments and chains; its log goes on."""
    tables = (schema.copy, schema.segment, schema.span, schema.gap, schema.link, schema.chain)
    with exhibit.app.catalog.database.write() as db:
        for table in tables:
            db.execute(table.delete())


def find(exhibit: Exhibit) -> None:
    app = exhibit.app
    rebuild(app.catalog, app.stores[STORE], STREAM.site, app.clock.now())


def test_what_was_recorded_before_a_catalog_was_lost_is_proven_after_it_is_rebuilt(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    app = exhibit.app
    exhibit.bundle(tmp_path / "before")
    lose(exhibit)
    find(exhibit)
    unlinked = look(exhibit.bundle(tmp_path / "without"))
    assert any("no link of theirs" in one for one in unlinked.unproven)
    exhibit.record(T0 + 40 * SECOND, 3)  # by who did not know yet that chains could be taken back
    assert app.sealed_log.take_back(app.press.publish().number).links == 10
    exhibit.record(T0 + 60 * SECOND, 4)
    again = exhibit.bundle(tmp_path / "again", end_s=75)
    verdict = look(again)
    assert verdict.whole
    assert any("those that were sealed" in one for one in verdict.proven)
    assert not any("no link of theirs" in one for one in verdict.unproven)
    (path,) = (again / "chain").iterdir()
    numbers = [
        [json.loads(line)["number"] for line in run["links"]]
        for run in json.loads(path.read_text())
    ]
    assert sorted(map(len, numbers)) == [5, 15], "two chains, the second went on from the first"
    assert list(check_chain(app.catalog.planning, app.catalog.chain, STORE)) == []


def test_what_was_altered_while_there_was_no_catalog_is_found(exhibit: Exhibit) -> None:
    exhibit.app.sealed_log.log()
    lose(exhibit)
    find(exhibit)
    altered, seg = exhibit.segments[3], schema.segment
    with exhibit.app.catalog.database.write() as db:
        own = update(seg).where(seg.c.start_ns == altered.start)
        db.execute(own.values(digest=b"\xcd" * 32))
    exhibit.app.sealed_log.take_back(1)
    catalog = exhibit.app.catalog
    (found,) = check_chain(catalog.planning, catalog.chain, STORE)
    assert (found.law, found.subject) == ("L15", altered.key)


def test_digests_are_proven_as_before_when_the_entries_of_them_have_left_the_catalog(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    app = exhibit.app
    before = look(exhibit.bundle(tmp_path / "before"))
    caller = Caller(CallerKind.USER, "ana")
    app.catalog.audit_log.write([Entry(T0 + n, caller, "hold.add") for n in range(3 * WIDTH)])
    app.press.publish()
    second, key = MemoryStore("archive"), app.press.signer().key("")
    Leaving(app.catalog, app.log_store, second, key).run(2 * T0)
    assert app.catalog.audit_left.count() == 2 * WIDTH
    after = look(exhibit.bundle(tmp_path / "after"))
    assert (after.whole, after.proven[1:3]) == (True, before.proven[1:3])
    assert "the log has had their digests since" in after.proven[2]
    lose(exhibit)
    find(exhibit)
    app.sealed_log.take_back(app.catalog.audit_tree.logs()[-1].number)
    again = look(exhibit.bundle(tmp_path / "again"))
    assert (again.whole, again.proven[1:3]) == (True, before.proven[1:3])
