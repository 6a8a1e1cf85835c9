"""The API's description of itself: whole, true, and good enough to generate a client of."""

from __future__ import annotations

import asyncio
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.responses import Response
from starlette.types import Message

from recorder.api.heads import Heads
from recorder.api.server import make_api
from recorder.app import App
from recorder.capture.command import Tracks
from recorder.exports.made import tools_of
from recorder.exports.runner import Runner
from recorder.jobs.signing import sign_log
from recorder.model.timebase import format_instant
from recorder.ports import NodeBeat, SiteBeat, StreamStatus
from tests.support.described import Described
from tests.support.doors import ask, make_app, put_film, within
from tests.support.make import STREAM
from tests.support.shelf import STORE, Shelf, make_film, record_files

ROOT = Path(__file__).resolve().parents[2]

FREE = {
    "attributes",  # of an event: its source's own
    "details",  # of an entry of the audit log: each action's own
    "facts",  # of a site: what it says of itself
    "body", "rules[]",  # of a policy: GET /api/v1/policy/schema describes it
}  # fmt: skip
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds in three segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks()))
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    found = make_app(tmp_path_factory.mktemp("app"), access="off")
    found.admit(STORE)
    yield found
    found.close()


@pytest.fixture(scope="module")
def described(app: App) -> Described:
    return Described(make_api(app, None).openapi())


def test_each_operation_has_a_name_a_tag_and_its_problems(described: Described) -> None:
    tags = {one["name"] for one in described.document["tags"]}
    names = [operation["operationId"] for _, _, operation in described.operations()]
    assert sorted(set(names)) == sorted(names)
    for path, method, operation in described.operations():
        where, answers = f"{method} {path}", operation["responses"]
        assert re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", operation["operationId"]), where
        assert len(operation["tags"]) == 1, where
        assert set(operation["tags"]) <= tags, where
        assert operation["description"], where
        assert {"400", "421", "500", "503"} <= set(answers), where
        assert ("404" in answers) or "{" not in path, where
        changes = method not in ("get", "head") and "{" in path
        assert ("409" in answers) or not changes, where  # a name that is taken, a node that lives
        assert (method in ("get", "head")) or {"403", "413", "415", "422"} <= set(answers), where
        for status, said in answers.items():
            if status[0] in "45" and status != "416" and path != "/readyz" and method != "head":
                (kind,) = said["content"]
                assert kind == "application/problem+json", (where, status)
                assert described.of(said["content"][kind]["schema"])["title"] == "Problem", where


def test_it_says_how_a_program_shows_who_it_is_and_what_each_word_of_an_address_is(
    described: Described,
) -> None:
    (scheme,) = described.document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert described.document["security"] == [{"bearer": []}, {}], "not asked for everywhere"
    for path, method, operation in described.operations():
        for one in operation.get("parameters", ()):
            where = f"{method} {path} {one['name']}"
            assert one.get("description") or one["in"] == "path", where
            assert one["in"] != "header" or one["name"][0].isupper(), where


def test_no_answer_and_no_document_is_an_object_of_anything(described: Described) -> None:
    free = set()
    for path, method, operation in described.operations():
        sides = dict(operation["responses"]) | {"request": operation.get("requestBody", {})}
        for status, said in sides.items():
            for kind, content in said.get("content", {}).items():
                if kind.endswith("json"):
                    found = described.free(content["schema"], "", ())
                    free |= {(f"{method} {path} {status}", one) for one in found}
    odd = {(where, at) for where, at in free if at.rpartition(".")[2] not in FREE}
    assert odd == {("get /api/v1/policy/schema 200", "")}, "a JSON Schema is itself free"


def test_media_are_described_with_their_kinds_and_headers(described: Described) -> None:
    paths = described.document["paths"]
    clip = paths["/api/v1/cameras/{camera}/clip.mp4"]
    assert set(clip["get"]["responses"]["200"]["content"]) == {"video/mp4", "application/zip"}
    for method in ("get", "head"):
        answers = clip[method]["responses"]
        assert {"200", "206", "304", "416"} <= set(answers)
        assert "Content-Range" in answers["206"]["headers"]
        assert {"ETag", "Link", "X-Missing", "Accept-Ranges"} <= set(answers["200"]["headers"])
        named = {one["name"] for one in clip[method]["parameters"] if one["in"] == "header"}
        assert {"range", "if-none-match", "if-range"} <= {one.lower() for one in named}
    frame = paths["/api/v1/cameras/{camera}/frame.jpg"]["get"]["responses"]
    assert set(frame["200"]["content"]) == {"image/jpeg"}
    assert "X-Frame-Time" in frame["200"]["headers"]


