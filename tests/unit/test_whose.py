"""Every door that takes a camera takes its site, and answers for none of several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from recorder.api.server import make_api
from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings, StorePart
from recorder.errors import RecorderError, StateError
from recorder.model.keys import StreamId, segment_key
from recorder.model.timebase import HOUR, format_instant
from recorder.ports import SiteBeat, StreamStatus
from tests.support.make import T0, segment
from tests.unit.test_guard import ask

RANGE = {"start": format_instant(T0), "end": format_instant(T0 + HOUR)}
AT = {"at": format_instant(T0)}
CHANGING = {"PUT", "PATCH", "DELETE"}
"""Of a bare name they mean this site's own, which there is none of here."""
COMMANDS: dict[tuple[str, ...], list[str]] = {
    ("timeline",): [], ("clip",): ["-o", "-"], ("frame",): ["--at", "-1s"],
    ("policy", "explain"): ["--at", "-1s"], ("camera", "show"): [],
    ("hold", "add"): ["--case", "1", "--reason", "r"],
    ("event", "add"): ["--kind", "alarm", "--camera"], ("event", "list"): ["--camera"],
    ("audit", "show"): ["--camera"], ("audit", "export"): ["--camera"],
    ("export", "create"): ["--start", "-1h", "--end", "-1m", "--case", "1", "--purpose", "p",
                           "-o", "never", "--camera"],
    ("point", "add"): ["door", "--camera"], ("access", "explain"): ["ana", "camera.read"],
}  # fmt: skip
OWN = {("camera", "add"), ("camera", "set"), ("camera", "remove")}
"""They change this site's own of a bare name; of another they are told its site."""
AFAR = {("approval", "ask")}
"""On the node itself nobody needs it: a server finds the camera."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A centre that knows two posts' gates, and has none."""
    one = App(
        Settings(data=tmp_path, site="centre", stores=[StorePart(name="main", path=tmp_path)])
    )
    for site in ("post1", "post2"):
        stream = StreamId(site, "gate", "main")
        key = segment_key(str(stream), T0, "n1.1", 0)
        one.catalog.commits.add_segment(segment(stream=stream, key=key), "main", "", 7)
        now = one.site_clock.now()
        one.catalog.sites.put(SiteBeat(site, "post", "", now))
        one.catalog.statuses.put(
            [StreamStatus(stream, "n1", "recording", "", "", "", now, now, {})]
        )
    yield one
    one.close()


def routes(app: App) -> list[tuple[str, str, set[str]]]:
    """Return method, path and query's names of all routes that take a camera."""
    found = []
    for path, methods in make_api(app, None).openapi()["paths"].items():
        for method, said in methods.items():
            if "{event_id}" in path:  # of one of its cameras, which say their sites
                continue
            names = {one["name"] for one in said.get("parameters", ()) if one["in"] == "query"}
            if "camera" in names or "{camera}" in path:
                assert "site" in names, f"{path} takes a camera and no site"
                found.append((method.upper(), path, names))
    return found


def test_every_route_that_takes_a_camera_takes_its_site(app: App) -> None:
    found = routes(app)
    assert len(found) >= 11, "timeline, clips, playback, frame, explain, events, documents"
    for method, path, names in found:
        where = path.replace("{camera}", "gate")
        every = {**RANGE, **AT, "camera": "gate"}
        params = {name: value for name, value in every.items() if name in names}
        if method in CHANGING:
            alone = ask(app, method, where, json={}, params=params)
            assert alone.status_code in (404, 422), (method, path, alone.text)
            continue
        alone = ask(app, method, where, params=params)
        assert alone.status_code == 409, (method, path)
        if method != "HEAD":
            assert "post1/gate or post2/gate" in alone.json()["hint"], path
        meant = ask(app, method, where, params={**params, "site": "post2"})
        assert meant.status_code not in (400, 404, 409), (method, path, meant.text)
        if "{camera}" in path:  # or in the address, as people write it
            whole = path.replace("{camera}", "post2%2Fgate")
            named = ask(app, method, whole, params=params)
            assert (named.status_code, len(named.content)) == (
                meant.status_code, len(meant.content)
            ), (method, path, named.text)  # fmt: skip
            other = ask(app, method, whole, params={**params, "site": "post1"})
            assert other.status_code == 400, (method, path)


