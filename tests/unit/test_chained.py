"""What is cataloged is what was sealed: found by its chain where it is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.evidence.chain import read_link, write_link
from recorder.janitor import chained
from recorder.janitor.chained import check_chain
from recorder.logbook.sealed import SealedLog
from recorder.model.media import Copy
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

MADE = [segment(60 * i) for i in range(6)]


class Site:
    def __init__(self) -> None:
        self.catalog = SqlCatalog("sqlite://", site=STREAM.site, node="n1")
        self.store = MemoryStore("main")
        self.sealed = SealedLog(self.catalog, lambda: self.store, FakeClock(T0), STREAM.site, "n1")
        self.catalog.commits.add_segments(MADE, "main", 7)
        self.sealed.log()

    def change(self, number: int, **values: object) -> None:
        """Change a segment's row, as somebody with the catalog's file can."""
        seg = schema.segment
        with self.catalog.database.write() as db:
            own = update(seg).where(seg.c.start_ns == MADE[number].start)
            db.execute(own.values(**values))

    def relink(self, number: int, line: bytes) -> None:
        link = schema.link
        with self.catalog.database.write() as db:
            db.execute(update(link).where(link.c.number == number).values(line=line))

    def found(self) -> list[str]:
        part, lines = self.catalog, self.sealed.lines
        found = list(check_chain(part.planning, part.chain, "main", lines))
        assert all(one.law == "L15" for one in found)
        return [f"{one.subject}: {one.detail}" for one in found]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(chained, "AT_ONCE", 4)
    one = Site()
    yield one
    one.catalog.close()


def test_what_is_as_it_was_sealed_is_clean_purged_or_not(site: Site) -> None:
    assert site.found() == []
    site.catalog.commits.forget([Copy(one, "main") for one in MADE[1:3]], "purged")
    site.catalog.commits.add_segment(segment(900), "main", "", 7)  # of before: it has no link
    assert site.found() == []


@pytest.mark.parametrize(
    "values", [{"digest": b"\xcd" * 32}, {"size_bytes": 999}, {"end_ns": MADE[2].end - 1}]
)
def test_a_segment_that_is_not_the_one_that_was_sealed_is_found(
    site: Site, values: dict[str, object]
) -> None:
    site.change(2, **values)
    assert site.found() == [f"{MADE[2].key}: is not, by its link, what was sealed"]


def test_a_link_that_was_changed_with_its_segment_is_found_by_the_next_and_by_the_log(
    site: Site,
) -> None:
    forged = "cd" * 32
    site.change(2, digest=bytes.fromhex(forged))
    (link,) = site.catalog.chain.of([MADE[2].id])
    site.relink(2, link.line.replace(MADE[2].digest.encode(), forged.encode()))
    assert site.found() == [
        f"{STREAM}: link 2 is not the one that was logged",
        f"{STREAM}: link 3 does not go on from the one before",
    ]


def test_a_chain_that_was_made_anew_is_found_by_the_log(site: Site) -> None:
    last = MADE[-1]
    (link,) = site.catalog.chain.of([last.id])
    site.relink(5, write_link(last, 5, bytes(32)))
    assert read_link(link.line).before != bytes(32)
    assert f"{STREAM}: link 5 is not the one that was logged" in site.found()


def test_lines_that_the_logs_store_lacks_and_links_that_are_none_are_named(site: Site) -> None:
    site.store.delete([one.key for one in site.store.list("spanstore.audit/")])
    assert len(site.found()) == len(MADE)
    site.relink(0, b"{}")
    assert any("cannot be read" in one for one in site.found())


def test_two_chains_of_one_stream_that_part_are_each_whole(site: Site) -> None:
    # a catalog was put back as it was, or copied: what was sealed then has the same numbers
    copy = SqlCatalog("sqlite://", site=STREAM.site, node="n1")
    copy.commits.add_segments(MADE[:4], "main", 7)
    parted = [segment(245 + 60 * i, writer="n1.9") for i in range(3)]
    copy.commits.add_segments(parted, "main", 7)
    for one in parted:
        site.catalog.commits.add_segment(one, "main", "", 7)
    lines = [one.line for one in copy.chain.of([one.id for one in parted])]
    copy.close()
    assert site.catalog.chain.take_back(lines, b"", 7) == 3
    assert site.found() == []
    with site.catalog.database.write() as db:
        own = (schema.link.c.number == 5, schema.link.c.writer == parted[1].writer)
        changed = write_link(parted[1], 5, bytes(32))
        db.execute(update(schema.link).where(*own).values(line=changed))
    assert site.found() == [
        f"{STREAM}: link {number} does not go on from the one before" for number in (5, 6)
    ]


@pytest.mark.parametrize("apart", [50, 60])
def test_a_chain_whose_first_link_ended_with_the_copy_that_made_it_is_no_broken_one(
    site: Site, apart: int
) -> None:
    copy = SqlCatalog("sqlite://", site=STREAM.site, node="n1")
    copy.commits.add_segments(MADE[:4], "main", 7)
    parted = [segment(245 + apart * i, writer="n1.9") for i in range(3)]
    copy.commits.add_segments(parted, "main", 7)
    for one in parted[1:]:  # the first lay in its spool
        site.catalog.commits.add_segment(one, "main", "", 7)
    lines = [one.line for one in copy.chain.of([one.id for one in parted[1:]])]
    copy.close()
    assert site.catalog.chain.take_back(lines, b"", 7) == 2
    assert site.found() == []
    site.catalog.commits.forget([Copy(MADE[5], "main")], "purged")
    assert site.found() == [f"{STREAM}: link 5 does not go on from the one before"]
