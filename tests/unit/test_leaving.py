"""Old rows of the audit log leave the catalog once two stores have them, proven; else they stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from recorder.audit.note import Checkpoint
from recorder.audit.tiles import WIDTH, hashes_in, read_tile, tile_path, write_bundle
from recorder.audit.tree import check_inclusion, inclusion, leaf_hash, leaf_hashes
from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.errors import IntegrityError, RecorderError, StoreUnavailable
from recorder.logbook.kept_twice import keep_twice
from recorder.logbook.keys import own_signer
from recorder.logbook.leaving import Leaving
from recorder.logbook.left import LeftBundles
from recorder.logbook.shelf import Shelf
from recorder.model.media import ObjectInfo
from recorder.ports import AskedEntries, DeletableStore, ObjectStore
from recorder.store.memory import MemoryStore
from tests.support.logs import House
from tests.support.make import T0

LATER = T0 + 1_000_000


class Storehouse(House):
    """A site whose log lies in two stores."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.second: DeletableStore = MemoryStore("archive")
        self.put_in_catalog()

    def put_in_catalog(self) -> None:
        self.catalog.close()
        bundles = LeftBundles(lambda: (self.store, self.second))
        self.catalog = SqlCatalog("sqlite://", site="north", node="n1", bundles=bundles)
        self.open()

    def let_go(self, before: int = LATER) -> int:
        key = own_signer(self.folder / "audit.key").key("")
        return Leaving(self.catalog, self.store, self.second, key).run(before)

    def rows(self) -> int:
        with self.catalog.database.read() as db:
            return len(db.execute(select(schema.audit.c.audit_no)).all())

    def all(self) -> list[bytes]:
        found = self.catalog.audit_log.search(AskedEntries(after=0), 9999)
        assert [one.leaf for one in found] == list(range(len(found)))
        return [one.raw for one in found]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Storehouse]:
    one = Storehouse(tmp_path)
    one.press.publish()
    one.write(3 * WIDTH + 20)
    one.press.publish()
    yield one
    one.catalog.close()


def test_what_two_stores_have_leaves_but_for_the_last_full_tile(house: Storehouse) -> None:
    before = house.all()
    assert house.let_go(T0) == 0, "nothing is older than the beginning"
    assert house.let_go() == 2 * WIDTH
    assert house.let_go() == 0
    assert house.rows() == WIDTH + 21
    assert house.all() == before
    assert house.prove().faults == []
    for store in (house.store, house.second):
        shelf = Shelf(store, house.press.publish().origin)
        assert shelf.read(tile_path("entries", 1)) == write_bundle(before[WIDTH : 2 * WIDTH])


def test_the_log_goes_on_over_what_left(house: Storehouse) -> None:
    kept = house.press.publish().checkpoint
    house.let_go()
    house.open()
    house.write(2 * WIDTH, 5000)
    state = house.press.publish()
    assert house.prove(kept).faults == []
    assert house.let_go() == 2 * WIDTH
    assert house.prove(kept).faults == []
    (one,) = house.catalog.audit_log.search(AskedEntries(after=0), 1)
    proof = inclusion(0, state.size, hashes_in(state.size, house.shelf.tile))
    signed = house.shelf.checkpoint()
    assert signed is not None
    assert check_inclusion(leaf_hash(one.raw), 0, state.size, proof, signed.root)


def test_a_lost_store_is_written_again_from_the_other(house: Storehouse) -> None:
    house.let_go()
    whole = _objects(house.store)
    house.store = MemoryStore("main")
    house.open()
    house.press.publish()
    assert _objects(house.store) == whole
    house.second = MemoryStore("archive")
    assert len(house.all()) == 3 * WIDTH + 21, "nor is the second one missed"


def test_a_lost_catalog_takes_all_of_it_up_and_lets_it_go_again(house: Storehouse) -> None:
    before = house.all()
    house.let_go()
    house.put_in_catalog()
    assert house.press.publish().size == 3 * WIDTH + 21
    assert (house.all(), house.rows()) == (before, 3 * WIDTH + 21)
    assert house.let_go() == 2 * WIDTH
    assert house.all() == before
    assert house.prove().faults == []


