"""Clients that are slow, or too many, at an open door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.api import connections, guard
from recorder.api.connections import PatientProtocol, Said, connections_allowed, quiet_accept
from recorder.api.door import Door
from recorder.app import App
from recorder.config import ApiPart, load_settings

HEAD = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"


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


async def ends(reader: asyncio.StreamReader) -> bytes:
    """Read what there is until the door ends the connection."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 20)
    return b""


@pytest.mark.parametrize("said", [b"", b"GET", HEAD, HEAD + b"\r\n" + HEAD])
def test_a_head_that_does_not_come_ends_the_connection(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)

    async def test(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(said)
        answered = await ends(reader)
        assert answered.count(b"HTTP/1.1 200") == said.count(b"\r\n\r\n")
        writer.close()

    behind(tmp_path, test)


def test_an_answer_may_take_longer_than_the_head_that_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    monkeypatch.setattr(connections, "KEEP_S", 0.2)

    async def test(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST /api/v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n"
                     b"content-type: application/json\r\n\r\n")  # fmt: skip
        with pytest.raises(TimeoutError):  # nothing is said, and the connection not ended
            await asyncio.wait_for(reader.read(1), 1)
        writer.write(b"{}")
        assert b" 422 " in await ends(reader)
        writer.close()

    behind(tmp_path, test)


def test_a_connection_that_was_answered_and_asks_nothing_more_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEEP_S", 0.2)

    async def test(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(2 * (HEAD + b"\r\n"))
        assert (await ends(reader)).count(b"HTTP/1.1 200") == 2
        writer.close()

    behind(tmp_path, test)


def test_an_answers_head_and_body_are_sent_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    write = _SelectorSocketTransport.write

    def noting(line: Any, data: bytes) -> None:
        sent.append(bytes(data))
        write(line, data)

    async def test(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for _ in range(3):
            writer.write(HEAD + b"\r\n")
            await asyncio.wait_for(reader.readuntil(b'{"status":"ok"}'), 20)
        writer.close()

    monkeypatch.setattr(_SelectorSocketTransport, "write", noting)
    behind(tmp_path, test)
    answers = [one for one in sent if not one.startswith(b"GET ")]
    assert len(answers) == 3
    for one in answers:
        assert one.startswith(b"HTTP/1.1 200")
        assert one.endswith(b'{"status":"ok"}')


def test_a_head_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    async def test(door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(HEAD + b"x: " + b"y" * (2 * connections.MOST_HEAD) + b"\r\n\r\n")
        assert b" 400 " in (await ends(reader))[:20]
        writer.close()

    behind(tmp_path, test)


def test_a_body_that_stops_coming_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "IDLE_S", 0.2)

    async def test(door: Door) -> None:
        for path in (b"/api/v1/events", b"/api/v1/feed"):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(b"POST " + path + b" HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n"
                         b"content-type: application/json\r\n\r\n{")  # fmt: skip
            assert b" 408 " in (await asyncio.wait_for(reader.readline(), 20))
            writer.close()

    behind(tmp_path, test)


def test_who_brings_nothing_makes_room_for_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Door, "_most", lambda _: 3)
    monkeypatch.setattr(PatientProtocol, "refused", Said("too many"))

    async def test(door: Door) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(HEAD + b"\r\n")
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)
        for _ in range(20):
            other, asking = await asyncio.open_connection("127.0.0.1", door.port)
            asking.write(HEAD + b"connection: close\r\n\r\n")
            assert b" 200 " in await ends(other)
            asking.close()
        for one, _ in silent[:1]:
            assert await ends(one) == b"", "the oldest went"
        for _, line in [*silent, (reader, writer)]:
            line.close()

    with caplog.at_level(logging.WARNING, "recorder.api"):
        behind(tmp_path, test)
    assert [one.message for one in caplog.records] == ["too many"]


def test_who_is_being_answered_is_not_dropped_for_more_who_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Door, "_most", lambda _: 2)

    async def test(door: Door) -> None:
        busy = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(
                b"POST /api/v1/events HTTP/1.1\r\nhost: localhost\r\n"
                b"content-length: 2\r\nexpect: 100-continue\r\n"
                b"content-type: application/json\r\nconnection: close\r\n\r\n"
            )
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)  # its body is awaited
            busy.append((reader, writer))
        for _ in range(20):
            other, asking = await asyncio.open_connection("127.0.0.1", door.port)
            assert await ends(other) == b""
            asking.close()
        for reader, writer in busy:
            writer.write(b"{}")
            assert b" 422 " in await ends(reader)
            writer.close()

    behind(tmp_path, test)


@pytest.mark.parametrize(
    ("descriptors", "streams", "most"),
    [(256, 2, 24), (1024, 20, 144), (1 << 20, 1000, 2000), (256, 100, 16)],
)
def test_streams_have_their_descriptors_first(descriptors: int, streams: int, most: int) -> None:
    assert connections_allowed(descriptors, streams) == most


def test_what_cannot_be_accepted_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        quiet_accept(loop)
        for _ in range(1000):
            loop.call_exception_handler({"message": "socket.accept() out of system resource"})
        loop.call_exception_handler({"message": "something else"})

    with caplog.at_level(logging.WARNING):
        asyncio.run(test())
    assert [one.message for one in caplog.records] == [
        "cannot accept connections",
        "something else",
    ]


def test_what_happens_often_is_counted_until_it_is_said_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = Said("often")
    with caplog.at_level(logging.WARNING):
        for second in range(61):
            said.again(second)
    assert [one.__dict__["times"] for one in caplog.records] == [1, 60]
