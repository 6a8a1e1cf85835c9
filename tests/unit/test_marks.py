"""A log that its store lost is written anew as it was signed, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.audit.note import read_checkpoint
from recorder.errors import IntegrityError
from recorder.logbook.keys import own_signer
from recorder.logbook.leaving import Leaving
from recorder.logbook.press import Own, Press
from recorder.logbook.shelf import Shelf
from recorder.store.memory import MemoryStore
from tests.support.logs import House


class Doubled(House):
    """A site with a second store for its log."""

    def __init__(self, folder: Path) -> None:
        self.second = MemoryStore("archive")
        super().__init__(folder)

    def open(self, key: str = "audit.key") -> Press:
        own = Own("north", "n1", self.folder / key, lambda: f"id{next(self.ids)}")
        self.press = Press(
            self.catalog,
            lambda: self.store,
            self.clock,
            own,
            self.store.delete,
            lambda: self.second,
        )
        return self.press

    def keep(self) -> None:
        key = own_signer(self.folder / "audit.key").key("")
        Leaving(self.catalog, self.store, self.second, key).keep_signed()

    def lose_store(self) -> None:
        self.store = MemoryStore("main")
        self.open()

    def sql(self, text: str) -> None:
        with self.catalog.database.write() as db:
            db.exec_driver_sql(text)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Doubled]:
    one = Doubled(tmp_path)
    one.write(600)
    one.press.publish()
    yield one
    one.catalog.close()


CHANGED = "UPDATE audit SET entry = x'7b7d' WHERE leaf_no = 3"


@pytest.mark.parametrize(
    "how", [CHANGED, "DELETE FROM audit WHERE leaf_no = 3", "UPDATE audit_log SET checkpoint = ''"]
)
def test_a_log_whose_rows_were_changed_as_its_store_was_lost_is_not_signed_anew(
    house: Doubled, how: str
) -> None:
    house.sql(how)
    house.lose_store()
    house.write(1, first=900)
    with pytest.raises(IntegrityError, match=r"not what was signed|not in the catalog|not signed"):
        house.press.publish()
    assert list(house.store.list()) == [], "nothing of it is written"


def test_a_row_changed_with_all_that_the_catalog_says_of_it_is_found_by_the_second_store(
    house: Doubled,
) -> None:
    house.keep()
    before = house.catalog.audit_tree.logs()[-1]
    house.sql(CHANGED)
    house.sql("UPDATE audit_log SET checkpoint = '', size = 0, edge = x''")
    house.lose_store()
    with pytest.raises(IntegrityError, match="as store archive has it"):
        house.press.publish()
    assert Shelf(house.second, before.origin).checkpoint() == read_checkpoint(before.checkpoint)


def test_a_backup_of_before_and_a_lost_store_do_not_sign_again_what_the_second_has_signed(
    house: Doubled,
) -> None:
    before = house.catalog.audit_tree.logs()[-1]
    house.write(50, first=900)
    signed = house.press.publish()
    house.keep()
    house.sql("DELETE FROM audit WHERE leaf_no > 600")
    house.sql("UPDATE audit_log SET assigned = 601")
    house.catalog.audit_tree.put(replace(before, number=1), signed.size)
    house.lose_store()
    house.write(9, first=2000)
    assert house.press.publish().origin != signed.origin
    assert house.said().details["before_size"] == signed.size
    assert "store archive knows of 651" in str(house.said().details["why"])


def test_rows_that_are_as_they_were_are_written_anew_and_go_on(house: Doubled) -> None:
    house.keep()
    house.write(9, first=900)
    house.press.publish()
    house.lose_store()
    house.write(1, first=2000)
    assert house.press.publish().size == 611
    assert house.prove().faults == []


def test_what_may_not_be_signed_is_looked_for_again_after_a_while_and_a_person_goes_on(
    house: Doubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.sql(CHANGED)
    house.lose_store()
    logs, asked = house.catalog.audit_tree, list[int]()
    leaves = logs.leaves

    def slow(log: int, start: int, end: int) -> list[bytes]:
        asked.append(start)
        house.clock.sleep(10)
        return leaves(log, start, end)

    monkeypatch.setattr(logs, "leaves", slow)
    for _ in range(3):
        with pytest.raises(IntegrityError):
            house.press.publish()
    assert asked == [0]
    house.clock.sleep(90)
    with pytest.raises(IntegrityError):
        house.press.publish()
    assert asked == [0, 0]
    state = house.press.begin("somebody changed rows")
    assert house.press.publish().origin == state.origin


def test_a_log_that_does_not_go_on_from_what_the_second_store_kept_is_said(house: Doubled) -> None:
    house.keep()
    kept = Shelf(house.second, house.shelf.origin)
    signer, shown = own_signer(house.folder / "audit.key"), house.shelf.checkpoint()
    assert shown is not None
    other = replace(shown, size=5, root=bytes(32), signatures=())
    kept.keep_checkpoint(other.signed(signer.key(shown.origin), signer.sign))
    with pytest.raises(IntegrityError, match="does not go on from what store archive has kept"):
        house.keep()