def test_the_log_of_before_a_new_one_leaves_too(house: Storehouse) -> None:
    house.press.begin("why not")
    house.press.publish()
    assert house.let_go() == 2 * WIDTH
    assert house.prove().faults == []


def _changed(house: Storehouse, path: str) -> None:
    body = bytearray(house.shelf.read(path) or b"")
    body[40] ^= 1
    house.shelf.put(path, bytes(body))


def _rewritten(house: Storehouse) -> None:
    """Entries, rows, tile and all that is above changed as somebody careful would; not signed."""
    entries = house.bundle(0, WIDTH)
    entries[7] = entries[7].replace(b'"ana"', b'"bob"')
    house.rewrite(0, entries, WIDTH)
    table = schema.audit
    with house.catalog.database.write() as db:
        here = table.update().where(table.c.leaf_no == 7)
        db.execute(here.values(entry=entries[7], caller="user:bob"))


def _unsigned(house: Storehouse) -> None:
    signed = house.shelf.checkpoint()
    assert signed is not None
    other = own_signer(house.folder / "other.key")
    signed = Checkpoint(signed.origin, signed.size, signed.root)
    house.shelf.put_checkpoint(signed.signed(other.key(signed.origin), other.sign))


def _older_catalog(house: Storehouse) -> None:
    """The store has entries that the catalog knows nothing of."""
    table = schema.audit_log
    with house.catalog.database.write() as db:
        db.execute(table.update().values(assigned=2 * WIDTH + 9))


def _other_past(house: Storehouse) -> None:
    """The store goes on from other entries than the catalog says were signed."""
    table = schema.audit_log
    with house.catalog.database.write() as db:
        (row,) = db.execute(select(table)).all()
        edge = bytearray(row.edge)
        edge[-1] ^= 1
        db.execute(table.update().values(edge=bytes(edge)))