def fill(app: App, film: Shelf) -> tuple[str, str]:
    """Put something of everything there; return the range of it."""
    asked = put_film(app, film, 1)
    now = app.clock.now()
    health = {"day": "2026-01-05", "recorded_s": 1.5, "restarts": {"stall": 1}, "frames": 3,
              "habits": {"long-gop": "said"}, "sound": "aac"}  # fmt: skip
    status = StreamStatus(STREAM, "n1", "failing", "source", "unreachable", "", now, now, health)
    app.catalog.statuses.put([status])
    facts = {"state": "running", "roles": ["api"], "weight": 1.0, "streams": 1, "url": "",
             "ship_error": ""}  # fmt: skip
    app.catalog.nodes.beat(NodeBeat("n1", STREAM.site, now, facts))
    app.catalog.sites.put(SiteBeat("post9", "post", "", now, {"backlog": 3}))
    start, end = (format_instant(one, 9) for one in (asked.start, asked.end))
    name, at = STREAM.camera, format_instant(film.segments[0].start + 10**9)
    week = {"daily": ["07:00-19:00"]}
    sent: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"cameras/{name}", {"url": "rtsp://u:p@10.0.0.1/x", "record": "timetable",
                                    "timetable": {"zone": "UTC", "weekly": week}}),
        ("PUT", f"cameras/{name}", {"url": "rtsp://10.0.0.1/x"}),
        ("POST", "events", {"id": "e1", "camera": name, "kind": "alarm", "at": at,
                            "attributes": {"a": [1, None]}, "image": "/9j/"}),
        ("PUT", "points/door", {"cameras": [name], "pre": "5s"}),
        ("POST", "holds", {"id": "h1", "cameras": [name], "start": start, "end": end, "case": "17",
                           "reason": "r", "owner": "o"}),
        ("PUT", "policy", {"rules": [{"name": "all", "keep": {"any": "1d"}}]}),
        ("POST", "policy/plan", {"rules": [{"name": "all", "keep": {"any": "2d"}}]}),
        ("POST", "policy/check", {"rules": [{"name": "all", "keep": {"any": "2d"}}]}),
        ("PUT", "sites/post9/cameras/x", {"url": "rtsp://10.0.0.2/x"}),
        ("PUT", "nodes/n1/draining", {}),
        ("PUT", "access/users/main", {"grants": [{"role": "viewer", "cameras": ["x/y"]}]}),
    ]  # fmt: skip
    described = Described(make_api(app, None).openapi())
    for method, path, body in sent:
        answer = ask(app, method, f"/api/v1/{path}", json=body)
        assert answer.is_success, answer.text
        assert fits(described, method, f"/api/v1/{path}", answer) == []
    export = ask(app, "POST", "/api/v1/exports", json={"cameras": [name], "start": start,
                 "end": end, "case": "17", "purpose": "p"})  # fmt: skip
    assert (export.status_code, fits(described, "POST", "/api/v1/exports", export)) == (202, [])
    Runner(tools_of(app), 1, lambda: False, lambda job: job()).tend_exports()
    applied = ask(app, "POST", "/api/v1/policy/apply", headers=JSON)
    assert fits(described, "POST", "/api/v1/policy/apply", applied) == []
    return start, end


def fits(described: Described, method: str, path: str, answer: httpx.Response) -> list[str]:
    """Where an answer is not as it is described."""
    for known, one, operation in described.operations():
        pattern = re.sub(r"\\\{(key|tile)\\\}", ".+", re.escape(known))
        pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", pattern)
        if one != method.lower() or re.fullmatch(pattern, path) is None:
            continue
        said = operation["responses"].get(str(answer.status_code))
        if said is None:
            return [f"{method} {path}: {answer.status_code} is not described: {answer.text[:300]}"]
        kind = answer.headers.get("content-type", "").partition(";")[0]
        content = said.get("content", {})
        if kind not in content and answer.content:
            return [f"{method} {path}: {kind} is not described"]
        if kind.endswith("json"):
            return described.misfits(answer.json(), content[kind]["schema"])
        return []
    return [f"{method} {path}: is not described"]


def test_an_answer_to_head_has_no_body_whatever_the_server_would_do() -> None:
    async def run() -> list[Message]:
        sent: list[Message] = []

        async def note(message: Message) -> None:
            sent.append(message)

        async def nothing() -> Message:
            return {"type": "http.disconnect"}

        scope = {"type": "http", "method": "HEAD", "path": "/", "headers": []}
        await Heads(Response("body"))(scope, nothing, note)
        return sent

    start, body = asyncio.run(run())
    assert (b"content-length", b"4") in start["headers"]
    assert body["body"] == b""


