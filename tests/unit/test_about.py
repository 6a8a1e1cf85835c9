"""What people call a camera is kept, told up, shown and searched; many come and go as a sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.cli import recorder
from recorder.config import Settings
from recorder.errors import BadDocument, RequestError
from recorder.model.about import About
from recorder.model.caller import Caller, CallerKind
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.exports import Export, ExportWanted, Form
from recorder.model.keys import CameraId, StreamId
from recorder.model.sheets import read_sheet, write_sheet
from recorder.model.timebase import HOUR, SECOND, TimeRange
from recorder.ports import SiteBeat, StreamStatus
from recorder.sites.told import hear
from tests.support.keys import PassingKeys
from tests.support.make import T0
from tests.unit.test_guard import ask
from tests.unit.test_told import KNOWN, message

NOW = T0 + HOUR
PEOPLE = {
    "label": "Haupttor Süd", "location": "Café Ülker, 2. Stock",
    "coordinates": {"latitude": 48.137, "longitude": 11.575}, "notes": "Schlüssel:\nPförtner",
}  # fmt: skip
URL = {"url": "rtsp://u:secret@10.0.0.1/a"}
GATE = parse_camera("gate", {**URL, **PEOPLE, "streams": {"sub": {"url": "rtsp://10.0.0.1/b"}}})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(data=tmp_path, site="here"))
    one.catalog.cameras.put(GATE, 1, None)
    yield one
    one.close()


def test_what_people_call_a_camera_is_kept_as_it_was_written(app: App) -> None:
    found = app.catalog.cameras.get("gate")
    assert found is not None
    assert found.about == About("Haupttor Süd", "Café Ülker, 2. Stock", (48.137, 11.575),
                                "Schlüssel:\nPförtner")  # fmt: skip
    assert {key: show_camera(found)[key] for key in PEOPLE} == PEOPLE
    assert parse_camera("gate", show_camera(found), found).about == found.about
    nothing = show_camera(parse_camera("x", URL))
    assert [nothing[key] for key in PEOPLE] == [None] * 4


def test_lists_of_events_points_and_holds_say_what_people_call_a_camera(app: App) -> None:
    moment = "2026-01-05T14:00:00Z"
    range_ = {"start": moment, "end": "2026-01-05T15:00:00Z"}
    hold = {"cameras": ["gate", "here/gate"], **range_, "case": "1", "reason": "r", "owner": "o"}
    point = {"kind": "alarm", "cameras": ["gate"], "pre": "1s", "post": "1s"}
    event = {"id": "e", "camera": "gate", "kind": "alarm", "at": moment}
    for method, path, body in (
        ("POST", "/holds", hold), ("PUT", "/points/door", point), ("POST", "/events", event),
        ("PATCH", "/events/e", {"kind": "manual"}), ("GET", "/events/e", None),
        ("GET", "/points/door", None),
    ):  # fmt: skip
        more = {} if body is None else {"json": body}
        check_called(ask(app, method, f"/api/v1{path}", **more).json())
    during = f"start={range_['start']}&end={range_['end']}"
    for path in ("/holds", "/points", f"/events?{during}"):
        (one,) = ask(app, "GET", f"/api/v1{path}").json()
        check_called(one)
    timeline = ask(app, "GET", f"/api/v1/cameras/gate/timeline?{during}").json()
    check_called(*timeline["events"])
    listed = ["event", "list", "--start", moment, "--end", range_["end"]]
    for words in (["hold", "list"], ["point", "list"], ["event", "show", "e"], listed):
        assert 'gate "Haupttor Süd"' in run(app, *words), words


def check_called(answer: dict[str, Any]) -> None:
    assert answer["labels"] == dict.fromkeys(answer["cameras"], "Haupttor Süd")
    assert answer["labels"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"label": "a\nb"}, "label: holds"), ({"label": "a" * 129}, "label: 129 characters"),
        ({"label": "\u202egate"}, "label: holds the character U.202E"),
        ({"notes": 5}, "notes: must be text"), ({"coordinates": {"latitude": 1}}, "coordinates:"),
        ({"coordinates": {"latitude": 91, "longitude": 0}}, "coordinates.latitude"),
        ({"coordinates": {"latitude": float("nan"), "longitude": 0}}, "coordinates.latitude"),
    ],
)  # fmt: skip
def test_what_nobody_could_read_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        parse_camera("x", {**URL, **wrong})


def test_it_is_told_up_with_the_group_and_odd_ones_are_set_aside() -> None:
    child = SqlCatalog("sqlite://", parent=True, site="post1", keys=PassingKeys())
    parent = SqlCatalog("sqlite://")
    child.cameras.put(GATE, 1, None)
    body = message(child)
    told = hear(body, "here", KNOWN, [], NOW)
    assert told.aside == []
    parent.inbox.apply("post1", told.changes, NOW)
    assert parent.cameras.about() == {CameraId("post1", "gate"): GATE.about}
    assert parent.cameras.about_of(CameraId("post1", "gate")) == GATE.about
    assert parent.cameras.groups() == {CameraId("post1", "gate"): "general"}
    body["changes"][0]["about"]["label"] = "\u202e"
    odd = hear(body, "here", KNOWN, [], NOW)
    assert (odd.changes, len(odd.aside)) == ([], 1)
    body["changes"][0].pop("about")  # as an older child tells it
    parent.inbox.apply("post1", hear(body, "here", KNOWN, [], NOW).changes, NOW)
    assert parent.cameras.about() == {}
    assert parent.cameras.about_of(CameraId("post1", "gate")) == About()
    for one in (child, parent):
        one.close()


def test_cameras_are_found_by_what_people_call_them_below_too(app: App) -> None:
    now = app.site_clock.now()
    stream = StreamId("post1", "lane", "main")
    state = StreamStatus(stream, "n", "recording", "", "", "", now, now, {})
    app.catalog.statuses.put([state])
    app.catalog.sites.put(SiteBeat("post1", "post", "", now))
    change = {"k": "camera", "name": "lane", "group": "g", "site": "post1",
              "about": {"label": "Südtor"}}  # fmt: skip
    app.catalog.inbox.apply("post1", [change], now)
    for text, names in (
        ("süd", ["gate", "lane"]), ("SU\u0308D", ["gate", "lane"]), ("pförtner", ["gate"]),
        ("ülker", ["gate"]), ("nothing", []), ("post1/", ["lane"]),
    ):  # fmt: skip
        answer = ask(app, "GET", "/api/v1/cameras", params={"q": text}).json()
        assert [one["name"] for one in answer] == names, text
    assert ask(app, "GET", "/api/v1/cameras", params={"q": "südtor"}).json()[0]["label"] == "Südtor"


def test_a_place_is_set_by_one_word_as_the_hint_writes_it_or_by_two(app: App) -> None:
    run(app, "camera", "set", "gate", "coordinates={latitude: 1.5, longitude: 2}")
    assert app.catalog.cameras.about_of(CameraId("here", "gate")).coordinates == (1.5, 2.0)
    run(app, "camera", "set", "gate", "coordinates.latitude=-3", "coordinates.longitude=4.25")
    assert app.catalog.cameras.about_of(CameraId("here", "gate")).coordinates == (-3.0, 4.25)
    run(app, "camera", "set", "gate", "coordinates=null")
    assert app.catalog.cameras.about_of(CameraId("here", "gate")).coordinates is None


def test_what_people_call_a_camera_stands_where_they_read_of_it(app: App) -> None:
    now = app.site_clock.now()
    asked = TimeRange(now - SECOND, now)
    wanted = ExportWanted(("here/gate", "here/yard"), asked, "7", "trial", "", HOUR, Form())
    made = Export("e1", Caller(CallerKind.USER, "ana"), wanted, now, now + HOUR)
    app.catalog.exports.add(made)
    run(app, "camera", "add", "yard", "rtsp://10.0.0.2/a")
    config = str(app.settings.data / "r.yaml")
    for words, said in (
        (("timeline", "gate", "--start", "-10s", "--end", "-1s"), 'here/gate "Haupttor Süd", main'),
        (("timeline", "yard", "--start", "-10s", "--end", "-1s"), "here/yard, main"),
        (("coverage",), '"Haupttor Süd"'),
        (("export", "show", "e1"), 'of here/gate "Haupttor Süd"'),
        (("export", "show", "e1"), "of here/yard"), (("camera", "list"), '"Haupttor Süd"'),
        (("camera", "list"), "2 cameras, "),
    ):  # fmt: skip
        done = CliRunner().invoke(recorder, ["-c", config, *words])
        assert said in done.output, (words, done.output)
    range_ = {"start": "-10s", "end": "-1s"}
    line = ask(app, "GET", "/api/v1/cameras/gate/timeline", params=range_)
    assert line.json()["label"] == "Haupttor Süd"


# -- sheets ----------------------------------------------------------------------------------------


def run(app: App, *words: str) -> str:
    config = app.settings.data / "r.yaml"
    config.write_text(f"site: here\ndata: {app.settings.data}\n")
    done = CliRunner().invoke(recorder, ["-c", str(config), *words])
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize("kind", ["csv", "yaml"])
def test_what_is_exported_and_imported_again_changes_nothing(
    app: App, tmp_path: Path, kind: str
) -> None:
    table = {"zone": "UTC", "weekly": {"daily": ["07:00-19:00"]}}
    night = {**URL, "record": "timetable", "timetable": table, "enabled": False, "critical": True}
    app.catalog.cameras.put(parse_camera("night", night), 1, None)
    file = tmp_path / f"cameras.{kind}"
    run(app, "camera", "export", "-o", str(file))
    assert "secret" not in file.read_text()
    assert "Süd" in file.read_text()
    assert run(app, "camera", "import", str(file)) == "0 added, 0 changed, 2 same\n"
    assert run(app, "camera", "export", "--format", kind) == file.read_text()
    assert (
        json.loads(run(app, "camera", "export", "--json"))["cameras"]["gate"]["label"]
        == "Haupttor Süd"
    )


def test_a_sheet_adds_and_changes_and_says_so_first(app: App, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text(
        "\ufeffname;stream;url;label;group;importance;latitude;longitude\n"
        "gate;;;Hintertor;key;;null;null\n"
        "lane;main;rtsp://10.0.0.2/a;Spur 1;;5;1.5;2.5\n"
        "lane;sub;rtsp://10.0.0.2/b;;;;;\n;;;;;;;\n",
        encoding="utf-8",
    )
    dry = run(app, "camera", "import", str(file), "--dry-run")
    assert dry.endswith("1 added, 1 changed, 0 same; nothing was stored\n")
    assert "  label: Haupttor Süd -> Hintertor" in dry
    assert app.catalog.cameras.get("lane") is None
    done = json.loads(run(app, "camera", "import", str(file), "--json"))
    assert [(one["camera"], one["done"]) for one in done] == [
        ("gate", "changed"),
        ("lane", "added"),
    ]
    gate, lane = app.catalog.cameras.get("gate"), app.catalog.cameras.get("lane")
    assert gate is not None
    assert lane is not None
    assert (gate.group, gate.about.label, gate.about.coordinates) == ("key", "Hintertor", None)
    assert gate.streams["main"].credentials == "u:secret", "what is not named stays"
    assert gate.about.notes == "Schlüssel:\nPförtner"
    assert (list(lane.streams), lane.importance) == (["main", "sub"], 5)
    assert lane.about.coordinates == (1.5, 2.5)


def test_one_mistake_in_a_sheet_keeps_all_of_it_from_being_stored(app: App, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    cameras = {"lane": URL, "yard": {"url": "gopher://x"}, "gate": {"group": 5}, "a b": URL}
    file.write_text(yaml.safe_dump({"cameras": cameras}, sort_keys=False))
    with pytest.raises(BadDocument) as said:
        run(app, "camera", "import", str(file))
    text = str(said.value)
    for path in ("cameras.yard: streams.main.url: scheme", "cameras.gate: group:", "cameras.a b:"):
        assert path in text
    assert text.endswith("nothing was stored")
    assert [one.name for one in app.catalog.cameras.all()] == ["gate"]
    file.write_text(yaml.safe_dump({"cameras": {"lane": {**URL, "credentials": "********"}}}))
    assert "its secrets are not in the file" in run(app, "camera", "import", str(file), "--dry-run")


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("name,colour\na,red\n", "csv", "no such column: 'colour'"),
        ("url\nx\n", "csv", "no column name"), ("name,url\n,x\n", "csv", "row 2: has no name"),
        ("name,url\na,x,y\n", "csv", "row 2: has more cells"), ("name\n", "csv", "must have a"),
        ("name,url\na,x\na,y\n", "csv", "row 3: a has a stream main"),
        ("name,stream,label\na,main,x\na,sub,y\n", "csv", "row 3: label of a is another"),
        ('name,url\na,"x\n', "csv", "is no CSV"), ("name,importance\na,[\n", "csv", "importance"),
        ("[]", "yaml", "cameras: must be a map"), ("cameras: {a: 5}", "yaml", "cameras: must be"),
    ],
)  # fmt: skip
def test_a_sheet_that_is_none_is_refused_with_where(text: str, kind: str, said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        read_sheet(text, kind, "f")


def test_a_file_that_is_no_sheet_is_refused(app: App, tmp_path: Path) -> None:
    for name, body in (("x.txt", b"a"), ("x.csv", b"\xff\xfe")):
        (tmp_path / name).write_bytes(body)
        with pytest.raises(RequestError):
            run(app, "camera", "import", str(tmp_path / name))
    assert isinstance(write_sheet([], "csv"), str)
