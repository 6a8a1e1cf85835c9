"""What a child may say over the feed, and of whom; one odd thing keeps nothing else back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import BadDocument, NotAllowed, NotFound, RequestError
from recorder.janitor.holding import release
from recorder.model.camera_document import parse_camera
from recorder.model.event_changes import changed_event, event_document
from recorder.model.events import parse_event
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId, segment_key
from recorder.model.media import Copy
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, TimeRange, format_instant
from recorder.ports import NodeBeat, SiteBeat, StreamStatus
from recorder.sites.documents import documents_for_child, hear_child
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.sites.speaker import routes
from recorder.sites.told import hear
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import T0, segment

NOW = T0 + HOUR
STREAM = StreamId("post1", "cam07", "main")
ALL = TimeRange(0, NOW)


def beat(name: str, at: int = NOW, **facts: Any) -> SiteBeat:
    return SiteBeat(name, "post", "", at, facts)


KNOWN = [beat(".."), beat("post1"), beat("sub"), beat("post2", parent="sub"),
         beat("lost", NOW - DAY, parent="sub")]  # fmt: skip


def one_of(stream: StreamId, start_s: float = 0) -> Any:
    start = T0 + round(start_s * SECOND)
    return segment(start_s, stream=stream, gap_cause="node",
                   key=segment_key(str(stream), start, "n1.1", int(start_s // 60)))  # fmt: skip


@pytest.fixture
def child() -> Iterator[SqlCatalog]:
    """A child's catalog with one of each that there is to tell."""
    one = SqlCatalog("sqlite://", parent=True)
    segments = [one_of(STREAM, start) for start in (0, 60)]
    for each in segments:
        one.commits.add_segment(each, "main", "e", 7)
    one.commits.forget([Copy(segments[1], "main")], "purged")
    one.events.add(
        parse_event({"camera": "cam07", "kind": "alarm"}, None, "e1", "post1", T0), b"\xff"
    )
    one.cameras.put(parse_camera("cam07", {"url": "rtsp://x/y", "group": "key"}), 1, None)
    yield one
    one.close()


def message(child: SqlCatalog) -> dict[str, Any]:
    """Return what the child says, as it arrives."""
    status = StreamStatus(STREAM, "n1", "recording", "", "", "", T0, NOW, {"habits": {}})
    node = NodeBeat("n1", "post1", NOW, {"url": "http://10.0.0.1:8600"})
    body = {
        "site": "post1", "level": "post", "url": "http://10.0.0.1:8600",
        "changes": child.outbox.take(100, NOW)[1],
        "statuses": [{**asdict(status), "stream": str(STREAM)}], "nodes": [asdict(node)],
        "sites": [asdict(beat("below"))], "holds": {"h1": {"post1": {"state": "held"}}},
        "heard": [1], "facts": {"untold": 0, "lag_s": 0.0, "backlog": {}},
    }  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(body))
    return found


def test_all_that_a_child_says_of_itself_and_below_is_taken_in(child: SqlCatalog) -> None:
    body = message(child)
    assert {one["k"] for one in body["changes"]} == {"segment", "gone", "gap", "event", "camera"}
    told = hear(body, "here", KNOWN, ["h1"], NOW)
    assert told.aside == []
    assert told.changes == body["changes"]
    assert [one.node for one in told.nodes] == ["post1/n1"]
    assert [(one.name, one.facts.get("parent")) for one in told.sites] == [
        ("below", "post1"), ("post1", None),
    ]  # fmt: skip
    assert (told.holds, told.heard) == ({"h1": {"post1": {"state": "held"}}}, [1])
    assert len(told.statuses) == 1


