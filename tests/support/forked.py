"""Recorders forked from a process that has imported all of it: a start costs no import.

A recorder of its own spends two seconds of CPU on imports, and tests start hundreds of them.
Each worker keeps one process that imports everything, starts nothing, and forks; what it forks
runs ``python -m recorder`` to the end, with its own session, environment and output.  With
``SPANSTORE_TEST_LONG`` set, as ``make test-long`` does, each one starts from nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from tests.support import quick

ROOT = Path(__file__).parents[2]
LIBRARIES = ("alembic.command", "psycopg", "sqlalchemy.dialects.sqlite", "minio", "uvicorn.logging",
             "uvicorn.protocols.http.auto", "uvicorn.lifespan.on", "httpx")  # fmt: skip
LONGEST = 1 << 17
"""Bytes of a request, most of them the environment."""


class Forked:
    """A recorder that was forked; it is spoken to as to one of :mod:`subprocess`."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], out: IO[bytes], err: IO[bytes]
    ) -> None:
        self.returncode: int | None = None
        self.args = ["recorder", *argv]
        self._said, theirs = socket.socketpair()
        with theirs:
            body = json.dumps([list(argv), dict(env)]).encode()
            assert len(body) < LONGEST, "the environment is too large"
            socket.send_fds(_source(), [body], [out.fileno(), err.fileno(), theirs.fileno()])
        self.pid = self._number()
        assert self.pid, "nothing was forked"

    def poll(self) -> int | None:
        """Return the exit status, ``None`` while it runs."""
        if self.returncode is None and select.select([self._said], [], [], 0)[0]:
            self._over()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return the exit status.

        Raises: ``subprocess.TimeoutExpired``.
        """
        if self.returncode is None:
            if not select.select([self._said], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._over()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _over(self) -> None:
        self.returncode = self._number()
        self._said.close()

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            part = self._said.recv(1)
            assert part, "what forks recorders has ended"
            line += part
        return int(line)


Recorder = Forked | subprocess.Popen[bytes]


def start(
    argv: Sequence[str], env: Mapping[str, str], out: IO[bytes], err: IO[bytes],
    under: Sequence[str] = (),
) -> Recorder:  # fmt: skip
    """Start ``python -m recorder``: forked, or by itself where the loader has a part in it.

    ``under``: the command that starts it, such as one that enters a namespace.
    """
    if not (under or "LD_PRELOAD" in env or "SPANSTORE_TEST_LONG" in env):
        return Forked(argv, env, out, err)
    return subprocess.Popen(
        [*under, sys.executable, "-m", "recorder", *argv],
        stdout=out, stderr=err, start_new_session=True, env=env,
    )  # fmt: skip


def run(
    argv: Sequence[str], env: Mapping[str, str], under: Sequence[str] = (), timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m recorder`` to its end; return what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(argv, env, out, err, under)
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
            process.wait()
        said = []
        for one in (out, err):
            one.seek(0)
            said.append(one.read().decode())
        return subprocess.CompletedProcess(process.args, code, *said)


@cache
def _source() -> socket.socket:
    """Start what forks, once for each worker; it ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            start_new_session=True, cwd=ROOT,
        )  # fmt: skip

    def end() -> None:
        ours.close()
        process.wait(30)

    atexit.register(end)
    return ours


def _import_all() -> None:
    """Import what a recorder imports sooner or later."""
    import recorder

    for found in pkgutil.walk_packages(recorder.__path__, "recorder."):
        if not found.name.endswith("__main__") and ".catalog.steps" not in found.name:
            importlib.import_module(found.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    _make_routes()
    quick.quicken_catalogs()
    quick.script()  # of which each takes a copy
    assert threading.active_count() == 1, "a fork loses threads"
    gc.collect()
    gc.freeze()


def _make_routes() -> None:
    """Have all routes made, which otherwise are when they are first asked for."""
    from recorder.api.server import MODULES

    for module in MODULES:
        for route in module.router.routes:
            assert route.made


def _serve(asked: socket.socket) -> list[str]:
    """Fork one recorder for each request until nobody asks; return in it, with its arguments."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready, _, _ = select.select([asked.fileno(), *running], [], [])
        for one in ready:
            if one != asked.fileno():
                pid, told = running.pop(one)
                os.close(one)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError), told:
                    told.sendall(b"%d\n" % code)
                continue
            body, descriptors, _, _ = socket.recv_fds(asked, LONGEST, 3)
            if not body:
                sys.exit(0)
            pid = os.fork()
            if not pid:
                for inherited in (asked, *(told for _, told in running.values())):
                    inherited.detach()
                return _become(body, descriptors)
            out, err, told_fd = descriptors
            os.close(out)
            os.close(err)
            told = socket.socket(fileno=told_fd)
            told.sendall(b"%d\n" % pid)
            running[os.pidfd_open(pid)] = (pid, told)


def _become(body: bytes, descriptors: list[int]) -> list[str]:
    """Leave everything of the parent but its modules; return the arguments."""
    argv, env = json.loads(body)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    os.dup2(descriptors[0], 1)
    os.dup2(descriptors[1], 2)
    os.closerange(3, max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + 1)
    os.environ.clear()
    os.environ.update(env)
    found: list[str] = argv
    return found


if __name__ == "__main__":
    _import_all()
    sys.argv[1:] = _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("recorder", run_name="__main__", alter_sys=True)
