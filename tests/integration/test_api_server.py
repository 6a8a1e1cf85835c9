"""The door itself: how it listens, and what it notes of each answer."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from recorder import telemetry
from recorder.api import server
from recorder.api.door import Door
from recorder.app import App
from recorder.config import ApiPart, load_settings


async def whole_answer(port: int, path: str, method: str = "GET", host: str = "localhost") -> bytes:
    """Ask on a connection of its own; return all that comes, less its date."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    return re.sub(rb"date: [^\r]*\r\n", b"", answer)


async def ask(port: int, path: str) -> int:
    """Ask on a connection of its own; return the status."""
    return int((await whole_answer(port, path)).split()[1])


def behind(folder: Path, test: Callable[[Door], Awaitable[None]], **part: Any) -> None:
    """Run a test against an open door."""

    async def run() -> None:
        app = App(load_settings(None, data=folder, api=ApiPart(listen="127.0.0.1:0", **part)))
        door = Door(app, None)
        await door.open()
        try:
            await test(door)
        finally:
            await door.close()
            app.close()

    asyncio.run(run())


def noted(route: str, status: int) -> float:
    """How many answers were noted so far."""
    found = telemetry.REGISTRY.get_sample_value(
        "recorder_api_request_seconds_count",
        {"route": route, "method": "GET", "status": str(status)},
    )
    return found or 0.0


def test_a_small_answer_does_not_wait_for_the_clients_acknowledgement(tmp_path: Path) -> None:
    async def test(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        (connection,) = door._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        writer.close()

    behind(tmp_path, test)


def test_each_answer_is_noted_once_by_its_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = "/api/v1/nodes"
    before = [noted("/healthz", 200), noted("other", 404), noted(nodes, 500)]

    def broken(_: App) -> None:
        raise ZeroDivisionError

    async def test(door: Door) -> None:
        assert await ask(door.port, "/healthz") == 200
        assert await ask(door.port, "/nothing") == 404
        monkeypatch.setattr(App, "catalog", property(broken))
        assert await ask(door.port, nodes) == 500
        monkeypatch.undo()

    behind(tmp_path, test)
    after = [noted("/healthz", 200), noted("other", 404), noted(nodes, 500)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]


def test_a_node_that_is_asked_how_it_does_says_it_as_the_whole_api_does(tmp_path: Path) -> None:
    async def test(door: Door) -> None:
        asked = [
            ("/healthz",),
            ("/readyz",),
            ("/healthz", "HEAD"),
            ("/healthz", "GET", "elsewhere.example"),
        ]
        before = [await whole_answer(door.port, *one) for one in asked]
        head = (await whole_answer(door.port, "/metrics")).partition(b"content-length")[0]
        assert door.answers.api is None
        assert [int(one.split()[1]) for one in before] == [200, 503, 200, 421]
        assert await ask(door.port, "/api/v1/answering") == 200
        assert door.answers.api is not None
        assert [await whole_answer(door.port, *one) for one in asked] == before
        assert (await whole_answer(door.port, "/metrics")).startswith(head)

    behind(tmp_path, test)


@pytest.mark.parametrize(("path", "method", "status"), [
    ("/healthz?x=1", "GET", 400), ("/healthz", "OPTIONS", 405), ("/nothing", "GET", 404),
    ("/metrics", "GET", 401),
])  # fmt: skip
def test_what_is_refused_is_refused_by_the_whole_api(
    tmp_path: Path, path: str, method: str, status: int
) -> None:
    async def test(door: Door) -> None:
        first = await whole_answer(door.port, path, method)
        assert int(first.split()[1]) == status
        assert door.answers.api is not None
        assert await whole_answer(door.port, path, method) == first

    behind(tmp_path, test, access="on")


def test_who_asks_for_the_api_together_has_one_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    make, together = server.make_routes, threading.Event()

    def counting(app: App, service: Any) -> Any:
        made.append(app)
        if len(made) == 1:
            raise ZeroDivisionError
        assert together.wait(20)
        return make(app, service)

    monkeypatch.setattr(server, "make_routes", counting)

    async def test(door: Door) -> None:
        assert await ask(door.port, "/api/v1/answering") == 500  # and the next one tries again
        several = [asyncio.create_task(ask(door.port, "/api/v1/answering")) for _ in range(3)]
        for _ in range(3000):
            if len(door._server.server_state.tasks) == len(several):
                break
            await asyncio.sleep(0.01)
        together.set()
        assert await asyncio.gather(*several) == [200, 200, 200]

    behind(tmp_path, test)
    assert len(made) == 2
