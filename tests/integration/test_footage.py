"""Footage through the door: from file to socket, the same bytes as by any other way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from recorder import telemetry
from recorder.api import footage, outlet
from recorder.api.door import Door
from recorder.api.server import make_api
from recorder.app import App
from recorder.capture.command import Tracks
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange, format_instant
from tests.support.doors import make_app, put, put_film
from tests.support.make import STREAM, segment
from tests.support.shelf import Shelf, make_film, record_files

LARGE = 64 << 20
"""More than sockets of loopback hold."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds with sound, in segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks(("aac",))))
    yield shelf
    shelf.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    found = make_app(tmp_path)
    yield found
    found.close()


def sending(door: Door) -> int:
    """To how many it sends footage."""
    api = door.answers.api
    return api.state.readers.count if api is not None else 0


def behind(app: App, test: Callable[[Door], Awaitable[None]]) -> None:
    """Run a test against an open door; nothing may be left open or counted afterwards."""
    files = open_files(app)

    async def run() -> None:
        door = Door(app, None)
        await door.open()
        try:
            await asyncio.wait_for(test(door), 60)
            for _ in range(3000):
                if not sending(door) and open_files(app) == files:
                    break
                await asyncio.sleep(0.01)
            else:
                raise AssertionError(f"left open: {open_files(app)}")
        finally:
            await door.close()

    asyncio.run(asyncio.wait_for(run(), 90))


