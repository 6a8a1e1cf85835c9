"""Digests of sealed segments go into the log: lines, then the entry, then the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from recorder.audit.entry import Entry, read_entry
from recorder.catalog.sql import SqlCatalog
from recorder.evidence.chain import ACTION, batch_root, head_of, read_link
from recorder.logbook import sealed
from recorder.logbook.sealed import SealedLog
from recorder.model.media import Segment
from recorder.model.timebase import DAY
from recorder.ports import AskedEntries, ChainLink
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment


class Site:
    """A site's catalog, store and clock; each step is noted, and may be the last."""

    def __init__(self) -> None:
        self.catalog = SqlCatalog("sqlite://", site=STREAM.site, node="n1")
        self.store, self.clock = MemoryStore("main"), FakeClock(T0)
        self.steps: list[str] = []
        self.dies_at = ""
        site, put = self, self.store.put
        write, log = self.catalog.audit_log.write, self.catalog.chain.log

        def step(name: str) -> None:
            if name == site.dies_at:
                raise KeyboardInterrupt
            site.steps.append(name)

        def put_lines(key: str, body: bytes, kind: str, about: Mapping[str, str]) -> str:
            step("lines")
            return put(key, body, kind, about)

        def write_entry(entries: Sequence[Entry]) -> None:
            step("entry")
            write(entries)

        def note(links: Sequence[ChainLink], batch: bytes, at: int) -> None:
            step("catalog")
            log(links, batch, at)

        self.store.put = put_lines  # type: ignore[assignment,method-assign]
        self.catalog.audit_log.write = write_entry  # type: ignore[method-assign]
        self.catalog.chain.log = note  # type: ignore[method-assign]
        self.sealed = SealedLog(self.catalog, lambda: self.store, self.clock, STREAM.site, "n1")

    def entries(self) -> list[Entry]:
        found = self.catalog.audit_log.search(AskedEntries(action=ACTION), 99)
        return [read_entry(one.raw) for one in found]


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    one.catalog.commits.add_segments([segment(60 * i) for i in range(3)], "spool:n1", 7)
    yield one
    one.catalog.close()


def test_lines_are_stored_before_an_entry_says_so_and_the_catalog_is_told_last(site: Site) -> None:
    assert site.sealed.log() == 3
    assert site.steps == ["lines", "entry", "catalog"]
    (entry,) = site.entries()
    links = site.catalog.chain.of([segment(60 * i).id for i in range(3)])
    lines = [one.line for one in links]
    assert entry.details == {"root": batch_root(lines).hex(), "segments": 3, "streams": 1}
    assert {(one.batch, one.at) for one in links} == {(batch_root(lines), entry.at)}
    assert site.sealed.lines(links[0].batch, links[0].at) == lines
    assert site.sealed.log() == 0
    assert len(site.entries()) == 1, "where nothing was sealed nothing is said"


@pytest.mark.parametrize("step", ["lines", "entry", "catalog"])
def test_after_a_death_at_any_step_all_links_are_logged(site: Site, step: str) -> None:
    site.dies_at = step
    with pytest.raises(KeyboardInterrupt):
        site.sealed.log()
    site.dies_at = ""
    site.clock.sleep(60)
    assert site.sealed.log() == 3
    assert site.catalog.chain.waiting(9) == []
    (link, *_) = site.catalog.chain.of([segment(0).id])
    assert any(one.details["root"] == link.batch.hex() for one in site.entries())
    assert site.sealed.lines(link.batch, link.at) is not None


def test_what_was_sealed_while_the_log_was_away_is_logged_in_batches(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MOST", 2)
    assert site.sealed.log() == 3
    assert sorted(one.details["segments"] for one in site.entries()) == [1, 2]


def test_lines_that_were_changed_in_the_store_are_none(site: Site) -> None:
    site.sealed.log()
    (link, *_) = site.catalog.chain.of([segment(0).id])
    (key,) = [one.key for one in site.store.list("spanstore.audit/")]
    MemoryStore.put(site.store, key, b"{}\n", "application/jsonl", {})
    assert site.sealed.lines(link.batch, link.at) is None
    site.store.delete([key])
    assert site.sealed.lines(link.batch, link.at) is None


def rebuilt(site: Site, *found: Segment) -> SqlCatalog:
    """A new catalog of the same site, whose segments and log were taken back."""
    new = SqlCatalog("sqlite://", site=STREAM.site, node="n1")
    new.rebuilding.put([(one, "") for one in found], "main", 8)
    new.audit_log.write(list(reversed(site.entries())))
    return new


def test_a_chain_goes_on_after_its_catalog_was_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MOST", 2)
    monkeypatch.setattr(sealed, "AT_ONCE", 1)
    made = [segment(60 * i) for i in range(4)]
    site.sealed.log()
    old = site.catalog.chain.of([one.id for one in made])
    new = rebuilt(site, *made[1:3])
    again = SealedLog(new, lambda: site.store, site.clock, STREAM.site, "n1")
    done = again.take_back(7)
    assert (done.batches, done.links, done.missing) == (2, 2, 0)
    assert [one.line for one in new.chain.waiting(9)] == [one.line for one in old[1:]]
    new.commits.add_segments([made[3]], "spool:n1", 9)
    (link,) = new.chain.of([made[3].id])
    assert read_link(link.line).number == 3
    assert read_link(link.line).before == head_of(old[2].line)
    new.close()


def test_a_batch_that_the_store_lost_is_counted_and_the_others_are_taken_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MOST", 2)
    site.sealed.log()
    (link, *_) = site.catalog.chain.of([segment(0).id])
    site.store.delete([one.key for one in site.store.list() if link.batch.hex() in one.key])
    new = rebuilt(site, *[segment(60 * i) for i in range(3)])
    done = SealedLog(new, lambda: site.store, site.clock, STREAM.site, "n1").take_back(7)
    assert (done.batches, done.links, done.missing) == (1, 1, 1)
    new.close()


def test_a_batch_that_the_store_lost_is_put_there_again_as_it_was_logged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MOST", 2)
    site.sealed.log()
    stored = {one.key: b"".join(site.store.read(one.key, 0, one.size)) for one in site.store.list()}
    assert len(stored) == 2
    site.store.delete(list(stored))
    assert site.sealed.refill(T0 - DAY) == (0, 0)
    assert site.sealed.refill(T0) == (2, 0)
    assert {
        one.key: b"".join(site.store.read(one.key, 0, one.size)) for one in site.store.list()
    } == stored
    assert site.sealed.refill(T0) == (0, 0)


def test_a_batch_whose_links_are_not_those_that_were_logged_is_not_put(site: Site) -> None:
    site.sealed.log()
    site.store.delete([one.key for one in site.store.list()])
    with site.catalog.database.write() as db:
        db.exec_driver_sql("UPDATE link SET line = x'7b7d' WHERE number = 1")
    assert site.sealed.refill(T0) == (0, 1), "or what was changed would look as if it was logged"
    with site.catalog.database.write() as db:
        db.exec_driver_sql("DELETE FROM link")
    assert site.sealed.refill(T0) == (0, 1)
    assert list(site.store.list()) == []
