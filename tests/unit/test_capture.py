"""Capture decides by what a source offers and brings, not by what goes wrong beside it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from asyncio.subprocess import Process
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from recorder import process as processes
from recorder.capture import lines
from recorder.capture.command import Tracks
from recorder.capture.growth import Growth
from recorder.capture.health import HealthBook, habits_in
from recorder.capture.listening import MOST_LINE, Listener
from recorder.capture.offer import Choice
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.state import StreamState
from recorder.capture.supervisor import BACKOFF_S, Supervisor
from recorder.model.cameras import StreamSource
from recorder.model.timebase import DAY, SECOND
from recorder.process import _die_with
from recorder.sealing import SegmentHealth
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0

SDP = """v=0
o=- 1 1 IN IP4 127.0.0.1
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
m=audio 0 RTP/AVP 8
a=control:stream=1
""".splitlines()
URL = "rtsp://10.0.0.7/main"


def heard(text: list[str], assumed: Choice, able: frozenset[str] = frozenset({"pcm_alaw"})) -> (
    tuple[Listener, StreamState]
):  # fmt: skip
    state, said = StreamState(), list[str]()
    listener = Listener(StreamSource(URL), able, assumed, said.append)
    for line in text:
        listener.hear(line, state)
    return listener, state


def test_what_a_source_offers_is_known_before_it_plays() -> None:
    listener, state = heard([*SDP, "[in#0] [verbose] setting jitter buffer"], Choice(Tracks()))
    assert listener.other.is_set()
    assert listener.choice.tracks == Tracks(sounds=("aac",))
    assert [track.codec for track in state.offered] == ["h264", "pcm_alaw"]


def test_a_camera_that_names_itself_at_length_keeps_no_other_stream_waiting() -> None:
    """What it says comes out of ffmpeg line by line, and lines are read where all streams are."""

    said: list[str] = []

    async def listen() -> Listener:
        read = asyncio.StreamReader(limit=1 << 20)
        title = b"    title           : [error] " + b"vost#0:0 http://h/" * 50_000
        read.feed_data(b"\n".join([title, *(line.encode() for line in SDP), b"[in#0] over", b""]))
        read.feed_eof()
        listener = Listener(
            StreamSource(URL), frozenset({"pcm_alaw"}), Choice(Tracks()), said.append
        )
        child = cast(Process, SimpleNamespace(stderr=read))
        await listener.listen(child, StreamState())
        return listener

    began = time.process_time()
    assert asyncio.run(listen()).choice.tracks == Tracks(sounds=("aac",))
    assert len(said[0]) == MOST_LINE, "the rest is thrown away"
    assert lines.stamps_back("[vost#0:0/copy @ 0x5] " * 40_000) is None
    assert time.process_time() - began < 5, "it took an hour"


@pytest.mark.parametrize(
    "line", ["[error] x.mkv: No such file or directory",
             "[in#0 @ 0x56a0] [error] Input/output error",
             "[tcp @ 0x5] [verbose] Starting connection attempt to 127.0.0.1 port 1"]
)  # fmt: skip
def test_what_speaks_as_ffmpeg_does_is_one(line: str) -> None:
    wrapper = "starting ffmpeg"
    assert heard([], Choice(Tracks()))[0].foreign == ""
    assert heard([wrapper], Choice(Tracks()))[0].foreign == wrapper
    assert heard([wrapper, line, "    title: x"], Choice(Tracks()))[0].foreign is None


def test_what_ffmpeg_found_counts_more_than_what_was_announced() -> None:
    exact = Choice(Tracks(), exact=True)
    listener, _ = heard([*SDP, "[in#0] [verbose] setting jitter buffer"], exact)
    assert not listener.other.is_set()


def test_a_sound_that_nobody_knows_is_left_out_under_the_name_the_camera_gives_it() -> None:
    announced = [*SDP[:4], "m=audio 0 RTP/AVP 121", "a=rtpmap:121 G7221/16000"]
    found = [
        "  Stream #0:0: Video: h264 (Main), yuv420p, 640x360, 25 fps",
        "  Stream #0:1: Audio: none, 16000 Hz, mono",
        "Stream mapping:",
    ]
    listener, state = heard([*announced, "[in#0] [verbose] x", *found], Choice(Tracks()))
    assert listener.choice.tracks == Tracks()
    assert not listener.other.is_set()
    assert "(G7221)" in state.habits["sound-refused"]
    assert [track.name for track in state.offered] == ["h264", "G7221"]


def test_a_child_whose_parent_has_died_already_does_not_begin() -> None:
    argv = [sys.executable, "-c", "print('recording')"]
    alive, dead = partial(_die_with, os.getpid()), partial(_die_with, os.getpid() + 1)
    begun = subprocess.run(argv, preexec_fn=alive, capture_output=True, check=False)
    ended = subprocess.run(argv, preexec_fn=dead, capture_output=True, check=False)
    assert (begun.stdout, ended.stdout) == (b"recording\n", b"")


def test_stamps_of_sound_that_run_back_are_noted_and_nothing_ends() -> None:
    back = "[aost#1:0/aac @ 0x1] [warning] Non-monotonic DTS; previous: 800, current: 500; ch"
    _, state = heard([back], Choice(Tracks(sounds=("aac",))))
    assert list(state.habits) == ["sound-stamps-back"]
    assert state.condition == ""


def supervisor(folder: Path) -> Supervisor:
    spool, clock = Spool(folder), FakeClock(T0)
    return Supervisor(
        STREAM, StreamSource(URL), CaptureSettings("ffmpeg", "n1", 1), spool,
        Sealer(spool, lambda _: None), clock, ThreadPoolExecutor(1), "node", lambda: 1,
    )  # fmt: skip


def test_after_footage_the_next_try_begins_at_once_and_waits_grow_only_without(
    tmp_path: Path,
) -> None:
    async def delays() -> None:
        one = supervisor(tmp_path)
        waits = [one._delay_s(20.0) for _ in range(4)]
        assert waits == sorted(waits)
        assert waits[-1] >= 0.75 * BACKOFF_S[3]
        one._growth.footage = True
        assert one._delay_s(10.0) == 0.0
        assert one._delay_s(0.5) > 0.0, "a camera that ends sessions at once is not hit at once"
        one._growth.footage = False
        assert one._delay_s(20.0) <= 1.25 * BACKOFF_S[1]

    asyncio.run(delays())


def test_a_session_that_was_over_before_anybody_looked_brought_footage_all_the_same(
    tmp_path: Path,
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        'head -c 5000 /dev/zero > "${last%/*}/000000.mp4" && echo "[error] it ended" >&2\n'
    )
    program.chmod(0o755)

    async def record() -> None:
        one = supervisor(tmp_path / "spool")
        one.settings = replace(one.settings, ffmpeg=str(program))
        one.state.cause = "spool-full"
        assert not await one._one_run()
        assert one.state.condition == "ended"
        assert one.state.cause == "source", "the disk had room for what came"
        assert one._delay_s(1.0) <= 1.25 * BACKOFF_S[0]
        assert one._delay_s(1.0) <= 1.25 * BACKOFF_S[0], "waits grow over tries that brought none"
        await one._seals.settled()

    asyncio.run(record())


def test_the_last_frame_of_a_stream_that_seldom_has_one_is_waited_for(tmp_path: Path) -> None:
    async def wait(grows: bool) -> bool:
        one = supervisor(tmp_path / str(grows))
        one._growth = Growth(tmp_path, one.spool, 0.0)
        child = await processes.start(["sleep", "1"])
        if grows:
            (tmp_path / "000000.mp4").write_bytes(bytes(5000))
        await one._next_bytes(child, 60.0)
        goes_on = child.returncode is None
        await processes.stop(child, 1.0)
        return goes_on

    assert not asyncio.run(wait(False)), "or for the end of ffmpeg"
    assert asyncio.run(wait(True))


def test_a_camera_that_was_away_is_given_no_more_patience_once_it_is_back(tmp_path: Path) -> None:
    async def away() -> None:
        one = supervisor(tmp_path)
        first = one._patience
        for _ in range(9):
            one._errors.append("[error] Connection timed out")
            one._explain_exit(1)
        assert one._patience.quiet_s == 2 * one.settings.connect_s, "it may be slow to connect"
        one._growth.footage = True
        one._delay_s(60.0)
        assert one._patience == first
        one._growth.footage = False
        one._watch.answered_s = one.clock.monotonic() - 5
        one._errors.clear()
        one._errors.append("[error] dimensions not set")
        one._explain_exit(1)
        one._growth.footage = True
        one._delay_s(60.0)
        assert one._patience.quiet_s == 2 * first.quiet_s, "its first picture comes late each time"

    asyncio.run(away())


def test_only_of_rtsp_is_it_known_when_ffmpeg_lets_go(tmp_path: Path) -> None:
    async def flushes() -> None:
        one = supervisor(tmp_path)
        assert one._flush_ns() == round(one._patience.flush_s * SECOND)
        one.source = StreamSource("udp://127.0.0.1:9")
        assert one._flush_ns() == 0

    asyncio.run(flushes())


def test_guesses_about_tracks_have_a_bound(tmp_path: Path) -> None:
    async def guesses() -> None:
        one = supervisor(tmp_path)
        other = Choice(Tracks(sounds=("aac",)))
        assert [one._take(other) for _ in range(4)] == [True, True, True, False]
        assert one._choice.tracks == Tracks()
        assert "tracks-vary" in one.state.habits

    asyncio.run(guesses())


@pytest.mark.parametrize(("every_s", "least_s", "most_s"), [(0.5, 4.5, 4.5), (5.0, 15.0, 16.0)])
def test_silence_is_a_stall_by_the_rate_seen(
    tmp_path: Path, every_s: float, least_s: float, most_s: float
) -> None:
    spool = Spool(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    growth = Growth(folder, spool, 0.0)
    assert growth.patience_s(4.5, 30.0) == 30.0, "nothing is known of the rate yet"
    for i in range(6):
        with (folder / "000000.mp4").open("ab") as file:
            file.write(bytes(1000))
        growth.look(i * every_s)
    assert least_s <= growth.patience_s(4.5, 30.0) <= most_s
    assert len(spool.arrivals(folder / "000000.mp4")) == 6


def test_the_file_that_grows_is_found_though_others_came_and_went_unseen(tmp_path: Path) -> None:
    spool, folder = Spool(tmp_path), tmp_path / "run"
    folder.mkdir()
    growth = Growth(folder, spool, 0.0)
    grown = [growth.look(0.0)]

    def write(number: int, size: int, *gone: int) -> None:
        for one in gone:
            (folder / f"{one:06d}.mp4").unlink()
        with (folder / f"{number:06d}.mp4").open("ab") as file:
            file.write(bytes(size))
        grown.append(growth.look(0.0))

    write(0, 1000)
    write(0, 500)
    write(1, 100)
    write(1, 50, 0)
    write(4, 7, 1)
    write(4, 8)
    assert grown == [0, 1000, 500, 100, 50, 7, 8]
    assert (growth.name, growth.total) == ("000004.mp4", 1665)


def segment_health(**more: float) -> SegmentHealth:
    values = {"length_ns": 60 * SECOND, "frames": 1500, "missing": 0, "sound": True, "rate": 1.0,
              "late_ns": 0, "key_ns": 2 * SECOND}  # fmt: skip
    return SegmentHealth(**(values | more))  # type: ignore[arg-type]


def test_every_habit_of_footage_has_words() -> None:
    odd = segment_health(rate=0.98, key_ns=20 * SECOND, opens=1, refreshes=1, own_header=1)
    assert set(habits_in(odd)) <= set(lines.HABITS)
    assert len(habits_in(odd)) == 5
    assert habits_in(segment_health()) == ()


def test_figures_are_of_the_day_and_survive_a_restart() -> None:
    book, noon = HealthBook(), 20_000 * DAY + DAY // 2
    book.sealed(STREAM, noon, segment_health(missing=3))
    book.ended(STREAM, noon, "stall")
    again = HealthBook()
    again.recall([(STREAM, book.of(STREAM))])
    again.sealed(STREAM, noon + 60 * SECOND, segment_health())
    found = again.of(STREAM)
    assert (found["recorded_s"], found["missing"], found["restarts"]) == (120.0, 3, {"stall": 1})
    again.sealed(STREAM, noon + DAY, segment_health())
    found = again.of(STREAM)
    assert (found["recorded_s"], found["yesterday"]["recorded_s"]) == (60.0, 120.0)
