"""Footage that is about to come: it is waited for, or said to come; a gap stays a gap."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from recorder.api import waiting
from recorder.api.server import make_api
from recorder.app import App
from recorder.capture.command import Tracks
from recorder.model.camera_document import parse_camera
from recorder.model.timebase import MS, SECOND, Instant, TimeRange, format_instant
from recorder.ports import StreamStatus
from tests.support.clock import FakeClock
from tests.support.doors import ask, camera, make_app, put, within
from tests.support.make import STREAM
from tests.support.shelf import RUN, Shelf, capture, make_film, record_files


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds in three segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks()))
    yield shelf
    shelf.close()


class Live:
    """A camera that is being recorded: two of its segments are there, half a second ago."""

    def __init__(self, app: App, film: Shelf) -> None:
        self.app, self.film = app, film
        self.start, self.edge = film.segments[0].start, film.segments[1].end
        self.clock = FakeClock(self.edge + 500 * MS)
        app.__dict__["clock"] = self.clock
        document = parse_camera(STREAM.camera, {"url": "rtsp://10.0.0.1/x"})
        app.catalog.cameras.put(document, self.start - SECOND, None)
        for one in film.segments[:2]:
            self._put(film.segments.index(one))
        self.at(self.clock.now())

    def _put(self, number: int) -> None:
        one = self.film.segments[number]
        put(self.app, one, b"".join(self.film.store.read(one.key, 0, one.size_bytes)))

    def at(self, now: Instant, state: str = "recording") -> None:
        """Let time be, and the state of the stream be told."""
        self.clock.at = now
        status = StreamStatus(STREAM, "n1", state, "source", "", "", now, now)
        self.app.catalog.statuses.put([status])

    def go_on(self) -> None:
        """Let the third segment come, and its time pass."""
        self._put(2)
        self.at(self.film.segments[2].end)


@pytest.fixture
def live(tmp_path: Path, film: Shelf) -> Iterator[Live]:
    app = make_app(tmp_path)
    yield Live(app, film)
    app.close()


def beside(
    live: Live, asks: list[tuple[str, dict[str, str]]], then: Callable[[], None]
) -> list[httpx.Response]:
    """Ask at once, let something happen while all of them wait, return the answers."""

    async def run() -> list[httpx.Response]:
        api = make_api(live.app, None)
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", timeout=30
        ) as client:
            tasks = [asyncio.create_task(client.get(path, params=how)) for path, how in asks]
            while api.state.waiting.count < len(asks):
                await asyncio.sleep(0.01)
                assert not any(task.done() for task in tasks), "none is answered at once"
            await asyncio.to_thread(then)
            return list(await asyncio.gather(*tasks))

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_what_is_waited_for_is_answered_when_all_of_it_is_there(live: Live) -> None:
    end = live.edge + SECOND
    live.at(live.edge + 950 * MS)
    how = within(live.start, end, wait="20s")
    at = within(end, end)["end"]
    said = {"id": "e", "camera": STREAM.camera, "kind": "alarm", "at": format_instant(live.edge)}
    assert ask(live.app, "POST", "/api/v1/events", json=said).is_success
    near = {"before": "3s", "after": "1s", "wait": "20s", "gaps": "fail"}
    clip, line, frame, alarm = beside(
        live,
        [(camera("clip.mp4"), {**how, "gaps": "fail"}), (camera("timeline"), how),
         (camera("frame.jpg"), {"at": at, "wait": "20"}),
         ("/api/v1/events/e/clip.mp4", near)],
        live.go_on,
    )  # fmt: skip
    assert clip.status_code == 200, clip.text
    assert clip.headers["x-gaps"] == "0"
    assert line.json()["gaps"] == []
    assert line.json()["end"] == format_instant(end)
    assert frame.status_code == 200, frame.text
    assert alarm.status_code == 200, alarm.text


def test_a_request_waits_no_longer_than_it_says_and_the_node_allows(live: Live) -> None:
    path = camera("clip.mp4")
    short = ask(
        live.app, "GET", path, params=within(live.start, live.edge + 9 * SECOND, wait="1ms")
    )
    assert short.status_code == 200
    assert short.headers["x-missing"].endswith("not-yet")
    assert [waiting.read_wait("1h", 60), waiting.read_wait("1h", 0)] == [60, 0]
    assert ask(live.app, "GET", path, params=within(1, 2, wait="soon")).status_code == 400


def test_those_who_wait_hold_no_thread_and_keep_nobody_waiting(live: Live) -> None:
    end = live.edge + 2 * SECOND
    how = within(live.start, end, wait="20s")
    before, during = threading.active_count(), []

    def then() -> None:
        during.append(threading.active_count())
        assert ask(live.app, "GET", camera("timeline"), params=within(live.start, end)).is_success
        live.go_on()

    answers = beside(live, [(camera("timeline"), how)] * 60, then)
    assert {one.json()["end"] for one in answers} == {answers[0].json()["end"]}
    assert during[0] - before < 5


def test_no_more_wait_than_there_is_room_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST", 0)
    how = within(live.start, live.edge + SECOND, wait="20s")
    answer = ask(live.app, "GET", camera("timeline"), params=how)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_what_will_not_come_is_not_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def waited(_: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(asyncio, "sleep", waited)
    asked = TimeRange(live.edge + SECOND, live.clock.now() + 20 * SECOND)
    off = parse_camera(STREAM.camera, {"url": "rtsp://10.0.0.1/x", "enabled": False})
    live.app.catalog.cameras.put(off, live.clock.now(), None)
    live.at(live.clock.now(), "off")
    how = within(asked.start, asked.end, wait="30s")
    answer = ask(live.app, "GET", camera("clip.mp4"), params=how)
    assert (answer.status_code, answer.json()["retryable"]) == (404, False)
    assert "retry-after" not in answer.headers


def test_nothing_yet_is_another_answer_than_a_gap_that_stays(live: Live) -> None:
    live.at(live.edge + SECOND)
    ahead = within(live.edge + SECOND, live.edge + 11 * SECOND)
    for path, how in (
        (camera("clip.mp4"), ahead),
        (camera("clip.json"), ahead),
        (camera("playback.m3u8"), ahead),
        (camera("clip.mp4"), {**ahead, "format": "zip"}),
        (camera("clip.mp4"), {**within(live.start, live.edge + 11 * SECOND), "gaps": "fail"}),
        (camera("frame.jpg"), {"at": ahead["end"]}),
    ):
        answer = ask(live.app, "GET", path, params=how)
        said = answer.json()
        assert (answer.status_code, said["title"]) == (503, "NotYet"), (path, said)
        assert said["retryable"]
        assert answer.headers["retry-after"] == "12"
        assert "the nearest footage before it ends" in said["hint"]
    assert re.search(r"does not have any footage of \S+Z yet$", said["detail"]), (
        "an instant, not a range"
    )
    live.at(live.edge + 100 * SECOND, "failing")
    for path in ("clip.mp4", "clip.json", "playback.m3u8"):
        answer = ask(live.app, "GET", camera(path), params=ahead)
        said = answer.json()
        assert (answer.status_code, said["title"], said["retryable"]) == (404, "NoFootage", False)
        assert said["detail"].endswith("(source)")
    how = {**within(live.start, live.edge + 9 * SECOND), "gaps": "fail"}
    answer = ask(live.app, "GET", camera("clip.mp4"), params=how)
    assert (answer.status_code, answer.json()["retryable"]) == (409, False)


def test_a_gap_that_stays_is_said_though_more_may_come(live: Live) -> None:
    how = {**within(live.start - 60 * SECOND, live.edge + 30 * SECOND), "gaps": "fail"}
    answer = ask(live.app, "GET", camera("clip.mp4"), params=how)
    assert (answer.status_code, answer.json()["title"]) == (409, "HasGaps")
    assert "not-yet" not in answer.json()["detail"]


def test_the_hint_knows_of_footage_that_is_still_being_written(live: Live, tmp_path: Path) -> None:
    capture(make_film(tmp_path), tmp_path / "run", Tracks())
    body = (tmp_path / "run" / "000000.mp4").read_bytes()
    (live.app.spool.open_run(RUN) / "000000.mp4").write_bytes(body)
    found = live.app.view.growing.of(STREAM)
    found.close()
    (growing,) = found.growing
    late = within(growing.segment.end + 900 * SECOND, growing.segment.end + 901 * SECOND)
    live.at(growing.segment.end + 1000 * SECOND, "failing")
    answer = ask(live.app, "GET", camera("clip.mp4"), params=late)
    assert answer.status_code == 404
    reach = max(growing.segment.end, live.edge)
    assert answer.json()["hint"].endswith(f"ends {format_instant(reach, 3)}")
    assert growing.segment.end > live.edge, "the growing one reaches further"
