"""A node starts, answers and ends while a disk hangs that it does not need, or needs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recorder.api.vital import ready
from recorder.app import App
from recorder.cli import serve
from recorder.config import Settings, checked, load_settings
from recorder.config.parts import StorePart
from recorder.service import Service


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
