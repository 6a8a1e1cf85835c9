"""Two children of one name: the second is turned away, and nothing of the first is changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from recorder import telemetry
from recorder.api.server import make_api
from recorder.app import App
from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.cli import recorder
from recorder.cli.site import _heard
from recorder.config import Settings
from recorder.doctor import examine
from recorder.errors import NameTaken, NotAllowed, NotFound, RecorderError, StateError
from recorder.model.events import parse_event
from recorder.model.keys import StreamId, segment_key
from recorder.model.timebase import HOUR, MINUTE, SECOND
from recorder.ports import SiteBeat
from recorder.sites.admitted import admit, check_child, turned_away
from recorder.sites.announced import Announced
from recorder.sites.documents import documents_for_child, hear_child
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.sites.receive import Receiver
from recorder.sites.remote import RemoteSite
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import T0, segment

STREAM = StreamId("post1", "gate", "main")
NOW = T0 + HOUR


def one_of(start_s: int, writer: str = "n1.1") -> Any:
    key = segment_key(str(STREAM), T0 + start_s * SECOND, writer, start_s // 60)
    return segment(start_s, stream=STREAM, writer=writer, gap_cause="node", key=key)


class Parent:
    """A parent as a link sees it."""

    url = "http://parent"

    def __init__(self, catalog: SqlCatalog, clock: FakeClock) -> None:
        self.catalog, self.clock = catalog, clock

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        hear_child(self.catalog, json.loads(json.dumps(body)), "here", self.clock.now())
        return documents_for_child(
            self.catalog, "here", "centre", "main", body, (), "centre-id", now=self.clock.now()
        )


def nothing(*_: object) -> Any:
    raise NotImplementedError


@dataclass
class Child:
    catalog: SqlCatalog
    link: Link


class Tree:
    """A centre, and posts that all are called post1."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.centre = SqlCatalog("sqlite://")
        self.children: list[Child] = []

    def child(self, identity: str, start_s: int = 0) -> Child:
        catalog = SqlCatalog("sqlite://", parent=True)
        catalog.commits.add_segment(one_of(start_s, f"{identity}.1"), "main", "e", 7)
        settings = LinkSettings(
            "post1",
            "post",
            f"http://{identity}",
            catalog_id=lambda: identity,
            about=lambda: {"access": {"on": True}},
        )
        parent, store = Parent(self.centre, self.clock), MemoryStore("main")
        link = Link(parent, catalog, store, self.clock, settings, nothing, nothing)  # type: ignore[arg-type]
        found = Child(catalog, link)
        self.children.append(found)
        return found

    def rows(self) -> dict[str, list[Any]]:
        """Return all that the centre knows, but who was turned away."""
        with self.centre.database.read() as db:
            return {
                table.name: [tuple(row) for row in db.execute(select(table))]
                for table in schema.metadata.sorted_tables
                if table.name != "progress"
            }

    def close(self) -> None:
        for catalog in (self.centre, *(one.catalog for one in self.children)):
            catalog.close()


@pytest.fixture
def tree() -> Iterator[Tree]:
    one = Tree()
    yield one
    one.close()


def test_a_second_child_of_a_name_is_turned_away_and_nothing_of_the_first_is_changed(
    tree: Tree,
) -> None:
    first, second = tree.child("one"), tree.child("two", 600)
    while first.link.exchange():
        pass
    (beat,) = tree.centre.sites.all()
    assert beat.facts["access"] == {"on": True}, "what a site tells of itself is known above"
    before, refused = tree.rows(), telemetry.TURNED_AWAY.labels("post1")._value.get()
    for _ in range(3):
        with pytest.raises(NameTaken, match="catalog two") as caught:
            second.link.exchange()
    assert caught.value.http_status == 409
    assert "recorder site admit post1 two" in caught.value.hint
    assert tree.rows() == before
    assert telemetry.TURNED_AWAY.labels("post1")._value.get() == refused + 3
    assert second.catalog.outbox.depth()[0] > 0, "what it had to tell, it has to tell still"
    assert first.link.exchange() == 0, "the first is heard as before"


