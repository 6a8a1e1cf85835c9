"""Exports as jobs: one node makes each, whatever dies, and what is over goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import (
    CopyMissing,
    NoFootage,
    NotYet,
    StateError,
    StoreUnavailable,
)
from recorder.exports.over import LEFTOVER_NS
from recorder.exports.tools import LEASE_NS, MOST_PACE_NS, PACE_NS, Progressing
from recorder.exports.work import MOST_DOUBTS, Stopped, Watch, work
from recorder.janitor.pinned import HELD_NS, SWEPT_NS
from recorder.model.exports import ExportMade, ExportState
from recorder.model.timebase import DAY, HOUR, SECOND
from tests.support.exporting import FOOTAGE, Desk, id_of, is_whole, lies

S = ExportState


def test_what_is_asked_for_is_made_given_out_and_no_longer_held(desk: Desk) -> None:
    desk.ask()
    assert desk.held() == 1
    node = desk.runner()
    node.tend_exports()
    one = desk.now()
    assert (one.state, one.node, one.done_bytes, one.all_bytes) == (S.DONE, "n1", FOOTAGE, FOOTAGE)
    assert one.made is not None
    assert one.made.problems == ("clip: none",)
    assert one.expires == desk.clock.now() + 30 * DAY
    path = node.tools.bundles.zip(one.export_id)
    assert path is not None
    assert is_whole(path)
    assert path.stat().st_size == one.made.size_bytes
    assert lies(desk) == ["zip"]
    assert desk.held() == 0
    node.tend_exports()
    assert desk.made == [one.export_id]


class Deaths:
    """Dies at the step that is named; a step is a call of a port, or of the folder."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1

    def around(self, inner: Any, *names: str) -> Any:
        """Die before and after each call of some methods."""
        deaths = self

        class Dying:
            def __getattr__(self, name: str) -> Any:
                found = getattr(inner, name)
                if name not in names:
                    return found

                def call(*arguments: Any) -> Any:
                    deaths.step()
                    done = found(*arguments)
                    deaths.step()
                    return done

                return call

        return Dying()


def dying(desk: Desk, deaths: Deaths) -> Any:
    tools = desk.tools()
    bundles = deaths.around(tools.bundles, "part", "made", "clear", "promise", "facts")
    packing = bundles.pack

    def pack(export_id: str, check: Callable[[], None]) -> None:
        deaths.step()

        def both() -> None:
            deaths.step()
            check()

        packing(export_id, both)
        deaths.step()

    bundles.__dict__["pack"] = pack
    return desk.runner(
        exports=deaths.around(tools.exports, "change"),
        holds=deaths.around(tools.holds, "add", "release"),
        bundles=bundles,
    )


def test_a_node_that_is_killed_at_any_step_goes_on_and_makes_one_whole_bundle(
    desk: Desk,
) -> None:
    for at in range(200):
        desk.ask(at)
        died = False
        try:
            dying(desk, Deaths(at)).tend_exports()
        except KeyboardInterrupt:
            died = True
        if desk.now(at).state is S.DONE:
            path = desk.tools().bundles.zip(id_of(at))
            assert path is not None, at
            assert is_whole(path), at
        else:
            assert desk.held() >= 1, f"{at}: what is not made is held"
        desk.runner().tend_exports()
        one = desk.now(at)
        assert one.state is S.DONE, at
        assert one.made is not None
        path = desk.tools().bundles.zip(id_of(at))
        assert path is not None
        assert is_whole(path), at
        assert (set(lies(desk)), desk.made.count(id_of(at)) <= 2) == ({"zip"}, True), at
        desk.pass_(HELD_NS + 1)
        assert desk.held() == 0
        if not died:
            break
    assert 20 < at < 199


def test_of_several_nodes_one_makes_it_and_another_goes_on_only_when_that_is_gone(
    desk: Desk,
) -> None:
    desk.ask()

    def die() -> None:
        raise KeyboardInterrupt

    desk.problem = die
    with pytest.raises(KeyboardInterrupt):
        desk.runner("n1").tend_exports()
    desk.problem = lambda: None
    desk.pass_(LEASE_NS - 1)
    desk.runner("n2").tend_exports()
    assert (desk.now().state, desk.now().node) == (S.RUNNING, "n1")
    desk.pass_(1)
    desk.runner("n2").tend_exports()
    assert (desk.now().state, desk.now().node, desk.now().term) == (S.DONE, "n2", 2)
    desk.runner("n1").tend_exports()
    assert desk.made == [id_of(1)]
    assert lies(desk, "n1") == ["part"], "it may be wanted yet"
    old = (desk.clock.now() - LEFTOVER_NS) // SECOND - 1
    os.utime(desk.folder / "n1" / f"{id_of(1)}.part", (old, old))
    desk.runner("n1").tend_exports()
    assert lies(desk, "n1") == []
    assert lies(desk, "n2") == ["zip"]


