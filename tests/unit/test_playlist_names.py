"""What a playlist names keeps its name while anybody may still read the list again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from recorder.app import App
from recorder.catalog import schema
from recorder.config import Settings, StorePart
from recorder.model.camera_document import parse_camera
from recorder.model.keys import StreamId, segment_key
from recorder.model.timebase import MINUTE, SECOND, Instant, format_instant
from recorder.ports.states import StreamStatus
from recorder.store.files import FileStore
from tests.support.access import ask
from tests.support.clock import FakeClock
from tests.support.make import T0, segment

STREAM = StreamId("post", "gate", "main")
LIST = "/api/v1/cameras/gate/playback.m3u8"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A minute of a camera, and the half before of the same run, whose times began anew."""
    one = App(Settings(data=tmp_path, site="post", stores=[StorePart(name="main", path=tmp_path)]))
    for start, size in ((T0 - 30 * SECOND, 70_000), (T0, 80_000)):
        key = segment_key(str(STREAM), start, "n1.1", 0)
        part = segment(stream=STREAM, key=key, start=start, end=start + 20 * SECOND,
                       span_start=start, media_start=7, size_bytes=size)  # fmt: skip
        one.catalog.commits.add_segment(part, "main", "", 7)
    yield one
    one.close()


def read(app: App, now: Instant, end: Instant, **more: str) -> str:
    """Return a list that is read at a moment."""
    clock = FakeClock(now)
    app.clock = clock  # type: ignore[assignment]
    params = {"start": format_instant(T0), "end": format_instant(end), **more}
    return ask(app, "GET", LIST, params=params).text


def named(app: App, now: Instant, end: Instant, **more: str) -> set[str]:
    """Return what it names."""
    text = read(app, now, end, **more)
    return set(re.findall(r"([^\n\"]+)bytes=", text)) | set(re.findall(r"(http:[^\n\"]+)", text))


def test_a_list_names_files_alike_until_ten_minutes_after_its_range(app: App) -> None:
    end = T0 + 20 * SECOND
    lasting = {f"../../objects/open/post/gate/main/n1.1/7/800.mp4?near={T0 // SECOND}&"}
    for now in (T0 + 15 * SECOND, end, end + 6 * SECOND, end + 10 * MINUTE - 1):
        assert named(app, now, end) == lasting, now
    later = named(app, end + 10 * MINUTE, end)
    assert later == {f"../../objects/{segment_key(str(STREAM), T0, 'n1.1', 0)}?"}


def test_of_files_that_are_named_alike_the_one_at_that_time_is_meant(app: App) -> None:
    for near, size in ((T0 - 30 * SECOND, "70000"), (T0, "80000"), (T0 + MINUTE // 2, "80000")):
        path = f"/api/v1/objects/open/post/gate/main/n1.1/7/800.mp4?near={near // SECOND}"
        assert ask(app, "HEAD", path).headers["content-length"] == size
    for other in ("n1.2/7/800", "n1.1/8/800", "n1.1/7/801"):
        path = f"/api/v1/objects/open/post/gate/main/{other}?near={T0 // SECOND}"
        assert ask(app, "HEAD", path).status_code == 404


def test_an_open_list_names_this_api_alone_for_what_is_recorded_is_in_no_store_yet(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileStore, "presign", lambda *_: "http://store/1")
    end = T0 + 20 * SECOND
    assert named(app, end, end, via="presigned") == named(app, end, end)
    assert named(app, end + MINUTE, end, via="presigned") == {"http://store/1"}


@pytest.mark.parametrize("state", ["damaged_ns", "condemned_ns"])
def test_no_address_into_a_store_is_given_of_a_copy_that_is_not_whole_or_is_to_go(
    app: App, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(FileStore, "presign", lambda *_: "http://store/1")
    end = T0 + 20 * SECOND
    with app.catalog.database.write() as db:
        db.execute(update(schema.copy).values({state: 7}))
    again = named(app, end + MINUTE, end, via="presigned")
    assert again == named(app, end + MINUTE, end), "it is read through here, and falls over"


def test_a_list_stays_open_while_another_node_may_still_seal_the_end_of_its_range(
    app: App,
) -> None:
    end = T0 + 40 * SECOND  # there is footage until 20 s
    app.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://x/y"}), 1, None)
    for state in ("recording", "failing"):
        told = StreamStatus(STREAM, "n9", state, "source", "", "", T0, end + MINUTE)
        app.catalog.statuses.put([told])
        open_ = "#EXT-X-ENDLIST" not in read(app, end + MINUTE, end)
        assert open_ == (state == "recording")
        assert "#EXT-X-ENDLIST" in read(app, end + 10 * MINUTE, end)
        assert "#EXT-X-ENDLIST" in read(app, end, end - 21 * SECOND)


def test_of_a_critical_camera_that_others_record_is_named_what_all_of_them_have_sealed(
    app: App,
) -> None:
    end = T0 + 20 * SECOND
    for critical in (False, True):
        document = {"url": "rtsp://x/y", "critical": critical}
        app.catalog.cameras.put(parse_camera("gate", document), 1, None)
        assert bool(named(app, end + 6 * SECOND, end)) != critical
        assert named(app, end + 2 * MINUTE, end)