def change(kind: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    """Alter the first change of a kind."""

    def alter(body: dict[str, Any]) -> None:
        next(one for one in body["changes"] if one["k"] == kind).update(values)

    return alter


def row(number: int, value: Any) -> Callable[[dict[str, Any]], None]:
    def alter(body: dict[str, Any]) -> None:
        next(one for one in body["changes"] if one["k"] == "segment")["row"][number] = value

    return alter


def within(where: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def alter(body: dict[str, Any]) -> None:
        body[where][0].update(values)

    return alter


ODD: list[Callable[[dict[str, Any]], None]] = [
    *(change(kind, stream=name) for kind in ("segment", "gap")
      for name in ("here/cam/main", "post2/cam07/main", "../cam/main", "a/b", 5, "post1/a b/main")),
    change("gone", stream="here/cam/main"), change("gone", start="x"), change("gone", writer=5),
    change("gone", start=10**40), change("gone", writer="../x"),
    change("segment", copies=[["../main", "", 1, None]]), change("segment", copies=[[1]]),
    change("segment", copies=[["a/../b", "", 1, None]]), change("segment", copies=5),
    change("segment", copies=[["main", "", 10**40, None]]), change("segment", config=["d"]),
    change("segment", config=["d", "c", True, 1]), change("segment", row=[1, 2]),
    row(0, "x"), row(0, 10**40), row(0, NOW + 30 * DAY), row(1, "\ud800"), row(3, 2**40), row(4, 0),
    row(9, "?"), row(12, 10**30), row(13, [1]), row(14, "../../etc/x"), row(16, "1-x"),
    row(0, True),
    change("gap", range=[0, 10**40]), change("gap", gaps=[[1]]),
    change("gap", gaps=[[0, 1, "\x1b"]]),
    change("gap", range=[5, 4]),
    change("camera", name="a b"), change("camera", group="\ud800"), change("camera", group=5),
    *(change("event", site=name) for name in ("here", "post2", "..")),
    change("event", touched=[0, 2**62]), change("event", range=[0, 10**40]),
    change("event", id="a b"),
    change("event", attributes={"v": float("nan")}), change("event", attributes={"v": "\ud800"}),
    change("event", cameras="cam"), change("event", image="?"), change("event", received=10**30),
    change("event", range=[NOW + 30 * DAY] * 2, touched=[NOW + 30 * DAY] * 2),
    lambda body: body["changes"].append({"k": "wish"}), lambda body: body["changes"].append(5),
    lambda body: body["changes"].append({"k": ["gap"]}),
    *(within("statuses", stream=name, at=NOW + 1) for name in ("here/c/main", "post2/c/main", 5)),
    within("statuses", at=NOW + 30 * DAY), within("statuses", health=[1]),
    within("statuses", state=5),
    *(within("nodes", site=name) for name in ("here", "..", 5)),
    within("nodes", node="ghost/x"), within("nodes", node="here/n1", site="here"),
    within("nodes", at=NOW + 30 * 365 * DAY), within("nodes", facts={"v": float("inf")}),
    within("nodes", node="post2/n1", site="post2", at=NOW + 1), within("nodes", node="a b"),
    *(within("sites", name=name) for name in ("..", "here", "post1", "a/b")),
    within("sites", name="post2", at=NOW + 1), within("sites", url="file:///etc"),
    within("sites", facts={"parent": "sub"}), within("sites", facts={"parent": ".."}),
    within("sites", at=10**40), within("sites", level="\n"), within("sites", facts={"lag_s": "x"}),
    lambda body: body.update(heard=[10**40]), lambda body: body.update(heard=["x"]),
    lambda body: body["holds"]["h1"].update(here={"state": "held"}),
    lambda body: body["holds"]["h1"].update(post1=[1]),
]  # fmt: skip


@pytest.mark.parametrize("alter", ODD, ids=range(len(ODD)))
def test_an_odd_thing_is_set_aside_and_the_rest_is_taken_in(
    alter: Callable[[dict[str, Any]], None], child: SqlCatalog
) -> None:
    good = hear(message(child), "here", KNOWN, ["h1"], NOW)
    body = message(child)
    alter(body)
    told = hear(body, "here", KNOWN, ["h1"], NOW)
    assert len(told.aside) == 1
    assert told.aside[0].why
    taken = [len(one.changes) + len(one.statuses) + len(one.nodes) + len(one.sites)
             + len(one.heard) + len(one.holds.get("h1", {})) for one in (told, good)]  # fmt: skip
    assert taken[0] >= taken[1] - 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"site": "here"}, NotAllowed), ({"site": ".."}, RequestError), ({"site": 5}, RequestError),
        ({"site": "post2"}, NotAllowed), ({"changes": 5}, BadDocument),
        ({"nodes": None}, BadDocument), ({"facts": {"lag_s": "x"}}, BadDocument),
        ({"facts": 5}, BadDocument), ({"holds": [1]}, BadDocument),
        ({"url": "javascript:x"}, BadDocument), ({"level": "\x1b"}, BadDocument),
    ],
)  # fmt: skip
def test_a_message_that_is_none_or_no_childs_is_refused(
    change: dict[str, Any], error: type[Exception], child: SqlCatalog
) -> None:
    with pytest.raises(error):
        hear({**message(child), **change}, "here", KNOWN, [], NOW)


