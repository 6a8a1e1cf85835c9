"""The door itself: how it listens, and what it notes of each answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from recorder import telemetry
from recorder.api.server import Door
from recorder.app import App
from recorder.config import ApiPart, load_settings


async def ask(port: int, path: str) -> int:
    """Ask on a connection of its own; return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


def behind(folder: Path, test: Callable[[Door], Awaitable[None]]) -> None:
    """Run a test against an open door."""

    async def run() -> None:
        app = App(load_settings(None, data=folder, api=ApiPart(listen="127.0.0.1:0")))
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
