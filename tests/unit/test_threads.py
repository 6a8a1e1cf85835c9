"""Threads of jobs."""

from __future__ import annotations

import asyncio
import threading

from recorder.threads import in_thread


def test_a_job_waits_for_no_other_and_threads_are_used_again() -> None:
    async def work() -> None:
        hangs, begun = threading.Event(), threading.Event()

        def hang() -> str:
            begun.set()
            hangs.wait(60)
            return threading.current_thread().name

        hung = asyncio.create_task(in_thread("hangs", hang))
        assert await in_thread("begins", begun.wait, 60)
        seen = {await in_thread("idles", threading.current_thread) for _ in range(20)}
        assert len(seen) < 20
        assert await in_thread("named", lambda: threading.current_thread().name) == "named"
        hangs.set()
        assert await hung == "hangs"

    asyncio.run(work())