def test_a_site_that_moved_is_heard_from_its_new_place_and_no_more_from_its_old(
    child: SqlCatalog,
) -> None:
    body = message(child)
    body["sites"][0].update(name="lost", at=NOW)
    told = hear(body, "here", KNOWN, [], NOW)
    assert ("lost", "post1") in [(one.name, one.facts.get("parent")) for one in told.sites]
    old = [*KNOWN[:-1], beat("lost", NOW, parent="post1")]
    repeats = {**message(child), "site": "sub", "changes": [], "statuses": [], "nodes": [],
               "holds": {}, "sites": [asdict(beat("lost", NOW - DAY))]}  # fmt: skip
    told = hear(repeats, "here", old, [], NOW)
    assert ([one.name for one in told.sites], told.aside) == (["sub"], [])


def test_a_site_that_moved_while_our_clock_was_ahead_is_heard_from_its_new_place(
    child: SqlCatalog,
) -> None:
    ahead = [*KNOWN[:-1], beat("lost", NOW + 400 * DAY, parent="sub")]
    body = message(child)
    body["sites"][0].update(name="lost", at=NOW)
    told = hear(body, "here", ahead, [], NOW)
    assert ("lost", "post1") in [(one.name, one.facts.get("parent")) for one in told.sites]


def test_a_clock_that_is_ahead_makes_nobody_alive_in_the_future(child: SqlCatalog) -> None:
    body = message(child)
    body["nodes"][0]["at"] = body["statuses"][0]["at"] = NOW + MINUTE
    told = hear(body, "here", KNOWN, [], NOW)
    assert (told.nodes[0].at, told.statuses[0].at) == (NOW, NOW)


def test_a_child_cannot_say_under_whom_it_is(child: SqlCatalog) -> None:
    body = message(child)
    body["facts"] |= {"parent": "sub", "site": "x"}
    told = hear(body, "here", KNOWN, [], NOW)
    assert not {"parent", "site"} & told.sites[-1].facts.keys()


def test_a_ring_of_sites_has_an_end() -> None:
    assert set(routes([beat("a", parent="b"), beat("b", parent="a")])) == {"a", "b"}


# -- with catalogs ---------------------------------------------------------------------------------


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://")
    yield one
    one.close()


