"""One row of the catalog that cannot be read, damaged or of a newer release, blocks no other."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.api.server import make_api
from recorder.app import App
from recorder.catalog.backup import read_backup, write_backup
from recorder.catalog.copy_rows import not_held
from recorder.config import Settings, StorePart
from recorder.doctor.site import LOOKS
from recorder.errors import CatalogDamaged
from recorder.exports.over import sweep
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event, parse_point
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId
from recorder.model.media import Copy
from recorder.model.timebase import HOUR, TimeRange
from recorder.patience import Patience
from recorder.ports import NodeBeat, SiteBeat, StreamStatus
from recorder.sites.asked import Asked
from recorder.sites.noted import FromAbove
from recorder.wanted import WantedStreams
from tests.support.make import STREAM, T0, segment

RANGE = "start=2026-01-01T00:00:00Z&end=2026-02-01T00:00:00Z"
DAMAGED = ['{"new": 1}', "[]", '"x"', "null", '{"a":']
"""A field that only a newer release knows; other kinds of values; half of one."""
FEED: dict[str, Any] = {
    "site": "post2", "level": "post", "url": "", "catalog": "two", "changes": [],
    "statuses": [], "nodes": [], "sites": [], "holds": {}, "heard": [], "facts": {},
}  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = made(tmp_path)
    for name in ("gate", "door"):
        one.catalog.cameras.put(parse_camera(name, {"url": f"rtsp://10.0.0.1/{name}"}), T0, None)
        one.catalog.points.put(parse_point(name, {"cameras": [name]}))
        one.catalog.events.add(
            parse_event({"camera": name, "kind": "a"}, None, name, "s", T0), None
        )
        one.catalog.nodes.beat(NodeBeat(f"post1/{name}", "post1", T0, {}))
        one.catalog.sites.put(SiteBeat(name, "post", "", T0, {}))
        one.catalog.child_cameras.put("gate", name, {"streams": {}}, "a", T0)
    yield one
    one.close()


def made(folder: Path) -> App:
    part = StorePart(name="main", kind="directory", path=folder / "main")
    return App(Settings(site="s", node="n1", data=folder / "data", stores=(part,)))


def spoil(app: App, table: str, column: str, value: str, key: str = "name") -> None:
    """Write what nobody can read into the row of a table that is the gate's."""
    with sqlite3.connect(app.settings.data / "catalog.db") as db:
        where = f"\"{key}\" LIKE '%gate'"
        assert db.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', (value,)).rowcount
    db.close()


