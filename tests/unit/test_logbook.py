"""The logbook: entries signed into a store, and what is found of whoever touches them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from recorder.audit.entry import Entry, Subject, read_entry
from recorder.audit.note import Key, read_checkpoint, read_key
from recorder.audit.tiles import WIDTH, read_bundle, tile_path, write_bundle
from recorder.audit.tree import leaf_hashes
from recorder.catalog.sql import SqlCatalog
from recorder.errors import AuditUnavailable, BadDocument, CatalogUnavailable, StateError
from recorder.logbook.book import PLAYBACK, Book
from recorder.logbook.keys import own_signer
from recorder.logbook.looks import SESSION_S
from recorder.logbook.press import Own, Press
from recorder.logbook.proof import Proof, prove
from recorder.logbook.shelf import Shelf, newest_key
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import MINUTE, SECOND, TimeRange
from recorder.ports import AskedEntries
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7")


class House:
    """A site: its catalog, its store, its key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FakeClock(T0)
        self.catalog, self.store = (
            SqlCatalog("sqlite://", site="north", node="n1"),
            MemoryStore("main"),
        )
        self.ids = count(1)
        self.press = self.open()

    def open(self, key: str = "audit.key") -> Press:
        """A process that signs; it knows nothing of an earlier one."""
        own = Own("north", "n1", self.folder / key, lambda: f"id{next(self.ids)}")
        self.press = Press(self.catalog, lambda: self.store, self.clock, own)
        return self.press

    def write(self, number: int, first: int = 0) -> None:
        subject = Subject("north", "gate", "main")
        self.catalog.audit_log.write([
            Entry(T0 + one, ANA, "footage.clip", subject) for one in range(first, first + number)
        ])  # fmt: skip

    def prove(self, kept: str = "", key: Key | None = None) -> Proof:
        own = own_signer(self.folder / "audit.key").key("")
        points = [read_checkpoint(kept)] if kept else []
        given = [key] if key is not None else []
        return prove(self.catalog.audit_tree, self.store, "north", own, given, points)

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.store, self.catalog.audit_tree.logs()[-1].origin)

    def bundle(self, number: int, width: int) -> list[bytes]:
        return read_bundle(self.shelf.read(tile_path("entries", number, width)) or b"")

    def rewrite(self, number: int, entries: Sequence[bytes], width: int) -> None:
        """Change a bundle, and its tile along with it, as somebody careful would."""
        self.shelf.put(tile_path("entries", number, width), write_bundle(entries))
        self.shelf.put(tile_path(0, number, width), b"".join(leaf_hashes(entries)))

    def lose_catalog(self) -> None:
        self.catalog.close()
        self.catalog = SqlCatalog("sqlite://", site="north", node="n1")
        self.open()

    def said(self) -> Entry:
        """The first entry of the newest log."""
        log = self.catalog.audit_tree.logs()[-1]
        return read_entry(self.catalog.audit_tree.leaves(log.number, 0, 1)[0])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.catalog.close()


def kinds(proof: Proof) -> set[str]:
    return {one.kind for one in proof.faults}


# -- signing -----------------------------------------------------------------------------------


def test_what_is_written_is_signed_and_proves_itself(house: House) -> None:
    for number in (3, 0, 300, 1, WIDTH * 2):
        house.write(number)
        state = house.press.publish()
    assert state.size == 1 + 3 + 300 + 1 + 512
    assert house.prove().faults == []
    assert house.catalog.audit_tree.waiting() == (0, None)
    assert house.said().action == "log.begin"


def test_nothing_is_signed_anew_where_nothing_was_written(house: House) -> None:
    house.write(3)
    first = house.press.publish()
    house.clock.sleep(60)
    assert house.press.publish() == first


def test_tiles_that_are_not_full_go_when_the_full_one_is_there(house: House) -> None:
    for _ in range(4):
        house.write(100)
        house.press.publish()
    left = [info.key for info in house.store.list() if ".p/" in info.key]
    assert {key.rpartition(".p/")[0].rpartition("tile/")[2] for key in left} == {
        "0/001", "entries/001", "1/000"
    }  # fmt: skip
    assert house.prove().faults == []


def test_the_key_is_for_its_owner_alone_and_stays_the_same(tmp_path: Path) -> None:
    signer = own_signer(tmp_path / "audit.key")
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    assert own_signer(tmp_path / "audit.key").key("a") == signer.key("a")
    assert [one.name for one in tmp_path.iterdir()] == ["audit.key"]


