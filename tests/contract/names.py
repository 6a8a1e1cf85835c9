"""Whose camera is meant: what a catalog keeps of cameras of one name at several sites."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from recorder.catalog import migrate
from recorder.catalog.schema import metadata
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StateError
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event, parse_point
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId, group_of, segment_key
from recorder.model.media import Copy, Segment
from recorder.model.timebase import MINUTE, TimeRange
from recorder.ports import Numbered, StreamStatus
from tests.support.make import T0, segment

ALL = TimeRange(0, T0 + 10**18)


def _of(stream: StreamId) -> Segment:
    return segment(stream=stream, key=segment_key(str(stream), T0, "n1.1", 0))


class NamesContract:
    """Subclassed once per database; each provides ``catalog``."""

    def test_states_that_a_child_said_before_are_not_written_over_those_it_said_since(
        self, catalog: SqlCatalog
    ) -> None:
        """They are told once, when they change: an older one would stay."""
        stream = StreamId("post1", "gate", "main")

        def say(number: int, state: str) -> None:
            told = [StreamStatus(stream, "n1", state, "", "", "", number, number)]
            catalog.inbox.hear_states("post1", told, 1, Numbered("one", number))

        def state() -> str:
            found = catalog.statuses.of(stream)
            return found.state if found is not None else ""

        say(4, "connecting")
        say(4, "recording")  # the same message, its change first
        with pytest.raises(StateError, match="newer"):
            say(3, "failing")
        assert state() == "recording"
        catalog.inbox.apply("post1", [{"k": "camera", "name": "gate", "group": ""}], 1,
                            Numbered("one", 6))  # fmt: skip
        with pytest.raises(StateError, match="newer"):
            say(5, "failing")
        assert state() == "recording"

    def test_what_a_child_said_before_is_not_taken_in_after_what_another_process_heard_since(
        self, catalog: SqlCatalog
    ) -> None:
        """Each process of a site's API may be asked; what hangs in one is said to another."""
        gate = CameraId("post1", "gate")

        def say(number: int, group: str, by: str = "one") -> None:
            change = {"k": "camera", "name": "gate", "group": group}
            catalog.inbox.apply("post1", [change], 1, Numbered(by, number))

        say(4, "key")
        for inbox in (catalog.inbox.begin_anew, catalog.inbox.end_anew):
            with pytest.raises(StateError, match="newer"):
                inbox("post1", 1, Numbered("one", 3))
        with pytest.raises(StateError, match="newer"):
            say(3, "old")
        assert catalog.cameras.groups() == {gate: "key"}
        say(4, "half")  # the same one again, or a part of it
        catalog.inbox.apply("post1", [], 1, Numbered("one", 3))  # says nothing, undoes nothing
        catalog.inbox.hear_states("post1", [], 1, Numbered("one", 3))
        catalog.inbox.apply("post2", [], 1, Numbered("one", 1))
        say(1, "started", by="two")  # a child that was started again
        assert catalog.cameras.groups() == {gate: "started"}
        say(9, "last", by="two")
        catalog.departing.forget_child("post1", ["post1"])
        say(1, "new", by="two")
        assert catalog.cameras.groups() == {gate: "new"}

    def test_a_cameras_group_outlives_it(self, catalog: SqlCatalog) -> None:
        catalog.cameras.put(parse_camera("cam", {"url": "file:/x", "group": "key"}), 1, None)
        catalog.cameras.delete("cam")
        assert catalog.cameras.groups() == {CameraId("north", "cam"): "key"}

    def test_cameras_of_one_name_at_two_sites_are_two(self, catalog: SqlCatalog) -> None:
        """Heard from children, and told on to whoever is above, of each by itself."""
        for child, group in (("post1", "key"), ("post2", "general")):
            catalog.inbox.apply(child, [{"k": "camera", "name": "gate", "group": group}], 1)
            alarm = parse_event({"camera": "gate", "kind": "alarm"}, None, f"{child}a", child, T0)
            catalog.events.add(alarm, None)
        below = {"k": "camera", "site": "post3", "name": "gate", "group": "low"}
        catalog.inbox.apply("post1", [below], 1)
        named = {"post1": "key", "post2": "general", "post3": "low"}
        assert catalog.cameras.groups() == {CameraId(s, "gate"): g for s, g in named.items()}
        first = CameraId("post1", "gate")
        assert [one for one, _, _ in catalog.events.windows(ALL, first)] == [first]
        assert [one.site for one in catalog.events.touching(ALL, [first])] == ["post1"]
        anywhere = [CameraId("", "gate")]
        assert [one.site for one in catalog.events.touching(ALL, anywhere)] == [
            "post1", "post2",
        ]  # fmt: skip
        for fill in (False, True):
            if fill:
                catalog.outbox.fill(2)
            said = [one for one in catalog.outbox.take(100, 10**6)[1] if one["k"] == "camera"]
            assert {one["site"]: one["group"] for one in said} == named

    def test_footage_through_a_child_that_names_no_sites_has_the_group_it_said(
        self, catalog: SqlCatalog
    ) -> None:
        below = StreamId("post9", "gate", "main")
        child = SqlCatalog("sqlite://", parent=True)
        child.commits.add_segment(_of(below), "main", "", 7)
        catalog.inbox.apply("post1", json.loads(json.dumps(child.outbox.take(9, 10**6)[1])), 9)
        child.close()
        catalog.inbox.apply("post1", [{"k": "camera", "name": "gate", "group": "key"}], 1)
        assert group_of(catalog.cameras.groups(), below.camera_id) == "key"
        catalog.inbox.apply(
            "post1", [{"k": "camera", "site": "post9", "name": "gate", "group": "low"}], 1
        )
        assert group_of(catalog.cameras.groups(), below.camera_id) == "low"

    def test_an_event_touches_cameras_of_other_sites_that_it_names(
        self, catalog: SqlCatalog
    ) -> None:
        point = parse_point("door", {"cameras": ["gate", "yard"]})
        event = parse_event({"point": "door"}, point, "e1", "centre", T0)
        event = replace(event, cameras=("gate", "post1/yard"))
        catalog.events.add(event, None)
        touched = [str(one) for one, _, _ in catalog.events.windows(ALL)]
        assert touched == ["centre/gate", "post1/yard"]

    def test_a_hold_takes_back_only_what_its_own_sites_camera_recorded(
        self, catalog: SqlCatalog
    ) -> None:
        """One of before, which names no site, is of that camera at every site."""
        segments = [_of(StreamId(site, "gate", "main")) for site in ("post1", "post2")]
        copies = [Copy(one, "main") for one in segments]
        for one in segments:
            catalog.commits.add_segment(one, "main", "", 7)
        for name, spared in (("post1/gate", {"post1"}), ("gate", {"post1", "post2"})):
            catalog.deletion.condemn(copies, 8, [])
            hold = Hold(f"h-{spared}", (name,), segments[0].range, "1", "r", "o", 9)
            catalog.holds.add(hold)
            found = catalog.footage.copies(segments)
            free = {one.stream.site for one in segments if not found[one.key][0].condemned_at}
            assert free == spared
            assert {
                one.segment.stream.site for one in catalog.object_locks.to_lock("main", hold, 0, 9)
            } == spared
            assert set(catalog.object_locks.locks_of(hold).values()) == {(len(spared), 0)}


