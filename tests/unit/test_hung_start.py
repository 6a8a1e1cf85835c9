"""A node starts, answers and ends while a disk hangs that it does not need, or needs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recorder import private
from recorder.api.vital import ready
from recorder.app import App
from recorder.catalog.engines import make_engine
from recorder.cli import serve
from recorder.config import Settings, checked, load_settings
from recorder.config.parts import StorePart
from recorder.errors import CatalogUnavailable
from recorder.patience import Patience
from recorder.service import Service
from tests.support.clock import FakeClock
from tests.support.make import T0


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """Be what a disk waits for, which hangs till the end."""
    event = threading.Event()
    yield event
    event.set()


def test_a_store_whose_disk_hangs_keeps_no_node_from_starting(
    tmp_path: Path, hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, late = checked._followed, list[str]()

    def followed(store: StorePart) -> Path:
        if store.name == "away":
            hung.wait(60)
            late.append(store.name)
        return right(store)

    monkeypatch.setattr(checked, "_followed", followed)
    monkeypatch.setattr(checked, "PATIENCE_S", 0.01)
    stores = [{"name": name, "path": str(tmp_path / name)} for name in ("main", "away")]
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"stores": stores}))
    assert [one.name for one in load_settings(config).all_stores] == ["main", "away"]
    assert not late


def test_a_catalog_whose_disk_hangs_keeps_no_node_from_answering(
    tmp_path: Path,
    hung: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def tightened(*_: object) -> list[Path]:
        hung.wait(60)
        return []

    monkeypatch.setattr(private, "tighten", tightened)
    monkeypatch.setattr(private, "PATIENCE_S", 0.01)
    app = App(Settings(site="north", node="n1", data=tmp_path))
    assert app.catalog is not None
    assert not hung.is_set()
    assert [one.message for one in caplog.records] == ["the folder of data does not answer"]
    app.close()


def test_what_is_asked_of_a_catalog_that_hangs_is_not_waited_for_by_a_node_that_is_to_end() -> None:
    async def start() -> None:
        told = asyncio.Event()
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def ask() -> None:
            await never

        waiting = asyncio.create_task(serve._unless_told(ask(), told))
        await asyncio.sleep(0)
        assert not waiting.done()
        told.set()
        await asyncio.wait_for(waiting, 10)

    asyncio.run(start())


def test_a_node_that_nobody_can_tell_whether_it_has_an_admin_ends_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hangs(_: object) -> None:
        await asyncio.get_running_loop().create_future()

    async def hand_over(_: object) -> None:
        return None

    @asynccontextmanager
    async def running(_: Any, lacks: object, told: asyncio.Event) -> AsyncIterator[Any]:
        asyncio.get_running_loop().call_later(0, told.set)
        yield SimpleNamespace(hand_over=hand_over)

    monkeypatch.setattr(serve, "running", running)
    monkeypatch.setattr(serve, "_tell_first_admin", hangs)
    monkeypatch.setattr("recorder.process.keep_what_is_made", lambda: None)
    part = SimpleNamespace(scheme="http", listen="127.0.0.1:0")
    settings = SimpleNamespace(node="n1", site="s", roles=("api",), api=part)

    async def run() -> None:
        async with asyncio.timeout(20):
            await serve.until_told(SimpleNamespace(settings=settings))  # type: ignore[arg-type]

    asyncio.run(run())


def test_a_catalog_that_takes_no_sign_of_life_for_five_seconds_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(Settings(site="north", node="n1", data=tmp_path))
    app.clock = clock = FakeClock(T0)  # type: ignore[assignment]
    service = Service(app)

    def said() -> str:
        return ready(app, service, told=True)[1]["checks"]["catalog"]

    def refuse(_: object) -> None:
        raise CatalogUnavailable("catalog: database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(app.catalog.nodes, "beat", refuse)
        for _ in range(2):  # whether it is asked, or has refused
            with pytest.raises(CatalogUnavailable):
                service._presence.tell()
            clock.sleep(3)
    assert said() == "has taken nothing for 6 s"
    service._presence.tell()
    clock.sleep(60)
    assert said() == "ok"
    app.close()


def test_who_comes_too_late_to_ask_a_catalog_that_hangs_is_told_so(tmp_path: Path) -> None:
    app = App(Settings(site="north", node="n1", data=tmp_path))
    app.catalog.database.prepare()
    app.catalog.database.engine = make_engine(
        f"sqlite:///{tmp_path / 'catalog.db'}", "", single=True
    )
    app.catalog.database.engine.pool._timeout = 0.01  # type: ignore[attr-defined]
    with app.catalog.database.engine.connect(), pytest.raises(CatalogUnavailable) as refused:
        app.catalog.footage.streams()
    assert str(refused.value).endswith("does not answer those who ask it already")
    app.close()


@contextmanager
def hanging(hung: threading.Event, entered: Callable[[], object]) -> Iterator[None]:
    hung.wait(60)
    entered()
    yield


def test_a_node_whose_spool_hangs_at_its_start_says_so_and_ends_when_told(
    tmp_path: Path, hung: threading.Event
) -> None:
    app = App(Settings(site="north", node="n1", data=tmp_path))
    service = Service(app)

    async def start() -> None:
        told = asyncio.Event()
        waiting = asyncio.create_task(serve._own(hanging(hung, str), service, told))
        await asyncio.sleep(0)
        status, body = ready(app, service, told=True)
        assert (status, body["checks"]["spool"]) == (503, "does not answer")
        told.set()
        with pytest.raises(serve.Unanswered):
            await asyncio.wait_for(waiting, 10)
        assert not service.lacks_spool

    asyncio.run(start())
    app.close()


def test_a_node_goes_on_with_its_start_when_its_spool_answers(
    tmp_path: Path, hung: threading.Event
) -> None:
    app = App(Settings(site="north", node="n1", data=tmp_path))
    service, entered = Service(app), list[str]()

    async def start() -> None:
        own = serve._own(hanging(hung, lambda: entered.append("own")), service, asyncio.Event())
        waiting = asyncio.create_task(own)
        await asyncio.sleep(0)
        assert not entered
        hung.set()
        await asyncio.wait_for(waiting, 10)

    asyncio.run(start())
    assert entered == ["own"]
    assert "spool" not in ready(app, service, told=True)[1]["checks"]
    app.close()


@pytest.mark.parametrize("owed", [True, False], ids=["is slow", "is not there"])
def test_a_node_that_knows_no_camera_starts_while_its_catalog_owes_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owed: bool
) -> None:
    """On a slow disk each start would end as the first one did."""
    app = App(Settings(site="north", node="n1", data=tmp_path, roles=["capture"]))

    async def start() -> None:
        service = Service(app)

        async def away() -> None:
            raise CatalogUnavailable("reconcile: no answer within 10 s")

        with monkeypatch.context() as patch:
            patch.setattr(service.wanted, "look", away)
            patch.setattr(Patience, "is_owed", owed)
            with nullcontext() if owed else pytest.raises(CatalogUnavailable):
                await service.start()
        assert service.capture is not None
        await service.reconcile()
        assert not service.capture.states()
        await service.stop()

    asyncio.run(start())
    app.close()
