"""What lies in the stores, whose it is, and for how long there is room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings, StorePart
from recorder.errors import NotFound, StoreUnavailable
from recorder.janitor.usage import StoreUsage, show_usage, usage_here, usage_of
from recorder.model.camera_document import parse_camera
from recorder.model.keys import StreamId
from recorder.model.media import Copy
from recorder.model.timebase import DAY, HOUR, MINUTE, Instant, format_instant
from recorder.store.files import FileStore
from tests.support.make import segment
from tests.unit.test_guard import ask

GB = 1_000_000_000
LANE = StreamId("north", "lane", "main")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A node with an hour of two cameras in one store, and an empty store that is read only."""
    for name in ("main", "old"):
        (tmp_path / name).mkdir()
    stores = (
        StorePart(name="main", path=tmp_path / "main"),
        StorePart(name="old", path=tmp_path / "old", readonly=True),
    )
    one = App(Settings(site="north", node="n1", data=tmp_path, stores=stores))
    now = one.clock.now()
    for number in range(60):
        start = now - (60 - number) * MINUTE
        for stream, size in ((StreamId("north", "gate", "main"), 3), (LANE, 1)):
            put(one, stream, start, size * 1_000_000)
    put(one, LANE, now - 2 * DAY, 500)
    body = {
        "streams": {"main": {"url": "rtsp://127.0.0.1/x"}},
        "group": "key",
        "label": "East gate",
    }
    one.catalog.cameras.put(parse_camera("gate", body), now - DAY, None)
    yield one
    one.close()


def put(app: App, stream: StreamId, start: Instant, size: int) -> None:
    """Let a minute of a stream lie in the store, as the catalog knows it."""
    one = replace(
        segment(stream=stream, size_bytes=size),
        start=start,
        end=start + MINUTE,
        span_start=start,
        key=f"{stream}/{start}",
    )
    app.catalog.commits.add_segment(one, "main", "", start)


def roomy(free: int, total: int) -> SimpleNamespace:
    return SimpleNamespace(name="main", free_bytes=lambda: (free, total))


def look(app: App, free: int, total: int) -> StoreUsage:
    store: Any = roomy(free, total)
    return usage_of(app.catalog, store, "post", app.clock.now())


def test_a_store_says_whose_footage_it_holds_and_how_far_back_it_reaches(app: App) -> None:
    main, old = usage_here(app)
    assert (main["stored_bytes"], main["readonly"]) == (240_000_500, False)
    assert main["groups"] == {"key": 180_000_000, "": 60_000_500}, "nobody knows the camera lane"
    gate, lane = main["streams"]
    assert (gate["label"], lane["label"]) == ("East gate", None)
    assert (gate["camera"], gate["group"], gate["segments"]) == ("gate", "key", 60)
    assert (lane["camera"], lane["bytes"], lane["segments"]) == ("lane", 60_000_500, 61)
    assert main["oldest"] == lane["oldest"] != gate["oldest"]
    assert main["free_bytes"] is not None
    assert (old["stored_bytes"], old["oldest"], old["full_at"]) == (0, None, None)
    assert old["readonly"] is True


def test_what_is_going_is_said_of_each_stream(app: App) -> None:
    (first, *_) = app.catalog.planning.copies_at("main", None, 1)
    app.catalog.deletion.condemn([Copy(first.segment, "main")], app.clock.now(), [])
    gate, lane = usage_here(app)[0]["streams"]
    assert (gate["condemned_bytes"], lane["condemned_bytes"]) == (3_000_000, 0)


def test_without_a_policy_a_store_is_full_when_what_comes_has_filled_it(app: App) -> None:
    found = look(app, 10 * GB, 20 * GB)
    assert found.bytes_per_day == pytest.approx(240e6 * 24, rel=0.01)
    assert found.full_at is not None
    assert found.full_at - app.clock.now() == pytest.approx(10 * GB / 240e6 * HOUR, rel=0.01)
    shown = show_usage(found, app.clock.now())
    assert shown["days_left"] == pytest.approx(10 * GB / 240e6 / 24, abs=0.02)


def test_a_store_that_was_begun_minutes_ago_does_not_say_that_it_lasts_for_years(
    app: App,
) -> None:
    first = app.catalog.planning.copies_at("main", None, 1)[0].segment
    early = first.start + 2 * MINUTE
    store: Any = roomy(10 * GB, 20 * GB)
    for copy in app.catalog.planning.copies_at("main", None, 1000):
        if copy.segment.start >= early or copy.segment.start < first.start:
            app.catalog.commits.forget([copy], "lost")
    found = usage_of(app.catalog, store, "post", early)
    assert found.bytes_per_day == pytest.approx(8e6 * DAY / (2 * MINUTE), rel=0.01)


def test_with_a_policy_a_store_is_full_when_the_policys_forecast_says(app: App) -> None:
    rule = {"name": "all", "keep": {"post": "1h"}}
    body: dict[str, Any] = {"levels": ["post"], "rules": [rule]}
    app.catalog.documents.put("policy", body, "ann", app.clock.now())
    assert look(app, 10 * GB, 20 * GB).full_at is None, "an hour of it fits"
    body["rules"] = [rule | {"keep": {"post": "300d"}}]
    app.catalog.documents.put("policy", body, "ann", app.clock.now())
    assert look(app, 10 * GB, 20 * GB).full_at is not None


def test_a_store_that_is_away_is_said_to_be_and_the_others_are_told(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(store: FileStore) -> tuple[int, int] | None:
        if store.name == "main":
            raise StoreUnavailable("the disk is gone")
        return 5, 9

    monkeypatch.setattr(FileStore, "free_bytes", away)
    main, old = usage_here(app)
    assert (main["error"], main["free_bytes"]) == ("the disk is gone", None)
    assert main["stored_bytes"] == 240_000_500
    assert (old["error"], old["free_bytes"], old["total_bytes"]) == (None, 5, 9)


def test_the_command_and_the_api_tell_the_same(app: App, tmp_path: Path) -> None:
    answer = ask(app, "GET", "/api/v1/stores").json()
    assert [one["store"] for one in answer] == ["main", "old"]
    assert ask(app, "GET", "/api/v1/stores/main").json()["streams"] == answer[0]["streams"]
    assert ask(app, "GET", "/api/v1/stores/none").status_code == 404
    with pytest.raises(NotFound, match="no store 'none'"):
        usage_here(app, ["none"])
    said = _run(tmp_path, "--json")
    assert json.loads(said)[0]["groups"] == answer[0]["groups"]
    lines = _run(tmp_path, "main", "--sort", "oldest").splitlines()
    assert lines[0].startswith("store main: 240 MB of footage, ")
    assert lines[-2].split()[0] == "north/lane/main", "what is oldest comes first"
    assert format_instant(app.clock.now() - 2 * DAY, 0)[:10] in lines[-2]


def _run(folder: Path, *more: str) -> str:
    settings = {
        "site": "north", "node": "n1", "data": str(folder),
        "stores": [
            {"name": "main", "path": str(folder / "main")},
            {"name": "old", "path": str(folder / "old"), "readonly": True},
        ],
    }  # fmt: skip
    (folder / "settings.yaml").write_text(json.dumps(settings))
    done = CliRunner().invoke(
        recorder, ["--config", str(folder / "settings.yaml"), "store", "usage", *more]
    )
    assert done.exit_code == 0, done.output
    return done.output
