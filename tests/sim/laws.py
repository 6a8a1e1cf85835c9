"""The laws, checked on a simulated county from outside: by what stores and catalogs hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.catalog import schema
from recorder.catalog.copy_rows import DOUBTED
from recorder.model.holds import Hold
from recorder.model.media import THIN, Copy, Segment
from recorder.model.timebase import DAY, TimeRange
from tests.sim.parts import SizedStore
from tests.sim.world import GRACE, Site, World


@dataclass
class Laws:
    """Remembers what was there, to say what must not be gone."""

    world: World
    stored: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    held: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    audits: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    read_to: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Check every law at every site."""
        for site in self.world.sites.values():
            if site.lost:
                self._nothing_gone(site)
                continue
            for store in site.stores:
                rows = self._copies(site, store.name)
                self._l3_l4(site, store, rows)
                self._l8(site, store)
                self._l5(site, store, rows)
                self.stored[site.name, store.name] = set(store.sizes)

    def _copies(self, site: Site, place: str) -> dict[str, tuple[int | None, int | None]]:
        """Return (condemned, deleting) of the copies in a store of the site, by key."""
        copy = schema.copy
        with site.catalog.database.read() as db:
            query = copy.select().where(copy.c.place == place, copy.c.deleting_ns.is_not(None))
            begun = {(row.stream_no, row.start_ns, row.writer) for row in db.execute(query)}
            numbers = {
                f"{row.site}/{row.camera}/{row.stream}": row.stream_no
                for row in db.execute(schema.stream.select())
            }
        found: dict[str, tuple[int | None, int | None]] = {}
        for one in all_copies(site, place):
            segment = one.segment
            name = (numbers[str(segment.stream)], segment.start, segment.writer)
            found[segment.key] = (one.condemned_at, 1 if name in begun else None)
        return found

    def _nothing_gone(self, site: Site) -> None:
        known = self.audits.get(site.name, {})
        for store in site.stores:
            gone = self.stored.get((site.name, store.name), set()) - set(store.sizes)
            assert gone <= known.keys(), f"L10: {site.name} deletes by a catalog that was lost"

    def forget(self, site: Site) -> None:
        """A site's catalog was lost: its log is numbered anew."""
        self.read_to.pop(site.name, None)

    def _audit(self, site: Site) -> dict[str, set[str]]:
        """Return the rules in a site's audit log, by key; only what is new is read."""
        known = self.audits.setdefault(site.name, {})
        table, last = schema.audit, self.read_to.get(site.name, 0)
        with site.catalog.database.read() as db:
            for row in db.execute(table.select().where(table.c.audit_no > last)):
                self.read_to[site.name] = max(self.read_to.get(site.name, 0), row.audit_no)
                assert row.rule, f"L8: no rule for {row.key}"
                assert row.reason, f"L8: no reason for {row.key}"
                known.setdefault(row.key, set()).add(row.rule)
        return known

    def _l3_l4(
        self, site: Site, store: SizedStore, rows: dict[str, tuple[int | None, int | None]]
    ) -> None:
        for key, (condemned, _) in rows.items():
            size = store.sizes.get(key)
            if size is None:  # a deletion that was cut short: begun, and finished later
                assert condemned is not None, f"L3: {site.name} catalogs {key}, not stored"
                assert condemned <= self.world.clock.now() - GRACE, f"L3: {key} went early"
            else:
                assert size == self.world.segments[key].size_bytes, f"L3: size of {key}"
        for key in store.sizes.keys() - rows.keys():
            young = self.world.segments[key].end > self.world.clock.now() - GRACE
            waiting = key in site.spool or key.removesuffix(THIN) in site.spool
            waiting |= store is site.archive  # put, and not committed: it is again, or was taken
            assert young or waiting or THIN in key, f"L4: {site.name} stores {key}, no catalog"

    def _l8(self, site: Site, store: SizedStore) -> None:
        gone = self.stored.get((site.name, store.name), set()) - set(store.sizes)
        if not gone:
            return
        audit = self._audit(site)
        for key in gone:
            assert key in audit, f"L8: {site.name} lost {key} without a word"
            segment = self.world.segments[key]
            still = site.catalog.footage.segment_by_key(segment.stream, segment.start, key)
            if still is None and THIN not in key:
                self._l11(site, segment)

    def _l11(self, site: Site, segment: Segment) -> None:
        """What is nowhere any more is a gap, or another segment covers it."""
        left = segment.range.duration_ns
        for gap in site.catalog.footage.gaps(segment.stream, segment.range):
            part = gap.range.clamp(segment.range)
            left -= part.duration_ns if part is not None else 0
        for other in site.catalog.footage.segments(segment.stream, segment.range):
            part = other.range.clamp(segment.range)
            left -= part.duration_ns if part is not None else 0
        assert left <= 0, f"L11: {site.name}: {segment.key} went, and no gap says so"

    def _l5(
        self, site: Site, store: SizedStore, rows: dict[str, tuple[int | None, int | None]]
    ) -> None:
        now = self.world.clock.now()
        for hold in site.catalog.holds.all():
            name = (site.name, hold.hold_id)
            if not hold.live(now):
                self.held.pop(name, None)
                continue
            for key in self.held.get(name, ()):
                there = key in site.stored or key in site.spool
                assert there, f"L5: {site.name} let go of held {key}"
            begun = {
                key for key in store.sizes
                if key in rows and _covers(hold, self.world.segments[key])
                and rows[key][1] is None
            }  # fmt: skip
            waiting = {
                key for key, segment in site.spool.items()
                if segment.stream.site == site.name and _covers(hold, segment)
            }  # fmt: skip
            self.held.setdefault(name, set()).update(begun | waiting)

    def kept(self) -> None:
        """L6: what any rule still guarantees is somewhere, or a record says why not."""
        now = self.world.clock.now()
        holders: set[str] = set()
        for site in self.world.sites.values():
            holders |= site.stored | site.spool.keys()
        audits = [self._audit(site) for site in self.world.sites.values()]
        for key, segment in self.world.segments.items():
            if THIN in key or key in holders or now - segment.end >= self._due(segment):
                continue
            if segment.key.replace("n1.1/", f"n1.1{THIN}/") in holders:
                continue
            rules = set().union(*(audit.get(key, set()) for audit in audits))
            forced = any(rule.startswith(("floor", "pressure", "quota")) for rule in rules)
            assert forced or key in self.world.shed, f"L6: {key} is nowhere; rules {rules}"

    def _due(self, segment: Segment) -> int:
        """Until what age some rule wants a segment somewhere, with a day to spare."""
        if any(one.overlaps(segment.range) for one in self.world.alarms[segment.stream.camera_id]):
            return 59 * DAY
        group = self.world.sites[segment.stream.site].cameras[segment.stream.camera]
        return {"key": 29, "small": 19}.get(group, 9) * DAY

    def agreed(self) -> None:
        """A parent knows every segment of its subtree, and where it is."""
        for site in self.world.sites.values():
            if site.parent is None:
                continue
            for copy in all_copies(site, "main") + all_copies(site, "archive"):
                segment = copy.segment
                if not self.world.sites[segment.stream.site].below(site):
                    continue  # of a site that has moved: its word counts through another
                above = site.parent.catalog.footage.copies([segment])[segment.key]
                places = {one.place for one in above}
                place = f"{site.name}/{copy.place}"
                assert place in places, f"{site.parent.name} misses {segment.key}"
            for copy in [
                copy for store in site.stores
                for copy in all_copies(site.parent, f"{site.name}/{store.name}")
            ]:  # fmt: skip
                origin = self.world.sites[copy.segment.stream.site]
                if origin.moved and origin is not site:
                    continue  # of that its old parent is not heard any more
                found = site.catalog.footage.copies([copy.segment])[copy.segment.key]
                assert copy.at.name in {one.place for one in found}, f"stale {copy.segment.key}"
            self._known_below(site, site.parent)
            for copy in all_copies(site, "../main"):
                # of what lies only above an old backup, or an old parent's word, may say too much,
                # and what is in doubt since the parent lost its catalog is not believed: nothing
                # goes by it
                sure = copy.segment.key in site.store.sizes or not (site.restored or site.moved)
                if copy.condemned_at is None and copy.verified_at > DOUBTED and sure:
                    assert copy.segment.key in site.parent.store.sizes, (
                        f"stale belief of {site.name}: {copy.segment.key} above"
                    )

    def _known_below(self, site: Site, parent: Site) -> None:
        """Whatever catalogs were lost: a site knows of its footage what lies above."""
        for copy in all_copies(parent, "main"):
            origin = self.world.sites[copy.segment.stream.site]
            if origin.moved or not origin.below(site) or copy.condemned_at is not None:
                continue
            found = site.catalog.footage.copies([copy.segment])[copy.segment.key]
            # what lies here, too, is sent again if policy wants it there
            assert found, f"forgotten at {site.name}: {copy.segment.key} above"


def all_copies(site: Site, place: str) -> list[Copy]:
    """Return all copies that a site's catalog knows at a place."""
    found: list[Copy] = []
    after = None
    while True:
        page = site.catalog.planning.copies_at(place, after, 5000)
        found += page
        if len(page) < 5000:
            return found
        last = page[-1].segment
        after = last.id


def _covers(hold: Hold, segment: Segment) -> bool:
    whole = TimeRange(segment.start, segment.end)
    return hold.names(segment.stream.camera_id) and hold.range.overlaps(whole)
