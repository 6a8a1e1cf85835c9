"""A stop while something is under way: what was begun is ended, and nothing begins any more."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recorder import service as services
from recorder.app import App
from recorder.config import Settings
from recorder.errors import CatalogUnavailable
from recorder.flow import sender_of
from recorder.jobs import signing
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.service import Service
from tests.support.clock import FakeClock
from tests.support.make import T0

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


def test_whatever_hangs_a_stop_takes_one_time_and_each_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(Settings(site="s", node="n1", data=tmp_path))
    app.clock = clock = FakeClock(T0)  # type: ignore[assignment]
    waited: list[tuple[str, float]] = []

    def hangs(name: str) -> Any:
        def wait(patience_s: float) -> None:
            waited.append((name, patience_s))
            clock.sleep(patience_s)

        return wait

    class Hangs:
        def __init__(self, name: str, patience_s: float) -> None:
            self.name, self.patience_s = name, patience_s

        async def ask(self, word: object) -> None:
            hangs(self.name)(self.patience_s)
            raise CatalogUnavailable("no answer")

    async def jobs(patience_s: float) -> None:
        hangs("jobs")(patience_s)

    service = Service(app)
    monkeypatch.setattr(services, "Patience", Hangs)
    monkeypatch.setattr(service.rounds, "stop", jobs)
    monkeypatch.setattr(service.exports, "stop", hangs("exports"))
    service.register = SimpleNamespace(stop=hangs("ingest"))  # type: ignore[assignment]
    service.sender = SimpleNamespace(  # type: ignore[assignment]
        drain=hangs("drain"), stop=hangs("ship"), refresh=print
    )
    asyncio.run(service.stop())
    assert [name for name, _ in waited] == [
        "jobs", "ingest", "exports", *["leave"] * 5, "drain", "ship", "leave",
    ]  # fmt: skip
    assert waited[0] == ("jobs", services.CATALOG_S)
    assert min(seconds for _, seconds in waited) == services.LEAST_S, "each is asked"
    most = services.ENDING_S + services.LEAST_S * len(waited[2:])
    assert sum(seconds for _, seconds in waited) <= most
    app.close()


def test_all_that_ship_are_waited_for_at_once(tmp_path: Path) -> None:
    app = App(Settings(site="s", node="n1", data=tmp_path))
    app.clock = clock = FakeClock(T0)  # type: ignore[assignment]
    sender = sender_of(app, lambda _: True, lambda _: None)

    class Hangs:
        def join(self, patience_s: float) -> None:
            clock.sleep(patience_s)

    sender._threads = [Hangs() for _ in range(4)]  # type: ignore[misc]
    sender.stop(5)
    assert clock.monotonic() == 5
    app.close()


def test_a_thread_that_hangs_keeps_no_process_from_ending() -> None:
    hangs = "import threading; threading.Thread(target=threading.Event().wait).start()"
    code = (
        "from recorder import logs, process; logs.write_unhurried(print); "
        "logs.configure_logs('info', 'text'); process.end_within(0.1, logs.drain)"
    )
    argv = [sys.executable, "-c", f"{code}; {hangs}"]
    done = subprocess.run(argv, timeout=60, check=False, capture_output=True)
    assert done.returncode == 0
    assert b"ended though something hangs" in done.stderr, "and it is written"


def test_a_store_that_hangs_keeps_no_last_word_from_the_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    over = threading.Event()
    monkeypatch.setattr(services, "CATALOG_S", 0.5)
    monkeypatch.setattr(signing, "leave_log", lambda *_, **__: over.wait(60))
    app = App(Settings(site="s", node="n1", data=tmp_path, roles=("capture", "ship", "janitor")))
    app.admit("main")
    monkeypatch.setattr(app.catalog.leases, "release", said.append)

    async def run() -> None:
        service = Service(app)
        await service.start()
        await service.stop()

    asyncio.run(asyncio.wait_for(run(), 60))
    over.set()
    assert said == ["n1"], "other nodes need not wait for its leases to end"
    app.close()
