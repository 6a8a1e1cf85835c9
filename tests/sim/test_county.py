"""A simulated county keeps the laws, whatever fails; the seed that breaks them is printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from policies.judge import Judged
from recorder.catalog import commits, deletion
from recorder.catalog.deletion import SqlDeletion
from recorder.catalog.notices import SqlNotices
from recorder.janitor.keeping import Keeper
from recorder.janitor.proof import ClockProof
from recorder.model.keys import CameraId
from recorder.model.timebase import DAY, HOUR, TimeRange
from tests.sim.laws import Laws
from tests.sim.world import World

POLICY: dict[str, Any] = {
    "rules": [
        {
            "name": "alarms", "match": {"event": "alarm"},
            "keep": {"post": "10d", "sub-centre": "10d", "centre": "60d"},
            "replicate": [{"what": "events", "to": "centre", "class": "urgent", "within": "1h"}],
        },
        {
            "name": "key", "match": {"group": "key"},
            "keep": {"post": {"min": "9d", "max": "12d"}, "sub-centre": "10d", "centre": "30d"},
            "replicate": [{"to": "centre", "within": "2d"}],
            "move": {"after": "6d", "to": "archive"},
        },
        {
            "name": "small", "match": {"group": "small"},
            "keep": {"any": "20d"}, "thin": {"after": "9d", "at": "post"},
            "replicate": [{"what": "clean-points", "to": "sub-centre", "class": "idle"}],
        },
        {"name": "general", "keep": {"any": {"min": "9d", "max": "10d"}},
         "move": {"after": "5d", "to": "archive"}},
    ],
    "stores": {"any": {"floor": "5%"}, "archive": {"floor": "5%"}},
    "pressure": [{"match": {"group": "general"}, "older_than": "2d"}],
    "off_link": {"after": "72h", "may": "floor"},
    "blast_radius": "100%",
}  # fmt: skip


def county(subs: int, posts: int) -> dict[str, tuple[str, str]]:
    tree = {"centre": ("centre", "")}
    tree |= {f"sub{i}": ("sub-centre", "centre") for i in range(subs)}
    tree |= {f"post{i}": ("post", f"sub{i % subs}") for i in range(posts)}
    return tree


def simulate(seed: int, tree: dict[str, tuple[str, str]], cameras: int, days: int,
             step: int) -> None:  # fmt: skip
    """Run a county; cameras are spread over all sites."""
    per_day = DAY // step
    daily = 100 * per_day * cameras  # bytes all cameras bring in a day
    share = daily // len(tree)
    sizes = {"centre": 5 * daily, "post0": 6 * share}  # the centre fills up, so does post0
    world = World(seed, tree, POLICY, lambda name: sizes.get(name, 40 * share + daily), step)
    world.flaky = 0.05
    sites = list(world.sites.values())
    groups = ("general", "key", "small", "general")
    for i in range(cameras):  # each site has a c0, in other groups
        world.add_camera(sites[i % len(sites)], f"c{i // len(sites)}", groups[i % 4])
    for site in sites:
        site.spool_most = 8 * per_day * (1 + cameras // len(sites))
        site.told = site.name != "post1"  # no other clock tells it the time
    laws = Laws(world)
    try:
        for tick in range(days * per_day):
            world.clock.sleep(step / 1e9)
            world.record()
            _mishaps(world, per_day)
            _disasters(world, laws, per_day)
            _step(world, sweeping=tick % per_day == 0)
            if tick % per_day == 0:
                laws.check()
            if tick % (5 * per_day) == 0:
                laws.kept()
        _settle(world)
        laws.check()
        laws.kept()
        laws.agreed()
    finally:
        world.close()


def _step(world: World, *, sweeping: bool) -> None:
    """Everything that a site does, any of it cut short at any call."""
    dice, sites = world.dice, list(world.sites.values())
    for site in sites:
        world.live_or_die(site, world.ship, dice.choice((-1, -1, dice.randrange(40))))
    for site in reversed(sites[1:]):
        if site.up:
            world.live_or_die(site, world.talk, dice.choice((-1, dice.randrange(200))))
    for site in sites if sweeping else ():
        for _ in range(dice.choice((1, 2))):
            world.live_or_die(site, world.sweep, dice.choice((-1, dice.randrange(30))))
    for site in sites:
        site.kept = False
        world.live_or_die(site, world.keep, dice.choice((-1, dice.randrange(8))))


def _mishaps(world: World, per_day: int) -> None:
    """Cut lines for days, take stores away, place and release holds, raise alarms."""
    dice, now = world.dice, world.clock.now()
    for site in world.sites.values():
        if dice.random() < (0.02 if site.up else 0.2) / per_day * 2:
            site.up = not site.up
        site.store.away = dice.random() < 0.05
        for camera in site.cameras:
            if dice.random() < 0.05 / per_day:
                world.alarm(site, camera, now - dice.randrange(6 * HOUR))
    if dice.random() < 0.5 / per_day:
        site = dice.choice([site for site in world.sites.values() if site.cameras])
        begin = now - dice.randrange(12 * DAY)
        named = CameraId(site.name, dice.choice(list(site.cameras)))
        world.hold(named, TimeRange(begin, begin + dice.randrange(DAY)))
    if world.holds and dice.random() < 0.3 / per_day:
        hold = world.holds.pop(dice.randrange(len(world.holds)))
        world.top.catalog.holds.release(hold.hold_id, "sim", now)


def _disasters(world: World, laws: Laws, per_day: int) -> None:
    """Let clocks leap, catalogs be lost or come back from an old backup, posts change parents."""
    dice, sites = world.dice, list(world.sites.values())
    for site in sites:
        if site.clock.ahead and not (site.told and dice.random() < 0.8):
            site.clock.ahead = 0  # where no other clock tells, it is believed after a steady day
        elif dice.random() < 0.1 / per_day:
            site.clock.ahead = dice.choice((400 * DAY, -400 * DAY, 3 * HOUR, -3 * HOUR))
        if site.lost and dice.random() < 0.5 and not site.store.away:
            world.rebuild(site)
        if not site.lost and dice.random() < 0.1 / per_day:
            world.back_up(site)
    site = dice.choice(sites)
    if site.kept and not site.lost and dice.random() < 0.1 / per_day:
        world.lose(site, restored=dice.random() < 0.5)
        laws.forget(site)
    if dice.random() < 0.1 / per_day:
        child = dice.choice([one for one in sites if one.level == "post"])
        world.move(child, dice.choice([one for one in sites if one.level == "sub-centre"]))


def _settle(world: World) -> None:
    """Heal everything, and let it come to rest."""
    world.flaky = 0.0
    for site in world.sites.values():
        site.up, site.store.away, site.clock.ahead = True, False, 0
        if site.lost:
            world.rebuild(site)
    for _ in range(4):
        world.clock.sleep(15 * 60)  # what was put off is told again
        for site in world.sites.values():
            world.ship(site)
        for site in reversed(list(world.sites.values())[1:]):
            world.talk(site)


@pytest.mark.timeout(900)  # half a minute of one core, of which a busy machine has a tenth to give
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_small_county_keeps_the_laws_for_thirty_days(seed: int) -> None:
    print(f"seed {seed}")
    simulate(seed, county(2, 3), cameras=12, days=30, step=12 * HOUR)


@pytest.mark.long
@pytest.mark.timeout(1800)  # two minutes of one core
def test_a_county_of_hourly_segments_keeps_the_laws() -> None:
    """Fewer cameras and days, finer steps: twelve times as many sweeps' worth of segments a day."""
    simulate(7, county(2, 3), cameras=18, days=20, step=HOUR)


