"""A TCP proxy that misbehaves on command: refuses, slows, cuts, answers 500, truncates."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.support.ports import free_port

Entering = Callable[[], AbstractContextManager[None]]


MOST = {"truncate": 2048, "unanswered": 0}
"""Bytes of answers that come through, by mode."""


class Proxy:
    """Forwards loopback connections to ``target``; ``mode`` decides how badly.

    ``mode``: ok, refuse (close at once), hang (accept, say nothing), slow (1 MB/s up),
    error (HTTP 503 to every request), truncate (answers cut after 2 kB), unanswered (what is asked
    is done, and its answer lost).

    ``at``: the address to listen at, by default a free port on loopback.  ``inside`` and
    ``target_inside`` enter the network namespaces that it listens and connects in.
    """

    def __init__(
        self, target: int, at: tuple[str, int] | None = None,
        inside: Entering = contextlib.nullcontext, target_inside: Entering = contextlib.nullcontext,
    ) -> None:  # fmt: skip
        host, self.port = at or ("127.0.0.1", free_port())
        self.target, self.mode, self._target_inside = target, "ok", target_inside
        with inside():
            self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, self.port))
        self._listener.listen(64)
        self._open: set[socket.socket] = set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str) -> None:
        """Change the mode; connections made before are cut."""
        self.mode = mode
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop."""
        self._closed = True
        self._listener.close()
        self.set("refuse")

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self.mode == "refuse":
                return
            if self.mode == "hang":
                time.sleep(20)
                return
            if self.mode == "error":
                client.settimeout(2)
                with contextlib.suppress(OSError):
                    client.recv(65536)
                client.sendall(
                    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                    b"Connection: close\r\n\r\n"
                )
                return
            with self._target_inside():
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            with server:
                server.settimeout(None)  # an answer may take its time
                self._open.add(server)
                up = threading.Thread(target=self._pump, args=(client, server, False), daemon=True)
                up.start()
                self._pump(server, client, self.mode in MOST)
                up.join(1)
        except OSError:
            pass
        finally:
            client.close()
            self._open.discard(client)

    def _pump(self, source: socket.socket, target: socket.socket, truncate: bool) -> None:
        left = MOST.get(self.mode, 0)
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                if truncate:
                    block = block[:left]
                    left -= len(block)
                if self.mode == "slow":
                    time.sleep(len(block) / 1e6)
                if block:
                    target.sendall(block)
                if truncate and left <= 0:
                    break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