def made_before_sites(one: SqlCatalog) -> None:
    """Make a catalog as it was when a camera's name was all that was known of it."""
    with one.database.engine.connect() as connection, connection.begin():
        config = Config()
        folder = Path(migrate.__file__).parent / "steps"
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        for statement in (
            "INSERT INTO member VALUES ('gate', 'key')",
            f"INSERT INTO touch VALUES ('gate', {T0}, 'e1', {T0 + MINUTE}, 'alarm')",
            f"INSERT INTO event VALUES ('e1', 'centre', 'alarm', 'gate', {T0}, {T0}, {T0}, "
            "'[\"gate\"]', '{}', NULL)",
        ):
            connection.exec_driver_sql(statement)


def old_rows_mean_any_site(one: SqlCatalog) -> None:
    """Look at what the step made of it, and at what a site above hears of that."""
    gate = CameraId("post1", "gate")
    assert group_of(one.cameras.groups(), gate) == "key"
    assert one.events.windows(ALL, gate)[0][1:] == (TimeRange(T0, T0 + MINUTE), "alarm")
    one.cameras.put(parse_camera("gate", {"url": "file:/x", "group": "low"}), 1, None)
    assert group_of(one.cameras.groups(), CameraId("centre", "gate")) == "low"
    assert group_of(one.cameras.groups(), gate) == "key", "the word on another does not count"
    for stream in (StreamId("centre", "gate", "main"), StreamId("post1", "gate", "main")):
        one.commits.add_segment(_of(stream), "main", "", 7)
    one.outbox.fill(2)
    said = one.outbox.take(100, 10**6)[1]
    groups = {one["site"]: one["group"] for one in said if one["k"] == "camera"}
    assert groups == {"centre": "low", "post1": "key"}
    (event,) = (one for one in said if one["k"] == "event")
    assert event["cameras"] == ["gate", "post1/gate"]
    with one.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