def test_a_node_that_lost_its_lease_gives_nothing_out(desk: Desk) -> None:
    watch = taken(desk)

    def overtaken() -> None:
        desk.problem = lambda: None
        desk.pass_(LEASE_NS + 1)
        desk.runner("n2").tend_exports()

    desk.problem = overtaken
    work(watch)
    assert (desk.now().state, desk.now().node) == (S.DONE, "n2")
    assert desk.made == [id_of(1)], "the slow one noticed before it wrote"
    assert "zip" not in lies(desk, "n1")


def taken(desk: Desk) -> Watch:
    """An export that a node has just taken up."""
    one = desk.ask()
    ours = replace(one, state=S.RUNNING, node="n1", term=1, until=desk.clock.now() + LEASE_NS)
    assert desk.catalog.exports.change(ours, one)
    return Watch(desk.tools(), ours, lambda: False)


def test_who_cannot_say_for_a_lease_that_it_is_his_stops(desk: Desk) -> None:
    watch = taken(desk)
    desk.pass_(LEASE_NS - 1)
    watch.check()
    desk.pass_(1)
    with pytest.raises(Stopped):
        watch.check()


def test_who_hears_that_it_is_another_s_stops_at_once(desk: Desk) -> None:
    watch = taken(desk)
    watch.beat()
    watch.check()
    one = desk.now()
    assert desk.catalog.exports.change(replace(one, node="n2", term=2), one)
    watch.beat()
    with pytest.raises(Stopped):
        watch.check()


def test_who_is_overtaken_at_the_very_end_leaves_hold_and_files_to_the_other(desk: Desk) -> None:
    watch = taken(desk)
    facts = watch.tools.bundles.facts

    def overtaken(export_id: str) -> ExportMade:
        one = desk.now()
        assert desk.catalog.exports.change(replace(one, node="n2", term=2), one)
        return facts(export_id)

    watch.tools.bundles.facts = overtaken  # type: ignore[method-assign]
    work(watch)
    assert (desk.now().state, desk.now().node) == (S.RUNNING, "n2")
    assert desk.held() == 1
    assert lies(desk) == ["made", "zip"]


def test_room_is_set_aside_while_a_bundle_is_made_and_no_longer(desk: Desk) -> None:
    desk.ask()

    def away(_: object, __: Path, progress: Progressing) -> None:
        progress.begin(FOOTAGE)
        assert len(node.tools.bundles._promised) == 1
        raise StoreUnavailable("away")

    node = desk.runner(make=away)
    node.tend_exports()
    assert desk.now().state is S.WAITING
    assert node.tools.bundles._promised == {}


def raising(exc: Exception) -> Callable[[], None]:
    def problem() -> None:
        raise exc

    return problem


@pytest.mark.parametrize(
    "exc", [NotYet("still being recorded"), StoreUnavailable("store main is away"), OSError("full")]
)
def test_what_is_away_is_waited_for_with_pace_until_the_deadline(
    desk: Desk, exc: Exception
) -> None:
    desk.ask(wait_ns=HOUR)
    desk.problem = raising(exc)
    node, tries = desk.runner(), 0
    while desk.now().open:
        before = desk.now().tries
        node.tend_exports()
        one = desk.now()
        tries += one.tries > before
        if one.open:
            assert (one.state, one.said) == (S.WAITING, str(exc))
            assert one.due <= one.deadline
            assert desk.held() == 1, "its footage stays"
        desk.pass_(20 * SECOND)
    assert 10 < tries < HOUR / MOST_PACE_NS + 8
    assert str(exc) in desk.now().said
    assert "not there by" in desk.now().said
    assert desk.now().state is S.FAILED
    assert desk.clock.now() >= desk.now().deadline
    assert desk.held() == 0
    assert lies(desk) == []


def test_what_waits_keeps_no_other_from_being_made(desk: Desk) -> None:
    desk.ask(1)
    desk.problem = raising(NotYet("still being recorded"))
    node = desk.runner()
    node.tend_exports()
    desk.problem = lambda: None
    desk.pass_(SECOND)
    desk.ask(2)
    node.tend_exports()
    assert (desk.now(1).state, desk.now(2).state) == (S.WAITING, S.DONE)
    desk.pass_(PACE_NS)
    node.tend_exports()
    assert desk.now(1).state is S.DONE