def test_what_was_set_aside_is_counted_told_and_shown(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    body = message(child)
    body["changes"].insert(0, {"k": "wish"})
    for _ in range(2):
        aside = hear_child(centre, body, "here", NOW)
    assert len(centre.footage.segments(STREAM, ALL)) == 1
    (site,) = [one for one in centre.sites.all() if one.name == "post1"]
    assert (site.facts["set_aside"]["count"], site.facts["set_aside"]["what"]) == (2, "change wish")
    answer = documents_for_child(centre, "here", "centre", "main", body, aside, now=NOW)
    assert answer["set_aside_count"] == 1


def test_a_change_that_the_catalog_cannot_store_keeps_no_other_from_it(
    child: SqlCatalog, centre: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = centre.inbox.apply

    def refusing(name: str, changes: Any, at: int, _: Any) -> None:
        if any(one["k"] == "gap" for one in changes):
            raise BadDocument("no")
        whole(name, changes, at, None)

    monkeypatch.setattr(centre.inbox, "apply", refusing)
    aside = hear_child(centre, message(child), "here", NOW)
    assert [one.what for one in aside] == ["change gap"] * 1
    assert len(centre.footage.segments(STREAM, ALL)) == 1
    assert centre.events.image("e1") is not None


def test_a_childs_camera_of_the_same_name_does_not_change_our_groups(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    own = parse_camera("cam07", {"url": "rtsp://x/y", "group": "important"})
    centre.cameras.put(own, 1, None)
    hear_child(centre, message(child), "here", NOW)
    assert centre.cameras.groups()[CameraId("", "cam07")] == "important"


@pytest.mark.parametrize(
    "alter",
    [change("camera", site="here"), change("camera", site="post2"),
     change("event", cameras=["here/cam07"]), change("event", cameras=["cam07", "post2/cam07"])],
)  # fmt: skip
def test_a_child_says_nothing_of_cameras_of_other_sites(
    child: SqlCatalog, alter: Callable[[dict[str, Any]], None]
) -> None:
    body = message(child)
    alter(body)
    told = hear(body, "here", KNOWN, [], NOW)
    assert len(told.aside) == 1
    assert len(told.changes) == len(body["changes"]) - 1


def test_a_child_names_the_cameras_of_sites_below_it(child: SqlCatalog) -> None:
    body = message(child)
    change("camera", site="below")(body)
    change("event", cameras=["cam07", "below/cam07"])(body)
    assert hear(body, "here", KNOWN, [], NOW).aside == []


def test_forged_word_of_what_was_heard_drops_only_the_childs(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    other = StreamId("post2", "cam07", "main")
    for name, stream in (("post1", STREAM), ("post2", other)):
        centre.inbox.apply(name, [], 1)
        with centre.database.write() as db:
            number = centre.numbers.made(db, stream)
            db.exec_driver_sql(
                "INSERT INTO downward (child, stream_no, start_ns, writer) VALUES (?, ?, 1, 'n.1')",
                (name, number),
            )
    body = message(child)
    body["heard"] = list(range(100))
    hear_child(centre, body, "here", NOW)
    assert centre.notices.pending("post1", 9) == []
    assert len(centre.notices.pending("post2", 9)) == 1


class Parent:
    """A parent as a link sees it: it refuses a message that holds an odd change."""

    url = "http://parent"

    def __init__(self, catalog: SqlCatalog, odd: str, catalog_id: str = "") -> None:
        self.catalog, self.odd, self.asked, self.catalog_id = catalog, odd, 0, catalog_id
        self.now = NOW

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if self.odd in json.dumps(body):
            raise BadDocument("site parent finds it bad")
        aside = hear_child(self.catalog, json.loads(json.dumps(body)), "here", self.now)
        return documents_for_child(
            self.catalog, "here", "centre", "main", body, aside, self.catalog_id, now=self.now
        )


def linked(child: SqlCatalog, parent: Parent) -> Link:
    settings = LinkSettings("post1", "post", "")
    store, clock = MemoryStore("main"), FakeClock(NOW)
    return Link(parent, child, store, clock, settings, nothing, nothing)  # type: ignore[arg-type]


def nothing(*_: object) -> Any:
    raise NotImplementedError


def test_a_change_that_the_parent_refuses_keeps_no_other_from_being_told(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    for start in range(120, 120 + 60 * 40, 60):
        child.commits.add_segment(one_of(STREAM, start), "main", "odd" if start == 600 else "e", 7)
    parent = Parent(centre, '"odd"')
    link = linked(child, parent)
    for _ in range(60):
        try:
            if not link.exchange():
                break
        except BadDocument:
            pass
    assert child.outbox.depth()[0] == 0
    assert len(centre.footage.segments(STREAM, ALL)) == len(child.footage.segments(STREAM, ALL)) - 1
    assert link.refused["count"] == 1


def test_a_message_that_is_refused_for_something_else_loses_no_change(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, "post1"))
    for _ in range(20):
        with pytest.raises(BadDocument):
            link.exchange()
    assert child.outbox.depth()[0] > 0


def test_a_hold_of_which_nobody_below_knows_is_not_said(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    centre.holds.add(Hold("h1", ("cam07",), ALL, "c", "r", "o", 1))
    body = message(child)
    body["holds"]["h2"] = body["holds"]["h1"]
    hear_child(centre, body, "here", NOW)
    assert centre.holds.deliveries(["h1"])["h1"] == {"post1": {"state": "held"}}
    assert centre.holds.deliveries(["h2"]) == {}


def test_a_parent_that_lost_its_catalog_is_told_all_again_and_nothing_is_believed_of_it(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    segments = [one_of(STREAM, 600 + 60 * i) for i in range(3)]
    for one in segments:
        child.commits.add_segment(one, "main", "e", 7)
    child.commits.add_segment(one_of(STREAM, 900), "../main", "", 8)
    parent = Parent(centre, '"odd"', "first")
    link = linked(child, parent)
    while link.exchange():
        pass
    for one in segments:
        child.commits.add_segment(one, "../main", "", 8)
    assert [len(lane.copied) for lane in child.planning.copy_columns("main", above=True)] == [3]
    anew = SqlCatalog("sqlite://", parent=True)
    for _ in range(2):  # also in a process of its own, that remembers nothing
        parent = Parent(anew, '"odd"', "second")
        link = linked(child, parent)
        while link.exchange():
            pass
        assert [len(lane.copied) for lane in child.planning.copy_columns("main", above=True)] == [0]
        assert len(anew.footage.segments(STREAM, ALL)) >= 3, "the new one knows all"
    above = child.footage.segment_by_key(STREAM, one_of(STREAM, 900).start, one_of(STREAM, 900).key)
    assert above is not None, "what lies only above stays known"
    assert child.outbox.depth()[0] == 0
    anew.close()


def test_a_hold_that_was_placed_above_is_released_above(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    centre.holds.add(Hold("h1", ("cam07",), ALL, "c", "r", "o", 1))
    child.holds.add(Hold("h2", ("cam07",), ALL, "c", "r", "o", 1))
    linked(child, Parent(centre, '"odd"')).exchange()
    with pytest.raises(NotAllowed, match="placed above this site, at here"):
        release(child, "h1", "ben", 9)
    assert {hold.hold_id for hold in child.holds.live(9)} == {"h1", "h2"}
    release(child, "h2", "ben", 9)
    release(centre, "h1", "ben", 9)
    linked(child, Parent(centre, '"odd"')).exchange()
    assert child.holds.live(10) == []
    with pytest.raises(NotFound):
        release(child, "h2", "ben", 11)


def test_an_event_that_is_placed_above_touches_the_footage_below_and_is_not_told_back(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, '"odd"'))
    while link.exchange():
        pass
    body = {"camera": STREAM.camera, "kind": "alarm", "id": "e9"}
    event = parse_event(body, None, "e9", "here", NOW)
    event = replace(event, cameras=(str(STREAM.camera_id),))
    other = parse_event(
        {"camera": STREAM.camera, "kind": "alarm", "id": "e8"}, None, "e8", "here", NOW
    )
    centre.events.add(event, None)
    centre.events.add(other, None)
    for _ in range(3):
        link.exchange()
    assert child.events.windows(event.touched) == [(STREAM.camera_id, event.touched, "alarm")]
    assert child.outbox.depth()[0] == 0
    (here,) = child.events.touching(event.touched)
    assert (here.event_id, here.site) == ("e9", "here")


def test_an_event_is_changed_and_removed_below_as_it_is_above(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, '"odd"'))
    link.exchange()
    event = parse_event({"camera": STREAM.camera, "kind": "alarm"}, None, "e9", "here", NOW)
    event = replace(event, cameras=(str(STREAM.camera_id),))
    centre.events.add(event, None)
    link.exchange()
    ends = {"end": format_instant(NOW + MINUTE)}
    changed = centre.events.change("e9", partial(changed_event, patch=ends, now=NOW + 1))
    link.exchange()
    assert child.events.windows(changed.touched) == [(STREAM.camera_id, changed.touched, "alarm")]
    centre.events.remove("e9", NOW + 2)
    link.exchange()
    assert child.events.windows(changed.touched) == []


def test_a_site_above_says_nothing_of_the_events_of_a_site_itself(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, '"odd"'))
    own = parse_event({"camera": STREAM.camera, "kind": "alarm"}, None, "own", "post1", NOW)
    document = {**event_document(own), "version": 7, "removed": True}
    link.from_parent.events([json.loads(json.dumps(document))], NOW)
    child.events.add(own, None)
    link.from_parent.events([json.loads(json.dumps(document))], NOW)
    assert child.events.get("own") is not None


def test_what_was_noted_by_a_clock_that_was_ahead_hides_nothing_later(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, '"odd"'))
    link.exchange()
    for name, at in (("ahead", NOW + 300 * DAY), ("later", NOW)):
        event = parse_event({"camera": STREAM.camera, "kind": "alarm"}, None, name, "here", at)
        centre.events.add(replace(event, cameras=(str(STREAM.camera_id),)), None)
        link.exchange()
    assert child.events.get("later") is not None
