"""The logbook: entries signed into a store, and what is found of whoever touches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from recorder.audit.note import read_checkpoint, read_key
from recorder.audit.tiles import WIDTH, tile_path, write_bundle
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StateError
from recorder.logbook.keys import own_signer
from recorder.logbook.proof import Proof
from recorder.logbook.shelf import newest_key
from recorder.ports import AskedEntries
from recorder.store.memory import MemoryStore
from tests.support.logs import House
from tests.support.make import T0


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


def test_a_restored_backup_rewrites_nothing_that_came_after_it(
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
