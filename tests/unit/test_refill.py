"""Tiles that the log's store lost, but for its checkpoint, are put back as they were signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder import telemetry
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.audit.tiles import WIDTH, tile_path
from recorder.doctor import examine
from recorder.errors import IntegrityError
from recorder.janitor.put_back import BATCHES, note_put_back
from recorder.jobs.signing import refill_log, sign_log
from recorder.logbook import refill
from recorder.logbook.keys import own_signer
from recorder.logbook.refill import TILES, Refill
from recorder.model.timebase import SECOND
from recorder.ports import AskedEntries
from tests.support.make import T0, segment
from tests.unit.test_leaving import Storehouse
from tests.unit.test_leaving_job import made as site

ENTRIES = 2 * WIDTH + 7


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Storehouse]:
    one = Storehouse(tmp_path)
    one.press.publish()
    one.write(getattr(request, "param", ENTRIES))
    one.press.publish()
    yield one
    one.catalog.close()


def filler(house: Storehouse) -> Refill:
    state = house.catalog.audit_tree.logs()[-1]
    key = own_signer(house.folder / "audit.key").key(state.origin)
    return Refill(house.catalog.audit_tree, house.shelf, state, key)


def tiles(house: Storehouse) -> dict[str, bytes]:
    """All objects of the log but its checkpoint."""
    found = [one.key for one in house.store.list(house.shelf.folder + "tile/")]
    return {one: house.shelf.read(one.removeprefix(house.shelf.folder)) or b"" for one in found}


def refilled(house: Storehouse) -> int:
    gone, _ = filler(house).gone(0)
    return filler(house).fill(gone, lambda: True)


@pytest.mark.parametrize("house", [2 * WIDTH - 1, 300, 70_000], indirect=True)
def test_every_tile_that_is_lost_is_put_back_byte_for_byte(house: Storehouse) -> None:
    before = tiles(house)
    assert filler(house).gone(0)[0] == []
    for name in sorted(before)[:: max(1, len(before) // 25)]:
        house.store.delete([name])
        assert refilled(house) == 1, name
    house.store.delete(list(before)[:60])
    assert refilled(house) == min(60, len(before))
    house.store.delete(list(before))
    assert refilled(house) == min(TILES, len(before))
    while refilled(house):
        pass
    assert tiles(house) == before
    assert house.prove().faults == []
    house.write(WIDTH, first=90_000)
    house.press.publish()
    assert house.prove().faults == [], "it goes on"


def test_a_tile_of_hashes_that_was_cut_short_is_put_back(house: Storehouse) -> None:
    whole = house.shelf.read(tile_path(0, 1))
    assert whole is not None
    house.shelf.put(tile_path(0, 1), whole[:-32])
    assert refilled(house) == 1
    assert house.shelf.read(tile_path(0, 1)) == whole


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE audit SET entry = x'7b7d' WHERE leaf_no = 3",
        "DELETE FROM audit WHERE leaf_no = 3",
        "UPDATE audit_log SET checkpoint = replace(checkpoint, ' ', '  ')",
        "UPDATE audit_log SET size = size - 1",
    ],
)
def test_what_does_not_lead_to_the_signed_root_is_not_put(house: Storehouse, how: str) -> None:
    lost = [tile_path("entries", 0), tile_path(0, 0)]
    house.store.delete([house.shelf.folder + one for one in lost])
    left = tiles(house)
    with house.catalog.database.write() as db:
        db.exec_driver_sql(how)
    with pytest.raises((IntegrityError, ValueError)):
        refilled(house)
    assert tiles(house) == left


def test_rows_that_have_left_are_put_back_from_the_second_store(house: Storehouse) -> None:
    before = tiles(house)
    assert house.let_go() > 0
    house.store.delete([house.shelf.folder + tile_path(one, 0) for one in ("entries", 0)])
    assert refilled(house) == 2
    assert tiles(house) == before


def test_all_folders_have_their_turn(house: Storehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refill, "FOLDERS", 1)
    house.store.delete([house.shelf.folder + tile_path(0, 1)])
    assert filler(house).gone(0) == ([], 1)
    gone, after = filler(house).gone(1)
    assert [one.path for one in gone] == [tile_path(0, 1)]
    assert filler(house).gone(after)[1] == 0


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = site(tmp_path)
    yield one
    one.close()


def lose(app: App) -> list[str]:
    state = app.catalog.audit_tree.logs()[-1]
    keys = [
        one.key for one in app.log_store.list(f"spanstore.audit/north/{state.origin[16:]}/tile")
    ]
    app.stores["main"].delete(keys)
    return keys


def test_the_node_that_signs_puts_them_back_and_says_so(app: App) -> None:
    before = telemetry.AUDIT_REFILLED._value.get()
    keys = lose(app)
    refill_log(app)
    assert telemetry.AUDIT_REFILLED._value.get() == before + len(keys)
    sign_log(app)
    found = [read_entry(one.raw) for one in app.catalog.audit_log.search(AskedEntries(), 3)]
    assert "log.refill" in [one.action for one in found]


def test_what_cannot_be_put_back_is_said(app: App, caplog: pytest.LogCaptureFixture) -> None:
    lose(app)
    with app.catalog.database.write() as db:
        db.exec_driver_sql("UPDATE audit SET entry = x'7b7d' WHERE leaf_no = 3")
    for _ in range(2):
        refill_log(app)
    assert telemetry.AUDIT_LACKS._value.get() == 1
    assert len([one for one in caplog.records if "lacks tiles" in one.message]) == 1, "said once"
    assert any(one.subject == "audit log" and "signed root" in one.detail for one in examine(app))


def test_batches_of_sealed_links_are_put_into_a_store_that_was_put_back(app: App) -> None:
    now = app.site_clock.now()
    app.catalog.commits.add_segments([segment((now - T0) // SECOND - 60)], "main", now)
    sign_log(app)
    keys = [one.key for one in app.log_store.list("spanstore.audit/") if "/sealed/" in one.key]
    assert len(keys) == 1
    app.stores["main"].delete(keys)
    refill_log(app)
    assert app.log_store.head(keys[0]) is None, "nobody said that it was put back"
    note_put_back(app.catalog, "main", 0, now)
    for _ in range(3):
        refill_log(app)
    assert app.log_store.head(keys[0]) is not None
    assert app.catalog.progress.of(BATCHES) == {}, "it is over"
