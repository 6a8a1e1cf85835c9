"""The natives of a range, joined: each decoder's header once, before what it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recorder import clean_points
from recorder.catalog.sql import SqlCatalog
from recorder.export.clip import make_native
from recorder.model.timebase import SECOND, TimeRange
from recorder.reading.view import View
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, stored


class NoSpool:
    """A spool with nothing in it."""

    def path_of(self, key: str) -> Path | None:
        return None

    def runs(self, stream: object = None) -> list[object]:
        return []


def test_another_decoder_brings_its_own_header_and_the_same_does_not() -> None:
    catalog, store, wanted = SqlCatalog("sqlite://"), MemoryStore("main"), b""
    for i, decoder in enumerate(("d", "d", "e")):
        more: dict[str, Any] = {"span_start": T0 + 4 * i * SECOND, "counter": 0}
        one, body = stored(4 * i, decoder_digest=decoder, **more)
        body = bytes([i]) * 800 + body[800:]
        store.put(one.key, body, "video/mp4", {})
        catalog.commits.add_segment(one, "main", "", 1)
        first, *_, last = clean_points.unpack_points(one.points)
        header = b"" if i == 1 else body[:800]
        wanted += header + body[first.offset : last.offset + last.size]
    spool: Any = NoSpool()
    view = View(
        catalog.footage, catalog.statuses, spool, {"main": store}, FakeClock(T0 + 10**12), "north"
    )
    asked = TimeRange(T0, T0 + 12 * SECOND)
    with view.find_some(STREAM, asked) as found:
        clip = make_native(view, found, asked)
        assert b"".join(clip.read()) == wanted
    catalog.close()
