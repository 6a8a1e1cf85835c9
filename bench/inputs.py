"""Question: would several cameras in one ffmpeg cost less than one ffmpeg each?

Method: one RTSP server, one 4 Mbit/s stream; eight times the recording command as eight
processes and as one process with eight inputs and eight outputs, at the same time; CPU seconds
and anonymous memory of both after a minute.  ``BENCH_SECONDS`` changes the time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.media import FFMPEG, scratch, source
from bench.node import cpu_s, memory_mib
from recorder.capture.command import Tracks, record_command
from recorder.model.cameras import StreamSource
from tests.support.nodes import RtspServer

COUNT = 8
SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))


def _folders(top: Path) -> list[Path]:
    folders = [top / str(number) for number in range(COUNT)]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def _joined(commands: Sequence[list[str]]) -> list[str]:
    """Make one command of several: all inputs, then each one's outputs."""
    first = commands[0].index("-loglevel") + 2
    inputs, outputs = [], []
    for number, command in enumerate(commands):
        stop = command.index("-i") + 2
        inputs += command[first:stop]
        outputs += [
            part.replace("0:", f"{number}:", 1) if before == "-map" else part
            for before, part in zip(command[stop - 1 :], command[stop:], strict=False)
        ]
    return [*commands[0][:first], *inputs, *outputs]


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name, contextlib.ExitStack() as stack:
        top = Path(name)
        server = RtspServer(cam=f"{source(top, 120)}:h264").start()
        stack.callback(server.stop)
        camera = StreamSource(server.url("cam"))
        one, each = (
            [record_command(FFMPEG, camera, folder, 60, Tracks()) for folder in _folders(top / way)]
            for way in ("one", "each")
        )
        children: dict[str, list[subprocess.Popen[bytes]]] = {"one": [], "each": []}
        for way, commands in (("one", [_joined(one)]), ("each", each)):
            for command in commands:
                child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                stack.callback(child.wait)
                stack.callback(child.kill)
                children[way].append(child)
        time.sleep(10)
        begin = {way: sum(cpu_s(one.pid) for one in some) for way, some in children.items()}
        time.sleep(SECONDS)
        found: dict[str, Any] = {"streams": COUNT, "seconds": SECONDS}
        for way, some in children.items():
            spent = sum(cpu_s(one.pid) for one in some) - begin[way]
            kept = sum(memory_mib(one.pid) for one in some)
            found[f"{way}_cpu_ms_per_s_and_stream"] = round(1e3 * spent / SECONDS / COUNT, 2)
            found[f"{way}_mib_per_stream"] = round(kept / COUNT, 2)
            written = sum(path.stat().st_size for path in (top / way).rglob("*.mp4"))
            found[f"{way}_bytes"] = written
        return found
