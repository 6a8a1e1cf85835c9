"""TLS of our own, and proxies that have it: real connections on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from recorder.api import connections
from recorder.api.connections import is_among
from recorder.api.door import Door
from recorder.api.idle import MOST_HANDSHAKES
from recorder.api.tls import Certificate
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.errors import ConfigError
from tests.support.tls import make_certificate


def serial(port: int, trusted: Path) -> bytes:
    """Ask for /healthz over TLS; return the certificate that was shown."""
    import socket

    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(("127.0.0.1", port), 10) as bare,
        context.wrap_socket(bare, server_hostname="127.0.0.1") as line,
    ):
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while block := line.recv(4096):
            answer += block
        assert answer.startswith(b"HTTP/1.1 200"), answer[:80]
        shown = line.getpeercert(binary_form=True)
        assert shown is not None
        return shown


def test_a_new_certificate_is_shown_without_a_restart_and_a_bad_one_is_not(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
    made = make_certificate(first)
    made.chmod(0o600)
    other = make_certificate(second)
    part = ApiPart(listen="127.0.0.1:0", certificate=made)
    app = App(load_settings(None, data=tmp_path / "data", api=part))

    async def run() -> None:
        door = Door(app, None)
        await door.open()
        try:
            before = await asyncio.to_thread(serial, door.port, made)
            certificate = door._certificate
            assert certificate is not None
            made.write_text("no certificate")
            assert not certificate.refresh()
            assert await asyncio.to_thread(serial, door.port, first / "certificate.pem") == before
            made.write_text(other.read_text())
            assert certificate.refresh()
            assert await asyncio.to_thread(serial, door.port, other) != before
        finally:
            await door.close()

    asyncio.run(run())
    app.close()


def tls_door(folder: Path, test: Callable[[Door, Path], Awaitable[None]]) -> None:
    """Run a test against a door with TLS of its own."""
    made = make_certificate(folder)
    made.chmod(0o600)
    part = ApiPart(listen="127.0.0.1:0", certificate=made)
    app = App(load_settings(None, data=folder / "data", api=part))

    async def run() -> None:
        door = Door(app, None)
        await door.open()
        try:
            await test(door, made)
        finally:
            await door.close()

    asyncio.run(run())
    app.close()


async def begin(door: Door, said: bytes = b"") -> tuple[StreamReader, StreamWriter]:
    """Connect, and say no more than a part of what begins TLS."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(said)
    return reader, writer


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_is_not_finished_ends(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)

    async def test(door: Door, made: Path) -> None:
        reader, writer = await begin(door, said)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert len(door._handshakes) == 0
        context = ssl.create_default_context(cafile=str(made))
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
        assert await asyncio.wait_for(reader.read(), 20) == b"", (
            "nor does a head that does not come"
        )
        writer.close()

    tls_door(tmp_path, test)


def test_half_handshakes_by_the_hundred_keep_nobody_out_and_cost_little(tmp_path: Path) -> None:
    async def test(door: Door, made: Path) -> None:
        half = []
        for round_ in range(6):
            half += [await begin(door, b"\x16\x03\x01") for _ in range(100)]
            assert await asyncio.to_thread(serial, door.port, made), f"round {round_}"
            assert len(door._handshakes) <= MOST_HANDSHAKES
        assert len(door._handshakes) >= MOST_HANDSHAKES - 1, "those that came last may finish"
        for _, writer in half:
            writer.close()
        for _, writer in half:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    tls_door(tmp_path, test)


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    made.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody may read"):
        Certificate(made, None)
    with pytest.raises(ConfigError, match=r"none\.pem"):
        Certificate(tmp_path / "none.pem", None)


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ({"listen": "0.0.0.0:8600"}, "has no TLS"),
        ({"listen": "10.0.0.5:8600", "access": "off", "proxies": ("10.0.0.1",)}, "access: off"),
        ({"listen": "127.0.0.1"}, "not an address and port"),
        ({"key": "/x.pem"}, "goes with api.certificate"),
        ({"proxies": ("proxy.example.org",)}, "no IP address"),
    ],
)
def test_an_open_door_is_refused_and_it_is_said_what_to_do(
    api: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(None, data=tmp_path, api=ApiPart(**api))


def test_beyond_loopback_everybody_is_asked_who_he_is(tmp_path: Path) -> None:
    part = ApiPart(listen="0.0.0.0:8600", proxies=("10.0.0.1",))
    app = App(load_settings(None, data=tmp_path, api=part))
    assert app.knower.said() is True
    app.close()


def test_without_tls_of_its_own_a_node_answers_its_proxies_alone() -> None:
    assert is_among(("10.0.0.1",), "10.0.0.1")
    assert is_among(("10.0.0.1",), "127.0.0.1")
    assert is_among(("10.0.0.1",), "::ffff:10.0.0.1")
    assert not is_among(("10.0.0.1",), "10.0.0.2")
    assert not is_among(("10.0.0.1",), "")


def test_every_answer_tells_browsers_to_run_nothing_of_it(tmp_path: Path) -> None:
    from tests.support.access import ask

    app = App(load_settings(None, data=tmp_path))
    for path in ("/healthz", "/docs", "/none"):
        headers = ask(app, "GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    app.close()
