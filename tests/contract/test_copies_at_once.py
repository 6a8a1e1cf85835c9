"""Copies of one segment that come and go in PostgreSQL at the same moment: none is without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recorder.catalog.commits import SqlCommits
from recorder.catalog.heard import take_next
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StateError
from recorder.model.keys import CameraId
from recorder.model.media import Copy
from recorder.model.timebase import TimeRange
from recorder.ports import Numbered
from tests.contract.test_events_at_once import meanwhile
from tests.support.make import STREAM, T0, segment
from tests.support.postgres import Postgres

pytestmark = pytest.mark.xdist_group("pg")
ALL = TimeRange(0, T0 + 10**18)
ONE = segment(0, 60)


@pytest.fixture
def catalog(postgres: Postgres) -> Iterator[SqlCatalog]:
    one = SqlCatalog(postgres.cataloged(), site="north")
    one.commits.add_segment(ONE, "spool:n1", "", T0)
    yield one
    one.close()


def commits(catalog: SqlCatalog) -> SqlCommits:
    assert isinstance(catalog.commits, SqlCommits)
    return catalog.commits


def places(catalog: SqlCatalog) -> list[str]:
    (known,) = catalog.footage.segments(STREAM, ALL)
    return sorted(copy.place for copy in catalog.footage.copies([known])[known.key])


def test_what_is_put_into_a_store_while_the_spool_lets_it_go_is_known(catalog: SqlCatalog) -> None:
    def let_go() -> None:
        catalog.commits.forget([Copy(ONE, "spool:n1")], "spool-full")

    with meanwhile(catalog, let_go) as db:
        commits(catalog).add_one(db, ONE, "main", "", T0)
    assert places(catalog) == ["main"]
    assert catalog.footage.gaps(STREAM, ALL) == []


def test_what_the_spool_lets_go_while_it_is_put_into_a_store_is_known(catalog: SqlCatalog) -> None:
    with meanwhile(catalog, lambda: catalog.commits.add_segment(ONE, "main", "", T0)) as db:
        commits(catalog).forget_one(db, Copy(ONE, "spool:n1"), "spool-full")
    assert places(catalog) == ["main"]


def test_the_last_two_copies_that_go_at_once_leave_a_gap(catalog: SqlCatalog) -> None:
    catalog.commits.add_segment(ONE, "main", "", T0)
    with meanwhile(catalog, lambda: catalog.commits.forget([Copy(ONE, "main")], "purged")) as db:
        commits(catalog).forget_one(db, Copy(ONE, "spool:n1"), "purged")
    assert catalog.footage.segments(STREAM, ALL) == []
    assert [gap.cause for gap in catalog.footage.gaps(STREAM, ALL)] == ["purged"]


def test_what_a_site_below_lets_go_while_it_comes_in_here_is_known(catalog: SqlCatalog) -> None:
    catalog.commits.forget([Copy(ONE, "spool:n1")], "purged")
    catalog.commits.add_segment(ONE, "post/main", "", T0)
    stream = str(STREAM)
    gone = {"k": "gone", "stream": stream, "start": ONE.start, "writer": ONE.writer}
    with meanwhile(catalog, lambda: catalog.inbox.apply("post", [gone], T0)) as db:
        commits(catalog).add_one(db, ONE, "main", "", T0)
    assert places(catalog) == ["main"]


def test_of_two_messages_of_a_site_that_come_at_once_the_older_does_not_come_last(
    catalog: SqlCatalog,
) -> None:
    refused: list[str] = []

    def say_again() -> None:
        try:
            catalog.inbox.apply("post", [{**change, "group": "old"}], 1, Numbered("one", 7))
        except StateError as exc:
            refused.append(str(exc))

    change = {"k": "camera", "name": "gate", "group": "key"}
    catalog.inbox.apply("post", [change], 1, Numbered("one", 6))
    with meanwhile(catalog, say_again) as db:
        take_next(catalog.database, db, "post", Numbered("one", 8), 1)
    assert len(refused) == 1
    assert catalog.cameras.groups() == {CameraId("post", "gate"): "key"}
