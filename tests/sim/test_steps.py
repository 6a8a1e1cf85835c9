"""A process that dies at any step of a deletion or a transfer leaves something unfinished, never
something wrong: done again, the result is that of a life without death.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterator
from contextlib import closing
from functools import partial

import pytest
from sqlalchemy.pool import StaticPool

from recorder.model.timebase import DAY, HOUR, TimeRange
from tests.sim.branches import Branches
from tests.sim.laws import Laws, all_copies
from tests.sim.test_county import POLICY, county
from tests.sim.world import Site, World

State = dict[str, object]


def aged() -> World:
    """A post and its parents after 12 days: some footage is past its age, some is to be thin."""
    world = World(7, county(1, 1), POLICY, lambda _: 10**9, DAY)
    post = world.sites["post0"]
    for camera, group in (("c0", "general"), ("c1", "small"), ("c2", "key")):
        world.add_camera(post, camera, group)
    for day in range(12):
        world.clock.sleep(86_400)
        world.record()
        if day == 10:
            world.alarm(post, "c0", world.clock.now() - 7 * HOUR)
        world.ship(post)
    return world


def state_of(world: World) -> State:
    """Everything that must be the same in the end; audit entries may be there twice.

    Of what was moved, the copy left behind goes at the next sweep: by then it may be too old.
    """
    found: State = {}
    for site in world.sites.values():
        streams = site.catalog.footage.streams()
        found[site.name] = {
            "objects": [sorted(store.sizes) for store in site.stores],
            "copies": sorted(
                (copy.segment.key, place)
                for above in ("", "../", "post0/", "sub0/")
                for place in (above + "main", above + "archive")
                for copy in all_copies(site, place)
            ),
            "gaps": [(str(one), gap) for one in streams
                     for gap in site.catalog.footage.gaps(one, _ever(world))],
            "spans": [(str(one), span) for one in streams
                      for span in site.catalog.footage.spans(one, _ever(world))],
            "audit": sorted({(e.key, e.rule) for e in site.catalog.audit.newest(10**6)
                             if not e.rule.endswith(": move")}),
        }  # fmt: skip
    return found


def _ever(world: World) -> TimeRange:
    return TimeRange(0, world.clock.now() + DAY)


def deleting(world: World) -> Iterator[tuple[Site, Callable[[Site], object]]]:
    """Thin, move, condemn, wait for the grace, purge; at the post."""
    post = world.sites["post0"]
    yield post, world.sweep
    for _ in range(2):  # together less than it may be out of touch
        world.clock.sleep(1.2 * 86_400)
        yield post, world.sweep


def travelling(world: World) -> Iterator[tuple[Site, Callable[[Site], object]]]:
    """Tell the parent, hear its documents, send what is wanted above; two levels."""
    for _ in range(2):
        yield world.sites["post0"], world.talk
        yield world.sites["sub0"], world.talk


@pytest.mark.timeout(900)  # half a minute of one core, of which a busy machine has a tenth to give
@pytest.mark.parametrize(
    ("story", "stride"),
    [
        (deleting, 5), (travelling, 11),
        pytest.param(deleting, 1, marks=pytest.mark.long),
        pytest.param(travelling, 1, marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_death_at_any_step_changes_nothing_in_the_end(
    story: Callable[[World], Iterator[tuple[Site, Callable[[Site], object]]]], stride: int
) -> None:
    branches = Branches(stride)
    with closing(aged()) as world:
        if story is deleting:  # the policy has come down, and all is told
            world.talk(world.sites["sub0"])
            world.talk(world.sites["post0"])
            world.talk(world.sites["sub0"])
        whole = branches.live(lambda: state_after(world, story, branches))
    assert whole["post0"] != {}
    for call, found in branches.ends.items():
        assert not isinstance(found, str), f"after a death at call {call}: {found}"
        assert found == whole, f"differs after a death at call {call}"
    assert len(branches.ends) > 50 // stride


def state_after(
    world: World,
    story: Callable[[World], Iterator[tuple[Site, Callable[[Site], object]]]],
    branches: Branches,
) -> State:
    """Live through the story, and on until nothing changes any more."""
    for number, (site, act) in enumerate(story(world)):
        site.fuse.dies = partial(_dies, world, number, branches)
        lived = world.live_or_die(site, act, -1)
        site.fuse.dies = lambda: False
        assert lived or world.live_or_die(site, act, -1)
    for site, act in story_end(world):
        assert world.live_or_die(site, act, -1)
    Laws(world).check()
    return state_of(world)


def _dies(world: World, act: int, branches: Branches) -> bool:
    return branches.dies((act, left_by(world)))


def writes_of(site: Site) -> int:
    """How many rows were written, since its catalog was opened."""
    pool = site.catalog.database.engine.pool
    assert isinstance(pool, StaticPool)
    connection = pool.connection.dbapi_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection.total_changes


def left_by(world: World) -> Hashable:
    """What all processes would leave if they died now, cheaply: catalogs by how often they were
    written to.
    """
    return (
        world.clock.now(),
        len(world.segments),
        len(world.shed),
        *(
            (
                writes_of(site),
                frozenset(site.spool),
                frozenset(site.parts.items()),
                *(frozenset((store.sizes | store.objects).items()) for store in site.stores),
            )
            for site in world.sites.values()
        ),
    )


def story_end(world: World) -> Iterator[tuple[Site, Callable[[Site], object]]]:
    """What every life ends with: sweeps and talks until nothing changes any more."""
    for _ in range(3):
        for _ in range(2):  # the policy comes down, what is wanted goes up, both levels
            yield world.sites["post0"], world.talk
            yield world.sites["sub0"], world.talk
        for _ in range(3):  # make thin, let the whole one go, see that there is nothing left
            yield world.sites["post0"], world.sweep
        world.clock.sleep(2 * 86_400)
    for _ in range(4):
        yield world.sites["post0"], world.talk
        yield world.sites["sub0"], world.talk