DOUBTS: dict[str, Callable[[Storehouse], object]] = {
    "an entry": lambda house: _changed(house, tile_path("entries", 0)),
    "a tile": lambda house: _changed(house, tile_path(0, 0)),
    "a tile above": lambda house: _changed(house, tile_path(1, 0, 3)),
    "a bundle gone": lambda house: house.store.delete(
        [house.shelf.folder + tile_path("entries", 0)]
    ),
    "no checkpoint": lambda house: house.store.delete([house.shelf.folder + "checkpoint"]),
    "rewritten": _rewritten,
    "another key": _unsigned,
    "an older catalog": _older_catalog,
    "another past": _other_past,
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_nothing_leaves_in_doubt(house: Storehouse, doubt: str) -> None:
    DOUBTS[doubt](house)
    with pytest.raises(IntegrityError, match="store main"):
        house.let_go()
    assert house.rows() == 3 * WIDTH + 21


def test_a_log_of_another_key_stays(house: Storehouse) -> None:
    (house.folder / "audit.key").unlink()
    assert house.let_go() == 0


class Lossy(MemoryStore):
    """A store that says it has stored what it has not."""

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        return "etag"


def test_nothing_leaves_to_a_store_that_does_not_have_it_when_it_is_read_back(
    house: Storehouse,
) -> None:
    house.second = Lossy("archive")
    with pytest.raises(IntegrityError, match="store archive"):
        house.let_go()
    assert house.rows() == 3 * WIDTH + 21


class Dying(MemoryStore):
    """A store that answers so often, and then no more."""

    left = 0

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise StoreUnavailable("away")

    def head(self, key: str) -> ObjectInfo | None:
        self._live()
        return super().head(key)

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        self._live()
        return super().put(key, body, content_type, metadata)


def test_a_death_at_any_step_is_gone_on_from(house: Storehouse) -> None:
    before, deaths = house.all(), 0
    house.second = dying = Dying("archive")
    while house.rows() > WIDTH + 21:
        dying.left = deaths
        try:
            house.let_go()
        except StoreUnavailable:
            deaths += 1
        dying.left = 99
        assert house.all() == before
        assert house.prove().faults == []
    assert deaths == 6, "two objects: looked for, put, and read back"


def test_a_death_within_the_transaction_leaves_all_as_it_was(
    house: Storehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*args: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("recorder.catalog.audit_left.delete", dies)
        with pytest.raises(RuntimeError):
            house.let_go()
    assert (house.rows(), house.catalog.audit_left.count()) == (3 * WIDTH + 21, 0)
    assert house.let_go() == 2 * WIDTH


def test_what_left_is_put_into_the_second_store_again_where_it_lacks(
    house: Storehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("recorder.logbook.kept_twice.TILES", 1)
    house.let_go()
    left, whole = house.catalog.audit_left, _objects(house.second)
    shelf, other = Shelf(house.second, house.shelf.origin), [b"{}"] * WIDTH
    shelf.put(tile_path("entries", 0), write_bundle(other))
    shelf.put(tile_path(0, 0), b"".join(leaf_hashes(other)))
    shelf.put(tile_path(0, 1), b"other")
    assert keep_twice(left, house.store, house.second, (0, -1)) == (1, 0)
    assert keep_twice(left, house.store, house.second, (1, 0)) == (1, 1)
    assert _objects(house.second) == whole
    assert len(caplog.records) == 2
    assert keep_twice(left, house.store, house.second, (1, 1)) == (0, -1), "from the beginning"
    house.second = MemoryStore("an empty disk")
    _changed(house, tile_path("entries", 0))
    with pytest.raises(IntegrityError, match="entries 0 to 255 have left"):
        keep_twice(left, house.store, house.second, (0, -1))
    assert _objects(house.second) == {}, "what is not as it left goes nowhere"


def _objects(store: ObjectStore) -> dict[str, bytes]:
    return {one.key: b"".join(store.read(one.key, 0, one.size)) for one in store.list()}


class Beside(MemoryStore):
    """A store during whose first answers another node lets the same rows go."""

    other: Callable[[], object] | None = None

    def head(self, key: str) -> ObjectInfo | None:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().head(key)


def test_two_nodes_at_once_let_each_tile_go_once_and_doubt_nothing(house: Storehouse) -> None:
    before = house.all()
    house.second = beside = Beside("archive")
    beside.other = house.let_go
    assert house.let_go() == 0
    assert house.catalog.audit_left.count() == 2 * WIDTH
    assert house.all() == before


def test_a_log_that_is_signed_meanwhile_is_not_in_doubt(house: Storehouse) -> None:
    def sign() -> None:
        house.write(5, 9000)
        house.press.publish()

    beside = Beside("main")
    for key, body in _objects(house.store).items():
        beside.put(key, body, "", {})
    house.store, beside.other = beside, sign
    house.open()
    assert house.let_go() == 2 * WIDTH
    assert house.catalog.audit_tree.logs()[-1].size == 3 * WIDTH + 26


class Away(MemoryStore):
    """A store that does not answer."""

    def head(self, key: str) -> ObjectInfo | None:
        raise StoreUnavailable("away")


def test_what_left_is_read_where_it_is_whole_and_never_otherwise(house: Storehouse) -> None:
    before, main = house.all(), house.store
    house.let_go()
    _changed(house, tile_path("entries", 0))
    assert house.all() == before
    assert {one.kind for one in house.prove().faults} == {"changed", "tree"}
    second, house.second = house.second, Away("archive")
    with pytest.raises(StoreUnavailable):
        house.all()
    house.second = MemoryStore("archive")
    with pytest.raises(IntegrityError, match="entries 0 to 255 have left"):
        house.all()
    assert "changed" in {one.kind for one in house.prove().faults}
    house.second, house.store = second, Away("main")
    assert house.all() == before
    house.store = main
    assert len(read_tile(house.shelf.read(tile_path(0, 1)) or b"")) == WIDTH


def test_who_lets_rows_go_without_a_proof_is_found(house: Storehouse) -> None:
    """A catalog that says that rows left, which others wrote, hides nothing of the tiles."""
    leaves = house.catalog.audit_tree.leaves(1, 0, WIDTH)
    leaves[9] = leaves[9].replace(b"ana", b"bob")
    table = schema.audit
    with house.catalog.database.write() as db:
        here = table.update().where(table.c.leaf_no == 9)
        db.execute(here.values(entry=leaves[9], caller="user:bob"))
    assert house.catalog.audit_left.let_go(1, 0, leaves)
    with pytest.raises(RecorderError):
        house.all()
    assert "changed" in {one.kind for one in house.prove().faults}
