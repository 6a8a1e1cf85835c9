"""What a catalog must do for what a site believes of copies above, whatever its database."""

from __future__ import annotations

import json

from sqlalchemy import select

from recorder.catalog import schema
from recorder.catalog.gaps import open_gap
from recorder.catalog.sql import SqlCatalog
from recorder.catalog.told import COLUMNS
from recorder.model.media import Copy, Segment
from recorder.model.timebase import DAY, SECOND, TimeRange
from recorder.ports import SiteBeat
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)


def hear(above: SqlCatalog, below: SqlCatalog, name: str) -> None:
    """Tell a site what became of copies above its own."""
    word = json.loads(json.dumps(above.notices.pending(name, 99)))
    above.notices.acknowledge(name, [message["seq"] for message in word])
    below.notices.apply(word, 11)


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

    def test_what_was_let_go_above_first_is_nowhere_once_the_last_copy_below_has_gone(
        self, catalog: SqlCatalog
    ) -> None:
        post, centre = SqlCatalog("sqlite://", parent=True), SqlCatalog("sqlite://")
        one, kept = segment(0), segment(60)
        for each in (one, kept):
            post.commits.add_segment(each, "main", "", 7)
            for above in ("../main", "../../main"):
                post.commits.add_segment(each, above, "", 8)

        def exchange() -> None:
            for below, above, name in ((post, catalog, "post1"), (catalog, centre, "sub")):
                numbers, said = below.outbox.take(99, 10**6)
                above.inbox.apply(name, json.loads(json.dumps(said)), 9)
                below.outbox.drop(numbers)
            hear(centre, catalog, "sub")
            hear(catalog, post, "post1")

        exchange()
        for each in (one, kept):
            catalog.commits.add_segment(each, "main", "", 9)
            catalog.commits.add_segment(each, "../main", "", 9)
            centre.commits.add_segment(each, "main", "", 9)
        exchange()
        centre.deletion.condemn([Copy(kept, "main")], 10, [])
        centre.commits.forget([Copy(one, "main")], "purged")
        for last in (catalog, post):
            exchange()
            assert last.footage.segments(STREAM, ALL) == [one, kept]
            last.commits.forget([Copy(each, "main") for each in (one, kept)], "purged")
        exchange()
        for site in (post, catalog, centre):
            assert site.footage.segments(STREAM, ALL) == [kept], "what may be taken back is known"
            (gap,) = site.footage.gaps(STREAM, ALL)
            assert (gap.start, gap.end, gap.cause) == (one.start, one.end, "purged")
        post.close()
        centre.close()

    def test_what_is_damaged_or_lost_above_is_believed_no_more_and_wanted_there_again(
        self, catalog: SqlCatalog
    ) -> None:
        child, one = SqlCatalog("sqlite://", parent=True), segment(0)
        child.commits.add_segment(one, "main", "", 7)
        catalog.inbox.apply("post1", child.outbox.take(100, 10**6)[1], 9)

        def send(at: int) -> None:
            catalog.commits.add_segment(one, "main", "", at)
            child.commits.add_segment(one, "../main", "", at)  # it saw it taken in there

        def told() -> tuple[bool, bool]:
            """Tell the child; say whether it believes in a copy above, and that one was let go."""
            hear(catalog, child, "post1")
            (lane,) = child.planning.copy_columns("main", above=True)
            return bool(lane.copied), bool(lane.let_go)

        send(9)
        assert told() == (True, False)
        catalog.integrity.mark_damaged([Copy(one, "main")], 10)
        assert told() == (False, False), "nothing is to go because of it"
        (copy,) = catalog.integrity.suspects("main", 10, 9)
        catalog.integrity.mark_verified([copy], 11)
        assert told() == (True, False), "it was no more than an odd answer of a store"
        catalog.integrity.mark_damaged([Copy(one, "main")], 12)
        assert told() == (False, False)
        send(13)
        assert told() == (True, False), "it was sent again"
        assert catalog.integrity.damaged("main") == 0
        catalog.commits.forget([Copy(one, "main")], "lost")
        assert told() == (False, False), "no policy let it go"
        send(14)
        catalog.commits.forget([Copy(one, "main")], "purged")
        assert told() == (False, True)
        child.close()

    def test_what_is_damaged_below_is_known_all_the_way_up_until_it_is_whole(
        self, catalog: SqlCatalog
    ) -> None:
        post, centre = SqlCatalog("sqlite://", parent=True), SqlCatalog("sqlite://")
        one = segment(0)
        post.commits.add_segment(one, "main", "", 7)

        def known() -> list[bool]:
            for below, above, name in ((post, catalog, "post1"), (catalog, centre, "sub")):
                numbers, said = below.outbox.take(99, 10**6)
                below.outbox.drop(numbers)
                above.inbox.apply(name, json.loads(json.dumps(said)), 9)
            found = [site.footage.copies([one])[one.key] for site in (catalog, centre)]
            there = [copy for copies in found for copy in copies if copy.at.name == "main"]
            return [copy.damaged_at is not None for copy in there if copy.at.site == "post1"]

        assert known() == [False, False]
        assert catalog.departing.only_there("post1") is not None
        post.integrity.mark_damaged([Copy(one, "main")], 8)
        assert known() == [True, True]
        catalog.commits.add_segment(one, "main", "", 9)
        catalog.integrity.mark_damaged([Copy(one, "main")], 9)
        assert catalog.departing.only_there("post1") is not None, "what is damaged here is no copy"
        (bad,) = post.planning.copies_at("main", None, 9)
        post.integrity.mark_verified([bad], 10)
        assert known() == [False, False]
        post.close()
        centre.close()

    def test_what_is_lost_further_up_is_told_all_the_way_down(self, catalog: SqlCatalog) -> None:
        """The site between has no copy: what came through it lies at the post and the centre."""
        centre, post = SqlCatalog("sqlite://"), SqlCatalog("sqlite://", parent=True)
        kept, alone = segment(0), segment(60)
        for one in (kept, alone):
            post.commits.add_segment(one, "main", "", 7)
            said = post.outbox.take(100, 10**6)[1]
            catalog.inbox.apply("post1", said, 8)
            centre.inbox.apply("sub", json.loads(json.dumps(said)), 8)
            centre.commits.add_segment(one, "main", "", 9)
            catalog.commits.add_segment(one, "../main", "", 9)  # it saw it taken in there
            post.commits.add_segment(one, "../../main", "", 9)
        post.commits.forget([Copy(alone, "main")], "purged")

        def known(one: Segment) -> list[list[str]]:
            for above, below, name in ((centre, catalog, "sub"), (catalog, post, "post1")):
                hear(above, below, name)
            found = (site.footage.copies([one]).get(one.key, []) for site in (catalog, post))
            return [sorted(copy.place for copy in copies) for copies in found]

        assert known(kept) == [["../main", "post1/main"], ["../../main", "main"]]
        centre.commits.forget([Copy(one, "main") for one in (kept, alone)], "lost")
        assert known(kept) == [["post1/main"], ["main"]]
        (lane,) = post.planning.copy_columns("main", above=True)
        assert (lane.copied, lane.let_go) == (set(), set())
        assert known(alone)[1] == []
        assert [gap.cause for gap in post.footage.gaps(STREAM, ALL)][-1] == "lost"
        centre.close()
        post.close()

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
        catalog.sites.put(SiteBeat("post9", "post", "", 400 * DAY))  # heard when a clock was ahead
        catalog.deletion.condemn([Copy(one, "main")], 10, [])
        assert hear() == ["../main"], "it may be taken back"
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

    def test_a_child_that_says_twice_that_it_has_told_all_is_owed_its_word_once(
        self, catalog: SqlCatalog
    ) -> None:
        """The answer was lost: it says so until it hears one, and the more there is to hear, the
        longer that takes."""
        kept, gone = segment(0), segment(60)
        post = SqlCatalog("sqlite://", parent=True)
        for one in (kept, gone):
            post.commits.add_segment(one, "main", "", 7)
        catalog.inbox.apply("post1", post.outbox.take(99, 10**6)[1], 9)
        post.close()
        for one in (kept, gone):
            catalog.commits.add_segment(one, "main", "", 9)
        catalog.inbox.end_anew("post1", 10)
        catalog.commits.forget([Copy(gone, "main")], "purged")
        for _ in range(3):
            catalog.inbox.end_anew("post1", 10)
        told = [(one["start"], one["places"]) for one in catalog.notices.pending("post1", 99)]
        assert sorted(map(str, told)) == sorted(
            map(str, [(gone.start, []), (gone.start, []), (kept.start, ["main"])])
        )

    def test_what_lies_above_alone_is_told_whole_to_a_catalog_that_was_lost(
        self, catalog: SqlCatalog
    ) -> None:
        kept, gone, doubtful = segment(0), segment(120), segment(180)
        hidden = segment(60, writer="n2.1", span_start=T0 + 60 * SECOND, gap_cause="node")
        post = SqlCatalog("sqlite://", parent=True)
        for one in (kept, hidden, gone, doubtful):
            post.commits.add_segment(one, "main", "", 7)
        catalog.inbox.apply("post1", json.loads(json.dumps(post.outbox.take(99, 10**6)[1])), 9)
        for one in (kept, hidden, gone):
            catalog.commits.add_segment(one, "main", "", 9)
        catalog.commits.add_segment(hidden, "../main", "", 9)
        catalog.commits.add_segment(doubtful, "../main", "", 0)
        catalog.deletion.condemn([Copy(gone, "main")], 10, [])
        catalog.inbox.end_anew("post1", 10)

        again = SqlCatalog("sqlite://", parent=True)  # rebuilt of what its store still had
        again.commits.add_segment(doubtful, "main", "", 11)
        with again.database.write() as db:
            number = again.numbers.known(db, STREAM)
            open_gap(again.database, db, int(number or 0), kept.range, "lost")
        told = catalog.notices.pending("post1", 9)
        unknown = again.notices.apply(json.loads(json.dumps(told)), 12)
        assert unknown == [one["seq"] for one in told if one["start"] in (kept.start, hidden.start)]
        for _ in range(2):
            whole = json.loads(json.dumps(catalog.notices.pending("post1", 9, set(unknown))))
            assert again.notices.apply(whole, 13) == []
            said = [one for one in whole if "segment" in one]
            for one in said:  # what is known stays as it is, whatever is said of it
                one["segment"]["row"][COLUMNS.index("size_bytes")] = 1
                one["segment"]["committed"] = 5
            assert again.notices.apply(whole, 13) == []
        assert again.footage.segments(STREAM, ALL) == [kept, hidden, doubtful]
        assert again.footage.spans(STREAM, ALL) == catalog.footage.spans(STREAM, ALL)[:3]
        assert again.footage.gaps(STREAM, ALL) == []
        with again.database.read() as db:
            committed = db.execute(select(schema.segment.c.committed_ns)).scalars().all()
        assert 5 not in committed
        copies = again.footage.copies([kept, hidden, doubtful])
        places = {key: sorted(copy.place for copy in found) for key, found in copies.items()}
        assert places == {
            kept.key: ["../main"],
            hidden.key: ["../../main", "../main"],
            doubtful.key: ["main"],
        }
        post.close()
        again.close()