def open_files(app: App) -> list[str]:
    """Footage that this process holds open."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(handle.readlink()))
        except OSError:
            continue
    return sorted(one for one in found if one.startswith(str(app.settings.data / "store")))


async def until(so: Callable[[], bool]) -> None:
    """Wait until something is so; a test has a minute for all."""
    for _ in range(6000):
        if so():
            return
        await asyncio.sleep(0.01)


Ask = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(door: Door, path: str, *headers: str, small: bool = False) -> Ask:
    """Ask on a connection of its own; ``small``: one that holds little."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", door.port, limit=1 << 12 if small else 1 << 16
    )
    lines = [f"GET {path} HTTP/1.1", "host: localhost", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    return reader, writer


async def head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read the head of an answer."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}


def clip_path(asked: TimeRange) -> str:
    start, end = (format_instant(at, 9) for at in (asked.start, asked.end))
    return f"/api/v1/cameras/{STREAM.camera}/clip.mp4?start={start}&end={end}"


def object_path(one: Segment) -> str:
    return f"/api/v1/objects/{one.key}"


def test_a_clip_by_the_socket_is_the_clip_by_blocks(app: App, film: Shelf) -> None:
    path = clip_path(put_film(app, film))

    async def test(door: Door) -> None:
        plain = httpx.AsyncClient(
            transport=httpx.ASGITransport(make_api(app, None)), base_url="http://localhost"
        )
        async with plain, httpx.AsyncClient(base_url=f"http://127.0.0.1:{door.port}") as through:
            whole = (await plain.get(path)).content
            etag = (await plain.get(path)).headers["etag"]
            moov = whole.index(b"mdat") + 12
            for first, last in (
                (0, len(whole) - 1),
                (0, 0),
                (5, moov + 10),
                (moov, moov),
                (moov - 1, moov + 9000),
                (moov + 12_345, len(whole) - 77),
                (len(whole) - 1, len(whole) - 1),
            ):
                for given in (etag, '"another"'):
                    headers = {"range": f"bytes={first}-{last}", "if-range": given}
                    both = [await one.get(path, headers=headers) for one in (plain, through)]
                    taken = whole[first : last + 1] if given == etag else whole
                    assert [one.content for one in both] == [taken] * 2
                    assert {one.status_code for one in both} == {206 if given == etag else 200}
                    said = [dict(one.headers) for one in both]
                    assert {**said[0], "date": "", "server": ""} == {
                        **said[1],
                        "date": "",
                        "server": "",
                    }
            asked = await through.head(path)
            assert (asked.headers["content-length"], asked.headers["etag"]) == (
                str(len(whole)),
                etag,
            )
            assert (await through.get(path, headers={"if-none-match": etag})).status_code == 304
            over = {"range": f"bytes={len(whole)}-"}
            assert (await through.get(path, headers=over)).status_code == 416

    behind(app, test)


def test_a_connection_serves_footage_and_small_answers_in_turn(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = segment(size_bytes=LARGE)
    put(app, one)
    sent, by_kernel = [0], os.sendfile

    def counted(out: int, into: int, at: int, count: int) -> int:
        sent[0] += (done := by_kernel(out, into, at, count))
        return done

    monkeypatch.setattr(os, "sendfile", counted)

    async def test(door: Door) -> None:
        reader, writer = await ask(door, object_path(one))
        for path in ("/healthz", object_path(one), "/healthz"):
            writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        for length in (LARGE, None, LARGE, None):
            status, said = await head(reader)
            assert status == 200
            assert length in (None, int(said["content-length"]))
            await reader.readexactly(int(said["content-length"]))
        assert sent == [2 * LARGE], "none of it was read"
        writer.close()

    behind(app, test)


def test_bytes_that_are_missing_are_an_error_before_the_first_byte(app: App) -> None:
    one = segment(size_bytes=LARGE)
    path = put(app, one)

    async def test(door: Door) -> None:
        for left in (LARGE - 1, 0):
            os.truncate(path, left)
            if not left:
                path.unlink()
            reader, writer = await ask(door, object_path(one), "connection: close")
            status, said = await head(reader)
            assert (status, said["content-type"]) == (500, "application/problem+json")
            writer.close()

    behind(app, test)


def test_a_file_that_the_kernel_cannot_send_is_read(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = os.urandom(3 << 20)
    one = segment(size_bytes=len(body))
    put(app, one, body)

    def refused(*_: int) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", refused)

    async def test(door: Door) -> None:
        reader, writer = await ask(door, object_path(one))
        assert (await head(reader))[0] == 200
        assert await reader.readexactly(len(body)) == body
        writer.close()

    behind(app, test)


def test_bytes_that_go_missing_on_the_way_cut_the_connection_short(app: App) -> None:
    one = segment(size_bytes=LARGE)
    path = put(app, one)

    async def test(door: Door) -> None:
        reader, writer = await ask(door, object_path(one), small=True)
        assert (await head(reader))[0] == 200
        os.truncate(path, 0)
        assert len(await reader.read(-1)) < LARGE
        writer.close()

    behind(app, test)


def test_a_file_that_is_evicted_on_the_way_is_sent_to_its_end(app: App) -> None:
    one = segment(size_bytes=LARGE)
    path = put(app, one)

    async def test(door: Door) -> None:
        reader, writer = await ask(door, object_path(one), small=True)
        assert (await head(reader))[0] == 200
        path.unlink()
        assert len(await reader.readexactly(LARGE)) == LARGE
        writer.close()

    behind(app, test)


def test_a_client_that_goes_away_leaves_nothing_open(app: App) -> None:
    one = segment(size_bytes=LARGE)
    put(app, one)

    async def test(door: Door) -> None:
        for _ in range(5):
            reader, writer = await ask(door, object_path(one), small=True)
            await head(reader)
            writer.transport.abort()
        reader, writer = await ask(door, object_path(one), small=True)
        await head(reader)
        writer.write_eof()  # half closed is gone, too
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readexactly(LARGE)
            raise AssertionError("it was sent all of it")
        writer.close()

    behind(app, test)


def test_clients_that_take_nothing_hold_up_nobody(app: App) -> None:
    one = segment(size_bytes=LARGE)
    put(app, one)

    async def test(door: Door) -> None:
        slow = [await ask(door, object_path(one), small=True) for _ in range(footage.THREADS + 4)]
        for reader, _ in slow:
            assert (await head(reader))[0] == 200
        reader, writer = await ask(door, object_path(one), "connection: close")
        assert (await head(reader))[0] == 200
        assert len(await reader.read(-1)) == LARGE
        for reader, _ in slow[:2]:
            assert len(await reader.readexactly(LARGE)) == LARGE
        for _, other in [*slow, (reader, writer)]:
            other.close()

    behind(app, test)


def test_one_client_too_many_is_told_when_to_come_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = segment(size_bytes=LARGE)
    put(app, one)
    monkeypatch.setattr(footage, "MOST", 2)

    async def test(door: Door) -> None:
        first = [await ask(door, object_path(one), small=True) for _ in range(2)]
        for reader, _ in first:
            assert (await head(reader))[0] == 200
        reader, writer = await ask(door, object_path(one), "connection: close")
        status, said = await head(reader)
        assert (status, said["retry-after"]) == (503, "5")
        assert re.search(rb"2 clients are being sent footage", await reader.read(-1))
        for _, other in [*first, (reader, writer)]:
            other.close()

    behind(app, test)


@pytest.fixture(params=["by the socket", "by blocks"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How footage is sent; where a connection is encrypted here, by blocks."""
    if request.param == "by blocks":
        monkeypatch.setattr(footage, "EXTENSION", "none")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_who_has_taken_nothing_for_the_longest_makes_room_for_who_asks(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = segment(size_bytes=LARGE)
    put(app, one)
    monkeypatch.setattr(footage, "MOST", 2)
    monkeypatch.setattr(footage, "SLOW_S", 0.3)

    async def test(door: Door) -> None:
        slow = [await ask(door, object_path(one), small=True) for _ in range(2)]
        for reader, _ in slow:
            assert (await head(reader))[0] == 200
        api = door.answers.api
        assert api is not None
        clients, dropped = set(api.state.readers.taking), telemetry.READERS_DROPPED._value.get()
        await until(lambda: all(each.waited_s > 0.3 for each in clients))
        reader, writer = await ask(door, object_path(one))
        assert (await head(reader))[0] == 200
        assert len(await reader.readexactly(LARGE)) == LARGE, "who takes what it gets stays"
        assert len(clients & api.state.readers.taking) == 1
        assert telemetry.READERS_DROPPED._value.get() == dropped + 1
        for _, other in [*slow, (reader, writer)]:
            other.close()

    behind(app, test)


@pytest.mark.usefixtures("way")
def test_who_takes_nothing_at_all_is_let_go(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    one = segment(size_bytes=LARGE)
    put(app, one)
    for room in (footage, outlet):
        monkeypatch.setattr(room, "STALLED_S", 1)

    async def test(door: Door) -> None:
        _, writer = await ask(door, object_path(one), small=True)
        await until(lambda: sending(door) > 0)
        await until(lambda: sending(door) == 0)
        writer.close()

    behind(app, test)


def test_what_a_client_left_while_a_thread_reads_it_is_closed_when_that_comes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads, goes_on, closed = threading.Event(), threading.Event(), list[str]()

    def blocks(_: object) -> Generator[bytes, None, None]:
        try:
            reads.set()
            goes_on.wait(60)
            yield b"x"
        finally:
            closed.append("blocks")

    source: Any = SimpleNamespace(close=lambda: closed.append("source"))
    monkeypatch.setattr(footage, "read_blocks", blocks)
    given = footage._Given(source)
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(given.read)
        assert reads.wait(60)
        given.close()
        assert closed == []
        goes_on.set()
        read.result(60)
    assert closed == ["blocks", "source"]
