"""Clips that are asked for again, and threads that are shared."""

from __future__ import annotations

import asyncio
import threading
from array import array
from dataclasses import replace
from typing import Any, cast

import pytest

from recorder.export.clip import Clip
from recorder.export.prepared import Prepared
from recorder.export.virtual import VirtualFile
from recorder.model.timebase import TimeRange
from recorder.reading.found import Found
from recorder.reading.view import View
from recorder.threads import Pool
from tests.support.make import T0, segment

ASKED = TimeRange(T0, T0 + 10)
NO_VIEW = cast(View, None)


class Maker:
    """Makes clips with a header of a size, and counts them."""

    def __init__(self, size: int = 100) -> None:
        self.made, self.size = 0, size

    def __call__(self, view: View, found: Found, _: TimeRange) -> Clip:
        self.made += 1
        columns = (array("q", [0]), array("q", [800]), array("q", [100]))
        return Clip(VirtualFile(bytes(self.size), found.segments, *columns), [], found, view)


def test_a_clip_asked_for_again_is_made_anew_only_when_what_it_is_made_of_changed() -> None:
    prepared, make = Prepared(), Maker()
    one = segment()
    first = prepared.clip(make, NO_VIEW, Found([one]), ASKED)
    found = Found([replace(one)])
    again = prepared.clip(make, NO_VIEW, found, ASKED)
    assert make.made == 1
    assert again.file is first.file
    assert again.found is found, "its own open files, not the first one's"
    for other, asked in (
        (Found([replace(one, end=one.end + 1)]), ASKED),
        (Found([replace(one, digest="cd" * 32)]), ASKED),
        (Found([one], before=[segment(-60)]), ASKED),
        (Found([one]), TimeRange(T0, T0 + 11)),
    ):
        made = make.made
        prepared.clip(make, NO_VIEW, other, asked)
        assert make.made == made + 1


def test_what_is_still_being_written_is_made_each_time() -> None:
    prepared, make = Prepared(), Maker()
    for _ in range(2):
        growing = cast(Any, {"key": None})
        prepared.clip(make, NO_VIEW, Found([segment()], growing), ASKED)
    assert make.made == 2


def test_prepared_clips_take_no_more_memory_than_they_may() -> None:
    make, prepared = Maker(20_000), Prepared(100_000)
    for i in range(50):
        prepared.clip(make, NO_VIEW, Found([segment(60 * i)]), ASKED)
    assert prepared._bytes <= 100_000
    assert 1 <= len(prepared._held) <= 5
    made = make.made
    prepared.clip(make, NO_VIEW, Found([segment(60 * 49)]), ASKED)
    assert make.made == made, "the last one is kept"
    make.size = 30_000
    for _ in range(2):
        prepared.clip(make, NO_VIEW, Found([segment(-60)]), ASKED)
    assert make.made == made + 2, "one that would push out all others is not kept"


def test_a_pool_works_side_by_side_up_to_its_size_and_starts_no_idle_thread() -> None:
    async def run() -> None:
        pool, both, hold = Pool("some", 2), threading.Barrier(2), threading.Event()
        await asyncio.gather(*(pool.run(both.wait, 60) for _ in range(2)))
        held = [asyncio.create_task(pool.run(hold.wait, 60)) for _ in range(2)]
        late = asyncio.create_task(pool.run(threading.current_thread))
        for _ in range(2):
            await asyncio.sleep(0)
        assert not late.done()
        hold.set()
        await asyncio.gather(*held)
        assert (await late).name in ("some-0", "some-1")
        one = Pool("one", 8)
        names = set()
        for _ in range(50):
            names.add((await one.run(threading.current_thread)).name)
            assert one._free.acquire(timeout=60), "it comes to rest"
            one._free.release()
        assert names == {"one-0"}
        with pytest.raises(ZeroDivisionError):
            await one.run(lambda: 1 // 0)
        pool.close()
        one.close()

    asyncio.run(run())
