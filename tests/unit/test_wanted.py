"""What should be recorded, and what of it is remembered beside the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder import wanted
from recorder.app import App
from recorder.catalog.rows import camera_body
from recorder.config import Settings
from recorder.model.cameras import Camera, StreamSource
from recorder.threads import Patience
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
