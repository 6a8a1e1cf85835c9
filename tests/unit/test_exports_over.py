"""Exports that are over: they expire, are taken back, are left to others, by any clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from recorder.errors import (
    CatalogUnavailable,
    KeyMissing,
    StoreUnavailable,
)
from recorder.export.kept import Bundles
from recorder.exports.over import FORGOTTEN_NS
from recorder.exports.runner import FORGET_S
from recorder.exports.tools import LEASE_NS, MOST_PACE_NS, PACE_NS
from recorder.model.exports import ExportState
from recorder.model.timebase import DAY, SECOND
from tests.support.exporting import Desk, id_of, lies, wanted

S = ExportState


def test_a_bundle_expires_with_a_word_in_the_log_and_is_forgotten_much_later(desk: Desk) -> None:
    desk.ask()
    node = desk.runner()
    node.tend_exports()
    desk.pass_(30 * DAY - 1)
    node.tend_exports()
    assert desk.now().state is S.DONE
    desk.pass_(1)
    node.tend_exports()
    assert desk.now().state is S.EXPIRED
    assert desk.noted == [f"export.expire {id_of(1)}"]
    assert lies(desk) == []
    desk.pass_(FORGOTTEN_NS)
    node.tend_exports()
    assert desk.now().state is S.EXPIRED, "what became of it is shown for as long"
    desk.pass_(round(FORGET_S) * SECOND)
    node.tend_exports()
    assert desk.catalog.exports.get(id_of(1)) is None
    assert len(desk.noted) == 1


def test_one_that_never_expires_stays(desk: Desk) -> None:
    desk.ask()
    node = desk.runner(keep_ns=0)
    node.tend_exports()
    desk.pass_(4000 * DAY)
    node.tend_exports()
    assert (desk.now().state, desk.now().expires, lies(desk)) == (S.DONE, None, ["zip"])


def test_the_log_says_that_a_bundle_expires_before_it_goes(desk: Desk) -> None:
    desk.ask()
    desk.runner().tend_exports()
    desk.pass_(31 * DAY)

    def refused(*_: object) -> None:
        raise CatalogUnavailable("away")

    with pytest.raises(CatalogUnavailable):
        desk.runner(note=refused).tend_exports()
    assert (desk.now().state, lies(desk)) == (S.DONE, ["zip"])


def test_what_is_taken_back_while_it_is_made_is_made_no_further_and_goes(desk: Desk) -> None:
    desk.ask()

    def take_back() -> None:
        one = desk.now()
        assert desk.catalog.exports.change(one.ends(S.REMOVED, desk.clock.now()), one)
        desk.pass_(LEASE_NS)

    desk.problem = take_back
    node = desk.runner()
    node.tend_exports()
    assert desk.now().state is S.REMOVED
    assert "zip" not in lies(desk)
    node.tend_exports()
    assert desk.catalog.exports.get(id_of(1)) is None
    assert (desk.held(), lies(desk)) == (0, [])


def test_a_node_that_stops_lets_another_go_on_at_once(desk: Desk) -> None:
    desk.ask()

    def stop() -> None:
        desk.ending = True

    desk.problem = stop
    desk.runner("n1").tend_exports()
    assert desk.now().state is S.WAITING
    assert desk.now().until <= desk.clock.now()
    desk.ending, desk.problem = False, lambda: None
    desk.runner("n2").tend_exports()
    assert desk.now().node == "n2"


def test_a_node_that_stops_while_it_writes_the_zip_leaves_it(desk: Desk) -> None:
    desk.ask()
    tools = desk.tools()

    class Stopping(Bundles):
        def pack(self, export_id: str, step: Callable[[], object]) -> None:
            desk.ending = True
            super().pack(export_id, step)

    stopping = Stopping(tools.bundles.root, tools.bundles.most_bytes, 0)
    desk.runner(bundles=stopping).tend_exports()
    assert (desk.now().state, tools.bundles.zip(id_of(1))) == (S.WAITING, None)
    desk.ending = False
    desk.runner().tend_exports()
    assert (desk.now().state, desk.made) == (S.DONE, [id_of(1)])


def test_exports_of_one_site_come_back_as_they_went_in(desk: Desk) -> None:
    one = replace(wanted(1), notes=("a",), all_bytes=7)
    other = wanted(2, one.asked + 1)
    desk.catalog.exports.add(one)
    desk.catalog.exports.add(other)
    assert desk.catalog.exports.all() == [other, one]
    desk.runner().tend_exports()
    assert desk.catalog.exports.get(one.export_id) == desk.now(1)
    assert not desk.catalog.exports.change(one, one), "another was faster"


def test_what_this_node_alone_lacks_leaves_it_to_others(desk: Desk) -> None:
    desk.ask()

    def no_key() -> None:
        raise KeyMissing("the log's key is not here")

    desk.problem = no_key
    desk.runner("n1").tend_exports()
    one = desk.now()
    assert (one.state, one.node, "key is not here" in one.said) == (S.WAITING, "", True)
    assert desk.held() == 1
    desk.problem = lambda: None
    desk.pass_(PACE_NS)
    desk.runner("n2").tend_exports()
    assert (desk.now().state, desk.now().node) == (S.DONE, "n2")


def test_nothing_expires_and_nothing_left_over_goes_while_the_clock_is_in_doubt(desk: Desk) -> None:
    desk.ask()
    desk.runner().tend_exports()
    stray = desk.folder / "n1" / f"{id_of(9)}.zip"
    stray.write_bytes(b"of a row that may come back")
    desk.pass_(365 * DAY)
    doubted = desk.runner(proven=lambda: None)
    doubted.tend_exports()
    assert (desk.now().state, stray.exists(), desk.noted) == (S.DONE, True, [])
    desk.runner().tend_exports()
    assert (desk.now().state, stray.exists()) == (S.EXPIRED, False)


def test_a_clock_a_year_ahead_ends_no_hold_of_an_export_and_fails_none(desk: Desk) -> None:
    desk.ask(1)
    right = desk.clock.now()

    def away() -> None:
        raise StoreUnavailable("store main: away")

    desk.problem = away
    desk.runner().tend_exports()
    (hold,) = desk.catalog.holds.all()
    desk.pass_(365 * DAY)
    for proven in (None, right):
        node = desk.runner(proven=lambda at=proven: at)
        node.tend_exports()
        assert (desk.now(1).state, desk.now(1).due > desk.clock.now()) == (S.WAITING, True)
        desk.pass_(MOST_PACE_NS)
    desk.pass_(-366 * DAY)
    assert desk.catalog.holds.get(hold.hold_id) == hold, "what it is to be made of stays held"
    desk.pass_(366 * DAY)
    desk.runner().tend_exports()
    assert desk.now(1).state is S.FAILED, "by the time that is proven it is over"


def test_a_clock_set_back_by_a_year_keeps_no_export_waiting_so_long(desk: Desk) -> None:
    desk.ask(1)
    desk.ask(2)

    def away() -> None:
        raise StoreUnavailable("store main: away")

    desk.problem = away
    desk.runner("n1").tend_exports()
    two = desk.now(2)
    running = replace(two, state=S.RUNNING, node="n1", until=desk.clock.now() + LEASE_NS)
    assert desk.catalog.exports.change(running, two)
    desk.pass_(-365 * DAY)
    desk.problem = lambda: None
    desk.runner("n2", at_once=2).tend_exports()
    assert [(desk.now(i).state, desk.now(i).node) for i in (1, 2)] == [(S.DONE, "n2")] * 2


def test_while_nobody_asks_what_lies_there_is_looked_at_now_and_then_and_at_once_after(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Bundles] = []
    lying = Bundles.lying

    def seen(self: Bundles) -> Iterable[tuple[str, int]]:
        looks.append(self)
        return lying(self)

    monkeypatch.setattr(Bundles, "lying", seen)
    node = desk.runner()
    for _ in range(8):
        node.tend_exports()
        desk.pass_(4 * SECOND)
    assert len(looks) == 2
    desk.ask()
    node.tend_exports()
    assert desk.now().state is S.DONE
    assert len(looks) == 3