def test_both_ends_tell_of_a_child_that_is_turned_away(tree: Tree) -> None:
    first, second = tree.child("one"), tree.child("two")
    first.link.exchange()
    with pytest.raises(NameTaken):
        second.link.exchange()
    claim = turned_away(tree.centre, NOW)["post1"]
    assert (claim.catalog, claim.url) == ("two", "http://two")
    (beat,) = [one for one in second.catalog.sites.all() if one.name == ".."]
    assert "the name belongs to another site" in beat.facts["turned_away"]["why"]
    assert "recorder site admit" in beat.facts["turned_away"]["hint"]
    tree.clock.at += 20 * MINUTE
    assert turned_away(tree.centre, tree.clock.now()) == {}, "one that went away is no more told of"


def shown(beat: SiteBeat) -> Any:
    return {"facts": beat.facts, "silent_seconds": 0.0}


def test_a_site_that_its_parent_does_not_know_says_so_until_it_is_heard(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tree.child("one")

    def refuse(*_: object) -> None:
        raise NotAllowed("site parent refuses: feed: nobody is known", hint="let it join")

    with monkeypatch.context() as patched:
        patched.setattr(child.link.parent, "exchange", refuse)
        with pytest.raises(NotAllowed):
            child.link.exchange()
    (beat,) = child.catalog.sites.all()
    said = beat.facts["turned_away"]
    assert said["why"] == "site parent refuses: feed: nobody is known"
    assert said["hint"] == "let it join"
    assert _heard(shown(beat)) == "NOT LINKED"
    child.link.exchange()
    (beat,) = child.catalog.sites.all()
    assert "turned_away" not in beat.facts
    assert _heard(shown(beat)) == "linked"


def test_a_site_that_lost_its_catalog_is_admitted_once_the_one_before_is_silent(
    tree: Tree,
) -> None:
    first, second = tree.child("one"), tree.child("two", 600)
    first.link.exchange()
    with pytest.raises(NameTaken):
        second.link.exchange()
    tree.clock.at += 50 * SECOND
    with pytest.raises(StateError, match=r"was heard 50s ago"):
        admit(tree.centre, "post1", "two", tree.clock.now())
    tree.clock.at += 11 * SECOND
    with pytest.raises(NotFound, match="was turned away"):
        admit(tree.centre, "post1", "three", tree.clock.now())
    with pytest.raises(NameTaken):
        second.link.exchange()  # silence alone gives nobody's name away
    admit(tree.centre, "post1", "two", tree.clock.now())
    while second.link.exchange():
        pass
    assert turned_away(tree.centre, tree.clock.now()) == {}
    assert tree.centre.footage.segment_by_key(STREAM, one_of(600).start, one_of(600, "two.1").key)
    (beat,) = [one for one in second.catalog.sites.all() if one.name == ".."]
    assert "turned_away" not in beat.facts
    with pytest.raises(NameTaken, match="catalog one"):
        first.link.exchange()


def test_a_site_that_lost_its_catalog_again_at_once_is_told_all_events_as_it_is_admitted(
    tree: Tree,
) -> None:
    happened = parse_event({"camera": "post1/gate", "kind": "alarm"}, None, "e1", "here", NOW)
    tree.centre.events.add(happened, None)
    for identity in ("one", "two", "three"):
        child = tree.child(identity)
        if identity != "one":
            tree.clock.at += 61 * SECOND
            with pytest.raises(NameTaken):
                child.link.exchange()
            admit(tree.centre, "post1", identity, tree.clock.now())
        for _ in range(3):
            child.link.exchange()
        assert child.catalog.events.get("e1"), identity
    assert tree.clock.at < NOW + 5 * MINUTE


def test_a_site_that_comes_back_after_it_was_turned_away_tells_all_anew_and_believes_nothing(
    tree: Tree,
) -> None:
    first, second = tree.child("one"), tree.child("two", 600)
    while first.link.exchange():
        pass
    first.catalog.commits.add_segment(one_of(0, "one.1"), "../main", "", 8)
    first.link.exchange()
    with pytest.raises(NameTaken):
        second.link.exchange()
    tree.clock.at += 2 * MINUTE
    admit(tree.centre, "post1", "two", tree.clock.now())
    with pytest.raises(NameTaken):
        first.link.exchange()
    tree.clock.at += 2 * MINUTE
    admit(tree.centre, "post1", "one", tree.clock.now())
    first.link.exchange()
    assert [len(one.copied) for one in first.catalog.planning.copy_columns("main", above=True)] == [
        0
    ], "the other may have had its footage there"
    assert first.catalog.outbox.depth()[0] > 0, "all is told again"


def test_a_child_that_says_no_catalog_is_taken_until_one_says_it(tree: Tree) -> None:
    for said in ("", "", "one", "one"):
        check_child(tree.centre, "post1", said, "", NOW)
    with pytest.raises(NameTaken, match="names no catalog") as caught:
        check_child(tree.centre, "post1", "", "", NOW)
    assert "one release" in caught.value.hint


@pytest.mark.parametrize("said", [7, None, ["x"], "a\nb", "x" * 201])
def test_a_catalog_that_is_none_is_refused_and_gives_no_name_away(tree: Tree, said: Any) -> None:
    with pytest.raises(RecorderError):
        check_child(tree.centre, "post1", said, "", NOW)
    check_child(tree.centre, "post1", "one", "", NOW)


def test_footage_is_taken_only_from_the_site_that_has_the_name(tree: Tree, tmp_path: Path) -> None:
    tree.child("one").link.exchange()
    clock, spool = FakeClock(NOW), Spool(tmp_path / "spool")
    tree.centre.sites.put(SiteBeat("below", "post", "", NOW, {"parent": "post1"}))
    receiver = Receiver(spool, tree.centre, clock, "n9", "here", lambda: 1 << 30, lambda _: None)
    said = (("post1", "post1"), ("post1", ""), ("below", "post1"), ("below", ""))
    for number, (site, child) in enumerate(said):
        own = one_of(60 * number).key.replace("post1", site)
        announced = Announced(own, 0, 9, "0" * 64, child, "two")
        with pytest.raises(NameTaken):
            receiver.append(announced, [b"abc"])
        with pytest.raises(NameTaken):
            receiver.asked_by(announced.key, child, "two")
        assert not receiver.append(replace(announced, catalog="one"), [b"abc"])
        receiver.asked_by(announced.key, child, "one")


def test_nothing_is_sent_to_a_parent_that_turns_this_site_away(tree: Tree) -> None:
    first, second = tree.child("one"), tree.child("two")
    first.link.exchange()
    with pytest.raises(NameTaken):
        second.link.exchange()
    assert second.link.carry([nothing], float("inf")) == 0  # type: ignore[list-item]


class Api:
    """A node's API, asked without a socket."""

    def __init__(self, app: App) -> None:
        receiver = Receiver(
            app.spool, app.catalog, app.clock, "n1", "here", lambda: 1 << 30, lambda _: None
        )
        service: Any = SimpleNamespace(receiver=receiver)
        self._transport = httpx.ASGITransport(make_api(app, service))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            base = "http://localhost"
            async with httpx.AsyncClient(transport=self._transport, base_url=base) as client:
                return await client.request(method, path, **options)

        return asyncio.run(run())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[App, Api]]:
    app = App(Settings(site="here", node="n1", data=tmp_path / "data"))
    api = Api(app)
    yield app, api
    app.close()


