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
import subprocess
import sys
import threading
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE

log = logging.getLogger("recorder.process")

KILLED_S = 5.0
"""So long the end of what was killed is waited for."""
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


def end_within(seconds: float, last: Callable[[], object]) -> None:
    """Have this process end after so long, whatever hangs: a disk, a thread that reads from one.

    ``last`` is done before, in little time.
    """

    def end() -> None:
        log.warning("ended though something hangs", extra={"waited_s": seconds})
        last()
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


async def stop(process: Process, patience_s: float) -> bool:
    """End a child, and what it has started: asked first, killed when it does not go.

    False when something of it is there even then: one that waits for a disk cannot be killed.
    """
    # ffmpeg lets go of a read that hangs only when it is asked a second time, but then it
    # writes nothing any more
    for number, part_s in (
        (signal.SIGTERM, 0.7 * patience_s),
        (signal.SIGTERM, 0.3 * patience_s),
        (signal.SIGKILL, KILLED_S),
    ):
        _send_all(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_all_gone(process), part_s)
            return True
    return False


async def _all_gone(process: Process) -> None:
    """Wait for the end of a child and of what it has started, which may have its pipes."""
    await process.wait()
    while True:
        if not _is_group(process.pid):
            return
        await asyncio.sleep(0.05)


def _is_group(leader: int) -> bool:
    """Tell whether there are processes of a group, whose leader is known to have ended."""
    with contextlib.suppress(ChildProcessError):  # in a container they become this one's own
        os.waitpid(-leader, os.WNOHANG)
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, which has that number now
        return False
    return True


def _send_all(leader: int, number: signal.Signals) -> None:
    """Send a signal to all processes of a group that this one has begun."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def run(
    argv: Sequence[str], patience_s: float, given: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, ``given`` on its standard input; return what it said.

    Raises: ``OSError``; ``TimeoutError`` when it takes too long: then all of it is killed.
    """
    child = subprocess.Popen(
        argv,
        stdin=PIPE if given is not None else DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=cwd,
        start_new_session=True,  # what it starts is killed with it, Ctrl-C is heard here
    )
    try:
        out, errors = child.communicate(given, timeout=patience_s)
    except BaseException as exc:
        _send_all(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILLED_S)
        if isinstance(exc, subprocess.TimeoutExpired):
            raise TimeoutError(f"{argv[0]} took longer than {patience_s:g} s") from None
        raise
    finally:
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
    return subprocess.CompletedProcess(argv, child.returncode, out, errors)


async def end_orphans(pid: int, marker: str, patience_s: float) -> bool:
    """End what an earlier recorder started and an argument names; true when none is left.

    ``pid``: as it was noted, 0 when the recorder died before it could: then all are looked at.
    A pid may have been given to another program since: ``marker`` must be in its argv.
    """
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, KILLED_S)):
        told: set[int] = set()
        for _ in range(max(1, int(wait_s / 0.05))):
            left = _left(pid, marker)
            if not left:
                return True
            for one in left - told:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(one, number)
            told |= left
            await asyncio.sleep(0.05)
    return not _left(pid, marker)


def _left(pid: int, marker: str) -> set[int]:
    """Find what is left of a child: itself, or what it had started."""
    if pid > 0 and _is_ours(pid, marker):
        return {pid}
    if pid > 0 and not _is_group(pid):
        return set()
    return {one for one in _pids() if _is_ours(one, marker)}


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
