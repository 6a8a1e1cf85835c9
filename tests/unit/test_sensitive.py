"""Footage of a sensitive camera is given to nobody without what its document wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from recorder.access.approvals import Approval
from recorder.access.decide import ALL, OPEN, Camera, Circumstances, Subject, decide
from recorder.access.grants import parse_grants
from recorder.access.permissions import FOOTAGE
from recorder.access.permissions import Permission as P
from recorder.api.gate import needed_by
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.cli import recorder
from recorder.cli.permitted import NEEDED
from recorder.config import load_settings
from recorder.errors import BadDocument, NotAllowed
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.changing import change_camera, differences
from recorder.model.events import parse_event
from recorder.model.keys import CameraId, StreamId, segment_key
from recorder.model.masks import PLAIN, Mask, Privacy, read_privacy
from recorder.model.sheets import read_sheet, write_sheet
from recorder.model.timebase import HOUR, MINUTE, TimeRange, format_instant
from recorder.ports import AskedEntries, SiteBeat
from recorder.sites.documents import hear_child
from tests.support.access import ask, make_guarded, person
from tests.support.keys import PassingKeys
from tests.support.make import T0, segment
from tests.unit.test_gate import filled, routes
from tests.unit.test_guard import ask as ask_open
from tests.unit.test_told import NOW, message

URL = {"url": "rtsp://10.0.0.1/x"}
MASK = {"polygon": [[0.1, 0.2], [0.5, 0.2], [0.5, 0.6]], "fill": "blur", "name": "flat 3, «Ω»"}
GATE, ASKED = CameraId("centre", "gate"), TimeRange(T0, T0 + MINUTE)
RANGE = {"start": format_instant(T0), "end": format_instant(T0 + MINUTE)}
ANA = Subject("user:ana", parse_grants([{"role": "admin"}]))
BOTH = Approval(P.FOOTAGE_VIEW, GATE, ASKED, T0 + HOUR, "user:mia")

WIDE = {"start": format_instant(T0 - HOUR), "end": format_instant(T0 + HOUR)}


def may(sensitive: str, purpose: str = "", *given: Approval, who: Subject = ANA,
        asked: TimeRange | None = ASKED) -> Any:  # fmt: skip
    on = Camera(GATE, "", asked, privacy=Privacy(sensitive))
    return decide(who, P.FOOTAGE_VIEW, on, Circumstances(T0, purpose, given))


@pytest.mark.parametrize("sensitive", ["", "purpose", "approval", "both", "a later word", "Both"])
@pytest.mark.parametrize("purpose", ["", "  ", "case 7"])
@pytest.mark.parametrize("approved", [False, True])
def test_what_a_sensitive_camera_wants_is_wanted_of_everybody_and_of_an_unknown_word_all(
    sensitive: str, purpose: str, approved: bool
) -> None:
    given = (BOTH,) if approved else ()
    lacks_purpose = sensitive not in ("", "approval") and not purpose.strip()
    lacks_eyes = sensitive not in ("", "purpose") and not approved
    for who in (ANA, OPEN, Subject("machine:root", (ALL,))):
        found = may(sensitive, purpose, *given, who=who)
        assert found.allowed == (not lacks_purpose and not lacks_eyes), found
        if not found.allowed:
            assert "camera centre/gate is sensitive" in found.reason
            assert found.approvable == (lacks_eyes and not lacks_purpose)
    site = Subject("site:county", (ALL,), relays=True)
    assert may(sensitive, who=site).allowed, "it has asked its own people"


def test_cameras_themselves_can_be_known_and_what_each_look_wants_is_said() -> None:
    found = may("both", asked=None)
    assert found.allowed
    assert found.reason == (
        "user:ana has footage.view as admin, each time with a purpose that is said and once "
        "another person has approved it"
    )
    on = Camera(GATE, "", ASKED, privacy=Privacy("both"))
    assert decide(ANA, P.CAMERA_READ, on, Circumstances(T0)).allowed, "it shows no picture"


def test_a_grant_for_masked_copies_gives_nothing_else() -> None:
    who = Subject("user:lea", parse_grants([{"role": "officer", "masked": True}]))
    when = Circumstances(T0)
    for action in FOOTAGE:
        clear = decide(who, action, Camera(GATE, "", ASKED), when)
        assert (clear.allowed, "for masked copies alone" in clear.reason) == (False, True)
        assert decide(who, action, Camera(GATE, "", ASKED, masked=True), when).allowed
    bare = decide(who, P.FOOTAGE_VIEW, Camera(GATE, "", ASKED), when)
    assert "camera centre/gate has no masks: nothing of it is given" in bare.reason
    hides = Privacy(masks=(Mask(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),))
    playback = decide(who, P.FOOTAGE_VIEW, Camera(GATE, "", ASKED, privacy=hides), when)
    for way in ("masked=true", "recorder clip, frame --masked", "export create --masked"):
        assert way in playback.reason
    assert decide(who, P.CAMERA_READ, Camera(GATE), when).allowed
    said = decide(who, P.FOOTAGE_VIEW, Camera(GATE), when)
    assert "each time as a masked copy" in said.reason
    with pytest.raises(BadDocument, match="masked: must be true or false"):
        parse_grants([{"role": "officer", "masked": "yes"}])


# -- the document ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"sensitive": "very"}, "sensitive: 'very' is none of purpose, approval, both"),
        ({"sensitive": True}, "sensitive: what is given is none"),
        ({"masks": "all"}, "masks: must be a list"),
        ({"masks": [MASK] * 33}, "masks: must be a list of at most 32"),
        ({"masks": [7]}, "masks.0: must be an object"),
        ({"masks": [{**MASK, "polygon": [[0, 0], [1, 1]]}]}, "masks.0.polygon: must have 3 to 64"),
        ({"masks": [{**MASK, "polygon": [[0, 0], [1, 1], [0, 1.01]]}]}, "masks.0.polygon.2: must"),
        ({"masks": [{**MASK, "polygon": [[0, 0], [1, 1], [0.5, 0.5]]}]}, "has no area"),
        ({"masks": [MASK, {**MASK, "polygon": [[0, 0], [1], [0, 1]]}]}, "masks.1.polygon.1: must"),
        ({"masks": [{**MASK, "polygon": [[0, 0], [1, "a"], [0, 1]]}]}, "masks.0.polygon.1: must"),
        ({"masks": [{**MASK, "fill": "pink"}]}, "masks.0.fill: is none of black, blur"),
        ({"masks": [{**MASK, "name": "a\nb"}]}, "masks.0.name"),
        ({"masks": [{**MASK, "colour": 1}]}, "masks.0.colour: no such field"),
    ],
)
def test_a_document_with_a_mistake_is_refused_by_its_path(odd: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        parse_camera("gate", {**URL, **odd})


def test_it_is_merged_shown_and_goes_through_a_table_and_yaml() -> None:
    camera = parse_camera("gate", {**URL, "sensitive": "both", "masks": [MASK]})
    assert camera.privacy.masks[0] == Mask(
        ((0.1, 0.2), (0.5, 0.2), (0.5, 0.6)), "blur", "flat 3, «Ω»"
    )
    assert show_camera(camera)["masks"] == [MASK]
    moved = change_camera(camera, {"group": "key"})
    assert moved.privacy == camera.privacy, "what is not named stays"
    plain = change_camera(camera, {"masks": None, "sensitive": None})
    assert plain.privacy == PLAIN
    assert [one.path for one in differences(camera, plain)] == ["masks", "sensitive"]
    for kind in ("csv", "yaml"):
        sheet = write_sheet([show_camera(camera)], kind)
        text = sheet if isinstance(sheet, str) else str(sheet).replace("True", "true").replace(
            "False", "false")  # fmt: skip
        (wanted,) = read_sheet(text, kind, "cameras")
        assert parse_camera("gate", wanted.document, camera).privacy == camera.privacy, kind


def test_what_a_later_release_wrote_counts_as_the_strictest() -> None:
    assert read_privacy(None) == read_privacy({"label": "x"}) == PLAIN
    odd = read_privacy({"sensitive": "very", "masks": [MASK]})
    assert (odd.wants_purpose, odd.wants_approval, len(odd.masks)) == (True, True, 1)
    odd = read_privacy({"sensitive": "purpose", "masks": [{**MASK, "fill": "mosaic"}]})
    assert (odd.sensitive, odd.unreadable) == ("purpose", True)
    assert read_privacy({"masks": None, "sensitive": None}) == PLAIN


def test_it_travels_up_with_the_document_and_a_word_that_is_not_known_here_too() -> None:
    below = CameraId("post1", "gate")
    child = SqlCatalog("sqlite://", parent=True, site="post1", keys=PassingKeys())
    centre = SqlCatalog("sqlite://", site="here")
    document = parse_camera("gate", {**URL, "sensitive": "approval", "masks": [MASK]})
    child.cameras.put(document, 2, None)
    assert child.cameras.get("gate").privacy == document.privacy  # type: ignore[union-attr]
    hear_child(centre, message(child), "here", NOW)
    assert centre.cameras.privacy(below) == child.cameras.privacy(below) == document.privacy
    assert centre.cameras.privacy(CameraId("here", "gate")) == PLAIN, "another of that name"
    child.cameras.put(parse_camera("gate", URL), 3, None)
    hear_child(centre, message(child), "here", NOW)
    assert centre.cameras.privacy(below) == PLAIN
    child.cameras.put(document, 4, None)
    with child.database.write() as db:  # as a release after this one writes it
        told = {"sensitive": "two keys", "masks": [{"shape": "circle"}]}
        db.execute(update(schema.member).values(about=told))
    hear_child(centre, message(child), "here", NOW)
    found = centre.cameras.privacy(below)
    assert (found.wants_purpose, found.wants_approval, found.unreadable) == (True, True, True)
    child.cameras.delete("gate")
    assert child.cameras.privacy(below).unreadable, "footage that is left stays so"
    centre.close()
    child.close()


# -- the doors -------------------------------------------------------------------------------------


def fill(app: App, site: str, name: str, **document: Any) -> None:
    """A camera with a minute of footage and an event with an image; of a site below as told."""
    now = app.clock.now()
    made = parse_camera(name, {**URL, **document})
    if site == app.settings.site:
        app.catalog.cameras.put(made, now, None)
    else:
        app.catalog.sites.put(SiteBeat(site, "post", "", now))
        change = {"k": "camera", "site": site, "name": name, "group": "x", "about": document}
        app.catalog.inbox.apply(site, [change], now)
    stream = StreamId(site, name, "main")
    key = segment_key(str(stream), T0, "n1.1", 0)
    app.catalog.commits.add_segment(segment(stream=stream, key=key), "main", "", 7)
    at = {"camera": name, "kind": "alarm", "at": format_instant(T0 + 1)}
    app.catalog.events.add(parse_event(at, None, f"event-{name}", site, now), b"\xff\xd8")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    made = make_guarded(tmp_path)
    fill(made, "centre", "gate", sensitive="both")
    fill(made, "centre", "lane", sensitive="purpose")
    fill(made, "post1", "door", sensitive="approval", masks=[MASK])
    fill(made, "centre", "yard")
    yield made
    made.close()


def looks(app: App, site: str, camera: str, shown: dict[str, str]) -> dict[str, Any]:
    """Ask every address that gives footage of a camera, and return what each answers."""
    found = {}
    for route in routes():
        needed = needed_by(route)
        image = route.path.endswith("/image")
        if needed is None or not (needed.permission in FOOTAGE or image):
            continue
        if "/exports" in route.path:  # they name their cameras in what is sent: see below
            continue
        query: dict[str, str] = dict(RANGE)
        if "frame" in route.path:
            query = {"at": RANGE["start"]}
        elif "objects" in route.path or "event" in route.path:
            query = {}
        path = filled(route.path, camera).replace("centre/", f"{site}/")
        if "{camera}" in route.path:
            query["site"] = site
        for more in ({}, {"bytes": "0-99"}) if "objects" in route.path else ({},):
            answer = ask(app, "GET", path, shown, params={**query, **more})
            found[f"{route.path} {more or ''}"] = answer
    assert len(found) >= 9
    return found


@pytest.mark.parametrize(
    ("site", "camera", "purpose"), [("centre", "gate", "case 7"), ("post1", "door", "")]
)
def test_every_address_of_footage_waits_for_what_the_camera_wants(
    app: App, site: str, camera: str, purpose: str
) -> None:
    boss, mia = person(app, "boss", [{"role": "admin"}]), person(app, "mia", [{"role": "approver"}])
    for path, answer in looks(app, site, camera, boss).items():
        assert answer.status_code == 403, (path, answer.text)
        assert f"camera {site}/{camera} is sensitive" in answer.json()["detail"], path
    said = {**boss, "x-purpose": purpose}
    for path, answer in looks(app, site, camera, said).items():
        assert answer.status_code == 403, (path, answer.text)
        assert "wants another person's approval" in answer.json()["detail"], path
    for action in FOOTAGE:
        body = {"camera": f"{site}/{camera}", "action": action.value, "purpose": "case 7", **WIDE}
        made = ask(app, "POST", "/api/v1/approvals", boss, json=body)
        assert made.status_code == 201, made.text
        ask(app, "POST", f"/api/v1/approvals/{made.json()['id']}/approve", mia, json={})
    for path, answer in looks(app, site, camera, said).items():
        assert answer.status_code not in (401, 403), (path, answer.text)
    if purpose:
        for path, answer in looks(app, site, camera, boss).items():
            assert answer.status_code == 403, (path, "the purpose is still wanted")
    for path, answer in looks(app, "centre", "yard", boss).items():
        assert answer.status_code not in (401, 403), path


def test_nobody_gets_an_address_into_the_store_of_a_sensitive_camera(app: App) -> None:
    boss = {**person(app, "boss", [{"role": "admin"}]), "x-purpose": "case 7"}
    path = "/api/v1/cameras/lane/playback.m3u8"
    assert ask(app, "GET", path, boss, params=RANGE).status_code != 403
    answer = ask(app, "GET", path, boss, params={**RANGE, "via": "presigned"})
    assert (answer.status_code, "nobody else may use this" in answer.text) == (403, True)


def test_explain_says_what_the_camera_wants(app: App) -> None:
    boss = person(app, "boss", [{"role": "admin"}])
    query = {"action": "footage.view", "camera": "gate"}
    (found,) = ask(app, "GET", "/api/v1/access/explain", boss, params=query).json()
    assert "with a purpose that is said and once another person has approved" in found["reason"]
    query = {"action": "footage.view", "camera": "post1/door", "purpose": "x"}
    (found,) = ask(app, "GET", "/api/v1/access/explain", boss, params=query).json()
    assert found["reason"].endswith("each time once another person has approved it")


def test_who_may_have_masked_copies_gets_no_footage_as_it_was_recorded(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "masked": True}])
    for site, camera in (("centre", "yard"), ("post1", "door")):
        for path, answer in looks(app, site, camera, lea).items():
            assert answer.status_code == 403, (path, answer.text)


def export(app: App, camera: str, shown: dict[str, str], **form: bool) -> Any:
    body = {"cameras": [camera], **RANGE, "case": "7", "purpose": "case 7", **form}
    return ask(app, "POST", "/api/v1/exports", shown, json=body)


def test_an_export_is_asked_for_and_fetched_as_its_cameras_want(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer"}])
    mia = person(app, "mia", [{"role": "approver"}])
    assert export(app, "centre/lane", lea).status_code == 202, "its purpose is said with it"
    for camera in ("centre/gate", "post1/door"):
        refused = export(app, camera, lea)
        assert refused.status_code == 403, refused.text
        assert "approval" in refused.json()["detail"]
    body = {"camera": "post1/door", "action": "footage.export", "purpose": "case 7", **WIDE}
    made = ask(app, "POST", "/api/v1/approvals", lea, json=body).json()["id"]
    ask(app, "POST", f"/api/v1/approvals/{made}/approve", mia, json={})
    taken = export(app, "post1/door", lea)
    assert taken.status_code == 202, taken.text
    path = f"/api/v1/exports/{taken.json()['id']}/bundle.zip"
    assert "is waiting" in ask(app, "GET", path, lea).json()["detail"]
    ask(app, "POST", f"/api/v1/approvals/{made}/refuse", mia, json={"reason": "a mistake"})
    assert ask(app, "GET", path, lea).status_code == 403, "it is looked at again"


def test_who_may_have_masked_copies_exports_nothing_else(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "masked": True}])
    tom = person(app, "tom", [{"role": "officer"}])
    fill(app, "centre", "hall", masks=[MASK])
    assert export(app, "centre/hall", lea).status_code == 403
    assert export(app, "centre/hall", lea, mark=True).status_code == 403
    assert export(app, "centre/yard", lea, masked=True).status_code == 403, "it has no masks"
    own = export(app, "centre/hall", lea, masked=True)
    assert (own.status_code, own.json()["masked"]) == (202, True), own.text
    clear = export(app, "centre/hall", tom).json()["id"]
    for id_, status in ((own.json()["id"], 409), (clear, 403)):
        answer = ask(app, "GET", f"/api/v1/exports/{id_}/bundle.zip", lea)
        assert answer.status_code == status, (id_, answer.text)
    both = export(app, "centre/hall", tom, masked=True, onvif=True)
    assert (both.status_code, "make two bundles" in both.text) == (400, True)
    assert export(app, "centre/hall", tom, masked="yes").status_code == 422  # type: ignore[arg-type]


def test_where_nobody_is_asked_who_he_is_a_purpose_is_asked_for_all_the_same(
    tmp_path: Path,
) -> None:
    made = App(load_settings(None, data=tmp_path, site="centre"))
    fill(made, "centre", "lane", sensitive="purpose")
    fill(made, "centre", "gate", sensitive="both")
    said = {"x-purpose": "case 7"}
    for camera, headers, status in (("lane", {}, 403), ("lane", said, 200), ("gate", said, 403)):
        path = f"/api/v1/cameras/{camera}/playback.m3u8"
        answer = ask_open(made, "GET", path, params=RANGE, headers=headers)
        assert answer.status_code == status, (camera, headers, answer.text)
    made.close()


def test_every_command_that_gives_footage_out_wants_it_on_the_node_too(tmp_path: Path) -> None:
    given = {name for name, needed in NEEDED.items() if needed in FOOTAGE}
    given -= {f"export {word}" for word in ("list", "show", "get", "remove")}  # of what was asked
    assert given == {"clip", "frame", "export create"}
    made = App(load_settings(None, data=tmp_path, site="default"))
    fill(made, "default", "lane", sensitive="purpose")
    fill(made, "post1", "door", sensitive="approval")
    made.close()

    def run(camera: str, command: str, *before: str) -> Result:
        words = {
            "clip": ["clip", camera, "--start", RANGE["start"], "--end", RANGE["end"],
                     "-o", str(tmp_path / "c.mp4")],
            "frame": ["frame", camera, "--at", RANGE["start"], "-o", str(tmp_path / "f.jpg")],
            "export create": ["export", "create", "--camera", camera, "--start", RANGE["start"],
                              "--end", RANGE["end"], "--case", "7", "--purpose", "x",
                              "-o", str(tmp_path / "bundle")],
        }[command]  # fmt: skip
        return CliRunner().invoke(recorder, ["--data", str(tmp_path), *before, *words])

    for command in given:
        if command != "export create":  # which cannot be asked for without one
            refused = run("lane", command).exception
            assert isinstance(refused, NotAllowed), command
            assert "a purpose must be said" in str(refused)
        said = run("lane", command, "--purpose", "case 7").exception
        assert not isinstance(said, NotAllowed), command
        refused = run("post1/door", command, "--purpose", "case 7").exception
        assert isinstance(refused, NotAllowed), command
        assert "approval" in str(refused)
        assert "--server" in refused.hint
    made = App(load_settings(None, data=tmp_path, site="default"))
    log = [read_entry(one.raw) for one in made.catalog.audit_log.search(AskedEntries(), 50)]
    assert sum(one.action == "access.refused" for one in log) == 5
    made.close()