def test_another_process_goes_on_where_the_last_one_stopped(house: House) -> None:
    house.write(300)
    kept = house.press.publish().checkpoint
    house.open()
    house.write(300)
    assert house.press.publish().size == 601
    assert house.prove(kept).faults == []


def test_a_death_between_store_and_catalog_is_gone_on_from(house: House) -> None:
    house.write(5)
    before = house.press.publish()
    house.write(5)
    signed = house.press.publish()
    behind = replace(before, number=1)
    assert house.catalog.audit_tree.put(behind, signed.size), "as if it had not been told"
    house.open()
    house.write(1)
    assert house.press.publish().size == 12
    assert len(house.catalog.audit_tree.logs()) == 1
    assert house.prove(signed.checkpoint).faults == []


def test_a_store_that_lost_the_log_gets_it_again(house: House) -> None:
    house.write(600)
    kept = house.press.publish().checkpoint
    house.store = MemoryStore("main")
    house.open()
    house.write(1)
    assert house.press.publish().size == 602
    assert house.prove(kept).faults == []


def test_a_node_with_another_key_signs_nothing(house: House) -> None:
    house.write(5)
    state = house.press.publish()
    house.write(1)
    with pytest.raises(StateError, match="this node has"):
        house.open("other.key").publish()
    assert house.catalog.audit_tree.logs() == [state]


def test_two_nodes_on_one_catalog_write_one_log(house: House) -> None:
    first, second = house.press, house.open()
    for press in (first, second, first, second):
        house.write(100)
        press.publish()
    (log,) = house.catalog.audit_tree.logs()
    assert log.size == 401
    assert house.prove().faults == []


# -- what was lost -----------------------------------------------------------------------------


def test_a_lost_catalog_takes_the_log_up_and_goes_on(house: House) -> None:
    house.write(700)
    kept = house.press.publish().checkpoint
    house.lose_catalog()
    house.write(2, first=900)
    state = house.press.publish()
    assert (state.size, state.number) == (703, 1)
    assert house.prove(kept).faults == []
    found = house.catalog.audit_log.search(AskedEntries(action="footage"), 999)
    assert len(found) == 702, "and what it said can be searched again"


def test_a_restored_backup_does_not_rewrite_what_came_after_it(
    house: House, tmp_path: Path
) -> None:
    from recorder.catalog.backup import read_backup, write_backup

    house.write(5)
    house.press.publish()
    house.write(3, first=50)
    write_backup(house.catalog.database, tmp_path / "backup.db")
    house.press.publish()
    house.write(7, first=90)
    kept = house.press.publish()
    house.lose_catalog()
    read_backup(tmp_path / "backup.db", house.catalog.database, T0)
    state = house.press.publish()
    assert state.origin != kept.origin
    assert house.said().details["before"] == kept.origin
    assert house.said().details["before_size"] == kept.size
    assert "the catalog has 6 entries" in str(house.said().details["why"])
    assert house.prove(kept.checkpoint).faults == [], "the old one is as it was"
    assert house.prove().faults == []
    found = house.catalog.audit_log.search(AskedEntries(action="footage"), 999)
    assert len(found) == 15, "each once"


def test_a_lost_key_begins_a_log_that_names_the_old_one(house: House) -> None:
    house.write(5)
    kept = house.press.publish()
    house.lose_catalog()
    house.open("new.key")
    state = house.press.publish()
    assert state.origin != kept.origin
    assert house.said().details["before"] == kept.origin
    assert "signed with another key" in str(house.said().details["why"])
    assert len(house.catalog.audit_log.search(AskedEntries(), 99)) == 7


def test_the_operator_may_begin_anew_and_that_is_said(house: House) -> None:
    house.write(5)
    old = house.press.publish()
    state = house.open("new.key").begin("the key was on a stolen disk")
    house.press.publish()
    assert state.number == 2
    assert house.said().details["why"] == "the key was on a stolen disk"
    assert house.said().details["before_root"] == read_checkpoint(old.checkpoint).root.hex()


# -- what somebody did to it -------------------------------------------------------------------


def test_an_entry_that_was_changed_is_named(house: House) -> None:
    house.write(9)
    house.press.publish()
    entries = house.bundle(0, 10)
    entries[4] = entries[4].replace(b"ana", b"bob")
    house.shelf.put(tile_path("entries", 0, 10), write_bundle(entries))
    proof = house.prove()
    assert "changed" in kinds(proof)
    assert any("entry 4: not the bytes" in one.detail for one in proof.faults)


