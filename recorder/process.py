"""Child processes that never outlive this one by accident."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import resource
import signal
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from functools import partial
from pathlib import Path

log = logging.getLogger("recorder.process")

MOST_DESCRIPTORS = 1 << 20
_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8
try:
    _LIBC: ctypes.CDLL | None = ctypes.CDLL(None, use_errno=True)
except OSError:
    _LIBC = None


def _die_with(parent: int) -> None:
    """Ask Linux to send SIGTERM when the recorder dies: ffmpeg then closes its file."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has died already, and nobody knows this child's pid
        os._exit(1)


def watch_by_descriptor() -> None:
    """Hear of a child's end through a descriptor, where the kernel has them (Linux 5.3).

    Python 3.11 keeps a thread per child otherwise; later ones do this by themselves.
    """
    if sys.version_info >= (3, 12):
        return
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return
    asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


def few_arenas() -> None:
    """Let threads share the heaps of glibc; it gives each one its own, and those never shrink."""
    if _LIBC is not None and hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_ARENA_MAX, 2)


def keep_what_is_made() -> None:
    """Leave what a start has made out of the searches for garbage: it stays to the end.

    Each of those searches held Python's lock for a tenth of a second, and found nothing.
    """
    gc.collect()
    gc.freeze()


def end_within(seconds: float) -> None:
    """Have this process end after so long, whatever hangs: a disk, a thread that reads from one."""

    def end() -> None:
        log.warning("ended though something hangs", extra={"waited_s": seconds})
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True  # what ends by itself is not waited for
    timer.start()


def fill_standard() -> None:
    """Open the null device where standard input, output or error is closed.

    A file that is opened next would take its place, and be written what is meant for people.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free


def descriptors() -> int:
    """Return how many descriptors this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def take_descriptors() -> int:
    """Take as many descriptors as the system lets this process have; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return descriptors()


async def start(argv: Sequence[str]) -> Process:
    """Start a program in a session of its own, standard output and error on pipes.

    Raises: ``OSError`` when it cannot be started.
    """
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,  # Ctrl-C in a terminal reaches us, not the children
        preexec_fn=partial(_die_with, os.getpid()),
        limit=1 << 20,
    )


async def stop(process: Process, patience_s: float) -> int:
    """End a child: asked first, killed when it does not go; return its exit status."""
    if process.returncode is None:
        # ffmpeg lets go of a read that hangs only when it is asked a second time, but then it
        # writes nothing any more
        for part in (0.7, 0.3):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(process.wait(), patience_s * part)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return await process.wait()


async def end_orphans(pid: int, marker: str, patience_s: float) -> bool:
    """End what an earlier recorder started and an argument names; true when none is left.

    ``pid``: as it was noted, 0 when the recorder died before it could: then all are looked at.
    A pid may have been given to another program since: ``marker`` must be in its argv.
    """
    left = [one for one in ([pid] if pid > 0 else _pids()) if _is_ours(one, marker)]
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        for one in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one, number)
        for _ in range(max(1, int(wait_s / 0.05))):
            left = [one for one in left if _is_ours(one, marker)]
            if not left:
                return True
            await asyncio.sleep(0.05)
    return False


def _pids() -> list[int]:
    """Return all processes of this machine but this one."""
    own = os.getpid()
    names = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [int(name) for name in names if int(name) != own]


def _is_ours(pid: int, marker: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return state != "Z" and marker in argv
