"""A county without cameras, disks or time: real catalogs, policies, janitor and links.

Stores keep sizes instead of bytes, sites talk through function calls that fail like a line
does, and any call to a catalog or store may be the last of its process.  One seed decides all.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from policies.plan import Move, Plan
from policies.read import parse_policy
from recorder.catalog.backup import read_backup, write_backup
from recorder.catalog.documents import CATALOG
from recorder.catalog.sql import SqlCatalog
from recorder.errors import SiteUnreachable, StoreUnavailable
from recorder.janitor import deciding
from recorder.janitor.carry_out import Janitor, Workers
from recorder.janitor.holes import say_holes
from recorder.janitor.keeping import Keeper
from recorder.janitor.keeping_events import EventKeeper
from recorder.janitor.meter import Meter
from recorder.janitor.move import Mover
from recorder.janitor.proof import ClockProof
from recorder.janitor.rebuild import drop_gone
from recorder.model.camera_document import parse_camera
from recorder.model.events import Event
from recorder.model.holds import Hold, held_ranges
from recorder.model.keys import CameraId, StreamId, said_of, segment_key
from recorder.model.media import THIN, Copy, Segment, SegmentId
from recorder.model.timebase import DAY, HOUR, Instant, TimeRange
from recorder.sites.documents import documents_for_child, hear_child
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.spool.room import SpoolItem, make_room
from tests.sim.parts import Crash, Fuse, Mortal, SiteClock, SizedStore
from tests.support.clock import FakeClock

GRACE = DAY


@dataclass
class Site:
    """One site: its catalog, store, spool (segments not in the store yet), and link.

    ``told``: whether another clock tells its janitor the time; ``proof`` and ``keeper`` live as
    long as its process; ``lost``: its catalog was, and nobody has rebuilt it yet.
    """

    name: str
    level: str
    catalog: SqlCatalog
    store: SizedStore
    archive: SizedStore
    fuse: Fuse
    clock: SiteClock
    parent: Site | None = None
    told: bool = True
    proof: ClockProof | None = None
    keeper: Keeper | None = None
    backup: Path | None = None
    kept: bool = False
    lost: bool = False
    restored: bool = False
    moved: bool = False
    unkept: list[tuple[CameraId, TimeRange]] = field(default_factory=list)
    up: bool = True
    cameras: dict[str, str] = field(default_factory=dict)
    spool: dict[str, Segment] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    spool_most: int = 10**9
    link: Link | None = None

    @property
    def stores(self) -> tuple[SizedStore, SizedStore]:
        """Where footage comes, and where it is moved."""
        return self.store, self.archive

    @property
    def stored(self) -> set[str]:
        """What lies in any of its stores."""
        return self.store.sizes.keys() | self.archive.sizes.keys()

    def below(self, other: Site) -> bool:
        """Tell whether it is a site, or below it."""
        return self is other or (self.parent is not None and self.parent.below(other))


class Line:
    """The parent as a child sees it: over a line that is cut, loses answers, and breaks off."""

    def __init__(self, world: World, child: Site) -> None:
        self.world, self.child, self.url = world, child, "http://sim"

    def _site(self) -> Site:
        parent = self.child.parent
        assert parent is not None
        if not self.child.up or self.world.dice.random() < self.world.flaky:
            raise SiteUnreachable("cut")
        return parent

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        parent = self._site()
        now = parent.clock.now()
        aside = hear_child(parent.catalog, json.loads(json.dumps(body)), parent.name, now)
        wrong = any(site.clock.ahead for site in self.world.sites.values())
        # it moved, or somebody's clock was ahead when that sign of life was given
        just = ("is reached through", "at: must be between")
        unjust = [one for one in aside if not any(why in one.why for why in just)]
        assert unjust == [] or wrong, f"all that honest children say is taken in: {unjust}"
        identity = parent.catalog.identities.register(CATALOG, f"{self.world.dice.random()}")
        answer = documents_for_child(
            parent.catalog, parent.name, parent.level, "main", body, aside, identity, now=now
        )
        self._site()  # the answer may be lost
        found: dict[str, Any] = json.loads(json.dumps(answer))
        return found

    def standing(self, key: str, digest: str = "") -> tuple[int, str]:
        parent = self._site()
        segment = self.world.segments[key]
        places = (
            parent.catalog.footage.copies([segment])[key] if self._known(parent, segment) else []
        )
        if any(copy.place == "main" for copy in places):
            return segment.size_bytes, "main"
        return (segment.size_bytes if key in parent.spool else parent.parts.get(key, 0)), ""

    @staticmethod
    def _known(parent: Site, segment: Segment) -> bool:
        return (
            parent.catalog.footage.segment_by_key(segment.stream, segment.start, segment.key)
            is not None
        )

    def send(self, key: str, offset: int, size: int, digest: str, body: Iterator[bytes]) -> bool:
        parent = self._site()
        if offset == size:
            return True
        assert offset == parent.parts.get(key, 0)
        if self.world.dice.random() < self.world.flaky:
            parent.parts[key] = offset + (size - offset) // 2
            raise SiteUnreachable("broke off")
        parent.parts.pop(key, None)
        segment = self.world.segments[key]
        parent.catalog.commits.add_segment(segment, "spool:n1", "", self.world.clock.now())
        parent.spool[key] = segment
        return True


class Thins:
    """Makes thin segments, of which there are only the sizes."""

    def __init__(self, world: World, site: Site, catalog: Any) -> None:
        self.world, self.site, self.catalog = world, site, catalog

    def carry_out(self, store: Any, plan: Plan, until: float) -> int:
        for one in plan.thins:
            named = self.site.catalog.planning.copies_by_id(
                "main", [SegmentId(one.stream, one.start, one.writer)]
            )
            if named and named[0].condemned_at is None:
                small = self.world.thin_of(named[0].segment)
                store.put(small.key, small.size_bytes)
                self.catalog.commits.add_segment(small, "main", "", self.world.clock.now())
        return len(plan.thins)


class Moves(Mover):
    """Moves segments, of which there are only the sizes."""

    def __init__(self, world: World, site: Site, catalog: Any) -> None:
        self.world, self.catalog, self.clock = world, catalog, world.clock

    def _move(self, source: Any, place: str, store: Any, one: Move) -> int:
        name = SegmentId(one.stream, one.start, one.writer)
        found = self.catalog.planning.copies_by_id(place, [name])
        if not found or self.catalog.planning.copies_by_id(store.name, [name]):
            return 0
        segment = found[0].segment
        store.put(segment.key, segment.size_bytes)
        self.catalog.commits.add_segment(segment, store.name, "", self.clock.now())
        return 1


class World:
    """All sites, the clock, and the dice."""

    def __init__(self, seed: int, tree: dict[str, tuple[str, str]], policy: dict[str, Any],
                 capacity: Callable[[str], int], step: int) -> None:  # fmt: skip
        """``tree``: (level, parent) by name, parents first; ``step``: length of a segment, ns."""
        self.dice, self.clock, self.step = random.Random(seed), FakeClock(20_000 * DAY), step
        self.begin = self.clock.now()
        self.flaky = 0.0
        self.segments: dict[str, Segment] = {}
        self.sites: dict[str, Site] = {}
        self.counters: dict[str, int] = {}
        self.holds: list[Hold] = []
        self.shed: set[str] = set()
        self.alarms: defaultdict[CameraId, list[TimeRange]] = defaultdict(list)
        self.folder = Path(tempfile.mkdtemp(prefix="spanstore-sim-"))
        self.policy = parse_policy(policy)
        for name, (level, above) in tree.items():
            catalog = SqlCatalog("sqlite://", parent=bool(above), site=name)
            store = SizedStore("main", capacity(name))
            archive = SizedStore("archive", 10**9)
            clock, fuse = SiteClock(self.clock), Fuse(self.dice)
            site = Site(name, level, catalog, store, archive, fuse, clock, self.sites.get(above))
            self.sites[name] = site
            if site.parent is None:
                catalog.documents.put("policy", policy, "sim", self.clock.now())
            else:
                self._connect(site)

    @property
    def top(self) -> Site:
        return next(iter(self.sites.values()))

    def _connect(self, site: Site) -> None:
        """Make a link as a process that starts does."""

        def make_thin(original: Segment) -> tuple[Path, Segment]:
            return Path("/nonexistent/thin"), self.thin_of(original)

        site.link = Link(
            Line(self, site), Mortal(site.catalog, site.fuse), site.store, site.clock,  # type: ignore[arg-type]
            LinkSettings(site.name, site.level, "http://sim"), lambda *_: iter(()), make_thin,
        )  # fmt: skip

    def thin_of(self, original: Segment) -> Segment:
        writer = original.writer + THIN
        one = replace(
            original, writer=writer, size_bytes=original.size_bytes // 8,
            key=segment_key(str(original.stream), original.start, writer, original.counter),
        )  # fmt: skip
        self.segments[one.key] = one
        return one

    def add_camera(self, site: Site, name: str, group: str) -> None:
        """Have a site record a camera."""
        site.cameras[name] = group
        document = parse_camera(name, {"url": "rtsp://sim/x", "group": group})
        site.catalog.cameras.put(document, self.clock.now(), None)

    # -- what happens in a step ----------------------------------------------------------------

    def record(self) -> None:
        """Every camera brings one segment; it goes to the spool, and is cataloged."""
        now = self.clock.now()
        for site in self.sites.values():
            for camera in site.cameras:
                stream = StreamId(site.name, camera, "main")
                name = str(stream)
                counter = self.counters[name] = self.counters.get(name, -1) + 1
                start = now - self.step
                size = self.dice.randrange(50, 150)
                segment = Segment(
                    stream, "n1.1", self.begin - self.step, counter, start, now, counter * 90,
                    counter * 90 + 90, 90, size, "ab" * 32, 10, "d", "avc1", "", 1, 2, 2,
                )  # fmt: skip
                segment = replace(segment, key=segment_key(str(stream), start, "n1.1", counter))
                self.segments[segment.key] = segment
                site.catalog.commits.add_segment(segment, "spool:n1", "", now)
                site.spool[segment.key] = segment

    def ship(self, site: Site) -> None:
        """Put what the spool holds into the store; shed the oldest when it overflows."""
        for key, segment in list(site.spool.items()):
            try:
                site.store.put(key, segment.size_bytes)
            except StoreUnavailable:
                continue
            site.fuse.burn()
            site.catalog.commits.add_segment(segment, "main", "", self.clock.now())
            site.fuse.burn()
            site.catalog.commits.forget([Copy(segment, "spool:n1")], "spool-full")
            site.spool.pop(key, None)
        if len(site.spool) > site.spool_most:
            self._make_room(site)

    def _make_room(self, site: Site) -> None:
        """Let go of what a spool over its size lets go of first."""
        held = held_ranges(site.catalog.holds.all(), self.clock.now())
        items = []
        for key, one in site.spool.items():
            copies = site.catalog.footage.copies([one])[key] if one.stream.site != site.name else []
            below = any("/" in c.place and c.place[0] != "." and not c.condemned_at for c in copies)
            kept = any(range_.overlaps(one.range) for range_ in said_of(held, one.stream.camera_id))
            items.append(SpoolItem(key, 1, one.start, 0, "below" if below else "", kept))
        needed = len(site.spool) - site.spool_most
        for eviction in make_room(items, needed, "oldest-least-important"):
            one = site.spool.pop(eviction.item.key)
            self.shed.add(one.key)
            if site.store.head(one.key) is not None:  # put, and the process died
                site.catalog.commits.add_segment(one, "main", "", self.clock.now())
            site.catalog.commits.forget([Copy(one, "spool:n1")], "spool-full")

    def talk(self, site: Site, seconds: float = 10**9) -> None:
        """Exchange until everything is told; then send footage up."""
        assert site.link is not None
        for _ in range(1000):
            if not (site.link.exchange() or site.link._word.heard or site.link._word.unknown):
                break
        for _ in range(2):  # sent, then seen stored
            wanted = site.link.plan()
            site.link.carry(wanted, self.clock.monotonic() + seconds)
            assert site.parent is not None
            self.ship(site.parent)
            if not wanted:
                break

    def sweep(self, site: Site) -> Plan | None:
        """Carry out the policy at a site, as the janitor does."""
        if site.store.away:
            raise StoreUnavailable("away")  # it cannot show that it is the one we know
        catalog = Mortal(site.catalog, site.fuse)
        stores: dict[str, Any] = {one.name: Mortal(one, site.fuse) for one in site.stores}
        if site.proof is None:
            told = {"the sim": self.clock.now} if site.told else {}
            site.proof = ClockProof(site.clock, catalog.progress, catalog.planning, told)
        janitor = Janitor(
            catalog,
            site.clock,
            site.proof,
            Meter(catalog.planning),
            lambda: Workers(Thins(self, site, catalog), Moves(self, site, catalog)),
            list,
            lambda _: None,
            level=site.level,
            grace_ns=GRACE,
        )
        if self.keeper(site).behind([stores["main"]]) or janitor.doubt(vouched=False):
            return None
        policy = deciding.policy_in_force(catalog.documents)
        done = [
            janitor.carry_out(store, policy, float("inf"), stores=stores)
            for store in stores.values()
        ]
        return done[0].plan

    def keeper(self, site: Site) -> Keeper:
        """Return what keeps a site's documents, for as long as its process lives."""
        if site.keeper is None:
            site.keeper = Keeper(Mortal(site.catalog, site.fuse), site.name)
        return site.keeper

    def keep(self, site: Site) -> None:
        """Write what only the catalog knows into the store, unless that knows more."""
        keeper = self.keeper(site)
        if not keeper.behind([site.store]):  # type: ignore[list-item]
            keeper.keep([site.store], site.clock.now())  # type: ignore[list-item]
            self._events_of(site).keep(site.store, site.clock.now())  # type: ignore[arg-type]
            site.kept = True
            site.unkept.clear()

    def _events_of(self, site: Site) -> EventKeeper:
        return EventKeeper(Mortal(site.catalog, site.fuse), site.name)

    # -- catalogs that are lost ----------------------------------------------------------------

    def back_up(self, site: Site) -> None:
        """Write a backup of a site's catalog, in place of the last."""
        number = self.counters["backup"] = self.counters.get("backup", 0) + 1
        path = self.folder / f"{number}.backup"
        write_backup(site.catalog.database, path)
        if site.backup is not None:
            site.backup.unlink()
        site.backup = path

    def lose(self, site: Site, *, restored: bool) -> None:
        """Lose a site's catalog; ``restored``: the last backup takes its place."""
        site.catalog.close()
        site.catalog = SqlCatalog("sqlite://", parent=site.parent is not None, site=site.name)
        if restored and site.backup is not None:
            read_backup(site.backup, site.catalog.database, self.clock.now())
            site.restored = True
        for camera, range_ in site.unkept:  # raised since what only the catalog knew was kept
            self.alarms[camera].remove(range_)
        site.unkept.clear()
        site.lost = True
        self.begin_anew(site)

    def move(self, site: Site, parent: Site) -> None:
        """Put a site below another."""
        site.parent, site.moved = parent, True
        self.begin_anew(site)

    def rebuild(self, site: Site) -> None:
        """Take back documents, then copies, from the store, as ``recorder rebuild`` does."""
        store: Any = site.store
        keeper, now = self.keeper(site), self.clock.now()
        kept = keeper.newest([store])
        if kept is not None:
            site.catalog.kept.put_back(kept.content)
        self._events_of(site).take_back([store])
        for one in site.stores:
            found = [(self.segments[key], "") for key in one.sizes]
            assert site.catalog.rebuilding.put(found, one.name, now) == []
            drop_gone(site.catalog, one, now, sure=True)  # type: ignore[arg-type]
        for segment in site.spool.values():
            site.catalog.commits.add_segment(segment, "spool:n1", "", now)
        say_holes(site.catalog, site.name, now)
        if site.parent is not None:
            site.catalog.outbox.begin_anew(now)
        keeper.settle(store, now)
        site.lost = False

    def begin_anew(self, site: Site) -> None:
        """Start a site's process again."""
        site.proof = site.keeper = None
        if site.parent is not None:
            self._connect(site)

    def live_or_die(self, site: Site, act: Callable[[Site], object], fuse: int) -> bool:
        """Do something at a site that may die of it, and start again; true when it lived."""
        site.fuse.light(fuse)
        try:
            act(site)
        except Crash:
            self.begin_anew(site)
            return False
        except (StoreUnavailable, SiteUnreachable):
            return False
        finally:
            site.fuse.light(-1)
        return True

    def alarm(self, site: Site, camera: str, at: Instant) -> None:
        """Report an alarm at a camera."""
        range_, touched = TimeRange(at, at), TimeRange(at - HOUR, at + HOUR)
        self.alarms[CameraId(site.name, camera)].append(touched)
        site.unkept.append((CameraId(site.name, camera), touched))
        number = self.counters["event"] = self.counters.get("event", 0) + 1
        site.catalog.events.add(
            Event(f"e{number}", site.name, "alarm", camera, (camera,), range_,
                  touched, self.clock.now()), None,
        )  # fmt: skip

    def hold(self, camera: CameraId, range_: TimeRange) -> Hold:
        """Place a hold at the top."""
        number = self.counters["hold"] = self.counters.get("hold", 0) + 1
        one = Hold(f"h{number}", (str(camera),), range_, "1", "r", "o", self.clock.now())
        self.holds.append(self.top.catalog.holds.add(one))
        return one

    def close(self) -> None:
        for site in self.sites.values():
            site.catalog.close()
        shutil.rmtree(self.folder)