def test_a_change_of_another_sites_camera_goes_to_that_site(app: App) -> None:
    gone = ask(app, "DELETE", "/api/v1/cameras/gate", json={})
    assert (gone.status_code, gone.json()["hint"]) == (404, "there is post1/gate, post2/gate")
    gone = ask(app, "PATCH", "/api/v1/cameras/gate", json={"group": "key"})
    assert (gone.status_code, gone.json()["hint"]) == (404, "there is post1/gate, post2/gate")
    body, path = {"url": "rtsp://10.0.0.1/x"}, "/api/v1/cameras/gate"
    assert ask(app, "PUT", path, json=body, params={"site": "post2"}).status_code == 200
    assert ask(app, "PUT", path, json=body, params={"site": "post9"}).status_code == 404
    said = [(one.site, one.name) for one in app.catalog.child_cameras.since() if one.body]
    assert said == [("post2", "gate")]
    assert app.catalog.cameras.get("gate") is None
    for method in ("PUT", "PATCH"):
        wrong = ask(app, method, path, json={**body, "site": "post1"})
        assert wrong.status_code == 400, "a list shows it so; it is no camera of ours"
    answer = ask(app, "DELETE", path, json={}, params={"site": "post2"})
    assert answer.status_code == 204
    assert [one.body for one in app.catalog.child_cameras.since()] == [None]


def test_a_change_is_of_the_site_that_its_address_names(app: App) -> None:
    for site in ("", "?site=post2"):
        named = ask(app, "PUT", f"/api/v1/cameras/post2%2Fyard{site}", json={"url": "rtsp://h/x"})
        assert named.status_code == 200, named.text
    assert app.catalog.cameras.get("yard") is None
    said = {(one.site, one.name) for one in app.catalog.child_cameras.since()}
    assert said == {("post2", "yard")}
    other = (
        "/api/v1/cameras/post2%2Fyard/timeline?end=-1h&start=%D9%A2&site="  # a number, in Arabic
    )
    for site, detail in (("post2", "\u0662"), ("%C3%A9", "names another")):
        answer = ask(app, "GET", f"{other}{site}")
        assert (answer.status_code, detail in answer.json()["detail"]) == (400, True), answer.text


def commands(
    group: click.Group, way: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*way, name))
        else:
            yield (*way, name), command


def test_every_command_that_takes_a_camera_takes_its_site(app: App, tmp_path: Path) -> None:
    found = set()
    for way, command in commands(recorder):
        names = {one.name for one in command.params}
        of_camera = way[0] == "camera" and "name" in names
        if names & {"camera", "cameras"} or of_camera:
            assert "site" in names, f"{way} takes a camera and no site"
            found.add(way)
    assert found - OWN - AFAR == COMMANDS.keys()
    config = tmp_path / "r.yaml"
    config.write_text(
        f"site: centre\ndata: {tmp_path}\nstores: [{{name: main, path: {tmp_path}}}]\n"
    )

    app.people.put("ana", [{"role": "viewer"}])

    def run(way: tuple[str, ...], *words: str) -> BaseException | None:
        done = CliRunner().invoke(recorder, ["-c", str(config), *way, *COMMANDS[way], *words])
        return done.exception

    for way in COMMANDS:
        wrong = run(way, "gate")
        assert isinstance(wrong, StateError), (way, wrong)
        assert "post1/gate or post2/gate" in wrong.hint
        for words in (["post2/gate"], ["gate", "--site", "post2"]):
            wrong = run(way, *words)
            named = isinstance(wrong, RecorderError) and "no camera" in str(wrong)
            assert not named, (way, words, wrong)
            assert not isinstance(wrong, StateError | SystemExit), (way, words, wrong)