def _no_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "not_held", lambda db, copies, at: list(copies))
    monkeypatch.setattr(Judged, "held", property(lambda self: set(), lambda self, _: None))


def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judged, "waits", lambda self, i, limit: "")


def _no_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "open_gap", lambda *_: [])


def _no_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SqlDeletion.condemn
    monkeypatch.setattr(
        SqlDeletion, "condemn", lambda self, copies, at, _: whole(self, copies, at, [])
    )


def _no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClockProof, "doubt", lambda self: "")


def _no_looking_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "behind", lambda self, stores: "")


def _no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlNotices, "apply", lambda self, messages, at: [])


def _nothing_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlNotices, "_take", lambda self, db, messages, at: None)


@pytest.mark.long
@pytest.mark.parametrize(
    ("sabotage", "law", "seed"),
    [(_no_holds, "L5", 1), (_no_waiting, "L6", 1), (_no_audit, "L8", 1), (_no_gaps, "L11", 1),
     (_no_word, "stale", 1), (_nothing_whole, "forgotten", 5),
     (_no_proof, "L(6|10)", 1), (_no_looking_back, "L10", 8)],
)  # fmt: skip
def test_a_law_that_is_broken_is_noticed(
    sabotage: Callable[[pytest.MonkeyPatch], None],
    law: str,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError, match=f"^{law}"):
        simulate(seed, county(2, 3), cameras=12, days=40, step=12 * HOUR)


@pytest.mark.long
@pytest.mark.timeout(3 * 3600)  # forty minutes of one core
def test_the_reference_county_keeps_the_laws_for_120_days() -> None:
    seed = int(os.environ.get("SIM_SEED", "1"))
    print(f"seed {seed}; SIM_SEED runs another")
    simulate(seed, county(4, 9), cameras=585, days=120, step=12 * HOUR)