def test_real_answers_are_as_they_are_described(
    app: App, film: Shelf, described: Described
) -> None:
    start, end = fill(app, film)
    app.admit(app.settings.ship_store, adopt=True)
    sign_log(app)
    values = {
        "camera": STREAM.camera, "event_id": "e1", "hold_id": "h1", "name": "main",
        "site": "post9", "key": film.segments[0].key,
    }  # fmt: skip
    (one,) = app.catalog.exports.all()
    values["export_id"] = one.export_id
    (log,) = app.catalog.audit_tree.logs()
    values |= {"log": log.origin.rpartition("/")[2], "tile": f"entries/000.p/{log.size}"}
    asked: dict[str, Any] = {"start": start, "end": end, "at": start, "activity": True}
    found, seen = [], set()
    for path, method, operation in described.operations():
        if method not in ("get", "head") or "/oidc/" in path:  # there is no provider here
            continue
        names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        params = {name: value for name, value in asked.items() if name in names}
        name = "door" if "points" in path else "main"
        address = path.format(**{**values, "name": name})
        answer = ask(app, method.upper(), address, params=params)
        found += fits(described, method, address, answer)
        seen.add(answer.status_code)
        assert answer.is_success or path == "/readyz", (path, answer.text)
        assert method == "head" or answer.content
        bare = ask(app, "HEAD", address, params=params)
        assert (bare.status_code, bare.content) == (answer.status_code, b""), path
        same = ("content-type", "x-gaps", "etag")
        assert [bare.headers.get(name) for name in same] == [
            answer.headers.get(name) for name in same
        ]
    assert found == []
    for path, status in (("cameras/nope", 404), ("cameras/x/timeline", 400), ("holds/no", 404)):
        answer = ask(app, "GET", f"/api/v1/{path}")
        assert answer.status_code == status
        assert fits(described, "GET", f"/api/v1/{path}", answer) == []


def test_the_page_for_people_needs_nothing_from_elsewhere(app: App, described: Described) -> None:
    answer = ask(app, "GET", "/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert re.findall(r"(?:src|href)=[^ >]+", answer.text) == ["href='openapi.json'"]
    assert "<script" not in answer.text
    assert "http" not in answer.text.partition("<style>")[0]
    for _, _, operation in described.operations():
        assert f'id="{operation["operationId"]}"' in answer.text
    assert "ShownTimeline" in answer.text
    assert "Read one camera; its version is the ETag." in answer.text, "before it is opened"
    assert "<code>If-Match</code>" in answer.text
    assert "``" not in answer.text


def test_a_generated_client_downloads_a_clip(
    app: App, film: Shelf, described: Described, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_film(app, film)
    (tmp_path / "openapi.yaml").write_text(yaml.safe_dump(described.document))
    guide = (ROOT / "docs/guide/api.md").read_text()
    told = re.search(r"^content_type_overrides:\n(?:  .*\n)+", guide, re.M)
    assert told is not None
    settings = {**yaml.safe_load(told[0]), "post_hooks": []}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--path",
         str(tmp_path / "openapi.yaml"), "--output-path", str(tmp_path / "spanstore_client"),
         "--config", str(tmp_path / "settings.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Warning(s) encountered" not in made.stdout, made.stdout
    monkeypatch.syspath_prepend(str(tmp_path))
    client_class = importlib.import_module("spanstore_client").Client
    fetch = importlib.import_module("spanstore_client.api.fetch.read_clip")
    find = importlib.import_module("spanstore_client.api.find.read_timeline")
    asked = within(film.segments[0].start, film.segments[0].end)

    async def run() -> tuple[Any, Any, Any]:
        client = client_class(base_url="http://127.0.0.1")
        transport = httpx.ASGITransport(make_api(app, None))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as through:
            client.set_async_httpx_client(through)
            line = await find.asyncio(STREAM.camera, client=client, **asked)
            clip = await fetch.asyncio_detailed(STREAM.camera, client=client, **asked)
            no = await find.asyncio("nope", client=client, **asked)
            return line, clip, no

    line, clip, no = asyncio.run(run())
    assert line.spans[0].codecs.startswith("avc1")
    body = clip.parsed.payload.read()
    assert body[4:8] == b"ftyp"
    assert len(body) == int(clip.headers["content-length"]) > 1000
    assert (no.title, no.status) == ("NotFound", 404)
