"""What people write in PostgreSQL at the same moment: nobody's word is lost without another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from recorder.catalog.alone import WRITTEN, one_at_a_time
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StaleVersion
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_point
from recorder.model.versions import Expected
from tests.contract.test_events_at_once import meanwhile
from tests.support.make import T0
from tests.support.postgres import Postgres

pytestmark = pytest.mark.xdist_group("pg")
AS_READ = Expected('"1"')
WRITES: dict[str, Callable[[SqlCatalog, Expected], object]] = {
    "policy": lambda one, read: one.documents.put("policy", {}, "ann", T0, read),
    "point": lambda one, read: one.points.put(
        parse_point("gate", {"kind": "alarm", "cameras": ["cam"]}), read
    ),
    "camera": lambda one, read: one.cameras.put(
        parse_camera("cam", {"url": "rtsp://a/b"}), T0, int(read.match is not None) or None
    ),
    "camera below": lambda one, read: one.child_cameras.put(
        "post", "cam", {"streams": {}}, "ann", T0, read
    ),
}


@pytest.fixture
def catalog(postgres: Postgres) -> Iterator[SqlCatalog]:
    one = SqlCatalog(postgres.cataloged(), site="north")
    yield one
    one.close()


@pytest.mark.parametrize("what", WRITES)
def test_of_two_who_write_at_once_what_both_read_the_later_is_refused(
    catalog: SqlCatalog, what: str
) -> None:
    write, refused = WRITES[what], list[Exception]()
    write(catalog, Expected())

    def second() -> None:
        try:
            write(catalog, AS_READ)
        except StaleVersion as exc:
            refused.append(exc)

    with meanwhile(catalog, second) as db:
        one_at_a_time(db, WRITTEN)
        first(catalog, what, db)
    assert len(refused) == 1


def first(catalog: SqlCatalog, what: str, db: object) -> None:
    """Write as the one who came first, inside a transaction that has not ended."""
    tables = {"policy": "document", "camera below": "camera_below"}
    table = tables.get(what, what)
    if what == "policy":
        statement = "INSERT INTO document SELECT kind, 2, body, author, at_ns FROM document"
    else:
        statement = f"UPDATE {table} SET version = 2"
    db.exec_driver_sql(statement)  # type: ignore[attr-defined]


def test_a_camera_asked_of_a_site_below_is_never_stored_before_one_that_it_has_heard_of(
    catalog: SqlCatalog,
) -> None:
    """It asks for what was stored after the last that it heard: what came before is never told."""
    with meanwhile(
        catalog, lambda: catalog.child_cameras.put("post", "late", {"streams": {}}, "ann", T0)
    ) as db:
        one_at_a_time(db, WRITTEN)
        db.exec_driver_sql(
            "INSERT INTO camera_below (site, name, version, body, author, at_ns) "
            f"VALUES ('post', 'first', 1, '{{\"streams\": {{}}}}', 'ann', {T0 + 1})"
        )
    assert [one.name for one in catalog.child_cameras.since()] == ["first", "late"]
