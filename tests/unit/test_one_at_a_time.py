"""Who waits for whom while a store or a line is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event

from recorder.admission import Admission
from recorder.app import App
from recorder.catalog.database import Database
from recorder.catalog.schema import REVISION
from recorder.config import Settings, StorePart
from recorder.model.media import ObjectInfo
from recorder.spool.incoming import Incoming
from recorder.store.watched import WatchedStore
from recorder.turns import OneAtATime

PATIENCE_S = 60.0


class Slow(WatchedStore):
    """A store that notes who asks for its objects, and answers when it is let."""

    def __init__(self, store: WatchedStore, asked: Callable[[str], object]) -> None:
        super().__init__(store._store, store._clock)
        self._asked = asked

    def head(self, key: str) -> ObjectInfo | None:
        self._asked(self.name)
        return super().head(key)


class Gate:
    """Lets through who comes with a name, but for one that is shut; keeps their order."""

    def __init__(self, shut: str = "") -> None:
        self.shut, self.came = shut, list[str]()
        self.here, self.open = threading.Event(), threading.Event()

    def __call__(self, name: str) -> None:
        self.came.append(name)
        if name == self.shut:
            self.here.set()
            assert self.open.wait(PATIENCE_S)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    parts = tuple(StorePart(name=n, kind="directory", path=tmp_path / n) for n in ("one", "two"))
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=parts))
    yield app
    app.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def admission(app: App, gate: Gate) -> Admission:
    stores = {name: Slow(store, gate) for name, store in app.stores.items()}
    return Admission(
        app.settings.all_stores,
        stores,
        app.catalog.identities,
        lambda: app.upkeep.owners,
        app.upkeep.doubt,
    )


def test_a_store_that_does_not_answer_keeps_no_other_from_being_admitted(
    app: App, pool: ThreadPoolExecutor
) -> None:
    for name in app.stores:
        app.admit(name)
    gate = Gate("one")
    both = admission(app, gate)
    hanging = pool.submit(both.admit, "one")
    assert gate.here.wait(PATIENCE_S)
    assert pool.submit(both.admit, "two").result(PATIENCE_S)
    assert both._turns._left.acquire(blocking=False), "no lock is held while a store is asked"
    both._turns._left.release()
    assert not hanging.done()
    gate.open.set()
    assert hanging.result(PATIENCE_S)


def test_senders_that_start_at_once_make_one_identity(app: App, pool: ThreadPoolExecutor) -> None:
    gate = Gate("one")
    both = admission(app, gate)
    senders: list[Future[str]] = [pool.submit(both.admit, "one") for _ in range(4)]
    assert gate.here.wait(PATIENCE_S)
    assert gate.came == ["one"], "the others wait for their turn"
    gate.open.set()
    assert len({sender.result(PATIENCE_S) for sender in senders}) == 1


def test_two_names_of_one_new_place_are_admitted_one_after_the_other(
    app: App, pool: ThreadPoolExecutor
) -> None:
    gate = Gate("one")
    both = admission(app, gate)
    first = pool.submit(both.admit, "one")
    assert gate.here.wait(PATIENCE_S)
    second = pool.submit(both.admit, "two")
    with pytest.raises(TimeoutError):
        second.result(0.05)
    gate.open.set()
    assert first.result(PATIENCE_S) != second.result(PATIENCE_S)


def test_a_transfer_that_stands_still_keeps_no_other_waiting(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)
    with ThreadPoolExecutor(1) as pool, incoming.writing("0"):
        for number in range(1, 200):
            assert pool.submit(_write, incoming, str(number)).result(PATIENCE_S)


def _write(incoming: Incoming, key: str) -> Path:
    with incoming.writing(key) as part:
        return part


def test_a_turn_that_is_taken_is_not_had_now_and_stays_taken() -> None:
    turns = OneAtATime()
    with turns.now("a") as first:
        with turns.now("a") as second, turns.now("b") as other:
            assert (first, second, other) == (True, False, True)
        with turns.now("a") as again:
            assert not again, "who had no turn gave none back"
    with turns.wait("a"):
        pass


def test_a_turn_is_given_back_whatever_happens_in_it() -> None:
    turns = OneAtATime()
    with pytest.raises(ValueError, match="no"), turns.wait("a"):
        raise ValueError("no")
    with turns.now("a") as free:
        assert free


def _schema(database: Database) -> object:
    with database.read() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def test_threads_that_ask_a_new_catalog_at_once_find_one_schema(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    assert {one.result() for one in [pool.submit(_schema, database) for _ in range(4)]} == {
        REVISION
    }


def test_who_waits_for_a_catalog_that_hangs_keeps_no_other_waiting(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    assert _schema(Database(url)) == REVISION
    database, gate = Database(url), Gate("first")
    names = iter(["first", "second"])
    event.listen(database.engine, "checkout", lambda *_: gate(next(names, "")))
    hanging = pool.submit(_schema, database)
    assert gate.here.wait(PATIENCE_S)
    assert pool.submit(_schema, database).result(PATIENCE_S) == REVISION
    assert not hanging.done()
    gate.open.set()
    assert hanging.result(PATIENCE_S) == REVISION
