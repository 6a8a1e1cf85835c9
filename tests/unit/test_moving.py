"""Footage goes from one store of a site to another: copied first, read back, then let go."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from policies.diff import compare
from policies.explain import Kept, explain
from policies.facts import Capacity, StoreFacts
from policies.match import moves_at
from policies.plan import Plan
from policies.read import parse_policy
from policies.retain import retain, verdict_on
from recorder.catalog.sql import SqlCatalog
from recorder.errors import BadDocument, StoreUnavailable
from recorder.janitor.adopted import note_adopted
from recorder.janitor.carry_out import Done, Janitor, Workers
from recorder.janitor.meter import Meter
from recorder.janitor.move import Mover
from recorder.janitor.proof import ClockProof
from recorder.model.copies import CopyColumns
from recorder.model.holds import Hold
from recorder.model.keys import CameraId
from recorder.model.media import Segment
from recorder.model.places import Place
from recorder.model.timebase import DAY, HOUR, TimeRange
from recorder.store.memory import MemoryStore
from recorder.throttle import Throttle
from tests.support.clock import FakeClock
from tests.support.make import T0, segment
from tests.support.plans import NOW, going, lane

STORES = {"any": {"floor": "5%"}, "archive": {"floor": "5%"}, "cold": {"floor": "5%"}}
MOVE: dict[str, Any] = {
    "name": "all", "keep": {"any": "90d"}, "move": {"after": "7d", "to": "archive"},
}  # fmt: skip
DOCUMENT: dict[str, Any] = {"rules": [MOVE], "stores": STORES}


def made(*lanes: CopyColumns, document: dict[str, Any] = DOCUMENT, store: str = "main",
         others: tuple[str, ...] = ("archive", "cold"), **facts: Any) -> Plan:  # fmt: skip
    found = StoreFacts(store, "post", lanes, NOW, others=others, **facts)
    return retain(parse_policy(document), found)


def moving(plan: Plan) -> list[tuple[float, str]]:
    return [(round((NOW - one.end) / DAY, 2), one.to) for one in plan.moves]


def test_what_is_old_enough_is_copied_first_and_goes_only_once_it_is_there() -> None:
    one = lane(20, 8, 3)
    first = made(one)
    assert (moving(first), first.actions) == ([(20, "archive"), (8, "archive")], ())
    one.elsewhere = {"archive": {0}}
    later = made(one)
    assert (moving(later), going(later)) == ([(8, "archive")], [20])
    assert [(a.rule, a.reason, a.moved) for a in later.actions] == [
        ("all: move", "it is in store archive, where it belongs after 7d", True)
    ]
    one.condemned, one.elsewhere = {0}, {}
    assert [spared.reason for spared in made(one).spares], "what is not there any more is kept"


def test_held_footage_stays_where_it_is() -> None:
    held = {CameraId("s", "cam"): [TimeRange(0, NOW)]}
    one = lane(20, 8)
    one.elsewhere = {"archive": {0}}
    plan = made(one, holds=held)
    assert (plan.moves, plan.actions) == ((), ())


def test_without_that_store_or_while_it_is_away_nothing_is_moved_and_ages_count() -> None:
    one = lane(100, 20)
    one.elsewhere = {"archive": {1}}
    plan = made(one, others=())
    assert (plan.moves, going(plan)) == ((), [100])


def test_what_is_past_its_age_in_the_first_store_waits_for_its_copy_in_the_next() -> None:
    document = {**DOCUMENT, "rules": [{**MOVE, "keep": {"main": "7d", "any": "90d"}}]}
    document["stores"] = {**STORES, "main": {"floor": "5%"}}
    one = lane(100, 20, 8)
    one.elsewhere = {"archive": {2}}
    plan = made(one, document=document)
    assert going(plan) == [8, 100], "100 days are too long for the archive as well"
    assert moving(plan) == [(20, "archive")]


def test_footage_goes_on_from_store_to_store_and_never_back() -> None:
    rule = {**MOVE, "move": [{"after": "30d", "to": "cold"}, {"after": "7d", "to": "archive"}]}
    document = {**DOCUMENT, "rules": [rule]}
    ages = lane(40, 20, 3)
    assert moving(made(ages, document=document)) == [(40, "cold"), (20, "archive")]
    archive = made(ages, document=document, store="archive", others=("main", "cold"))
    assert moving(archive) == [(40, "cold")]
    assert made(ages, document=document, store="cold", others=("main", "archive")).moves == ()
    ages.elsewhere = {"archive": {0}}
    assert going(made(ages, document=document)) == [40], "there, on its way: not copied twice"


def test_what_is_wanted_above_is_let_go_here_only_once_it_is_there() -> None:
    rule = {**MOVE, "replicate": [{"to": "centre"}]}
    document = {**DOCUMENT, "rules": [rule]}
    one = lane(20, 8)
    one.elsewhere, one.copied = {"archive": {0, 1}}, {1}
    plan = made(one, document=document)
    assert going(plan) == [8]
    assert plan.waiting == {"its copy at centre is not there yet": 1}


def test_moving_is_no_deleting_for_the_blast_radius() -> None:
    document = {**DOCUMENT, "blast_radius": "10%"}
    one = lane(*range(10, 20))
    one.elsewhere = {"archive": set(range(10))}
    room = Capacity(free_bytes=0, total_bytes=1000, stored_bytes=1000)
    plan = made(one, document=document, capacity=room)
    assert (len(plan.actions), plan.stopped) == (10, "")


def test_below_the_floor_what_is_still_to_be_moved_goes_after_what_belongs_here() -> None:
    rule = {**MOVE, "keep": {"any": {"min": "1d", "max": "90d"}}}
    document = {**DOCUMENT, "rules": [rule], "stores": {**STORES, "main": {"floor": "10%"}}}
    one = lane(20, 8, 3)
    for missing, gone in ((1, [3]), (200, [3, 20])):
        room = Capacity(free_bytes=1000 - missing, total_bytes=10_000, stored_bytes=10_000)
        plan = made(one, document=document, capacity=room)
        assert (going(plan), moving(plan)) == (gone, [(20, "archive"), (8, "archive")])
    assert plan.actions[-1].reason.endswith("; its copy in store archive is not there yet")


def test_a_whole_segment_is_moved_rather_than_thinned_and_a_thin_one_by_itself() -> None:
    rule = {**MOVE, "thin": {"after": "5d", "at": "post"}}
    plan = made(lane(20, 6), document={**DOCUMENT, "rules": [rule]})
    assert moving(plan) == [(20, "archive")]
    assert [round((NOW - one.end) / DAY) for one in plan.thins] == [6]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"move": {"after": "7d", "to": "attic"}}, "rules.0.move.to: 'attic' is no store"),
        ({"move": {"after": "7d", "to": "post"}}, "rules.0.move.to: 'post' is no store"),
        ({"move": {"after": "90d", "to": "archive"}},
         "rules.0.move.after: archive would keep nothing of it"),
        ({"keep": {"post": "5d", "archive": "90d"}, "move": {"after": "7d", "to": "archive"}},
         "rules.0.move.after: the footage is gone by then"),
        ({"move": [{"after": "7d", "to": "archive"}, {"after": "9d", "to": "archive"}]},
         "rules.0.move.1.to: it is moved to 'archive' twice"),
    ],
)  # fmt: skip
def test_a_move_that_cannot_be_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said.replace(".", r"\.")):
        parse_policy({**DOCUMENT, "rules": [{**MOVE, **rule}]})


@pytest.mark.parametrize(
    ("age", "there", "said"),
    [
        (3, False, "at main (post) it is moved to store archive on 1972-10-01T00:00:00Z, "
                   "by all: move"),
        (20, False, "at main (post) the next sweep copies it into store archive: it belongs in "
                    "store archive after 7d, by all: move"),
        (20, True, "at main (post) the next sweep condemns it: it is in store archive, where it "
                   "belongs after 7d, by all: move"),
    ],
)  # fmt: skip
def test_an_explanation_says_where_footage_goes(age: int, there: bool, said: str) -> None:
    policy, one = parse_policy(DOCUMENT), lane(age)
    one.elsewhere = {"archive": {0}} if there else {}
    facts = StoreFacts("main", "post", [one], NOW, others=["archive"])
    decided = verdict_on(policy, facts, one.stream, one.starts[0], "n.1")
    assert decided is not None
    copy = Kept(Place("main"), "post", verdict=decided[0])
    range_ = TimeRange(one.starts[0], one.ends[0])
    assert explain(policy, one.stream, "", range_, (), [copy], [], NOW)[-1] == said


def test_a_change_is_told_by_what_is_moved_sooner() -> None:
    before = made(lane(20, 8, 3), document={"rules": [{"name": "all", "keep": {"any": "90d"}}]})
    change = compare(before, made(lane(20, 8, 3)), {})
    assert "would move 200 B / 0.0833 camera-days to another store sooner" in change.said
    assert (len(change.moved), change.sooner) == (2, ())


def test_the_first_rule_that_moves_counts_and_a_store_that_keeps_nothing_is_passed_over() -> None:
    keep = {"centre": "40d", "archive": "90d"}
    move = [{"after": "7d", "to": "archive"}, {"after": "20d", "to": "cold"}]
    first = {"name": "first", "match": {"camera": "c"}, "at_least": True, "keep": keep}
    later = {**MOVE, "keep": {"any": "30d"}, "move": {"after": "1d", "to": "cold"}}
    policy = parse_policy({"stores": STORES, "rules": [{**first, "move": move}, later]})
    way, since = moves_at(policy.rules[:1], "main", "post", False, ["archive", "cold"])
    assert [(one.to, one.until_ns) for one in way] == [("archive", 90 * DAY)]
    assert since == 0
    both, _ = moves_at(policy.rules, "main", "post", False, ["archive", "cold"])
    assert [(one.to, one.after_ns // DAY) for one in both] == [("archive", 7), ("cold", 20)]
    assert moves_at(policy.rules[:1], "archive", "post", False, ["main"]) == ((), 7 * DAY)


# -- carried out -----------------------------------------------------------------------------


class Full(MemoryStore):
    room: tuple[int, int] | None = None

    def free_bytes(self) -> tuple[int, int] | None:
        return self.room


class Lying(MemoryStore):
    """Says that it has what it was given, and has something else of that size."""

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        super().put(key, bytes(len(body)), content_type, metadata)
        return hashlib.sha256(body).hexdigest()

    def free_bytes(self) -> tuple[int, int] | None:
        return None


class Idle:
    def carry_out(self, *_: Any) -> int:
        return 0


class Box:
    """A fast store with ten hours of footage, an archive, and what moves between them."""

    keep: Mapping[str, str] = MappingProxyType({"any": "90d"})

    def __init__(self, folder: Path) -> None:
        self.catalog, self.clock = SqlCatalog("sqlite://"), FakeClock(T0 + 10 * HOUR)
        self.main, self.archive = MemoryStore("main"), Full("archive")
        self.folder = folder
        self.segments = [self.record(3600 * i) for i in range(10)]
        view: Any = SimpleNamespace(copies=SimpleNamespace(sources=self._sources))
        throttle = Throttle(self.clock, 0, lambda _: None)
        self.mover = Mover(self.catalog, view, self.clock, folder, throttle)
        proof = ClockProof(self.clock, self.catalog.progress, self.catalog.planning, {})
        self.janitor = Janitor(
            self.catalog, self.clock, proof, Meter(self.catalog.planning),
            lambda: Workers(Idle(), self.mover), list, lambda _: None,
            level="post", grace_ns=HOUR,
        )  # fmt: skip

    def _sources(self, one: Segment, but: str) -> list[Any]:
        if but == "main":
            return []  # nobody else has it
        return [lambda: self.main.read(one.key, 0, one.size_bytes)]

    def record(self, start_s: float) -> Segment:
        body = b"%6d" % start_s * 200
        digest = hashlib.sha256(body).hexdigest()
        one = segment(start_s, 3600, points=b"", size_bytes=len(body), digest=digest)
        self.main.put(one.key, body, "video/mp4", {})
        self.catalog.commits.add_segment(one, "main", "", one.end)
        return one

    def sweep(self, store: MemoryStore | None = None, **more: Any) -> Done:
        rule = {**MOVE, "keep": self.keep, "move": {"after": "5h", "to": "archive"}}
        document = {"rules": [rule], "stores": {**STORES, "main": {}}, "blast_radius": "100%"}
        there: Any = {"main": self.main, "archive": self.archive}
        return self.janitor.carry_out(
            store or self.main, parse_policy(document), float("inf"), **{"stores": there, **more}
        )

    def places(self) -> list[int]:
        return [
            sum(1 for _ in self.catalog.planning.copies_at(name, None, 99))
            for name in ("main", "archive")
        ]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_sweep_moves_and_after_the_grace_the_old_copies_are_gone(box: Box) -> None:
    done = box.sweep()
    assert (done.moved, done.condemned, box.places()) == (5, 0, [10, 5])
    assert box.sweep().condemned == 5
    box.clock.sleep(3601)
    assert (box.sweep().purged, box.places()) == (5, [5, 6])
    there = {one.key for one in box.archive.list()}
    assert {one.key for one in box.segments[:5]} <= there
    assert not box.catalog.footage.gaps(box.segments[0].stream, TimeRange(0, 2 * T0))
    assert list(box.folder.iterdir()) == []


def test_a_copy_that_is_damaged_or_gone_there_saves_the_one_that_is_here(box: Box) -> None:
    box.sweep()
    first = box.catalog.planning.copies_at("archive", None, 1)
    box.catalog.integrity.mark_damaged(first, box.clock.now())
    assert box.sweep().condemned == 4
    box.catalog.integrity.mark_damaged(
        box.catalog.planning.copies_at("archive", None, 2), box.clock.now()
    )
    again = box.sweep()
    assert (again.spared, again.moved) == (1, 2), "what is damaged there is put again"
    assert (box.catalog.integrity.damaged("archive"), box.sweep().condemned) == (0, 2)


def test_while_the_archive_is_away_what_was_condemned_is_spared(box: Box) -> None:
    box.sweep()
    assert box.sweep().condemned == 5
    assert box.sweep(stores={"main": box.main}, away=["archive"]).spared == 5


def test_while_the_archive_is_away_what_was_to_go_there_is_kept_past_its_age_here(box: Box) -> None:
    box.keep = {"main": "5h", "archive": "90d"}
    for _ in range(3):
        done = box.sweep(stores={"main": box.main}, away=["archive"])
        assert (done.moved, done.condemned, done.purged) == (0, 0, 0)
        box.clock.sleep(3601)
    assert box.sweep().moved == 8, "it is back"


def test_of_a_store_that_was_adopted_copies_count_once_they_are_proven(box: Box) -> None:
    box.sweep()
    assert box.sweep().condemned == 5
    box.archive.delete([one.key for one in list(box.archive.list())[1:]])
    note_adopted(box.catalog.progress, "archive", box.clock.now())
    box.clock.sleep(1)
    done = box.sweep()
    assert (done.spared, done.condemned, done.moved) == (5, 0, 5), "what is not there is put again"
    assert {one.key for one in box.segments[:5]} <= {one.key for one in box.archive.list()}
    assert box.sweep().condemned == 5


def test_a_full_archive_is_not_filled_and_nothing_goes(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    box.archive.room = (25_000, 1_000_000)
    done = box.sweep()
    assert (done.moved, box.places()) == (0, [10, 0])
    assert caplog.text.count("cannot move") == 1


def test_footage_that_nobody_has_whole_is_not_moved_and_stops_no_other(box: Box) -> None:
    box.main.put(box.segments[0].key, b"x" * 1200, "video/mp4", {})
    assert (box.sweep().moved, box.places()) == (4, [10, 4])


def test_a_hold_within_the_grace_keeps_the_old_copy(box: Box) -> None:
    box.sweep(), box.sweep()
    held = box.segments[0].range
    box.catalog.holds.add(
        Hold("h", (str(box.segments[0].stream.camera_id),), held, "1", "r", "o", box.clock.now())
    )
    box.clock.sleep(3601)
    box.sweep()
    assert box.segments[0].key in {one.key for one in box.main.list()}


def test_a_store_that_fails_is_left_out_this_time(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def away(*_: Any) -> str:
        calls.append(1)
        raise StoreUnavailable("away")

    monkeypatch.setattr(box.archive, "put_file", away)
    assert (box.sweep().moved, len(calls)) == (0, 1)


def test_what_an_archive_does_not_give_back_as_it_was_is_no_copy(box: Box) -> None:
    lying: Any = Lying("archive")
    for _ in range(2):
        done = box.sweep(stores={"main": box.main, "archive": lying})
        assert (done.moved, done.condemned, box.places()) == (0, 0, [10, 0])
    assert len({one.key for one in lying.list()}) == 5, "it was asked to"