def test_what_this_node_cannot_sign_another_may(desk: Desk) -> None:
    desk.ask()
    desk.problem = raising(StateError("the log's key is elsewhere"))
    desk.runner("n1").tend_exports()
    assert desk.now().node == ""
    desk.problem = lambda: None
    desk.pass_(PACE_NS)
    desk.runner("n2").tend_exports()
    assert (desk.now().state, desk.now().node) == (S.DONE, "n2")


def test_what_can_never_be_made_fails_with_a_sentence(desk: Desk) -> None:
    for number, exc in enumerate((NoFootage("there is none"), ZeroDivisionError()), 1):
        desk.ask(number)
        desk.problem = raising(exc)
        desk.runner().tend_exports()
        one = desk.now(number)
        assert one.state is S.FAILED
        assert one.said in ("there is none", "a mistake of the recorder's own: ZeroDivisionError")
    assert (desk.held(), lies(desk)) == (0, [])


def test_a_copy_that_is_not_whole_is_looked_for_again_and_then_said_to_be_so(desk: Desk) -> None:
    for number, bad in enumerate((MOST_DOUBTS, MOST_DOUBTS + 1), 1):
        desk.ask(number)
        left = iter(range(bad))

        def problem(left: Iterator[int] = left) -> None:
            if next(left, None) is not None:
                raise CopyMissing("it is gone")

        desk.problem = problem
        node = desk.runner()
        while desk.now(number).open:
            node.tend_exports()
            desk.pass_(PACE_NS)
    assert (desk.now(1).state, desk.now(2).state) == (S.DONE, S.FAILED)
    assert (desk.now(2).said, desk.now(2).kind) == ("it is gone", "CopyMissing")


def test_footage_that_went_since_it_was_begun_is_never_left_out_silently(desk: Desk) -> None:
    desk.ask()

    def die() -> None:
        raise KeyboardInterrupt

    tools = desk.tools()
    with pytest.raises(KeyboardInterrupt):
        desk.runner(bundles=Deaths(1).around(tools.bundles, "made")).tend_exports()
    assert desk.now().all_bytes == FOOTAGE
    desk.footage = FOOTAGE - 1
    (tools.bundles.root / f"{id_of(1)}.made").rename(tools.bundles.root / f"{id_of(1)}.part")
    while desk.now().open:
        desk.runner().tend_exports()
        desk.pass_(PACE_NS)
    assert desk.now().state is S.FAILED
    assert "1 bytes of footage that were there when it was begun are gone" in desk.now().said


def test_a_hold_that_somebody_releases_is_placed_again_and_that_is_said(desk: Desk) -> None:
    desk.ask()
    (hold,) = desk.catalog.holds.all()
    desk.problem = raising(StoreUnavailable("away"))
    node = desk.runner()
    node.tend_exports()
    assert desk.catalog.holds.release(hold.hold_id, "bob", desk.clock.now())
    desk.pass_(MOST_PACE_NS)
    desk.problem = lambda: None
    node.tend_exports()
    one = desk.now()
    assert one.state is S.DONE
    (said,) = one.notes
    assert f"its hold {hold.hold_id} was released by bob" in said
    assert len(desk.catalog.holds.all()) == 2
    assert desk.held() == 0


def test_footage_stays_held_for_as_long_as_it_takes_by_holds_that_follow_one_another(
    desk: Desk,
) -> None:
    desk.ask(wait_ns=5 * DAY)
    desk.problem = raising(StoreUnavailable("away"))
    node = desk.runner()
    for _ in range(4 * 24 * 2):
        node.tend_exports()
        assert desk.held() == 1
        desk.pass_(HOUR // 2)
    ended = [one for one in desk.catalog.holds.all() if not one.live(desk.clock.now())]
    assert 1 <= len(ended) <= SWEPT_NS / (HELD_NS // 2) + 2, "those of before are forgotten"
    assert desk.now().notes == ()
    desk.problem = lambda: None
    node.tend_exports()
    assert desk.now().state is S.DONE
    desk.pass_(SWEPT_NS + HOUR)
    node.tend_exports()
    assert desk.catalog.holds.all() == []


def test_a_round_with_nothing_to_do_writes_nothing(desk: Desk) -> None:
    desk.ask()
    node = desk.runner()
    node.tend_exports()
    counting = Deaths(0)
    tools = desk.tools()
    idle = desk.runner(
        exports=counting.around(tools.exports, "change", "drop", "add"),
        holds=counting.around(tools.holds, "add", "release"),
    )
    idle.tend_exports()
    quiet = desk.runner(holds=counting.around(tools.holds, "sweep"))
    quiet._forgot = desk.clock.monotonic()
    quiet.tend_exports()
