"""Exports over HTTP: who may ask, see, fetch and take back; and what the log says of it."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.access.approvals import Request, State
from recorder.access.permissions import Permission
from recorder.accounts.peers import SIGNED
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import StorePart, load_settings
from recorder.errors import IntegrityError, StateError
from recorder.evidence.opened import opened
from recorder.evidence.verify import verify
from recorder.export.unpacked import unpack
from recorder.exports.asking import MOST_OPEN
from recorder.exports.made import tools_of
from recorder.exports.runner import Runner
from recorder.model.exports import ExportState
from recorder.model.keys import StreamId
from recorder.model.timebase import HOUR, SECOND, TimeRange, format_instant
from recorder.ports import AskedEntries
from recorder.sites.remote import RemoteSite
from tests.support.access import ADMIN, ask, person
from tests.support.exhibit import STORE, Exhibit
from tests.support.make import STREAM, T0, segment
from tests.support.shelf import make_film

CAMERA = str(STREAM.camera_id)
OFFICER = [{"role": "officer", "cameras": [CAMERA]}]
OTHERS = [{"role": "officer", "cameras": ["north/yard"]}]
START, END = (format_instant(T0 + at * SECOND, 9) for at in (1, 8))
BODY = {"cameras": [STREAM.camera], "start": START, "end": END, "case": "12/2026", "purpose": "p"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def app(film: Path, tmp_path: Path) -> Iterator[App]:
    one = Exhibit(tmp_path / "site", film)
    yard = StreamId("north", "yard", "main")
    one.app.catalog.commits.add_segment(segment(stream=yard), STORE, "", T0)
    person(one.app, "boss", ADMIN)
    yield one.app
    one.close()


def make(app: App) -> None:
    """Have what is asked for made, now."""
    Runner(tools_of(app), 4, lambda: False, lambda job: job()).tend_exports()


def asked(app: App, shows: dict[str, str], **more: Any) -> str:
    answer = ask(app, "POST", "/api/v1/exports", shows, json={**BODY, **more})
    assert answer.status_code == 202, answer.text
    id_ = str(answer.json()["id"])
    assert answer.headers["location"] == f"/api/v1/exports/{id_}"
    return id_


def bundle(app: App, id_: str, shows: dict[str, str], **headers: str) -> httpx.Response:
    return ask(app, "GET", f"/api/v1/exports/{id_}/bundle.zip", {**shows, **headers})


def actions(app: App, *named: str) -> list[str]:
    found = app.catalog.audit_log.search(AskedEntries(), 200)
    words = [json.loads(one.raw) for one in found]
    return [one["action"] for one in reversed(words) if one["action"] in named]


def test_an_officer_asks_fetches_by_pieces_and_has_it_whole(app: App, tmp_path: Path) -> None:
    ana = person(app, "ana", OFFICER)
    id_ = asked(app, ana)
    assert ask(app, "GET", f"/api/v1/exports/{id_}", ana).json()["state"] == "waiting"
    early = bundle(app, id_, ana)
    assert (early.status_code, "is waiting" in early.text) == (409, True)
    make(app)
    shown = ask(app, "GET", f"/api/v1/exports/{id_}", ana).json()
    assert (shown["state"], shown["who"], shown["failed_for"]) == ("done", "user:ana", None)
    assert shown["done_bytes"] == shown["all_bytes"] > 0
    first = bundle(app, id_, ana, range="bytes=0-999")
    assert (first.status_code, first.headers["etag"]) == (206, f'"{shown["sha256"]}"')
    rest = bundle(app, id_, ana, range="bytes=1000-", **{"if-range": first.headers["etag"]})
    path = tmp_path / "bundle.zip"
    path.write_bytes(first.content + rest.content)
    assert path.stat().st_size == shown["bytes"]
    same = {"if-none-match": first.headers["etag"]}
    assert bundle(app, id_, ana, **same).status_code == 304
    with opened(path) as found:
        verdict = verify(found, shown["fingerprint"])
    assert verdict.whole, verdict.faults
    unpack(path, tmp_path / "folder")
    with opened(tmp_path / "folder") as found:
        assert verify(found).whole
    named = ("export.ask", "footage.export", "export.made", "export.download")
    assert actions(app, *named) == list(named), "the pieces are one look"
    key = ask(app, "GET", "/api/v1/exports/key").json()
    assert key["fingerprint"] == shown["fingerprint"]


def test_who_may_not_export_those_cameras_knows_of_nothing_even_with_its_id(app: App) -> None:
    ana, bob = person(app, "ana", OFFICER), person(app, "bob", OTHERS)
    id_ = asked(app, ana)
    make(app)
    for method, path in (
        ("GET", id_), ("GET", f"{id_}/bundle.zip"), ("HEAD", f"{id_}/bundle.zip"), ("DELETE", id_),
    ):  # fmt: skip
        answer = ask(app, method, f"/api/v1/exports/{path}", bob)
        assert answer.status_code == 404, (method, path)
        none = ask(app, method, f"/api/v1/exports/{path.replace(id_, 'none')}", bob)
        assert none.text == answer.text.replace(id_, "none")
    assert ask(app, "GET", "/api/v1/exports", bob).json() == []
    refused = ask(app, "POST", "/api/v1/exports", bob, json=BODY)
    assert (refused.status_code, STREAM.camera in refused.text) == (404, True)
    both = ask(app, "POST", "/api/v1/exports", ana, json={**BODY, "cameras": [CAMERA, "yard"]})
    assert both.status_code == 404, "one that he may not is one too many"
    for who in ([{"role": "viewer"}], [{"role": "operator"}], [{"role": "auditor"}]):
        other = person(app, f"the-{who[0]['role']}", who)
        assert bundle(app, id_, other).status_code == 403
    assert bundle(app, id_, {}).status_code == 401
    assert actions(app, "export.download") == []


def test_grants_are_looked_at_again_when_a_bundle_is_fetched(app: App) -> None:
    ana = person(app, "ana", OFFICER)
    id_ = asked(app, ana)
    make(app)
    for grants, status in (
        (OTHERS, 404),
        ([{"role": "viewer"}], 403),
        ([{**OFFICER[0], "back": "1h"}], 403),
        ([{**OFFICER[0], "clip": "5s"}], 403),
        ([{**OFFICER[0], "four_eyes": ["footage.export"]}], 403),
        ([{**OFFICER[0], "purpose": True}], 200),  # what was said when it was asked for
    ):
        app.people.put("ana", grants)
        app.knower.forget()
        assert bundle(app, id_, ana, range="bytes=0-9").status_code in (status, 206), grants
        assert (bundle(app, id_, ana).status_code == 200) == (status == 200), grants


def test_what_a_grant_limits_is_looked_at_when_an_export_is_asked_for(app: App) -> None:
    for more, said in (
        ({"back": "1h"}, "reaches back 1h"),
        ({"clip": "5s"}, "clips of 5s at most"),
        ({"four_eyes": ["footage.export"]}, "approval"),
    ):
        ana = person(app, "ana", [{**OFFICER[0], **more}])
        answer = ask(app, "POST", "/api/v1/exports", ana, json=BODY)
        assert (answer.status_code, said in answer.text) == (403, True), answer.text
    now = app.clock.now()
    request = Request(
        "r1", "user:ana", Permission.FOOTAGE_EXPORT, STREAM.camera_id,
        TimeRange(T0, T0 + 10 * SECOND), "p", now, now + HOUR, State.APPROVED, now, "user:mia",
    )  # fmt: skip
    app.catalog.approvals.add(request)
    id_ = asked(app, ana)
    make(app)
    assert bundle(app, id_, ana).status_code == 200
    assert app.catalog.approvals.decide(replace(request, state=State.REFUSED), State.APPROVED)
    assert bundle(app, id_, ana).status_code == 403


def test_who_may_export_the_same_may_fetch_it_and_only_its_owner_or_an_admin_takes_it_back(
    app: App,
) -> None:
    ana, eva = person(app, "ana", OFFICER), person(app, "eva", OFFICER)
    boss = person(app, "boss", ADMIN)
    first, second = asked(app, ana), asked(app, ana)
    make(app)
    make(app)
    assert len(ask(app, "GET", "/api/v1/exports", eva).json()) == 2
    assert bundle(app, first, eva).status_code == 200
    refused = ask(app, "DELETE", f"/api/v1/exports/{first}", eva)
    assert (refused.status_code, "only who asked" in refused.text) == (403, True)
    assert ask(app, "DELETE", f"/api/v1/exports/{first}", ana).status_code == 204
    assert ask(app, "DELETE", f"/api/v1/exports/{second}", boss).status_code == 204
    assert bundle(app, first, ana).status_code == 404
    assert ask(app, "DELETE", f"/api/v1/exports/{first}", ana).status_code == 404
    make(app)
    assert app.catalog.exports.all() == []
    assert list(app.bundles.root.iterdir()) == []
    assert actions(app, "export.remove") == ["export.remove"] * 2


def test_lists_come_in_pages(app: App) -> None:
    ana = person(app, "ana", OFFICER)
    ids = [asked(app, ana) for _ in range(3)]
    page = ask(app, "GET", "/api/v1/exports?limit=2", ana)
    assert 'rel="next"' in page.headers["link"]
    next_ = page.headers["link"].partition("<")[2].partition(">")[0]
    rest = ask(app, "GET", f"/api/v1/exports{next_}", ana)
    assert {one["id"] for one in (*page.json(), *rest.json())} == set(ids)


def test_what_makes_no_sense_is_refused_and_nothing_is_held(app: App) -> None:
    ana = person(app, "ana", OFFICER)
    for change, status, said in (
        ({"case": " "}, 400, "case"),
        ({"purpose": None}, 400, "purpose"),
        ({"end": START}, 400, "not after start"),
        ({"end": "+2d"}, 400, "until when is waited"),
        ({"end": "+2d", "wait": "90d"}, 400, "30d"),
        ({"nonsense": 1}, 422, "no such field"),
        ({"cameras": []}, 400, "cameras"),
        ({"cameras": ["none"]}, 404, "no camera"),
        ({"stream": "sub"}, 404, "has no stream"),
    ):
        body = {name: one for name, one in {**BODY, **change}.items() if one is not None}
        answer = ask(app, "POST", "/api/v1/exports", ana, json=body)
        assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert app.catalog.holds.all() == []
    bob = person(app, "bob", [{**OFFICER[0], "purpose": True}])
    assert asked(app, bob), "it is said in what is asked for"
    assert asked(app, ana, end="+2d", wait="3d")
    assert len(app.catalog.holds.all()) == 2


def test_nobody_fills_the_list_for_others(app: App) -> None:
    ana, eva = person(app, "ana", OFFICER), person(app, "eva", OFFICER)
    for _ in range(MOST_OPEN):
        asked(app, ana)
    answer = ask(app, "POST", "/api/v1/exports", ana, json=BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert asked(app, eva)


def test_another_node_asks_the_one_that_has_the_bundle_and_only_nodes_may(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, boss = person(app, "ana", OFFICER), person(app, "boss", ADMIN)
    id_ = asked(app, ana)
    make(app)
    store = StorePart(name=STORE, kind="directory", path=tmp_path / "site" / "store")
    url = app.settings.catalog_url
    other = App(load_settings(None, data=tmp_path / "n2", site=STREAM.site, node="n2",
                              stores=[store], catalog=url))  # fmt: skip
    try:
        refused = bundle(other, id_, ana)
        assert (refused.status_code, "lies at node n1" in refused.text) == (409, True)
        path = f"/api/v1/exports/{id_}/bytes"
        for shows in ({}, ana, boss):
            assert ask(app, "GET", path, shows).status_code in (401, 403, 404)

        def there(name: str) -> RemoteSite:
            site = RemoteSite(name, "http://127.0.0.1:1", sign=other.sign_for(name))
            monkeypatch.setattr(site, "_pool", InProcess(app))
            return site

        monkeypatch.setattr(other, "remote_site", there)
        mine, its = bundle(app, id_, ana), bundle(other, id_, ana, range="bytes=10-")
        assert (its.status_code, its.content) == (206, mine.content[10:])
        assert bundle(other, id_, person(app, "bob", OTHERS)).status_code == 404
    finally:
        other.close()


class InProcess:
    """What asks another node, in this process."""

    def __init__(self, app: App) -> None:
        self._app = app

    def request(self, method: str, url: str, headers: dict[str, str], **_: Any) -> Any:
        assert SIGNED in {name.lower() for name in headers}

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(make_api(self._app, None))
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, url, headers=headers)

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(asyncio.run, run()).result()

        class Answer:
            status, headers = answer.status_code, answer.headers

            def stream(self, _: int) -> Iterator[bytes]:
                yield answer.content

            def release_conn(self) -> None:
                pass

        return Answer()


def test_a_bundle_that_expired_is_gone_and_that_stands_in_the_log(app: App) -> None:
    ana = person(app, "ana", OFFICER)
    id_ = asked(app, ana)
    make(app)
    (one,) = app.catalog.exports.all()
    assert app.catalog.exports.change(replace(one, expires=1), one)
    make(app)
    assert bundle(app, id_, ana).status_code == 200, "the newest footage says the clock is ahead"
    app.upkeep.janitor.proof.believe()
    make(app)
    shown = ask(app, "GET", f"/api/v1/exports/{id_}", ana).json()
    assert shown["state"] == ExportState.EXPIRED.value
    assert (bundle(app, id_, ana).status_code, list(app.bundles.root.iterdir())) == (404, [])
    assert actions(app, "export.expire") == ["export.expire"]


def test_a_zip_with_names_that_lead_elsewhere_is_not_unpacked(tmp_path: Path) -> None:
    for name in ("x/../../evil", "/evil", "x/a\\b"):
        path = tmp_path / "bad.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/good", b"1")
            archive.writestr(name, b"2")
        with pytest.raises(IntegrityError, match="no name of a file"):
            unpack(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert [one.name for one in tmp_path.iterdir()] == ["bad.zip"]
    (tmp_path / "out").mkdir()
    with pytest.raises(StateError, match="is there already"):
        unpack(path, tmp_path / "out")
