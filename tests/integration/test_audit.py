"""The audit log over HTTP: each look once, before its footage; and none without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from recorder.app import App
from recorder.audit.entry import Entry, read_entry
from recorder.capture.command import Tracks
from recorder.errors import CatalogUnavailable
from recorder.jobs.signing import sign_log
from recorder.logbook.book import Book
from recorder.model.timebase import TimeRange, format_instant
from recorder.ports import AskedEntries, LoggedEntry
from tests.support.doors import ask, camera, make_app, put_film, within
from tests.support.make import STREAM
from tests.support.shelf import Shelf, make_film, record_files

PURPOSE = {"X-Purpose": "accident 7"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds in three segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks()))
    yield shelf
    shelf.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = make_app(tmp_path)
    yield one
    one.close()


def entries(app: App) -> list[Entry]:
    """All of the log, the oldest first."""
    found = app.catalog.audit_log.search(AskedEntries(after=0), 99)
    return [read_entry(one.raw) for one in found]


def test_a_look_is_written_with_who_what_and_why(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    answer = ask(app, "GET", camera("clip.mp4"), params=within(asked.start, asked.end),
                 headers=PURPOSE)  # fmt: skip
    assert answer.is_success
    (entry,) = entries(app)
    assert (entry.action, entry.result) == ("footage.clip", "allowed")
    assert entry.subject.range == asked
    assert (entry.subject.site, entry.subject.camera) == (STREAM.site, STREAM.camera)
    assert (str(entry.caller), entry.caller.address) == ("nobody", "127.0.0.1")
    assert entry.caller.purpose == "accident 7"


def test_a_player_makes_one_entry_of_a_playback_and_of_a_clip(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    params = within(asked.start, asked.end)
    for _ in range(2):
        listed = ask(app, "GET", camera("playback.m3u8"), params=params)
        lines = [one for one in listed.text.splitlines() if one.startswith("../../objects/")]
        for line in lines:
            assert ask(app, "GET", f"/api/v1/{line.removeprefix('../../')}").is_success
    for part in ("bytes=0-99", "bytes=100-199"):
        ask(app, "GET", camera("clip.mp4"), params=params, headers={"Range": part})
    assert [one.action for one in entries(app)] == ["footage.playback", "footage.clip"]
    assert len(lines) > 2


def test_what_shows_nothing_makes_no_entry(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    params = within(asked.start, asked.end)
    ask(app, "HEAD", camera("clip.mp4"), params=params)
    ask(app, "GET", camera("timeline"), params=params)
    later = TimeRange(asked.start - 10**12, asked.start - 10**11)
    gone = ask(app, "GET", camera("clip.mp4"), params=within(later.start, later.end))
    assert gone.status_code == 404
    assert entries(app) == []


class Away:
    """A log that cannot be written."""

    def write(self, entries: Sequence[Entry]) -> None:
        raise CatalogUnavailable("disk full")

    def search(self, asked: AskedEntries, limit: int) -> list[LoggedEntry]:
        return []


@pytest.mark.parametrize("what", ["clip.mp4", "clip.mp4?format=zip", "playback.m3u8"])
def test_no_footage_goes_out_without_an_entry(app: App, film: Shelf, what: str) -> None:
    asked = put_film(app, film)
    app.__dict__["book"] = Book(Away(), app.clock)
    params = within(asked.start, asked.end)
    address = camera(what.partition("?")[0])
    if "?" in what:
        params["format"] = "zip"
    answer = ask(app, "GET", address, params=params)
    assert answer.status_code == 503
    problem = answer.json()
    assert problem["title"] == "AuditUnavailable"
    assert "the audit log cannot be written: disk full" in problem["detail"]
    assert "audit.required" in problem["hint"]
    key = film.segments[0].key
    assert ask(app, "GET", f"/api/v1/objects/{key}").status_code == 503
    app.__dict__["book"] = Book(Away(), app.clock, required=False)
    assert ask(app, "GET", address, params=params).is_success


def test_no_change_is_made_without_an_entry(app: App, film: Shelf) -> None:
    app.__dict__["book"] = Book(Away(), app.clock)
    body = {"rules": [{"name": "all", "keep": {"any": "30d"}}]}
    assert ask(app, "PUT", "/api/v1/policy", json=body).status_code == 503
    assert app.catalog.documents.newest("policy") is None


def test_the_log_is_asked_over_http_page_by_page(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    for end in (asked.end, asked.end - 10**9):
        params = within(asked.start, end)
        ask(app, "GET", camera("clip.mp4"), params=params)
    ask(app, "PUT", "/api/v1/policy", json={"rules": [{"name": "a", "keep": {"any": "30d"}}]})
    assert ask(app, "GET", "/api/v1/audit/checkpoint").status_code == 404
    app.admit("main", adopt=True)
    sign_log(app)
    first = ask(app, "GET", "/api/v1/audit", params={"action": "footage", "limit": "1"})
    assert first.json()[0]["entry"]["subject"]["end"] == format_instant(asked.end - 10**9, 9)
    assert first.json()[0]["leaf"] is not None
    second = ask(app, "GET", f"/api/v1/audit{first.links['next']['url']}")
    assert second.json()[0]["entry"]["subject"]["end"] == format_instant(asked.end, 9)
    found = ask(app, "GET", "/api/v1/audit", params={"camera": STREAM.camera, "since": "-1h"})
    assert len(found.json()) == 2
    assert "spanstore/" in ask(app, "GET", "/api/v1/audit/checkpoint").text