@pytest.mark.parametrize("how", ["changed", "dropped", "order"])
def test_a_past_that_was_rewritten_with_its_tiles_is_not_what_was_signed(
    house: House, how: str
) -> None:
    house.write(9)
    house.press.publish()
    entries = house.bundle(0, 10)
    if how == "changed":
        entries[4] = entries[4].replace(b"ana", b"bob")
    elif how == "dropped":
        del entries[4]
    else:
        entries[4], entries[5] = entries[5], entries[4]
    house.rewrite(0, entries, 10)
    proof = house.prove()
    assert kinds(proof) >= {"tree", "changed"}
    assert any("entry 4" in one.detail for one in proof.faults), "by what the catalog has"
    if how == "dropped":
        assert "missing" in kinds(proof)


def test_entries_in_another_order_are_told_as_such(house: House) -> None:
    house.write(9)
    house.press.publish()
    entries = house.bundle(0, 10)
    house.shelf.put(tile_path("entries", 0, 10), write_bundle(entries[::-1]))
    assert "order" in kinds(house.prove())


def test_a_tail_that_was_cut_off_is_missed(house: House) -> None:
    house.write(9)
    first = house.press.publish()
    house.write(9)
    kept = house.press.publish().checkpoint
    house.shelf.put_checkpoint(read_checkpoint(first.checkpoint))
    proof = house.prove()
    assert kinds(proof) == {"cut"}, "the catalog knows more"
    assert "9 entries after 10 are gone" in proof.faults[0].detail
    house.lose_catalog()
    assert "cut" in kinds(house.prove(kept)), "and so does whoever kept a checkpoint"


def test_a_log_signed_with_another_key_does_not_pass(house: House, tmp_path: Path) -> None:
    house.write(9)
    state = house.press.publish()
    thief = own_signer(tmp_path / "thief.key")
    key = thief.key(state.origin)
    forged = replace(read_checkpoint(state.checkpoint), signatures=()).signed(key, thief.sign)
    house.shelf.put_checkpoint(forged)
    assert kinds(house.prove()) == {"key"}
    assert kinds(house.prove(key=read_key(state.key))) == {"key"}


def test_a_log_rewritten_by_who_has_its_key_is_found_by_a_kept_checkpoint(house: House) -> None:
    house.write(9)
    state = house.press.publish()
    house.catalog.close()
    house.catalog, house.store = SqlCatalog("sqlite://", site="north"), MemoryStore("main")
    house.ids = count(1)
    house.open()
    house.write(20, first=100)
    assert house.press.publish().origin == state.origin
    assert house.prove().faults == [], "by itself it is a log like any"
    assert kinds(house.prove(state.checkpoint)) == {"fork"}


def test_a_row_that_was_changed_in_the_catalog_is_named(house: House) -> None:
    house.write(9)
    house.press.publish()
    with house.catalog.database.write() as db:
        db.exec_driver_sql("UPDATE audit SET entry = x'78' WHERE leaf_no = 3")
        db.exec_driver_sql("DELETE FROM audit WHERE leaf_no = 7")
    (fault,) = house.prove().faults
    assert fault.detail.startswith("entry 3, 7, 8, 9: the catalog has not")


def test_a_store_without_the_log_is_said(house: House) -> None:
    house.write(9)
    kept = house.press.publish().checkpoint
    house.store.delete([info.key for info in house.store.list()])
    assert kinds(house.prove()) == kinds(house.prove(kept)) == {"missing"}


def test_another_newest_log_is_said(house: House) -> None:
    house.press.publish()
    house.store.put(newest_key("north"), b"spanstore/north/zz\n", "", {})
    assert kinds(house.prove()) == {"fork"}


# -- writing -----------------------------------------------------------------------------------