WORD = {"site": "post1", "level": "post", "url": "http://u:secret@h", "facts": {}, "holds": {},
        "changes": [], "statuses": [], "nodes": [], "sites": []}  # fmt: skip


def test_over_http_a_second_child_gets_409_and_is_shown_and_admitted(
    node: tuple[App, Api], tmp_path: Path
) -> None:
    app, api = node

    def say(catalog: str) -> httpx.Response:
        return api.ask("POST", "/api/v1/feed", json={**WORD, "catalog": catalog})

    assert say("one").status_code == 200
    answer = say("two")
    assert (answer.status_code, answer.json()["title"]) == (409, "NameTaken")
    (shown,) = api.ask("GET", "/api/v1/sites").json()
    assert shown["turned_away"]["catalog"] == "two"
    assert "secret" not in json.dumps(shown)
    named = {"X-Site": "post1", "X-Catalog": "two"}
    assert api.ask("HEAD", f"/api/v1/transfers/{one_of(0).key}", headers=named).status_code in (
        403,
        409,
    )
    (finding,) = [one for one in examine(app) if one.subject == "site post1"]
    assert (finding.level, "both live" in finding.advice) == ("bad", True)
    words = ["--data", str(tmp_path / "data"), "site"]
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"site": "here", "node": "n1", "data": str(tmp_path / "data")}))
    words = ["--config", str(config), "site"]
    said = CliRunner().invoke(recorder, words).output
    assert "TURNED AWAY: site post1" in said
    assert "recorder site admit post1 two" in said
    answer = api.ask("PUT", "/api/v1/sites/post1/catalog", json={"catalog": "two"})
    assert answer.status_code == 409
    app.catalog.sites.put(SiteBeat("post1", "post", "", app.clock.now() - 2 * MINUTE, {}))
    assert CliRunner().invoke(recorder, [*words, "admit", "post1", "two"]).exit_code == 0
    assert say("two").status_code == 200
    assert say("one").status_code == 409


