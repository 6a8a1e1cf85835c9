"""A system that gives no more threads, for a moment or for long: nothing stands still after it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest

from recorder import threads
from recorder.capture import looks, run_seals, supervisor
from recorder.capture.growth import Growth
from recorder.capture.looks import Looks
from recorder.capture.redirect import Redirects
from recorder.capture.run_seals import RunSeals
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.supervisor import Supervisor
from recorder.errors import CatalogUnavailable, NoThread
from recorder.exports.runner import in_background
from recorder.model.cameras import StreamSource
from recorder.model.exports import ExportState
from recorder.patience import Patience
from recorder.side_by_side import SideBySide
from recorder.spool.disk import Spool
from recorder.threads import Pool, QuickPool, give, in_thread
from tests.support.clock import FakeClock
from tests.support.exporting import Desk
from tests.support.make import T0
from tests.support.shelf import RUN


class System:
    """Lets threads begin, or not."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.refused = 0
        self.told: Callable[[], object] = lambda: None
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if self.full:
                self.refused += 1
                self.told()
                raise RuntimeError("can't start new thread")
            real(thread)

        patch.setattr(threading.Thread, "start", start)
        patch.setattr(threads._Worker, "idle", type(threads._Worker.idle)())


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    yield (one := System(monkeypatch))
    one.full = False


def test_whoever_wants_one_is_told_and_the_next_job_is_done(system: System) -> None:
    async def work() -> None:
        system.full = True
        with pytest.raises(NoThread, match="no thread"):
            await in_thread("job", int)
        with pytest.raises(NoThread):
            give("job", lambda: None)
        with pytest.raises(CatalogUnavailable, match="no thread"):
            await Patience("asking", 60).ask(int)
        system.full = False
        assert await in_thread("job", int) == 0

    asyncio.run(work())


def test_a_pool_does_what_comes_once_it_may_have_a_thread_again(system: System) -> None:
    async def work() -> None:
        pool = Pool("pool", 2)
        system.full = True
        for _ in range(5):  # more than the pool has
            with pytest.raises(NoThread):
                await pool.run(int)
        assert pool.waiting == 0, "whoever was told no is not done later"
        system.full = False
        goes_on = threading.Event()
        hung = asyncio.create_task(pool.run(goes_on.wait, 60))
        await asyncio.sleep(0)
        system.full = True
        later = asyncio.create_task(pool.run(int))
        await asyncio.sleep(0)
        goes_on.set()
        assert await asyncio.wait_for(later, 30) == 0, "the thread that there is does it"
        assert await hung
        pool.close()

    asyncio.run(work())


def test_quick_answers_go_on_once_there_are_threads_again(system: System) -> None:
    async def work() -> None:
        pool = QuickPool("quick", 2)
        system.full = True
        asked = [asyncio.create_task(pool.run(int)) for _ in range(10)]
        found = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
        assert {type(one) for one in found} == {NoThread}
        system.full = False
        assert await asyncio.wait_for(pool.run(int), 30) == 0

    asyncio.run(work())


def test_who_could_not_be_asked_has_not_answered_and_is_asked_again(system: System) -> None:
    def same(one: Mock) -> str:
        return str(one.name)

    side, one = SideBySide("asked", same), Mock()
    system.full = True
    assert side.ask({"it": one}, 60) == {}
    system.full = False
    assert set(side.ask({"it": one}, 60)) == {"it"}


def test_streams_are_looked_at_again_and_no_disk_is_blamed(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "LOOK_S", 0.01)
    monkeypatch.setattr(looks, "SILENT_S", 0.05)

    async def look() -> None:
        judged, one = asyncio.Event(), Mock()
        one.judge, one.look = judged.set, lambda: False
        system.full = True
        system.told = lambda: setattr(system, "full", system.refused < 10)
        with Looks().calling(one):
            await judged.wait()
        assert not one.unanswered.called

    asyncio.run(asyncio.wait_for(look(), 30))


