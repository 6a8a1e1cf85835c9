"""What a catalog must do for what a site believes of copies above, whatever its database."""

from __future__ import annotations

import json

from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Copy, Segment
from recorder.model.timebase import DAY, TimeRange
from recorder.ports import SiteBeat
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)


class BeliefsContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_what_lies_at_a_parent_of_before_is_known_to_lie_there(
        self, catalog: SqlCatalog
    ) -> None:
        here, above = segment(0), segment(60)
        for one, places in ((here, ("main", "../main")), (above, ("../main", "../../main"))):
            for place in places:
                catalog.commits.add_segment(one, place, "", 1)
        catalog.inbox.apply("post1", [], 1)
        with catalog.database.write() as db:
            db.exec_driver_sql("UPDATE stream SET via = 'post1'")

        def known(one: Segment) -> list[tuple[str, int]]:
            copies = catalog.footage.copies([one])[one.key]
            return sorted((copy.place, copy.verified_at) for copy in copies)

        for _ in range(2):
            catalog.outbox.begin_anew(5, "suba", "subb")
            assert known(here) == [("main", 1)]
            assert known(above) == [("..suba/../main", 1), ("..suba/main", 1)]
        told = {one["start"]: one for one in catalog.notices.pending("post1", 9)}
        assert told[here.start]["places"] == ["main"]
        assert told[above.start]["doubted"] == ["..suba/../main", "..suba/main"]
        catalog.outbox.begin_anew(5, "subb", "suba")
        assert known(above) == [("../../main", 0), ("../main", 0)]
        catalog.notices.acknowledge("post1", [one["seq"] for one in told.values()])
        catalog.inbox.end_anew("post1", 9)
        seqs = [one["start"] for one in catalog.notices.pending("post1", 9)]
        assert seqs.count(here.start) == 1, "it hears what lies here, not what is in doubt"

    def test_what_lies_above_alone_is_known_until_it_is_deleted_there(
        self, catalog: SqlCatalog
    ) -> None:
        child, one = SqlCatalog("sqlite://", parent=True), segment(0)
        child.commits.add_segment(one, "main", "", 7)
        child.commits.add_segment(one, "../main", "", 8)
        catalog.inbox.apply("post1", child.outbox.take(100, 10**6)[1], 9)
        catalog.commits.add_segment(one, "main", "", 9)
        child.commits.forget([Copy(one, "main")], "purged")

        def told() -> list[bool]:
            """Tell the child; say of its copies whether they are to go."""
            word = json.loads(json.dumps(catalog.notices.pending("post1", 9)))
            catalog.notices.acknowledge("post1", [message["seq"] for message in word])
            child.notices.apply(word, 11)
            copies = child.footage.copies([one]).get(one.key, [])
            return [copy.condemned_at is not None for copy in copies]

        catalog.deletion.condemn([Copy(one, "main")], 10, [])
        assert told() == [True]
        assert child.footage.gaps(STREAM, ALL) == [], "it is there, and may be taken back"
        catalog.deletion.spare([Copy(one, "main")], 11, [])
        assert told() == [False]
        catalog.deletion.condemn([Copy(one, "main")], 12, [])
        catalog.commits.forget([Copy(one, "main")], "purged")
        assert told() == []
        assert [gap.cause for gap in child.footage.gaps(STREAM, ALL)] == ["purged"]
        child.close()

    def test_who_had_a_site_below_it_before_hears_what_becomes_of_copies_above_its_own(
        self, catalog: SqlCatalog
    ) -> None:
        one = segment(0)
        for site in ("sub0", "sub1"):  # the post moved from one to the other
            below = SqlCatalog("sqlite://", parent=True)
            below.commits.add_segment(one, "main", "", 7)
            said = json.loads(json.dumps(below.outbox.take(100, 10**6)[1]))
            catalog.inbox.apply(site, said, 9)
            below.close()
        catalog.commits.add_segment(one, "main", "", 9)
        catalog.commits.forget([Copy(one, "main")], "purged")
        for site in ("sub0", "sub1"):
            told = [message["places"] for message in catalog.notices.pending(site, 9)]
            assert told == [[]], site

    def test_who_had_a_site_below_it_before_hears_of_what_lies_above_alone(
        self, catalog: SqlCatalog
    ) -> None:
        """Its own copy is gone; what it showed as lying above would be shown there for ever."""
        one = segment(0)
        catalog.sites.put(SiteBeat("sub0", "sub-centre", "", 9))
        old, new = (SqlCatalog("sqlite://", parent=True, site=name) for name in ("sub0", "sub1"))

        def say(site: str, below: SqlCatalog) -> None:
            numbers, said = below.outbox.take(100, 10**6)
            below.outbox.drop(numbers)
            catalog.inbox.apply(site, json.loads(json.dumps(said)), 9)

        def hear() -> list[str]:
            word = json.loads(json.dumps(catalog.notices.pending("sub0", 9)))
            catalog.notices.acknowledge("sub0", [message["seq"] for message in word])
            old.notices.apply(word, 11)
            return sorted(copy.place for copy in old.footage.copies([one]).get(one.key, []))

        old.commits.add_segment(one, "main", "", 7)
        say("sub0", old)
        catalog.commits.add_segment(one, "main", "", 9)
        old.commits.add_segment(one, "../main", "", 9)  # it saw it taken in there
        old.commits.forget([Copy(one, "main")], "purged")
        say("sub0", old)
        new.commits.add_segment(one, "main", "", 8)
        say("sub1", new)
        assert hear() == ["../main"]
        catalog.sites.put(SiteBeat("sub1", "sub-centre", "", 31 * DAY))
        catalog.deletion.condemn([Copy(one, "main")], 10, [])
        assert catalog.notices.pending("sub0", 9) == [], "it is gone for good, as it seems"
        catalog.sites.put(SiteBeat("sub0", "sub-centre", "", 2 * DAY))
        catalog.commits.forget([Copy(one, "main")], "purged")
        assert hear() == []
        assert [gap.cause for gap in old.footage.gaps(STREAM, ALL)] == ["purged"]
        old.close()
        new.close()

    def test_who_had_a_site_below_it_before_hears_that_what_lies_above_is_in_doubt(
        self, catalog: SqlCatalog
    ) -> None:
        one = segment(0)
        for site in ("sub2", "sub0", "sub1"):
            catalog.sites.put(SiteBeat(site, "sub-centre", "", 9))
            below = SqlCatalog("sqlite://", parent=True)
            below.commits.add_segment(one, "main", "", 7)
            said = json.loads(json.dumps(below.outbox.take(100, 10**6)[1]))
            catalog.inbox.apply(site, said, 9)
            below.close()
        catalog.commits.forget([Copy(one, "sub2/main")], "purged")  # it has no copy any more
        catalog.commits.add_segment(one, "../main", "", 9)
        catalog.outbox.begin_anew(10)
        for site in ("sub0", "sub1", "sub2"):
            told = [message["start"] for message in catalog.notices.pending(site, 9)]
            assert told == [one.start], site