def test_a_child_says_which_it_is_and_knows_that_it_is_turned_away(
    node: tuple[App, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, api = node
    site = RemoteSite("parent", "http://localhost", own="post1", catalog_id=lambda: "two")
    asked: list[dict[str, str]] = []

    class Answer:
        def __init__(self, answer: httpx.Response) -> None:
            self.status, self.headers, self.data = (
                answer.status_code,
                answer.headers,
                answer.content,
            )

    def ask(method: str, path: str, **options: Any) -> Answer:
        asked.append(options["headers"])
        body = options.get("body", b"")
        body = body if isinstance(body, bytes) else b"".join(body)
        return Answer(api.ask(method, path, content=body, headers=options["headers"]))

    monkeypatch.setattr(site, "_ask", ask)
    assert api.ask("POST", "/api/v1/feed", json={**WORD, "catalog": "one"}).status_code == 200
    with pytest.raises(NameTaken) as caught:
        site.exchange({**WORD, "catalog": "two"})
    assert "recorder site admit post1 two" in caught.value.hint
    key = one_of(0).key
    with pytest.raises((NameTaken, NotAllowed)):  # what is asked by HEAD has no body
        site.standing(key)
    with pytest.raises(NameTaken):
        site.send(key, 0, 9, "0" * 64, iter([b"x"]))
    assert [(one["X-Site"], one["X-Catalog"]) for one in asked[1:]] == [("post1", "two")] * 2
    first = RemoteSite("parent", "http://localhost", own="post1", catalog_id=lambda: "one")
    monkeypatch.setattr(first, "_ask", ask)
    seen = list[str]()

    def note(_: Receiver, key: str, digest: str = "") -> tuple[int, str]:
        seen.append(digest)
        return 0, ""

    monkeypatch.setattr(Receiver, "standing", note)
    assert first.standing(key, "0" * 64) == (0, "")
    assert seen == ["0" * 64], "what is to be sent is compared with what is there"
    assert not first.send(key, 0, 9, "0" * 64, iter([b"x"]))