def test_looks_go_on_whatever_goes_wrong_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOK_S", 0.01)

    async def look() -> None:
        loop, times, enough = asyncio.get_running_loop(), list[int](), asyncio.Event()
        loop.set_exception_handler(lambda *_: None)
        asking, one = Mock(side_effect=[MemoryError, *[Looks()._asking()] * 99]), Mock()

        def judge() -> None:
            times.append(1)
            if len(times) == 1:
                raise MemoryError
            enough.set()

        one.judge, one.look = judge, lambda: False
        with Looks(asking).calling(one):
            await enough.wait()

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    asyncio.run(asyncio.wait_for(look(), 30))


@pytest.mark.parametrize(
    "wrong", [NoThread(""), MemoryError(), ZeroDivisionError("a fault of ours")]
)
def test_a_stream_that_cannot_begin_is_tried_again_and_the_camera_is_not_blamed(
    wrong: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def record() -> None:
        tries, twice = list[str](), asyncio.Event()

        async def fails() -> bool:
            tries.append(one.state.cause)
            if len(tries) == 2:
                twice.set()
            raise wrong

        monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0,))
        spool, source = Spool(tmp_path), StreamSource("rtsp://10.0.0.1/x")
        one = Supervisor(
            RUN.stream, source, CaptureSettings("ffmpeg", "n1", 1), spool,
            Sealer(spool, lambda _: None), FakeClock(T0), ThreadPoolExecutor(1), "source",
            lambda: 1,
        )  # fmt: skip
        monkeypatch.setattr(one, "_one_run", fails)
        task = asyncio.create_task(one.run())
        await asyncio.wait({task, asyncio.create_task(twice.wait())}, return_when="FIRST_COMPLETED")
        assert not task.done()
        task.cancel()
        ours = isinstance(wrong, ZeroDivisionError)
        assert one.state.condition == ("cannot-start" if ours else "no-resources")
        assert tries[1] == "node"

    asyncio.run(asyncio.wait_for(record(), 30))


def test_files_are_sealed_for_as_long_as_the_run_goes_on_whatever_happened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_seals, "AGAIN_S", 0.01)

    async def seal() -> None:
        spool, again = Spool(tmp_path), asyncio.Event()
        folder, asked = spool.open_run(RUN), list[int]()
        loop = asyncio.get_running_loop()

        def files(_: Path) -> list[Path]:
            asked.append(1)
            if len(asked) == 1:
                raise MemoryError
            loop.call_soon_threadsafe(again.set)
            return []

        monkeypatch.setattr(spool, "files", files)
        with ThreadPoolExecutor(1) as pool:
            seals = RunSeals(RUN.stream, spool, Mock(), FakeClock(T0), pool)
            growth = Growth(folder, spool, 0)
            task = asyncio.create_task(seals.as_closed(folder, RUN, growth))
            await asyncio.wait(
                {task, asyncio.create_task(again.wait())}, return_when="FIRST_COMPLETED"
            )
            assert not task.done()
            task.cancel()

    asyncio.run(asyncio.wait_for(seal(), 30))


def test_a_run_that_could_not_be_ended_is_left_to_whoever_looks_for_such(tmp_path: Path) -> None:
    async def end() -> None:
        async def fails() -> bool:
            raise MemoryError

        seals = RunSeals(RUN.stream, Spool(tmp_path), Mock(), FakeClock(T0), ThreadPoolExecutor(1))
        with pytest.raises(MemoryError):
            await seals.see_through(tmp_path, RUN, fails(), Mock())
        assert not seals.winding_down

    asyncio.run(end())


def test_an_export_whose_thread_did_not_begin_is_made_by_the_next_round(
    system: System, desk: Desk
) -> None:
    desk.ask()
    node = desk.runner()
    node._start, at_once = in_background, node._start
    system.full = True
    with pytest.raises(NoThread):
        node.tend_exports()
    system.full, node._start = False, at_once
    node.tend_exports()
    assert desk.now().state is ExportState.DONE


def test_a_camera_with_a_password_leaves_no_socket_at_each_try(system: System) -> None:
    system.full = True
    with pytest.raises(NoThread), Redirects().offered("rtsp://u:p@10.0.0.1/x"):
        pass
    gc.collect()  # what was not closed is an error
