"""What the catalog says twice is said alike (law L16), and a row that was altered is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Table, delete, select, update

from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.cut.pieces import cut_segments
from recorder.errors import IndexCorrupt
from recorder.janitor.check import Tally, check_agreeing, check_held, check_store
from recorder.model.cameras import Camera, StreamSource
from recorder.model.events import Event
from recorder.model.holds import Hold
from recorder.model.timebase import DAY, HOUR, SECOND, TimeRange
from recorder.store.memory import MemoryStore
from tests.support.make import STREAM, T0
from tests.unit.test_rebuild import NOW, filled

GATE = str(STREAM.camera_id)
EVENT = Event(
    "e1", STREAM.site, "alarm", "", (GATE,), TimeRange(T0, T0 + SECOND),
    TimeRange(T0 - SECOND, T0 + 4 * SECOND), T0, {},
)  # fmt: skip
FOOTER_SAYS = (
    *("span_ns", "end_ns", "media_start", "media_end", "timescale", "init_bytes", "frames"),
    *("camera_offset_ns", "points", "size_bytes", "digest", "config_no", "counter", "start_ns"),
)


@pytest.fixture
def told() -> Iterator[tuple[SqlCatalog, MemoryStore]]:
    """A catalog, and the store that has its footage, one event and a camera."""
    catalog = SqlCatalog("sqlite://", site=STREAM.site)
    store, segments = filled("main", (0, 8))  # of one span, and not next to each other
    catalog.commits.add_segments(segments, "main", T0 + HOUR)
    source = StreamSource("rtsp://10.0.0.7/1")
    catalog.cameras.put(Camera(STREAM.camera, {"main": source}, group="key"), T0, None)
    catalog.events.add(EVENT, None)
    yield catalog, store
    catalog.close()


def found(catalog: SqlCatalog, store: MemoryStore) -> list[str]:
    """Return what a check of all finds, by law."""
    findings = [*check_store(catalog.planning, store, "digest", HOUR, NOW + DAY, Tally())]
    findings += check_held(catalog.planning, catalog.holds, store.name, NOW)
    return [one.law for one in [*findings, *check_agreeing(catalog.agreeing)]]


def write(catalog: SqlCatalog, table: Table, **values: object) -> None:
    """Alter the second row of a table, or the only one."""
    key = table.primary_key.columns
    with catalog.database.write() as db:
        rows = db.execute(select(*key).order_by(*key)).all()
        row = rows[min(1, len(rows) - 1)]
        own = [column == one for column, one in zip(key, row, strict=True)]
        db.execute(update(table).where(*own).values(**values))


def other(value: Any) -> list[Any]:
    """Return what may stand in its place."""
    if isinstance(value, bytes):
        return [b"", value[:-1] + bytes([value[-1] ^ 1])]
    if isinstance(value, str):
        return [value + "x", ""]
    return [1] if value is None else [value + 1, -value - 1, value - DAY]


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("name", FOOTER_SAYS)
def test_a_segment_whose_row_is_not_what_its_footer_says_is_found(
    name: str, which: int, told: tuple[SqlCatalog, MemoryStore]
) -> None:
    catalog, store = told
    assert found(catalog, store) == []
    with catalog.database.read() as db:
        value = db.execute(select(schema.segment.c[name]).limit(1).offset(1)).scalar()
    write(catalog, schema.segment, **{name: other(value)[which]})
    assert found(catalog, store)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (schema.span, {"start_ns": T0 - 1}),
        (schema.span, {"end_ns": T0 + DAY}),
        (schema.span, {"writer": "n2.1"}),
        (schema.span, {"span_ns": T0 + 1}),
        (schema.member, {"group_name": "general"}),
        (schema.member, {"camera": "yard"}),
        (schema.camera, {"body": {"group": "general"}}),
        (schema.touch, {"camera": "yard"}),
        (schema.touch, {"kind": "motion"}),
        (schema.touch, {"event_id": "e2"}),
        (schema.event, {"cameras": ["south/gate"]}),
        (schema.event, {"cameras": 5}),
        (schema.event, {"event_id": "e2"}),
        (schema.event, {"removed_ns": T0}),
        (schema.copy, {"start_ns": T0 + 1}),
        (schema.config, {"config_no": 7}),
        (schema.stream, {"stream_no": 7}),
    ],
    ids=str,
)
def test_a_row_that_does_not_follow_from_others_is_found(
    table: Table, values: dict[str, Any], told: tuple[SqlCatalog, MemoryStore]
) -> None:
    catalog, store = told
    write(catalog, table, **values)
    assert "L16" in found(catalog, store)


@pytest.mark.parametrize("table", [schema.span, schema.member, schema.touch, schema.event], ids=str)
def test_a_row_that_others_want_and_that_is_gone_is_found(
    table: Table, told: tuple[SqlCatalog, MemoryStore]
) -> None:
    catalog, store = told
    with catalog.database.write() as db:
        db.execute(delete(table))
    assert found(catalog, store) == ["L16"]


def test_what_is_let_go_or_removed_leaves_nothing_that_does_not_agree(
    told: tuple[SqlCatalog, MemoryStore],
) -> None:
    catalog, store = told
    gone = catalog.planning.copies_at("main", None, 1)
    catalog.commits.forget(gone, "purged")
    store.delete([gone[0].segment.key])
    catalog.events.remove("e1", NOW)
    catalog.cameras.delete(STREAM.camera)
    assert found(catalog, store) == []


def test_what_was_written_before_there_were_sites_agrees(
    told: tuple[SqlCatalog, MemoryStore],
) -> None:
    catalog, store = told
    write(catalog, schema.member, site="")
    write(catalog, schema.touch, site="")
    assert found(catalog, store) == []


def test_a_segment_that_ends_before_it_begins_is_named_stops_no_plan_and_is_not_let_go(
    told: tuple[SqlCatalog, MemoryStore],
) -> None:
    catalog, store = told
    write(catalog, schema.segment, end_ns=T0 - 400 * DAY)
    assert "L1" in found(catalog, store)
    (lane,) = catalog.planning.copy_columns("main")
    assert len(lane) == 1
    segments = [copy.segment for copy in catalog.planning.copies_at("main", None, 10)]
    assert min(one.range.duration_ns for one in segments) == 0
    with pytest.raises(IndexCorrupt, match="ends before it begins"):
        cut_segments(segments, TimeRange(T0 - DAY, T0 + DAY))


def test_footage_of_a_stream_that_is_not_known_any_more_stops_no_plan(
    told: tuple[SqlCatalog, MemoryStore],
) -> None:
    catalog, _ = told
    assert len(catalog.planning.copy_columns("main")) == 1
    with catalog.database.write() as db:
        db.execute(delete(schema.stream))
    assert catalog.planning.copy_columns("main") == []


@pytest.mark.parametrize(
    "odd", [{"start_ns": T0 + DAY}, {"end_ns": -1}, {"expires_ns": "soon"}, {"cameras": None}]
)
def test_a_hold_that_cannot_be_read_holds_all_that_it_could_mean(
    odd: dict[str, Any], told: tuple[SqlCatalog, MemoryStore]
) -> None:
    catalog, _ = told
    range_ = TimeRange(T0, T0 + HOUR)
    catalog.holds.add(Hold("h1", (GATE,), range_, "7", "theft", "ann", T0, T0 + HOUR))
    if "cameras" in odd:
        odd = {"cameras": {"no": "list"}}
    with catalog.database.write() as db:
        db.execute(update(schema.hold).values(**odd))
    (held,) = catalog.holds.live(T0)
    assert held.cameras == (GATE,)
    assert held.range.start <= T0
    assert held.range.end >= T0 + HOUR
    copies = catalog.planning.copies_at("main", None, 10)
    assert catalog.deletion.condemn(copies, T0 + 1, []) == 0
