"""Events that are changed in PostgreSQL by two transactions at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from recorder.catalog import owed
from recorder.catalog.event_words import is_news
from recorder.catalog.events import write_event
from recorder.catalog.sql import SqlCatalog
from tests.contract.events import alarm, later
from tests.support.ports import until
from tests.support.postgres import Postgres

pytestmark = pytest.mark.xdist_group("pg")


@pytest.fixture
def catalog(postgres: Postgres) -> Iterator[SqlCatalog]:
    one = SqlCatalog(postgres.cataloged(), site="north")
    yield one
    one.close()


@contextmanager
def meanwhile(catalog: SqlCatalog, work: Callable[[], object]) -> Iterator[Connection]:
    """Open a transaction; before it ends, ``work`` has ended in another, or waits for it."""
    other = threading.Thread(target=work)

    def waits() -> bool:
        with catalog.database.read() as db:
            query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return not other.is_alive() or bool(db.exec_driver_sql(query).scalar())

    with catalog.database.write() as db:
        yield db
        other.start()
        until(waits, 30, "the other one ends, or waits")
    other.join(30)
    assert not other.is_alive()


def test_what_is_changed_while_it_is_settled_is_owed_still(catalog: SqlCatalog) -> None:
    catalog.events.add(alarm(), None)
    assert catalog.owed_events.due("store main", 9)

    with meanwhile(catalog, lambda: catalog.events.change("e1", later(kind="manual"))) as db:
        owed.settle(db, "store main", [("e1", 1)])
    assert [one.version for one in catalog.owed_events.due("store main", 9)] == [2]


def test_of_two_words_that_come_at_once_the_later_version_counts(catalog: SqlCatalog) -> None:
    catalog.events.add(alarm(), None)
    second, third = (replace(alarm(), version=version) for version in (2, 3))

    with meanwhile(catalog, lambda: catalog.events.take([(second, None)])) as db:
        assert is_news(db, "e1", "north", 3)
        write_event(catalog.database, db, third, None)
    found = catalog.events.get("e1")
    assert found is not None
    assert found.version == 3