def asked(app: App, *paths: str) -> list[Any]:
    async def run() -> list[Any]:
        transport = httpx.ASGITransport(make_api(app, None), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            found = [await client.get(path) for path in paths]
            found.append(await client.post("/api/v1/feed", json=FEED))
            return found

    return asyncio.run(run())


@pytest.mark.parametrize("value", DAMAGED)
@pytest.mark.parametrize(
    ("table", "column", "key", "path"),
    [
        ("camera", "body", "name", "/api/v1/cameras"),
        ("camera_below", "body", "name", "/api/v1/sites/gate/cameras"),
        ("point", "body", "name", "/api/v1/points"),
        ("event", "attributes", "event_id", f"/api/v1/events?{RANGE}"),
        ("event", "cameras", "event_id", f"/api/v1/events?{RANGE}"),
        ("node", "facts", "node", "/api/v1/nodes"),
        ("site", "facts", "name", "/api/v1/sites"),
        ("member", "about", "camera", "/api/v1/cameras"),
    ],
)
def test_a_row_that_cannot_be_read_keeps_no_other_from_being_shown_or_heard(
    app: App, table: str, column: str, key: str, path: str, value: str
) -> None:
    spoil(app, table, column, value, key)
    shown, heard = asked(app, path)
    assert (shown.status_code, heard.status_code) == (200, 200), (shown.text, heard.text)
    assert "door" in shown.text, "the other one is there"
    assert app.catalog.kept.take()["holds"] == [], "what is kept in stores is taken all the same"
    json.dumps(app.catalog.kept.take())


@pytest.mark.parametrize("value", DAMAGED)
def test_a_camera_whose_document_cannot_be_read_is_recorded_as_it_was_known(
    app: App, tmp_path: Path, value: str
) -> None:
    app.spool.root.mkdir(parents=True, exist_ok=True)

    def wanted(one: App) -> set[str]:
        found = asyncio.run(WantedStreams(one, Patience("asks", 30)).look())
        return {stream.camera for stream in found}

    assert wanted(app) == {"gate", "door"}
    spoil(app, "camera", "body", value)
    with pytest.raises(CatalogDamaged, match="camera 'gate' cannot be read") as caught:
        app.catalog.cameras.get("gate")
    assert "10.0.0.1" not in str(caught.value)
    assert wanted(app) == {"gate", "door"}, "as its node remembers it"
    app.catalog.cameras.put(parse_camera("new", {"url": "rtsp://10.0.0.1/new"}), T0, None)
    again = made(tmp_path)
    assert wanted(again) == {"gate", "door", "new"}, "after a start, too"
    found: Any = dict(LOOKS)["cameras"](again)
    assert (found.level, found.detail) == ("bad", "cannot be read: gate")
    again.catalog.cameras.delete("gate")
    assert wanted(again) == {"door", "new"}
    again.close()


@pytest.mark.parametrize("value", DAMAGED)
def test_a_hold_whose_cameras_cannot_be_read_holds_all_of_its_time(app: App, value: str) -> None:
    one, later = segment(0), segment(7200)
    for each in (one, later):
        app.catalog.commits.add_segment(each, "main", "", T0)
    hold = Hold("gate", ("s/other",), TimeRange(T0, T0 + HOUR), "c", "r", "o", T0, None)
    app.catalog.holds.add(hold)
    spoil(app, "hold", "cameras", value, "hold_id")
    (live,) = app.catalog.holds.live(T0)
    assert live.names(CameraId(STREAM.site, STREAM.camera))
    entries = [Copy(each, "main") for each in (one, later)]
    with app.catalog.database.read() as db:
        assert not_held(db, entries, T0) == [entries[1]]
    shown, heard = asked(app, "/api/v1/holds")
    assert (shown.status_code, heard.status_code) == (200, 200)
    assert app.catalog.holds.release("gate", "me", T0)
    assert app.catalog.holds.live(T0) == []


@pytest.mark.parametrize("value", ["[]", '"x"', "null", '{"a":'])
def test_a_policy_that_cannot_be_read_is_not_taken_for_none(app: App, value: str) -> None:
    app.catalog.documents.put("policy", {"rules": []}, "a", T0)
    with sqlite3.connect(app.settings.data / "catalog.db") as db:
        db.execute("UPDATE document SET body = ?", (value,))
    db.close()
    shown, heard = asked(app, "/api/v1/policy")
    assert (shown.status_code, heard.status_code) == (422, 200)
    assert json.loads(heard.text)["policy"]["body"] == {"unreadable": True}


def test_a_bundle_whose_row_cannot_be_read_stays() -> None:
    dropped: list[str] = []

    class Tools:
        node = "n1"

        class clock:
            now = staticmethod(lambda: T0)

        class bundles:
            lying = staticmethod(lambda: [("odd", 0), ("gone", 0)])
            drop = staticmethod(dropped.append)

        class exports:
            @staticmethod
            def get(name: str) -> None:
                if name == "odd":
                    raise CatalogDamaged("export 'odd' cannot be read")

        is_past = staticmethod(lambda _: True)

    look: Callable[..., None] = sweep
    look(Tools(), [], ())
    assert dropped == ["gone"]


@pytest.mark.parametrize("body", [[], "x", 7, {"new": 1}, {"streams": {"main": 1}}])
def test_a_camera_from_above_that_is_no_document_keeps_no_other_back(app: App, body: Any) -> None:
    asked_for = Asked(app.catalog, app.clock, "s", lambda one: one, FromAbove())
    for site in ("s", "post1"):
        odd = {"site": site, "name": "odd", "body": body, "author": "a", "at": T0}
        good = {**odd, "name": "new", "body": {"url": "rtsp://10.0.0.1/new"}, "at": T0 + 1}
        asked_for.hear([odd, good], "top")
    assert {one.name for one in app.catalog.cameras.all()} == {"gate", "door", "new"}
    below = {(one.site, one.name) for one in app.catalog.child_cameras.since()}
    assert ("post1", "new") in below
    assert asked_for.heard() == T0 + 1


@pytest.mark.parametrize("value", [*DAMAGED, '{"streams": {"main": 1}}', '{"streams": []}'])
def test_secrets_of_the_others_are_encrypted_beside_a_document_that_cannot_be_read(
    app: App, value: str
) -> None:
    app.catalog.cameras.put(parse_camera("zoo", {"url": "rtsp://u:SECRET@10.0.0.1/z"}), T0, None)
    spoil(app, "camera", "body", value)
    with sqlite3.connect(app.settings.data / "catalog.db") as db:
        plain = {"streams": {"main": {"url": "rtsp://10.0.0.1/z", "credentials": "u:SECRET"}}}
        db.execute("UPDATE camera SET body = ? WHERE name = 'zoo'", (json.dumps(plain),))
    db.close()
    assert app.catalog.secrets.look().plain == 1
    assert app.catalog.secrets.settle(T0)
    assert app.catalog.secrets.look().plain == 0
    with sqlite3.connect(app.settings.data / "catalog.db") as db:
        (body,) = db.execute("SELECT body FROM camera WHERE name = 'gate'").fetchone()
    db.close()
    assert body == value, "it stays as it is"


@pytest.mark.parametrize("value", DAMAGED)
def test_a_camera_whose_document_cannot_be_read_is_listed_and_dark(app: App, value: str) -> None:
    spoil(app, "camera", "body", value)
    shown, alone, _ = asked(app, "/api/v1/cameras", "/api/v1/cameras/gate")
    found = {one["name"]: one["present"] for one in shown.json() if one["site"] == "s"}
    assert (found["gate"]["state"], found["gate"]["dark"]) == ("unknown", True)
    assert "cannot be read" in alone.json()["present"]["detail"]
    status = StreamStatus(
        StreamId("s", "gate", "main"), "n1", "recording", "", "", "", T0, app.clock.now()
    )  # fmt: skip
    app.catalog.statuses.put([status])
    shown, _ = asked(app, "/api/v1/cameras")
    found = {one["name"]: one["present"] for one in shown.json() if one["site"] == "s"}
    assert (found["gate"]["state"], found["gate"]["dark"]) == ("recording", False)


def test_a_hold_whose_cameras_cannot_be_read_is_kept_and_backed_up_all_the_same(
    app: App, tmp_path: Path
) -> None:
    app.catalog.commits.add_segment(segment(0), "main", "", T0)
    app.catalog.holds.add(Hold("gate", ("s/x",), TimeRange(0, T0), "c", "r", "o", T0, None))
    spoil(app, "hold", "cameras", '["s/x"', "hold_id")
    (kept,) = json.loads(json.dumps(app.catalog.kept.take()))["holds"]
    assert kept["cameras"] == ["north/cam07"], "all that there are"
    write_backup(app.catalog.database, tmp_path / "backup")
    other = made(tmp_path / "other")
    read_backup(tmp_path / "backup", other.catalog.database, T0, replace=True)
    with sqlite3.connect(other.settings.data / "catalog.db") as db:
        assert db.execute("SELECT cameras FROM hold").fetchone() == ('["s/x"',)
    db.close()
    other.close()
