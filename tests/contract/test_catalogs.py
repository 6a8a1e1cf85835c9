"""Every catalog keeps the promises of ``recorder.ports.Catalog``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from recorder.catalog import engines
from recorder.catalog.backup import read_backup, write_backup
from recorder.catalog.schema import metadata
from recorder.catalog.sql import SqlCatalog
from recorder.errors import BadDocument, CatalogUnavailable, ConfigError, StaleVersion
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.keys import CameraId, StreamId, segment_key
from recorder.model.media import Copy, Segment
from recorder.model.timebase import MINUTE, SECOND, TimeRange
from recorder.ports import NodeBeat, SiteBeat, StreamStatus
from tests.contract.accounts import AccountsContract
from tests.contract.agreeing import AgreeingContract
from tests.contract.ahead import AheadContract
from tests.contract.audit import AuditContract
from tests.contract.audit_left import LeftAtOnce, LeftContract
from tests.contract.beliefs import BeliefsContract
from tests.contract.chain import ChainContract
from tests.contract.deletion import DeletionContract
from tests.contract.departing import DepartingContract
from tests.contract.event_ages import EventAgesContract
from tests.contract.events import EventContract
from tests.contract.exports import ExportsContract
from tests.contract.found import FoundContract
from tests.contract.holds import HoldsContract
from tests.contract.names import NamesContract, made_before_sites, old_rows_mean_any_site
from tests.support.keys import PassingKeys
from tests.support.make import STREAM, T0, segment
from tests.support.postgres import Postgres

ALL = TimeRange(0, T0 + 10**18)


class CatalogContract(
    AccountsContract,
    AgreeingContract,
    AheadContract,
    DeletionContract,
    DepartingContract,
    NamesContract,
    AuditContract,
    LeftContract,
    BeliefsContract,
    ChainContract,
    EventContract,
    EventAgesContract,
    ExportsContract,
    FoundContract,
    HoldsContract,
):
    """Subclassed once per database; each provides ``catalog``."""

    def test_a_segment_comes_back_as_it_went_in(self, catalog: SqlCatalog) -> None:
        one = segment(gap_cause="node", camera_offset_ns=-5)
        foreign = segment(60, key="CAM 1/2026-01-05/14/04-07Z.1.mp4", writer="x")
        for each in (one, foreign):
            catalog.commits.add_segment(each, "main", "etag", 7)
        assert catalog.footage.segments(STREAM, ALL) == [one, foreign]
        assert catalog.footage.segment_by_key(STREAM, foreign.start, foreign.key) == foreign

    def test_adding_twice_is_adding_once(self, catalog: SqlCatalog) -> None:
        for _ in range(2):
            catalog.commits.add_segment(segment(), "main", "", 7)
        assert catalog.counts() == {"stream": 1, "segment": 1, "span": 1, "copy": 1, "gap": 0}

    def test_a_value_that_cannot_be_stored_is_bad_input_and_no_outage(
        self, catalog: SqlCatalog
    ) -> None:
        good = SiteBeat("two", "post", "http://two", 7, {})
        levels: list[Any] = ["\ud800", {"post": 1}, None]
        for change in [*({"level": one} for one in levels), {"at": 10**30}]:
            with pytest.raises(BadDocument, match="cannot be stored"):
                catalog.sites.put(replace(good, **change))
        catalog.sites.put(good)
        assert catalog.sites.all() == [good]

    def test_segments_added_together_are_all_there_or_none(self, catalog: SqlCatalog) -> None:
        good = [segment(start) for start in (0, 60, 120)]
        broken = replace(good[1], size_bytes=None)  # type: ignore[arg-type]
        with pytest.raises(BadDocument):
            catalog.commits.add_segments([good[0], broken, good[2]], "spool:n1", 7)
        assert catalog.footage.segments(STREAM, ALL) == []
        for _ in range(2):
            catalog.commits.add_segments(good, "spool:n1", 7)
        assert catalog.footage.segments(STREAM, ALL) == good
        assert [one.end for one in catalog.footage.spans(STREAM, ALL)] == [T0 + 3 * MINUTE]
        assert [one.place for one in catalog.footage.copies(good)[good[2].key]] == ["spool:n1"]

    def test_a_span_grows_with_its_segments_in_any_order(self, catalog: SqlCatalog) -> None:
        for start in (120, 0, 60):
            cause = "stall" if start == 0 else ""
            catalog.commits.add_segment(segment(start, gap_cause=cause), "main", "", 7)
        (span,) = catalog.footage.spans(STREAM, ALL)
        assert (span.start, span.end, span.gap_cause) == (T0, T0 + 3 * MINUTE, "stall")
        assert catalog.footage.next_span(STREAM, T0) == span
        assert catalog.footage.next_span(STREAM, T0 + 1) is None

    def test_a_range_finds_the_segments_it_touches_and_no_others(self, catalog: SqlCatalog) -> None:
        for start in range(0, 600, 60):
            catalog.commits.add_segment(segment(start), "main", "", 7)
        asked = TimeRange(T0 + 90 * SECOND, T0 + 180 * SECOND)
        assert [one.counter for one in catalog.footage.segments(STREAM, asked)] == [1, 2]

    def test_copies_are_listed_by_segment_and_paged_by_place(self, catalog: SqlCatalog) -> None:
        segments = [segment(start) for start in range(0, 300, 60)]
        for one in segments:
            catalog.commits.add_segment(one, "spool:n1", "", 7)
            catalog.commits.add_segment(one, "main", "e", 8)
        found = catalog.footage.copies(segments)
        assert {copy.place for copy in found[segments[0].key]} == {"spool:n1", "main"}
        first = catalog.planning.copies_at("main", None, 3)
        rest = catalog.planning.copies_at("main", first[-1].segment.id, 3)
        assert [copy.segment for copy in first + rest] == segments

    def test_the_last_copy_forgotten_leaves_a_gap_with_its_cause(self, catalog: SqlCatalog) -> None:
        segments = [segment(start) for start in (0, 60, 120)]
        for one in segments:
            catalog.commits.add_segment(one, "spool:n1", "", 7)
        catalog.commits.add_segment(segments[0], "main", "", 7)
        catalog.commits.forget([Copy(segments[0], "spool:n1")], "purged")
        assert catalog.footage.gaps(STREAM, ALL) == []
        catalog.commits.forget([Copy(one, "main") for one in segments[:1]], "purged")
        catalog.commits.forget([Copy(segments[1], "spool:n1")], "purged")
        catalog.commits.forget([Copy(segments[1], "spool:n1")], "purged")
        (gap,) = catalog.footage.gaps(STREAM, ALL)
        assert (gap.start, gap.end, gap.cause) == (T0, T0 + 2 * MINUTE, "purged")
        (span,) = catalog.footage.spans(STREAM, ALL)
        assert span.start == T0 + 2 * MINUTE

    def test_footage_that_another_node_has_leaves_no_gap(self, catalog: SqlCatalog) -> None:
        one, other = segment(0), segment(30, writer="n2.1", span_start=T0 + 30 * SECOND)
        for each in (one, other):
            catalog.commits.add_segment(each, "main", "", 7)
        catalog.commits.forget([Copy(one, "main")], "purged")
        (gap,) = catalog.footage.gaps(STREAM, ALL)
        assert (gap.start, gap.end) == (T0, T0 + 30 * SECOND)
        catalog.commits.forget([Copy(other, "main")], "purged")
        (gap,) = catalog.footage.gaps(STREAM, ALL)
        assert (gap.start, gap.end) == (T0, T0 + 90 * SECOND)

    def test_a_gap_ends_where_footage_turns_out_to_be(self, catalog: SqlCatalog) -> None:
        one = segment(0)
        catalog.commits.add_segment(one, "spool:n1", "", 7)
        catalog.commits.forget([Copy(one, "spool:n1")], "spool-full")
        later = segment(20, 10, writer="n2.1")
        for _ in range(2):
            catalog.commits.add_segment(later, "main", "", 8)
        found = [((g.start - T0) // SECOND, (g.end - T0) // SECOND, g.cause)
                 for g in catalog.footage.gaps(STREAM, ALL)]  # fmt: skip
        assert found == [(0, 20, "spool-full"), (30, 60, "spool-full")]
        catalog.commits.add_segment(one, "spool:n1", "", 9)
        assert catalog.footage.gaps(STREAM, ALL) == []

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_a_hole_is_a_gap_only_where_no_other_node_saw_more(
        self, catalog: SqlCatalog, order: tuple[int, int]
    ) -> None:
        def hole(start: int, end: int) -> tuple[TimeRange, ...]:
            return (TimeRange(T0 + start * SECOND, T0 + end * SECOND),)

        both = (segment(0, holes=hole(10, 20)), segment(0, writer="n2.1", holes=hole(15, 25)))
        for _ in range(2):
            for i in order:
                catalog.commits.add_segment(both[i], "main", "", 7)
        (gap,) = catalog.footage.gaps(STREAM, ALL)
        assert (gap.start, gap.end) == (T0 + 15 * SECOND, T0 + 20 * SECOND)

    def test_a_parent_knows_what_a_child_has_and_hears_it_twice_as_once(
        self, catalog: SqlCatalog
    ) -> None:
        child = SqlCatalog("sqlite://", parent=True)
        for start in (0, 60, 120):
            child.commits.add_segment(segment(start, gap_cause="node"), "main", "e", 7)
        hole = TimeRange(T0 + 200 * SECOND, T0 + 220 * SECOND)
        child.commits.add_segment(segment(180, holes=(hole,)), "spool:n1", "", 7)
        child.commits.add_segment(segment(0), "../main", "", 8)
        event = parse_event({"camera": "cam07", "kind": "alarm"}, None, "e1", "north", 5)
        child.events.add(event, b"jpeg")
        child.cameras.put(parse_camera("cam07", {"url": "file:/x", "group": "key"}), 1, None)
        numbers, said = child.outbox.take(100, 10**6)
        assert len(numbers) == 8
        told = json.loads(json.dumps(said))
        for _ in range(2):
            catalog.inbox.apply("post1", told, 9)
        assert catalog.footage.segments(STREAM, ALL) == child.footage.segments(STREAM, ALL)
        assert catalog.footage.spans(STREAM, ALL) == child.footage.spans(STREAM, ALL)
        assert catalog.footage.gaps(STREAM, ALL) == child.footage.gaps(STREAM, ALL)
        assert catalog.cameras.groups() == {CameraId("north", "cam07"): "key"}
        assert catalog.events.image("e1") == b"jpeg"
        (first, *_, last) = catalog.footage.segments(STREAM, ALL)
        places = catalog.footage.copies([first, last])
        assert [copy.place for copy in places[first.key]] == ["post1/main"]
        assert [copy.place for copy in places[last.key]] == ["post1/spool:n1"]
        child.outbox.drop(numbers)
        assert child.outbox.take(100, 10**6) == ([], [])

    def test_what_a_child_let_go_is_gone_above_unless_kept_there(self, catalog: SqlCatalog) -> None:
        child = SqlCatalog("sqlite://", parent=True)
        segments = [segment(start) for start in (0, 60, 120)]
        for one in segments:
            child.commits.add_segment(one, "main", "", 7)
        catalog.inbox.apply("post1", child.outbox.take(100, 10**6)[1], 8)
        catalog.commits.add_segment(segments[1], "main", "", 9)
        child.commits.forget([Copy(one, "main") for one in segments[:2]], "purged")
        catalog.inbox.apply("post1", child.outbox.take(100, 10**6)[1], 10)
        assert catalog.footage.segments(STREAM, ALL) == segments[1:]
        (span,) = catalog.footage.spans(STREAM, ALL)
        assert span.start == T0 + MINUTE
        (gap,) = catalog.footage.gaps(STREAM, ALL)
        assert (gap.start, gap.end, gap.cause) == (T0, T0 + MINUTE, "purged")
        assert catalog.outbox.fill(1) >= 2

    def test_a_parent_hears_of_many_streams_at_once(self, catalog: SqlCatalog) -> None:
        """A minute of a busy site, told as sealed, as stored, and as let go; a catch-up beside."""
        child = SqlCatalog("sqlite://", parent=True)
        streams = [StreamId("north", f"cam{i}", "main") for i in range(30)]
        minutes = [[_of(one, start) for one in streams] for start in (0, 60, 120)]
        child.commits.add_segments(list(itertools.chain(*minutes)), "spool:n1", 7)
        _tell(child, catalog)
        for one in minutes[1] + minutes[2]:
            child.commits.add_segment(one, "main", "", 8)
            child.commits.forget([Copy(one, "spool:n1")], "spool-full")
        child.commits.add_segment(_of(streams[0], 180), "main", "", 8)
        _tell(child, catalog)
        catalog.commits.add_segment(minutes[0][7], "main", "", 9)
        child.commits.forget([Copy(one, "spool:n1") for one in minutes[0]], "purged")
        _tell(child, catalog)
        for number, stream in enumerate(streams):
            found = catalog.footage.segments(stream, ALL)
            assert len(found) == 2 + (number in (0, 7)), stream
            copies = catalog.footage.copies(found)
            places = {copy.place for one in found for copy in copies[one.key]}
            assert places == {"post1/main"} | ({"main"} if number == 7 else set())
            if number != 7:
                assert found == child.footage.segments(stream, ALL)
                assert catalog.footage.spans(stream, ALL) == child.footage.spans(stream, ALL)
                assert catalog.footage.gaps(stream, ALL) == child.footage.gaps(stream, ALL) != []
        noted, _ = catalog.outbox.depth()
        assert noted >= len(streams), "and a parent above hears of it, too"
        child.close()

    def test_a_child_is_told_what_becomes_of_copies_above(self, catalog: SqlCatalog) -> None:
        child = SqlCatalog("sqlite://", parent=True)
        segments = [segment(start) for start in (0, 60, 120)]
        for one in segments:
            child.commits.add_segment(one, "main", "", 7)
            child.commits.add_segment(one, "../main", "", 8)
        catalog.inbox.apply("post1", child.outbox.take(100, 10**6)[1], 9)
        for one in segments:
            catalog.commits.add_segment(one, "main", "", 9)
        catalog.commits.add_segment(segments[1], "../main", "", 9)
        assert catalog.notices.pending("post1", 9) == [], "what arrives a child sees by itself"
        child.commits.forget([Copy(segments[2], "main")], "purged")
        catalog.deletion.condemn([Copy(segments[0], "main")], 10, [])
        catalog.commits.forget([Copy(one, "main") for one in segments], "purged")
        word = json.loads(json.dumps(catalog.notices.pending("post1", 9)))
        assert [one["places"] for one in word] == [[], [], ["../main"], []]
        assert catalog.notices.pending("post2", 9) == []
        for _ in range(2):
            child.notices.apply(word, 11)
        lane = next(iter(child.planning.copy_columns("main", above=True)))
        assert (lane.let_go, lane.copied) == ({0}, {1})
        places = child.footage.copies(segments)
        assert [copy.place for copy in places[segments[1].key]] == ["../../main", "main"]
        assert child.footage.segments(STREAM, ALL) == segments[:2], "the last copy anywhere went"
        assert [gap.cause for gap in child.footage.gaps(STREAM, ALL)] == ["purged"]
        catalog.notices.acknowledge("post2", [one["seq"] for one in word])
        assert len(catalog.notices.pending("post1", 9)) == 4
        catalog.notices.acknowledge("post1", [one["seq"] for one in word])
        assert catalog.notices.pending("post1", 9) == []

    def test_a_lease_is_one_nodes_until_it_ends_or_is_handed_over(
        self, catalog: SqlCatalog
    ) -> None:
        (one,) = catalog.leases.take("n1", ["a"], [], 0, 10).values()
        assert (one.node, one.term, one.until) == ("n1", 1, 10)
        assert catalog.leases.take("n2", ["a"], [], 5, 15)["a"] == one
        assert catalog.leases.take("n1", [], ["a"], 6, 16)["a"].until == 16
        assert not catalog.leases.claim("a", "n2", 20), "it was not offered"
        catalog.leases.offer("a", "n2", "n3")
        catalog.leases.offer("a", "n1", "n2")
        assert catalog.leases.take("n1", [], ["a"], 7, 17)["a"].handing == "n2"
        assert catalog.leases.claim("a", "n2", 20)
        (now,) = catalog.leases.all()
        assert (now.node, now.term, now.handing) == ("n2", 2, "")
        taken = catalog.leases.take("n3", ["a"], [], 21, 30)["a"]
        assert (taken.node, taken.term) == ("n3", 3), "n2 did not renew"
        assert catalog.leases.take("n2", [], ["a"], 22, 32)["a"].node == "n3"
        catalog.leases.release("n3")
        assert catalog.leases.take("n1", ["a"], [], 23, 33)["a"].term == 4
        assert catalog.leases.take("n1", [], ["b"], 23, 33) == {}

    def test_a_camera_made_anew_under_its_name_is_not_the_old_one(
        self, catalog: SqlCatalog
    ) -> None:
        def put(at: int, url: str) -> None:
            catalog.cameras.put(parse_camera("cam", {"url": url}), at, None)

        def asked() -> list[tuple[int, str]]:
            return [(one.version, one.streams["main"].url) for one in catalog.cameras.all()]

        put(1, "file:/x")
        assert asked() == asked() == [(1, "file:/x")]
        catalog.cameras.delete("cam")
        put(2, "file:/y")
        assert asked() == [(1, "file:/y")]
        put(3, "file:/z")
        assert asked() == [(2, "file:/z")]

    def test_cameras_are_versioned_and_keep_their_birth(self, catalog: SqlCatalog) -> None:
        one = parse_camera("cam", {"url": "rtsp://u:p@10.0.0.7/x"})
        stored = catalog.cameras.put(one, 100, None)
        assert (stored.version, stored.created) == (1, 100)
        again = catalog.cameras.put(replace(stored, group="key"), 200, 1)
        assert (again.version, again.created, again.group) == (2, 100, "key")
        with pytest.raises(StaleVersion):
            catalog.cameras.put(one, 300, 1)
        assert catalog.cameras.get("cam") == again
        assert catalog.cameras.all() == [again]
        assert catalog.cameras.delete("cam")
        assert not catalog.cameras.delete("cam")

    def test_documents_states_and_identities_come_back(self, catalog: SqlCatalog) -> None:
        assert catalog.documents.newest("policy") is None
        catalog.documents.put("policy", {"rules": [1]}, "ann", 5)
        found = catalog.documents.put("policy", {"rules": []}, "ben", 6)
        assert (found.version, found.author) == (2, "ben")
        assert catalog.documents.newest("policy") == found
        status = StreamStatus(
            STREAM, "n1", "failing", "source", "timeout", "silent", 1, 2, {"habits": {"a": "b"}}
        )
        catalog.statuses.put([status])
        catalog.statuses.put([])
        assert catalog.statuses.all() == [status]
        assert catalog.statuses.of(STREAM) == status
        catalog.nodes.beat(NodeBeat("n1", "north", 3, {"streams": 1}))
        assert catalog.nodes.all()[0].facts == {"streams": 1}
        catalog.nodes.beat(NodeBeat("n2", "north", 3))
        catalog.nodes.forget(["n1", "n3"])
        assert [one.node for one in catalog.nodes.all()] == ["n2"]
        catalog.identities.register("main", "id-1")
        assert catalog.identities.of("main") == "id-1"
        assert catalog.identities.of("other") is None

    def test_what_a_store_holds_goes_in_beside_what_is_there(self, catalog: SqlCatalog) -> None:
        known, new = segment(0), segment(60)
        catalog.commits.add_segment(known, "main", "", 7)
        other = replace(known, digest="cd" * 32)
        refused = catalog.rebuilding.put([(other, ""), (new, "e")], "main", 9)
        assert [key for key, _ in refused] == [known.key]
        assert catalog.footage.segments(STREAM, ALL) == [known, new]
        copies = catalog.footage.copies([known, new])
        assert [copies[one.key][0].verified_at for one in (known, new)] == [7, 9]

    def test_copies_seen_since_a_rebuild_began_are_not_dropped(self, catalog: SqlCatalog) -> None:
        old, seen = segment(0), segment(60)
        catalog.commits.add_segment(old, "main", "", 7)
        catalog.commits.add_segment(seen, "main", "", 7)
        copies = catalog.footage.copies([old, seen])
        catalog.commits.add_segment(seen, "main", "", 9)
        assert catalog.rebuilding.drop([copies[old.key][0], copies[seen.key][0]], 9, []) == 1
        assert catalog.footage.segments(STREAM, ALL) == [seen]
        assert [gap.cause for gap in catalog.footage.gaps(STREAM, ALL)] == ["lost"]

    def test_a_backup_is_put_back_whole(self, catalog: SqlCatalog, tmp_path: Path) -> None:
        catalog.commits.add_segment(segment(0), "main", "e", 7)
        catalog.documents.put("policy", {"keep": "9d"}, "ann", 7)
        write_backup(catalog.database, tmp_path / "backup")
        catalog.commits.add_segment(segment(60), "main", "e", 8)
        read_backup(tmp_path / "backup", catalog.database, 10, replace=True)
        assert catalog.footage.segments(STREAM, ALL) == [segment(0)]
        later = segment(60, stream=replace(STREAM, camera="cam08"), decoder_digest="new")
        catalog.commits.add_segment(later, "main", "e", 9)  # numbers go on after those put back
        assert catalog.footage.segments(later.stream, ALL) == [later]

    def test_the_schema_steps_lead_to_the_present_schema(self, catalog: SqlCatalog) -> None:
        with catalog.database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": False})
            assert compare_metadata(context, metadata) == []


class TestMemory(CatalogContract):
    @pytest.fixture
    def catalog(self) -> Iterator[SqlCatalog]:
        one = SqlCatalog("sqlite://", parent=True, site="north", keys=PassingKeys())
        yield one
        one.close()


def _of(stream: StreamId, start: int) -> Segment:
    key = segment_key(str(stream), T0 + start * SECOND, "n1.1", start // 60)
    return segment(start, stream=stream, key=key)


def _tell(child: SqlCatalog, parent: SqlCatalog) -> None:
    numbers, said = child.outbox.take(10_000, 10**19 // 4)
    parent.inbox.apply("post1", json.loads(json.dumps(said)), 9)
    child.outbox.drop(numbers)


class TestSqlite(CatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[SqlCatalog]:
        one = SqlCatalog(
            f"sqlite:///{tmp_path}/catalog.db", parent=True, site="north", keys=PassingKeys()
        )
        yield one
        one.close()

    def test_what_was_committed_survives_reopening(self, tmp_path: Path) -> None:
        for _ in range(2):
            one = SqlCatalog(f"sqlite:///{tmp_path}/again.db")
            one.commits.add_segment(segment(), "main", "", 7)
            assert one.counts()["segment"] == 1
            one.close()

    def test_what_was_known_of_a_name_is_known_of_it_at_any_site(self, tmp_path: Path) -> None:
        one = SqlCatalog(f"sqlite:///{tmp_path}/old.db", parent=True, site="centre")
        made_before_sites(one)
        old_rows_mean_any_site(one)
        one.close()

    def test_a_newer_schema_is_refused(self, tmp_path: Path) -> None:
        one = SqlCatalog(f"sqlite:///{tmp_path}/new.db")
        with one.database.write() as db:
            db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        one.close()
        with pytest.raises(ConfigError, match="9999"):
            SqlCatalog(f"sqlite:///{tmp_path}/new.db").cameras.all()

    def test_a_catalog_that_cannot_be_opened_says_so(self) -> None:
        with pytest.raises(CatalogUnavailable, match="unable to open"):
            SqlCatalog("sqlite:////no/such/folder/catalog.db").cameras.all()
        with pytest.raises(ConfigError):
            SqlCatalog("nonsense://x")


@pytest.mark.xdist_group("pg")
class TestPostgres(CatalogContract, LeftAtOnce):
    @pytest.fixture
    def catalog(self, postgres: Postgres) -> Iterator[SqlCatalog]:
        one = SqlCatalog(postgres.cataloged(), parent=True, site="north", keys=PassingKeys())
        yield one
        one.close()

    def test_what_was_known_of_a_name_is_known_of_it_at_any_site(self, postgres: Postgres) -> None:
        one = SqlCatalog(postgres.database(), parent=True, site="centre")
        made_before_sites(one)
        old_rows_mean_any_site(one)
        one.close()

    def test_a_backup_out_of_sqlite_goes_on_in_a_new_database(
        self, catalog: SqlCatalog, tmp_path: Path
    ) -> None:
        small = SqlCatalog("sqlite://")
        small.commits.add_segment(segment(0), "main", "e", 7)
        write_backup(small.database, tmp_path / "backup")
        small.close()
        read_backup(tmp_path / "backup", catalog.database, 10)
        later = segment(60, stream=replace(STREAM, camera="cam08"), decoder_digest="new")
        catalog.commits.add_segment(later, "main", "e", 9)  # its numbers follow those put back
        assert catalog.footage.segments(STREAM, ALL) == [segment(0)]
        assert catalog.footage.segments(later.stream, ALL) == [later]

    def test_a_statement_that_never_ends_is_given_up(
        self, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "PATIENCE_S", 1)
        with (
            pytest.raises(CatalogUnavailable, match="statement timeout"),
            catalog.database.read() as db,
        ):
            db.exec_driver_sql("SELECT pg_sleep(60)")