class Held:
    """A log whose first transaction takes as long as it is let; counts them."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.batches: list[int] = []
        self.error: Exception | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        if any(one.action == "bad" for one in entries):
            raise BadDocument("no")
        self.batches.append(len(entries))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go_on.wait(20)
        if self.error is not None:
            raise self.error

    def search(self, asked: AskedEntries, limit: int) -> list[object]:
        raise NotImplementedError


def test_who_waits_goes_into_one_transaction_with_the_others() -> None:
    log = Held()
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]
    threads = [threading.Thread(target=book.note, args=(ANA, f"a.{n}")) for n in range(20)]
    threads[0].start()
    assert log.begun.wait(20)
    for one in threads[1:]:
        one.start()
    while len(book._queue) < 19:
        pass
    log.go_on.set()
    for one in threads:
        one.join(20)
    assert log.batches == [1, 19]


def test_an_entry_that_cannot_be_stored_keeps_no_other_from_it() -> None:
    log = Held()
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]
    refused: list[Exception] = []

    def bad() -> None:
        try:
            book.note(ANA, "bad")
        except AuditUnavailable as exc:
            refused.append(exc)

    first = threading.Thread(target=book.note, args=(ANA, "a.b"))
    first.start()
    assert log.begun.wait(20)
    others = [threading.Thread(target=bad), threading.Thread(target=book.note, args=(ANA, "a.c"))]
    for one in others:
        one.start()
    while len(book._queue) < 2:
        pass
    log.go_on.set()
    for one in (first, *others):
        one.join(20)
    assert len(refused) == 1
    assert log.batches == [1, 1]


def test_nothing_goes_on_without_its_entry_unless_the_operator_says_so() -> None:
    log = Held()
    log.go_on.set()
    log.error = CatalogUnavailable("away")
    clip = TimeRange(T0, T0 + MINUTE)
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(AuditUnavailable, match=r"footage\.clip: the audit log cannot"):
            book.look(ANA, "footage.clip", STREAM, clip)
    done: list[int] = []
    with pytest.raises(AuditUnavailable), book.doing(ANA, "hold.add"):
        done.append(1)
    assert not done
    Book(log, FakeClock(T0), required=False).look(ANA, "footage.clip", STREAM, clip)  # type: ignore[arg-type]


def test_what_fails_after_its_entry_is_said_to_have_failed(house: House) -> None:
    book = Book(house.catalog.audit_log, house.clock)
    with (
        pytest.raises(StateError),
        book.doing(ANA, "policy.set", Subject(name="policy"), version=3),
    ):
        raise StateError("changed since")
    found = house.catalog.audit_log.search(AskedEntries(), 9)
    said = [(read_entry(one.raw).result, dict(read_entry(one.raw).details)) for one in found]
    assert said == [("failed", {"reason": "changed since"}), ("allowed", {"version": 3})]


def looked(house: House) -> int:
    return len(house.catalog.audit_log.search(AskedEntries(action="footage"), 999))


def test_a_player_that_asks_again_is_one_look(house: House) -> None:
    book, clip = Book(house.catalog.audit_log, house.clock), TimeRange(T0, T0 + MINUTE)
    for _ in range(5):
        book.look(ANA, "footage.clip", STREAM, clip)
        house.clock.sleep(SESSION_S - 1)
    assert looked(house) == 1
    book.look(replace(ANA, name="ben"), "footage.clip", STREAM, clip)
    book.look(ANA, "footage.clip", replace(STREAM, camera="other"), clip)
    book.look(ANA, "footage.clip", STREAM, TimeRange(T0, T0 + 2 * MINUTE))
    assert looked(house) == 4
    house.clock.sleep(SESSION_S + 1)
    book.look(ANA, "footage.clip", STREAM, clip)
    assert looked(house) == 5


def test_a_live_view_is_one_look_however_long_it_lasts(house: House) -> None:
    book = Book(house.catalog.audit_log, house.clock)
    for minute in range(30):
        now = T0 + minute * MINUTE
        asked = TimeRange(now - MINUTE, now + MINUTE)
        book.look(ANA, PLAYBACK, STREAM, asked, live=True)
        part = TimeRange(now - 4 * SECOND, now)
        book.look_within(ANA, "footage.object", STREAM, part, TimeRange(now - MINUTE, now))
        house.clock.sleep(60)
    assert looked(house) == 1


def test_bytes_that_no_playlist_led_to_are_a_look_of_their_own(house: House) -> None:
    book, hour = Book(house.catalog.audit_log, house.clock), TimeRange(T0, T0 + 60 * MINUTE)
    for second in range(0, 600, 4):
        part = TimeRange(T0 + second * SECOND, T0 + (second + 4) * SECOND)
        book.look_within(ANA, "footage.object", STREAM, part, hour)
    assert looked(house) == 1
