"""A checkpoint reads a thousand plates a day: a list has all of them, or says where it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.timebase import HOUR, SECOND, format_instant
from tests.support.access import ask
from tests.support.make import T0

MANY = 1100
RANGE = {"start": format_instant(T0), "end": format_instant(T0 + HOUR)}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(data=tmp_path, site="post"))
    one.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://x/y"}), 1, None)
    for number in range(MANY):
        at = format_instant(T0 + number * SECOND)
        kind = "alarm" if number == MANY - 1 else "checkpoint"
        body = {"camera": "post/gate", "kind": kind, "at": at, "id": f"e{number}"}
        one.catalog.events.add(parse_event(body, None, "", "post", T0 + HOUR), None)
    yield one
    one.close()


@pytest.fixture
def said(app: App, tmp_path: Path) -> Callable[..., str]:
    """Run the command line at this node; return what it prints."""
    path = tmp_path / "settings.yaml"
    path.write_text(f"site: post\ndata: {app.settings.data}\n")

    def run(*words: str) -> str:
        done = CliRunner().invoke(recorder, ["--config", str(path), *words])
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_a_timeline_says_until_when_it_has_all_events(app: App, said: Callable[..., str]) -> None:
    path = "/api/v1/cameras/gate/timeline"
    for end, many, until in (
        (T0 + HOUR, 1000, format_instant(T0 + 1000 * SECOND)),
        (T0 + 900 * SECOND, 910, None),  # with the ten seconds before each
    ):
        params = {**RANGE, "end": format_instant(end)}
        shown = ask(app, "GET", path, params=params).json()
        assert (len(shown["events"]), shown["events_until"]) == (many, until)
        words = ("timeline", "gate", "--start", params["start"], "--end", params["end"])
        there = json.loads(said(*words, "--json"))
        assert (len(there["events"]), there["events_until"]) == (many, until)
        more = " and more" if until else ""
        line = f"{many} events{more}: recorder event list --camera post/gate lists them"
        assert said(*words).splitlines()[-1] == line


def test_event_list_on_the_node_lists_all_as_it_does_from_afar(
    app: App, said: Callable[..., str]
) -> None:
    asked = ("event", "list", "--start", RANGE["start"], "--end", RANGE["end"])
    for more in ((), ("--camera", "gate")):
        found = json.loads(said(*asked, *more, "--json"))
        assert [one["id"] for one in found] == [f"e{number}" for number in range(MANY)], more
    (alarm,) = json.loads(said(*asked, "--kind", "alarm", "--json"))
    assert alarm["id"] == f"e{MANY - 1}"


def test_what_an_event_touches_is_said_as_it_is_reported(said: Callable[..., str]) -> None:
    words = ("--at", "2026-01-05T09:00:00Z", "--end", "2026-01-05T09:05:00Z", "--pre", "1m")
    more = ("--post", "2s", "--attribute", "plate=AB=12", "--attribute", "none=", "--id", "seen")
    said("event", "add", "--camera", "gate", "--kind", "manual", *words, *more)
    shown = json.loads(said("event", "show", "seen", "--json"))
    assert (shown["start"], shown["end"]) == (
        "2026-01-05T09:00:00.000000Z", "2026-01-05T09:05:00.000000Z",
    )  # fmt: skip
    assert (shown["touched_start"], shown["touched_end"]) == (
        "2026-01-05T08:59:00.000000Z", "2026-01-05T09:05:02.000000Z",
    )  # fmt: skip
    assert shown["attributes"] == {"plate": "AB=12"}


def test_a_point_that_is_linked_to_other_cameras_keeps_its_kind_and_its_roll(
    app: App, said: Callable[..., str]
) -> None:
    app.catalog.cameras.put(parse_camera("yard", {"url": "rtsp://x/z"}), 1, None)
    said("point", "add", "door", "--kind", "checkpoint", "--pre", "1m", "--camera", "gate")
    both = ("--camera", "gate", "--camera", "yard")
    told = said("point", "add", "door", *both, "--post", "5s")
    assert told == (
        "point door (checkpoint, 60s before, 5s after) is linked to post/gate, post/yard\n"
    )
    assert "checkpoint, 60s before, 5s after" in said("point", "list")
    assert "(alarm, 10s before, 30s after)" in said("point", "add", "new", "--camera", "gate")
