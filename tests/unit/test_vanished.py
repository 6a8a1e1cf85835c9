"""What was sealed and logged and is nowhere is named, unless something says that it was let go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.janitor.check import Finding
from recorder.janitor.vanished import check_sealed
from recorder.logbook.sealed import SealedLog
from recorder.model.causes import Cause
from recorder.model.media import Copy
from recorder.ports import AuditEntry
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

MADE = [segment(60 * i, counter=i) for i in range(6)]


class Site:
    """A site whose catalog is lost and rebuilt from what its store still has."""

    def __init__(self) -> None:
        self.catalog, self.store = SqlCatalog("sqlite://", site=STREAM.site), MemoryStore("main")
        self.catalog.commits.add_segments(MADE, "main", 7)
        self.sealed = SealedLog(self.catalog, lambda: self.store, FakeClock(T0), STREAM.site, "n1")
        self.sealed.log()
        self.batches = list(self.sealed.batches())

    def lose(self, *gone: int) -> None:
        """Lose the catalog and some objects, then rebuild."""
        self.catalog.close()
        self.catalog = SqlCatalog("sqlite://", site=STREAM.site)
        left = [one for i, one in enumerate(MADE) if i not in gone]
        self.catalog.commits.add_segments(left, "main", 7)

    def say(self, number: int, *actions: str) -> None:
        """Write in the log what was done to a segment's copy."""
        one = MADE[number]
        self.catalog.audit.write(
            [
                AuditEntry(T0, action, STREAM, one.key, "main", one.range, 1, "all", "old", 1)
                for action in actions
            ]
        )

    def found(self) -> list[Finding]:
        return list(check_sealed(self.catalog, self.batches))


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.catalog.close()


def test_what_is_there_and_what_the_log_let_go_is_fine(site: Site) -> None:
    assert site.found() == []
    site.lose(1, 2)
    site.say(1, "condemn")
    site.say(2, "condemn", "spare", "lost")
    assert site.found() == []


def test_what_was_taken_away_while_there_was_no_catalog_is_named(site: Site) -> None:
    site.lose(1, 2, 4, 5)
    site.say(4, "condemn", "spare")
    site.say(5, "condemn")
    first, second = site.found()
    assert (first.law, first.subject) == ("L11", str(STREAM))
    assert first.detail.startswith("lost: 2 segments, ")
    assert second.detail.startswith(f"lost: {MADE[4].key}, "), "its mark was taken back"


def test_what_is_a_gap_already_is_said(site: Site) -> None:
    site.catalog.commits.forget([Copy(MADE[2], "main")], Cause.SPOOL_FULL)
    assert site.found() == []


def test_a_batch_that_the_store_has_no_more_is_named(site: Site) -> None:
    site.store.delete([one.key for one in site.store.list("spanstore.audit/")])
    site.batches = list(site.sealed.batches())
    (found,) = site.found()
    assert found.law == "L15"
    assert "is not in the log's store" in found.detail
