"""Where a camera with a password is: told to this user's ffmpeg, and to no other user."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from recorder.capture import diag, redirect
from recorder.capture.redirect import Redirects, is_ours

URL = "rtsp://admin:SECRET@10.0.0.7/main"
ASK = """\
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as one:
    one.sendall(f"DESCRIBE {sys.argv[2]} RTSP/1.0\\r\\nCSeq: 1\\r\\n\\r\\n".encode())
    try:
        sys.stdout.write(one.recv(4096).decode())
    except ConnectionError:
        pass
"""
NOBODY = 65534


def asked(at: str, user: int | None = None) -> str:
    parts = urlsplit(at)
    argv = ["/usr/bin/python3", "-I", "-c", ASK, str(parts.port), parts.path]
    return subprocess.run(argv, capture_output=True, text=True, check=True, user=user).stdout


def test_a_camera_with_a_password_is_told_to_a_process_of_this_user() -> None:
    with Redirects().offered(URL) as at:
        assert "SECRET" not in at
        assert f"Location: {URL}\n" in asked(at)
    assert "SECRET" not in asked(at), "it is offered while it is in use"


def test_another_user_who_reads_the_address_in_the_arguments_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Redirects().offered(URL) as at:
        assert "SECRET" in asked(at)
        if os.geteuid() == 0:
            assert asked(at, NOBODY) == ""
        other = os.geteuid() + 1
        monkeypatch.setattr("recorder.capture.redirect.os.geteuid", lambda: other)
        assert asked(at) == ""


def test_whose_a_connection_is_is_asked_before_anything_is_read_of_it() -> None:
    said: list[tuple[int, int]] = []

    def ours(port: int, to: int) -> bool:
        said.append((port, to))
        return False

    with Redirects(ours).offered(URL) as at, socket.socket() as one:
        to = urlsplit(at).port
        one.settimeout(30)
        one.connect(("127.0.0.1", to))
        assert one.recv(4096) == b""
        assert said == [(one.getsockname()[1], to)]


def test_a_connection_that_the_system_does_not_list_is_not_this_users() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", to)) as one:
            port = one.getsockname()[1]
            assert (is_ours(port, to), is_ours(port, 1), is_ours(1, to)) == (True, False, False)


def test_without_proc_the_kernel_says_whose_a_connection_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(redirect, "CONNECTIONS", tmp_path / "self" / "net" / "tcp")
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", to)) as one:
            port = one.getsockname()[1]
            assert (is_ours(port, to), is_ours(port, 1), is_ours(1, to)) == (True, False, False)
            assert diag.owner_of(port, to) == os.geteuid()
    with Redirects().offered(URL) as at:
        assert "SECRET" in asked(at)
        if os.geteuid() == 0:
            assert asked(at, NOBODY) == ""


def test_where_nobody_can_say_who_asks_nobody_is_told_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(*_: int) -> int:
        raise OSError(errno.EPROTONOSUPPORT, "no such protocol")

    monkeypatch.setattr(redirect, "CONNECTIONS", tmp_path / "tcp")
    monkeypatch.setattr(diag, "owner_of", refuses)
    with Redirects().offered(URL) as at:
        assert asked(at) == ""
    assert "nobody can say who asks" in caplog.text
