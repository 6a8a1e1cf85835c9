"""A stop while something is under way: what was begun is ended, and nothing begins any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from recorder import service as services
from recorder.app import App
from recorder.config import Settings
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.service import Service

STREAM = StreamId("s", "cam", "main")


@pytest.mark.parametrize("late", [False, True])
def test_a_stop_while_the_catalog_is_waited_for_is_orderly_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, late: bool
) -> None:
    """``late``: the catalog answers when nobody waits for it any more."""
    monkeypatch.setattr(services, "RECONCILE_S", 1)
    monkeypatch.setattr(services, "CATALOG_S", 0.2 if late else 30)
    app = App(Settings(site="s", node="n1", data=tmp_path, roles=("capture",)))
    app.admit("main")

    async def run() -> Any:
        service, asked, answered = Service(app), asyncio.Event(), asyncio.Event()
        await service.start()

        async def look() -> dict[StreamId, StreamSource]:
            asked.set()
            await answered.wait()
            return {STREAM: StreamSource("rtsp://127.0.0.1:9/none")}

        monkeypatch.setattr(service.wanted, "look", look)
        await asyncio.wait_for(asked.wait(), 30)
        stop = asyncio.create_task(service.stop())
        while not app.ending.is_set():  # noqa: ASYNC110 - a threading.Event
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not late:
            answered.set()
        await asyncio.wait_for(stop, 60)
        answered.set()
        await asyncio.gather(*service.rounds._jobs)
        assert service.capture is not None
        return service.capture.states()

    assert asyncio.run(run()) == {}
    assert [
        (one.message, one.__dict__.get("reason"))
        for one in caplog.records
        if one.levelname != "INFO"
    ] == []
    app.close()
