"""What is logged is written by a thread: who reads it may hang, be gone, or have no room."""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import BinaryIO

import pytest

from recorder import logs
from recorder.logs import MOST_WAITING, Unhurried, configure_logs
from tests.support.ports import until

LINE = "a line of the log\n"


class Pipe:
    """A pipe of one page, and what is written into it."""

    def __init__(self) -> None:
        reads, self.writes = os.pipe()
        fcntl(self.writes, F_SETPIPE_SZ, 4096)
        self.reads: BinaryIO = os.fdopen(reads, "rb", buffering=0)
        self.lost = 0

    def lose(self) -> None:
        self.lost += 1

    def stuff(self) -> int:
        """Fill it to the brim; return how many bytes that took."""
        os.set_blocking(self.writes, False)
        filled = 0
        try:
            while True:
                filled += os.write(self.writes, b"x")
        except BlockingIOError:
            os.set_blocking(self.writes, True)
            return filled

    def read(self, count: int) -> bytes:
        """Read so many bytes, as they come."""
        found = b""
        while len(found) < count:
            assert select.select([self.reads], [], [], 10)[0], "nothing more is written"
            found += self.reads.read(count - len(found))
        return found


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.reads.close()  # a thread that writes is let go of
    os.close(made.writes)


def test_who_writes_does_not_wait_for_who_reads_and_all_is_read_in_order(pipe: Pipe) -> None:
    filled, stream = pipe.stuff(), Unhurried(pipe.writes, pipe.lose)
    lines = [f"line {number}\n" for number in range(MOST_WAITING // 2)]
    for line in lines:
        stream.write(line)
    assert not stream.drain(0)
    pipe.read(filled)
    assert pipe.read(sum(map(len, lines))) == "".join(lines).encode()
    assert stream.drain(10)
    assert not pipe.lost


def test_no_more_than_so_much_waits_and_the_rest_is_counted(pipe: Pipe) -> None:
    filled, stream = pipe.stuff(), Unhurried(pipe.writes, pipe.lose)
    for _ in range(MOST_WAITING + 10):
        stream.write(LINE)
    assert 9 <= pipe.lost <= 10  # one was on its way
    assert stream.take_lost() == 0, "there is no room to say it"
    pipe.read(filled + (MOST_WAITING + 10 - pipe.lost) * len(LINE))
    assert stream.drain(10)
    assert stream.take_lost() == pipe.lost
    assert stream.take_lost() == 0


def test_a_descriptor_that_does_not_wait_loses_nothing(pipe: Pipe) -> None:
    filled = pipe.stuff()
    os.set_blocking(pipe.writes, False)  # so does who shares it
    stream = Unhurried(pipe.writes, pipe.lose)
    stream.write(LINE * 500)
    pipe.read(filled)
    assert pipe.read(len(LINE) * 500) == (LINE * 500).encode()
    assert stream.drain(10)
    assert not pipe.lost


def test_a_reader_that_is_gone_and_a_full_disk_break_nobody() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    full = os.open("/dev/full", os.O_WRONLY)
    lost: list[int] = []
    for descriptor in (writes, full):
        stream = Unhurried(descriptor, lambda: lost.append(1))
        stream.write(LINE)
        assert stream.drain(10)
        os.close(descriptor)
    assert len(lost) == 2


def test_after_a_line_that_was_cut_off_the_next_begins_on_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "log"
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT)
    full = OSError(28, "No space left on device")
    times: Iterator[int | OSError] = iter([3, full, 99])
    write = os.write

    def fill(fd: int, data: bytes) -> int:
        if fd != descriptor:
            return write(fd, data)
        if isinstance(many := next(times), int):
            return write(fd, data[:many])
        raise many

    monkeypatch.setattr("recorder.logs.os.write", fill)
    stream = Unhurried(descriptor, lambda: None)
    stream.write("first\n")
    stream.write("second\n")
    assert stream.drain(10)
    os.close(descriptor)
    assert said.read_text() == "fir\nsecond\n"


def test_where_lines_are_missing_the_log_says_how_many(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled, stream = pipe.stuff(), Unhurried(pipe.writes, pipe.lose)
    root = logging.getLogger()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    configure_logs("info", "json")
    for number in range(MOST_WAITING + 10):
        logging.getLogger("recorder.test").info("event %d", number)
    pipe.read(filled)
    kept, lines = MOST_WAITING + 10 - pipe.lost, pipe.reads
    while kept:
        kept -= pipe.read(1) == b"\n"
    assert stream.drain(10)
    logging.getLogger("recorder.test").info("it is read again")
    assert stream.drain(10)
    said, last = (json.loads(line) for line in lines.read(4096).splitlines())
    assert (said["event"], said["lost_lines"]) == ("log was not taken", pipe.lost)
    assert last["event"] == "it is read again"


def test_the_end_of_the_process_does_not_wait_for_a_reader_for_long(pipe: Pipe) -> None:
    pipe.stuff()
    stream = Unhurried(pipe.writes, pipe.lose)
    stream.write(LINE)
    begin = time.monotonic()
    assert not stream.drain()
    assert time.monotonic() - begin < 10 * logs.LAST_S
    pipe.reads.close()
    until(lambda: pipe.lost == 1, 10, "the line is let go")


def test_a_closed_standard_error_is_nobody_elses_file(tmp_path: Path) -> None:
    said = tmp_path / "number"
    program = (
        "import os; os.closerange(0, 3)\n"
        "from recorder.process import fill_standard; fill_standard()\n"
        f"file = open({str(said)!r}, 'w'); file.write(str(file.fileno()))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert int(said.read_text()) > 2
