"""Logs: a line each, as text for people or JSON for machines, on standard error.

Who reads them may hang, be gone, or have a full disk: what records does not wait for that.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from recorder.model.secrets import mask
from recorder.model.timebase import format_instant

MOST_WAITING = 4096
"""So many pieces of text, most of them a line, wait for a reader; about a megabyte."""
LAST_S = 1.0
"""So long the end of the process waits for what is not written yet."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {
        key: mask(value) if isinstance(value, str) else value
        for key, value in vars(record).items()
        if key not in _STANDARD and not key.startswith("_") and key != "color_message"
    }


class FieldsFormatter(logging.Formatter):
    """One line a record: time, level, message, ``key=value`` fields; secrets taken out."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record for people."""
        when = format_instant(int(record.created * 1e9), 3)
        fields = " ".join(f"{key}={value!r}" for key, value in _fields(record).items())
        text = f"{when} {record.levelname.lower():7} {mask(record.getMessage())} {fields}".rstrip()
        if record.exc_info:
            text += "\n" + mask(self.formatException(record.exc_info))
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record for machines."""
        body = {
            "at": format_instant(int(record.created * 1e9), 6),
            "level": record.levelname.lower(),
            "room": record.name,
            "event": mask(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            body["traceback"] = mask(self.formatException(record.exc_info))
        return json.dumps(body, default=str)


class Unhurried(io.TextIOBase):
    """Text on its way to a descriptor; who writes never waits for it, nor hears that it failed.

    A thread writes.  A pipe that nobody reads, a terminal that was told to stand still or a disk
    that hangs would hold all that records, for all of it has something to say sooner or later.
    """

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self, fd: int, lost: Callable[[], object]) -> None:
        """``lost`` is called for each piece of text that nobody will read."""
        self._fd, self._count = fd, lost
        self._pieces: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        self._lost, self._torn = 0, False
        threading.Thread(target=self._write_on, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        """Have a text written, unless too much waits already."""
        if self._pieces.qsize() >= MOST_WAITING:
            self._lose()
        else:
            self._pieces.put(text.encode(self.encoding, self.errors))
        return len(text)

    def take_lost(self) -> int:
        """Return how many pieces were lost since this was asked last, once there is room again."""
        if self._pieces.qsize() >= MOST_WAITING:
            return 0
        lost, self._lost = self._lost, 0
        return lost

    def drain(self, patience_s: float = LAST_S) -> bool:
        """Wait until all that was written so far is out; false when that takes too long."""
        written = threading.Event()
        self._pieces.put(written)
        return written.wait(patience_s)

    def _lose(self) -> None:
        self._lost += 1
        self._count()

    def _write_on(self) -> None:
        while True:
            piece = self._pieces.get()
            if isinstance(piece, threading.Event):
                piece.set()
                continue
            try:
                self._write_out(b"\n" + piece if self._torn else piece)
            except OSError:  # nobody is there, or a disk is full: there is nowhere to say so
                self._lose()

    def _write_out(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:  # whoever shares it wants it so
                with contextlib.suppress(OSError):
                    select.select([], [self._fd], [])
            self._torn = bool(left)


def write_unhurried(lost: Callable[[], object]) -> None:
    """Let nothing in this process wait for who reads standard error, from here on.

    ``lost`` is called for each line that will not be read.
    """
    stream = Unhurried(2, lost)
    atexit.register(stream.drain)
    sys.stderr = stream


def drain() -> None:
    """Wait for what is not written yet, for a little while; for who ends without more ado."""
    if isinstance(sys.stderr, Unhurried):
        sys.stderr.drain()


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records, and says where some are missing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; what was lost before it is said first."""
        if isinstance(self.stream, Unhurried) and (lost := self.stream.take_lost()):
            said = logging.LogRecord(
                "recorder.logs", logging.WARNING, "", 0, "log was not taken", (), None
            )
            said.lost_lines = lost
            super().emit(said)
        super().emit(record)


def configure_logs(level: str, form: str) -> None:
    """Send logs to standard error, as ``text`` or ``json``."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else FieldsFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
