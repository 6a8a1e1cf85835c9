"""Events go when policy says so, and no sooner: not by a mistake, nor before their footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from policies.read import parse_policy
from recorder.catalog.sql import SqlCatalog
from recorder.errors import AuditUnavailable, BadDocument
from recorder.janitor import expiry
from recorder.janitor.expiry import EventExpiry
from recorder.janitor.keeping_events import EventKeeper
from recorder.model.events import Event, parse_event
from recorder.model.media import Copy
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, Instant, TimeRange, format_instant
from recorder.ports import SiteBeat
from recorder.store.kept import EVENTS
from recorder.store.memory import MemoryStore
from tests.support.make import STREAM, T0, segment

RULES = [{"name": "all", "keep": {"any": "30d"}}]
AGES = {"motion": "30d", "any": "60d"}


def event(name: str, kind: str = "motion", at: Instant = T0, camera: str = STREAM.camera) -> Event:
    body = {"camera": camera, "kind": kind, "id": name, "at": format_instant(at, 9)}
    return parse_event(body, None, "x", STREAM.site, at)


class Site:
    """A site whose policy lets events go; what it writes into the audit log is in ``log``."""

    def __init__(self) -> None:
        self.catalog = SqlCatalog("sqlite://", site=STREAM.site)
        self.store = MemoryStore("main")
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.refuses = False
        self.expiry = EventExpiry(self.catalog, STREAM.site, self.note, DAY)
        self.rule(AGES, T0)

    def note(self, action: str, **details: object) -> None:
        if self.refuses:
            raise AuditUnavailable("full")
        self.log.append((action, details))

    def rule(self, ages: dict[str, str], at: Instant) -> None:
        body = {"rules": RULES, **({"events": ages} if ages else {})}
        document = self.catalog.documents.put("policy", body, "admin", at)
        self.policy = parse_policy(body, document.version)

    def add(self, *events: Event) -> None:
        for one in events:
            self.catalog.events.add(one, None)
        keeper = EventKeeper(self.catalog, STREAM.site)
        if events:
            keeper.keep(self.store, events[-1].received + MINUTE)

    def run(self, now: Instant) -> int:
        return self.expiry.run(self.policy, now)

    def left(self) -> set[str]:
        return {one.event_id for one in self.catalog.events.noted(0, 99)}


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.catalog.close()


def test_each_kind_stays_for_its_own_time_and_what_goes_is_logged_first(site: Site) -> None:
    long = replace(event("long", "alarm"), range=TimeRange(T0, T0 + 10 * DAY))
    late = replace(event("late", "alarm"), received=T0 + 20 * DAY)
    site.add(event("m"), event("a", "alarm"), long, late)
    assert [site.run(T0 + days * DAY) for days in (1, 29, 30)] == [0, 0, 0]
    assert site.run(T0 + 30 * DAY + SECOND) == 1
    assert site.left() == {"a", "long", "late"}
    said = {"events": ["m"], "kinds": ["motion"], "policy": 1}
    assert site.log == [("event.expire", said)]
    assert [site.run(T0 + days * DAY) for days in (61, 69, 71)] == [1, 0, 1], "from its end on"
    assert [site.run(T0 + days * DAY) for days in (79, 81)] == [0, 1], "since it is known"
    assert site.left() == set()


def test_without_a_word_on_events_all_stay_and_of_one_kind_only_that_goes(site: Site) -> None:
    site.add(event("m"), event("a", "alarm"))
    site.rule({}, T0)
    assert site.run(T0 + 9000 * DAY) == 0
    site.rule({"alarm": "30d"}, T0)
    assert site.run(T0 + 9000 * DAY) == 1
    assert site.left() == {"m"}
    assert site.expiry.run(None, T0 + 9000 * DAY) == 0


def test_an_event_stays_while_footage_that_it_touches_lies_anywhere(site: Site) -> None:
    film = segment()
    site.catalog.commits.add_segment(film, "main", "", T0)
    site.catalog.commits.add_segment(film, "..", "", T0)
    site.add(event("m", at=film.start + SECOND))
    site.catalog.commits.forget([Copy(film, "main")], "purged")
    assert site.run(T0 + 90 * DAY) == 0, "the parent has it"
    site.catalog.commits.forget([Copy(film, "..")], "purged")
    assert site.run(T0 + 90 * DAY) == 1


def test_a_mistaken_policy_that_is_corrected_within_the_grace_costs_no_event(site: Site) -> None:
    site.rule({"any": "forever"}, T0)
    site.add(event("m"))
    now = T0 + 90 * DAY
    site.rule({"any": "7d"}, now)
    assert site.run(now + DAY - SECOND) == 0
    site.rule({"any": "700d"}, now + DAY - SECOND)
    assert site.run(now + 3 * DAY) == 0
    site.rule({"any": "7d"}, now)
    old = site.policy
    site.rule({"any": "700d"}, now)
    assert site.expiry.run(old, now + 3 * DAY) == 0, "another policy is in force by now"
    assert site.left() == {"m"}


def test_of_cameras_below_nothing_is_forgotten_while_their_site_is_silent_or_late(
    site: Site,
) -> None:
    now = T0 + 90 * DAY
    site.add(event("own"), event("below", camera="post/gate"))
    site.catalog.sites.put(SiteBeat("..", "centre", "", T0, {}))
    for at, facts, gone in (
        (now - 2 * HOUR, {}, 1),
        (now, {"lag_s": 7200.0}, 0),
        (now + 2 * HOUR, {}, 0),
        (now - MINUTE, {"lag_s": 1.5}, 1),
    ):
        site.catalog.sites.put(SiteBeat("post", "post", "", at, facts))
        assert site.run(now) == gone, (at - now, facts)
    assert site.left() == set()


def test_nothing_goes_that_cannot_be_logged(site: Site) -> None:
    site.add(event("m"))
    site.refuses = True
    with pytest.raises(AuditUnavailable):
        site.run(T0 + 90 * DAY)
    assert site.left() == {"m"}


def test_all_old_events_have_their_turn_also_behind_those_that_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "PAGE", 2)
    monkeypatch.setattr(expiry, "NAMED", 1)
    film = segment()
    site.catalog.commits.add_segment(film, "main", "", T0)
    site.add(*(event(f"stays{i}", at=film.start + i * SECOND) for i in range(3)))
    site.add(event("late", at=T0 + HOUR), event("last", at=T0 + 2 * HOUR))
    assert [site.run(T0 + 90 * DAY) for _ in range(4)] == [0, 1, 1, 0]
    assert site.left() == {"stays0", "stays1", "stays2"}


# -- in the stores ---------------------------------------------------------------------------------


def written(site: Site) -> list[str]:
    return [one.key.removeprefix(f"{EVENTS}{STREAM.site}/")[:10] for one in site.store.list(EVENTS)]


def test_objects_go_when_all_their_events_are_gone_and_only_of_days_before_any_that_stays(
    site: Site,
) -> None:
    for i in range(4):
        site.add(event(f"m{i}", at=T0 + i * DAY))
    days = written(site)
    assert len(days) == 4
    now = T0 + 32 * DAY + HOUR
    assert site.expiry.clear(site.store, now) == 0, "this catalog has forgotten nothing yet"
    assert site.run(now) == 3
    assert site.expiry.clear(site.store, now) == 2, "of the third day another may come yet"
    assert written(site) == days[2:]
    assert site.log[-1][0] == "event.expire-objects"
    assert site.run(now + 2 * DAY) == 1
    site.add(event("new", at=now + 3 * DAY))
    assert site.expiry.clear(site.store, now + HOUR) == 0, "once a day"
    assert site.expiry.clear(site.store, now + 3 * DAY) == 1
    assert site.expiry.clear(site.store, now + 9 * DAY) == 0


def test_objects_are_not_read_while_an_event_of_before_them_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add(event("a", "alarm"))
    for i in range(1, 4):
        site.add(event(f"m{i}", at=T0 + i * DAY))
    assert site.run(T0 + 40 * DAY) == 3

    def read(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(site.store, "read", read)
    assert site.expiry.clear(site.store, T0 + 40 * DAY) == 0


def test_an_object_stays_that_tells_of_an_event_there_still_is_or_is_damaged(site: Site) -> None:
    site.add(event("a", "alarm"), event("m"))
    site.add(event("m1", at=T0 + DAY))
    site.add(event("m2", at=T0 + 20 * DAY))
    damaged = f"{EVENTS}{STREAM.site}/2026-01-01/{'0' * 64}.jsonl"
    site.store.put(damaged, b"x", "", {})
    with site.catalog.database.write() as db:  # as if a clock had gone back since
        db.exec_driver_sql("UPDATE event SET noted_ns = ? WHERE event_id = 'a'", (T0 + 21 * DAY,))
    now = T0 + 51 * DAY
    assert site.run(now) == 3
    before = written(site)
    assert site.expiry.clear(site.store, now) == 1
    assert written(site) == [before[0], before[1], before[3]]


def test_objects_behind_many_that_stay_have_their_turn(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "MOST_OBJECTS", 1)
    for i in range(2):
        key = f"{EVENTS}{STREAM.site}/2026-01-0{i + 1}/{'0' * 64}.jsonl"
        site.store.put(key, b"x", "", {})
    site.add(event("m"))
    site.add(event("m2", at=T0 + 5 * DAY))
    now = T0 + 90 * DAY
    assert site.run(now) == 2
    assert [site.expiry.clear(site.store, now) for _ in range(5)] == [0, 0, 1, 0, 0]


# -- documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ({"motoin": "30d"}, r"^events\.motoin: is no kind of event"),
        ({"motion": "6d"}, r"^events\.motion: 6d is too short: at least 7d"),
        ({"motion": 30}, r"^events\.motion: .*30 has no unit"),
        ({"any": {"post": "30d"}}, r"^events\.any: must be a duration"),
    ],
)
def test_ages_of_events_that_nobody_means_are_refused(ages: Any, said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        parse_policy({"rules": RULES, "events": ages})


def test_one_that_is_in_force_goes_on_counting_and_never_by_less_than_a_week() -> None:
    policy = parse_policy({"rules": RULES, "events": {"motion": "1m"}}, stored=True)
    assert (policy.event_age("motion"), policy.least_event_age) == (7 * DAY, 7 * DAY)
    assert policy.event_age("alarm") > 9000 * DAY
