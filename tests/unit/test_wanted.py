"""What should be recorded, and what of it is remembered beside the spool."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder import wanted
from recorder.app import App
from recorder.capture.share import Share, Wanted
from recorder.catalog.rows import camera_body
from recorder.config import Settings
from recorder.model.cameras import Camera, StreamSource
from recorder.model.keys import StreamId
from recorder.patience import Patience
from recorder.wanted import WantedStreams
from tests.support.make import T0

CAMERA = Camera("gate", {"main": StreamSource("rtsp://gate/main")})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(site="north", node="n1", data=tmp_path))
    yield one
    one.close()


def test_cameras_are_written_down_when_they_changed_and_not_looked_through_otherwise(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    show = camera_body

    def noting(camera: Camera) -> dict[str, Any]:
        shown.append(camera.name)
        return show(camera)

    monkeypatch.setattr(wanted, "camera_body", noting)
    file = app.spool.root / "cameras.json"

    async def look() -> None:
        one = WantedStreams(app, Patience("test", 10))
        app.catalog.cameras.put(CAMERA, T0, None)
        await one.look()
        before = file.read_bytes()
        await one.look()
        assert shown == ["gate"]
        app.catalog.cameras.put(replace(CAMERA, name="yard"), T0, None)
        await one.look()
        assert shown == ["gate", "gate", "yard"]
        assert file.read_bytes() != before

    asyncio.run(look())


def test_a_disk_that_does_not_answer_is_not_waited_for_at_each_look(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object) -> None:
        pytest.fail("it was asked")

    async def look() -> None:
        app.catalog.cameras.put(CAMERA, T0, None)
        monkeypatch.setattr(wanted, "remember", hangs)
        monkeypatch.setattr(type(app.spool.silence), "silent", property(lambda _: True))
        found = await WantedStreams(app, Patience("test", 10)).look()
        assert [stream.camera for stream in found] == ["gate"]

    asyncio.run(look())


def test_a_disk_that_takes_nothing_keeps_no_stream_from_being_wanted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = app.spool.root / "cameras.json"

    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    class One(Share):
        def __init__(self) -> None:
            """Of a site that has no other node."""

        def choose(self, wanted: Wanted, twice: Collection[StreamId] = ()) -> Wanted:
            return wanted

    async def look() -> None:
        one = WantedStreams(app, Patience("test", 10))
        one.share = One()
        app.catalog.cameras.put(CAMERA, T0, None)
        with monkeypatch.context() as disk:
            disk.setattr(wanted, "remember", full)
            for _ in range(2):
                assert [stream.camera for stream in await one.look()] == ["gate"]
        assert not file.exists()
        assert len(await one.look()) == 1
        assert {path.name for path in app.spool.root.iterdir()} >= {file.name, "held.json"}

    asyncio.run(look())
