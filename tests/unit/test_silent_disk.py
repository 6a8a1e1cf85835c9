"""A spool whose disk hangs keeps neither the event loop waiting nor whoever can do without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.capture import looks as looking
from recorder.capture.listening import Listener
from recorder.capture.looks import Looks
from recorder.capture.loop import CaptureLoop, _Worker
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.supervisor import Supervisor
from recorder.capture.watch import SILENT
from recorder.model.cameras import StreamSource
from recorder.model.causes import Cause
from recorder.spool import disk as disks
from recorder.spool import free as rooms
from recorder.spool import silent
from recorder.spool.disk import Spool
from recorder.spool.silent import SILENT_S, Silence
from recorder.threads import Pool, QuickPool
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.support.shelf import RUN

SOURCE = StreamSource("rtsp://10.0.0.1/x")


class Hung:
    """Work that hangs until it is told to go on."""

    def __init__(self) -> None:
        self.began, self._go_on = threading.Event(), threading.Event()
        self.times = 0

    def __call__(self, *_: object, **__: object) -> Any:
        self.times += 1
        self.began.set()
        assert self._go_on.wait(60)

    def end(self) -> None:
        self._go_on.set()


@pytest.fixture
def hung() -> Iterator[Hung]:
    one = Hung()
    yield one
    one.end()


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(silence: Silence, work: Hung) -> threading.Thread:
    def question() -> None:
        with silence.question():
            work()

    thread = threading.Thread(target=question, daemon=True)
    thread.start()
    assert work.began.wait(10)
    return thread


def test_a_disk_that_owes_an_answer_is_asked_by_nobody_else_until_it_gives_it(
    tmp_path: Path, hung: Hung
) -> None:
    time = Time()
    silence = Silence(tmp_path, time)
    first = ask(silence, hung)
    time.now = SILENT_S - 1
    with silence.question():
        assert not silence.silent
    time.now = SILENT_S
    assert silence.silent
    with pytest.raises(TimeoutError, match="does not answer"), silence.question():
        pytest.fail("it was asked")
    with silence.asking():  # who asks whatever others wait for
        assert silence.silent, "the oldest question counts"
    hung.end()
    first.join(10)
    with silence.question():
        assert not silence.silent


def test_a_disk_is_found_silent_though_only_what_is_written_waits_for_it(
    tmp_path: Path, hung: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    silence = Silence(tmp_path, time)
    monkeypatch.setattr(silent, "room_of", hung)
    silence.probe()
    assert hung.began.wait(10)
    silence.probe()
    time.now = SILENT_S
    assert silence.silent
    assert hung.times == 1


def test_what_reads_and_what_says_how_a_node_does_ask_a_silent_disk_nothing(
    tmp_path: Path, hung: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, time = Spool(tmp_path), Time()
    spool.silence = Silence(tmp_path, time)
    spool.usage()
    ask(spool.silence, hung)
    time.now = SILENT_S
    for where, what in ((rooms, "room_of"), (disks, "files_under")):
        monkeypatch.setattr(where, what, lambda *_: pytest.fail("it was asked"))
    for question in (
        lambda: spool.path_of("a/b"), lambda: spool.runs(STREAM), spool.runs, spool.usage,
    ):  # fmt: skip
        with pytest.raises(TimeoutError):
            question()
    assert spool.takes_nothing(), "another node is to record what this one would"
    hung.end()


def test_what_the_keeper_saw_of_the_room_is_believed_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.usage()
    monkeypatch.setattr(rooms, "room_of", lambda *_: pytest.fail("it was asked"))
    assert not spool.takes_nothing()
    monkeypatch.setattr(rooms, "room_of", lambda *_: (0, 0))
    monkeypatch.setattr(rooms, "SEEN_S", 0.0)
    assert spool.takes_nothing()


def test_who_says_how_a_node_does_waits_for_no_disk_that_nobody_has_asked(
    tmp_path: Path, hung: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "room_of", hung)
    monkeypatch.setattr(rooms, "WAIT_S", 0.01)
    spool = Spool(tmp_path)
    assert spool.takes_nothing()
    assert spool.takes_nothing()
    assert hung.times == 1


def test_capture_waits_for_a_disk_no_longer_than_it_is_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silent, "PATIENCE_S", 0.05)
    works = [Hung() for _ in range(silent.THREADS + 2)]

    async def run() -> None:
        silence = Silence(tmp_path)
        for one in works:
            with pytest.raises(TimeoutError, match="does not answer"):
                await silence.ask(one)
        for _ in range(3):  # threads are told in the loop
            await asyncio.sleep(0)
        for one in works:
            one.end()
        monkeypatch.setattr(silent, "PATIENCE_S", 30)
        assert await silence.ask(len, "seven") == 5

    asyncio.run(run())
    begun = [one.times for one in works]
    assert begun == [1] * silent.THREADS + [0, 0], "what nobody waits for any more is not begun"


def make(folder: Path, looks: Looks) -> Supervisor:
    spool = Spool(folder)
    one = Supervisor(
        STREAM, SOURCE, CaptureSettings("ffmpeg", "n1", 1, looks=looks), spool,
        Sealer(spool, print), FakeClock(T0), ThreadPoolExecutor(1), "node", lambda: 1,
    )  # fmt: skip
    one.state.begin(T0)
    return one


def test_a_stream_whose_disk_hangs_says_so_and_begins_anew_when_it_answers(
    tmp_path: Path, hung: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LOOK_S", 0.01)
    monkeypatch.setattr(looking, "SILENT_S", 0.05)

    async def run() -> None:
        one = make(tmp_path, Looks())
        monkeypatch.setattr(one._watch.growth, "look", hung)
        listener: Listener = SimpleNamespace(described=asyncio.Event())  # type: ignore[assignment]
        task = asyncio.create_task(one._watch.run(listener))
        failed, fail = asyncio.Event(), one._watch.failed

        def says(condition: str, detail: str) -> None:
            fail(condition, detail)
            failed.set()

        one._watch.failed = says
        await asyncio.wait_for(failed.wait(), 10)  # the loop goes on meanwhile
        assert (one.state.state, one.state.condition, one.state.cause) == (
            "failing",
            SILENT,
            "node",
        )
        assert "does not answer" in one.state.detail
        assert hung.times == 1, "it is not asked again before it has answered"
        assert not task.done(), "ffmpeg is left alone, it waits as well"
        monkeypatch.setattr(one._watch.growth, "look", lambda _: 0)
        hung.end()
        assert await asyncio.wait_for(task, 10) == SILENT

    asyncio.run(run())


def test_what_ffmpeg_says_of_its_end_is_not_why_a_hung_disk_has_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        one = make(tmp_path, Looks())
        one._watch.unanswered()

        class Child:
            returncode, stderr = 1, asyncio.StreamReader()

            async def wait(self) -> int:
                self.stderr.feed_eof()
                return 1

        one._errors.append("[error] Connection reset by peer")
        folder = tmp_path / "run"
        folder.mkdir()
        await one._attend(Child(), folder, SimpleNamespace(), "")  # type: ignore[arg-type]
        assert (one.state.condition, one.state.cause) == (SILENT, Cause.NODE)

    asyncio.run(run())


class Counting(Silence):
    """Of a disk that is found to be silent when it was looked so often."""

    looked = probed = 0

    def probe(self) -> None:
        self.probed += 1

    @property
    def silent(self) -> bool:
        self.looked += 1
        return self.looked > 3


def test_a_stream_that_is_to_end_is_not_waited_for_while_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("recorder.capture.loop.LEFT_S", 0.01)

    async def run() -> None:
        spool, never = Spool(tmp_path), asyncio.Event()
        spool.silence = found = Counting(tmp_path)
        settings = CaptureSettings("ffmpeg", "n1", 1, stop_s=0)
        sealer, pool, clock = Sealer(spool, print), Pool("seal", 1), FakeClock(T0)
        loop = CaptureLoop(settings, spool, sealer, clock, pool, "test")

        async def winds_down() -> None:
            try:
                await never.wait()
            finally:
                await asyncio.shield(never.wait())

        task = asyncio.create_task(winds_down())
        await asyncio.sleep(0)
        one = make(tmp_path, Looks())
        loop._workers[STREAM], one._current = _Worker(one, task, SOURCE), RUN.number
        await asyncio.wait_for(loop.stop(), 10)
        assert found.looked == 4, "it is waited for while the disk answers"
        assert found.probed >= 3, "and asked whether it does: what seals notes no question"
        assert await loop.adopt() == 0
        assert loop._records(RUN), "nobody else seals what it has"
        never.set()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert not loop._leaving

    asyncio.run(run())
    assert caplog.text == "", "the streams say it"


def test_answers_that_hang_leave_their_places_to_others(
    monkeypatch: pytest.MonkeyPatch, hung: Hung
) -> None:
    monkeypatch.setattr("recorder.threads.HANGS_S", 0.05)

    async def run() -> None:
        pool = QuickPool("test", 2)
        hanging = [asyncio.create_task(pool.run(hung)) for _ in range(2)]
        assert await asyncio.wait_for(pool.run(len, "seven"), 10) == 5
        hung.end()
        await asyncio.gather(*hanging)

    asyncio.run(run())


def test_threads_that_hang_keep_no_process_from_ending() -> None:
    async def run() -> threading.Thread:
        pool = Pool("test", 1)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, threading.current_thread)

    assert asyncio.run(run()).daemon
