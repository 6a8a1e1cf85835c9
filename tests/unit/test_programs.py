"""What an ffmpeg can do is asked of it: what it did not say once is not believed for ever."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from recorder.capture import programs, supervisor
from recorder.capture.programs import Abilities, abilities
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.supervisor import Supervisor
from recorder.model.cameras import StreamSource
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0

OLD = """#!/bin/sh
echo asked >> "$0.log"
case "$2" in -codecs) echo " DEA.L. pcm_alaw  PCM" ;; *) echo "Demuxer rtsp" ;; esac
"""
"""It checks no certificate of rtsps, and decodes one codec."""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "ffmpeg"


def install(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


@pytest.mark.parametrize("at_first", ["", "#!/bin/sh\nexit 137\n", "#!/bin/sh\necho half; exit 1\n",
                                      "#!/bin/sh\nexec sleep 600\n"])  # fmt: skip
def test_a_program_that_did_not_answer_is_asked_again(
    program: Path, at_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PATIENCE_S", 1)
    now = [100.0]
    monkeypatch.setattr(programs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    install(program, at_first)
    assert abilities(str(program)) == Abilities(), "all is believed of it"
    monkeypatch.setattr(programs, "PATIENCE_S", 60)
    install(program, OLD)
    assert abilities(str(program)) == Abilities(), "not at once: many streams ask"
    now[0] += programs.AGAIN_S
    assert abilities(str(program)) == Abilities(False, frozenset({"pcm_alaw"}))


def test_one_stream_asks_for_all_that_begin_at_once(program: Path) -> None:
    install(program, OLD)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(abilities, [str(program)] * 8))
    assert found == {Abilities(False, frozenset({"pcm_alaw"}))}
    assert Path(f"{program}.log").read_text() == "asked\n" * 2


def test_a_program_that_hangs_keeps_no_other_stream_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop, where all streams are, goes on while one waits for the answer."""
    asked, answers = threading.Event(), threading.Event()

    def hangs(_: str) -> Abilities:
        asked.set()
        assert answers.wait(60), "the loop stood still"
        return Abilities()

    monkeypatch.setattr(supervisor, "abilities", hangs)

    async def run() -> None:
        spool = Spool(tmp_path)
        settings = CaptureSettings("no-such-program", "n1", 1, 4)
        source = StreamSource("rtsp://10.0.0.7/main")
        with ThreadPoolExecutor(1) as pool:
            sealer, clock = Sealer(spool, lambda _: None), FakeClock(T0)
            one = Supervisor(
                STREAM, source, settings, spool, sealer, clock, pool, "node", lambda: 1
            )  # fmt: skip
            task = asyncio.create_task(one.run())
            while not asked.is_set():  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.01)
            answers.set()
            while one.state.condition != "no-program":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
