"""A spool whose disk has a clock of its own, that of its server: footage is placed by ours."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from recorder.capture.command import Tracks
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.supervisor import Supervisor
from recorder.model.cameras import StreamSource
from recorder.model.media import Segment
from recorder.model.timebase import MS, SECOND
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.shelf import RUN, capture, make_film


@pytest.mark.parametrize(
    ("wrote_ns", "ahead_ns"),
    [
        (T0, 0),
        (T0 + 2 * SECOND, 0),  # a slow disk: it took until then
        (T0 - 1999 * MS, 0),  # FAT
        (T0 + 3 * SECOND + 10 * MS, 0),
        (T0 + 303 * SECOND, 300 * SECOND),
        (T0 - 300 * SECOND, -300 * SECOND),
    ],
)
def test_how_far_a_disks_clock_is_ahead_is_known_by_what_was_just_written(
    wrote_ns: int, ahead_ns: int, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    folder = spool.open_run(RUN)
    os.utime(folder / "run.json", ns=(wrote_ns, wrote_ns))
    assert spool.ahead_ns(folder, T0, T0 + 3 * SECOND) == ahead_ns
    assert spool.ahead_ns(folder, T0 + 999 * SECOND, T0) == 0, "our clock was set meanwhile"


@pytest.mark.parametrize("ahead_ns", [300 * SECOND, -300 * SECOND])
def test_footage_is_placed_by_our_clock_whatever_the_disk_says(
    ahead_ns: int, tmp_path: Path
) -> None:
    film = make_film(tmp_path)

    def seal(name: str, by_ns: int) -> list[Segment]:
        told: list[Segment] = []
        run, spool = replace(RUN, ahead_ns=by_ns), Spool(tmp_path / name)
        folder = spool.open_run(run)
        capture(film, folder, Tracks(sounds=("copy",)))
        for path in folder.rglob("*.mp4"):
            facts = path.stat()
            at = facts.st_mtime_ns + by_ns
            os.utime(path, ns=(at, at))
            spool.note_arrival(path, facts.st_size // 2, at - SECOND)
        ((read, _),) = spool.runs()
        Sealer(spool, told.append).finish_run(folder, read)
        return told

    right, found = seal("right", 0), seal("off", ahead_ns)
    assert [(one.key, one.frames, one.codecs) for one in found] == [
        (one.key, one.frames, one.codecs) for one in right
    ]


def test_a_run_says_how_far_its_disks_clock_is_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        spool = Spool(tmp_path)
        one = Supervisor(
            RUN.stream, StreamSource("rtsp://10.0.0.1/x"), CaptureSettings("ffmpeg", "n1", 1),
            spool, Sealer(spool, lambda _: None), FakeClock(T0), ThreadPoolExecutor(1), "node",
            lambda: 1,
        )  # fmt: skip
        asked, ran = Mock(return_value=7), Mock(return_value=False)

        async def run_in(folder: Path, run: object, url: str) -> bool:
            ran(run)
            return False

        monkeypatch.setattr(spool, "ahead_ns", asked)
        monkeypatch.setattr(one, "_run_in", run_in)
        await one._one_run()
        assert asked.call_args.args[1:] == (T0, T0)
        assert ran.call_args.args[0].ahead_ns == 7

    asyncio.run(run())
