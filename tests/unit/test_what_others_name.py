"""What another site says of its footage is of that alone: nothing is read for others' by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.catalog.sql import SqlCatalog
from recorder.errors import IndexCorrupt
from recorder.model.keys import StreamId
from recorder.model.media import MOST_INIT, InitInfo, Segment, TrackInfo
from recorder.reading.found import Found
from recorder.reading.view import MOST_SCANNED, View
from recorder.segment.meta import footer_meta, segment_from_footer
from recorder.sites.documents import hear_child
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import T0, segment, table
from tests.unit.test_told import NOW, centre, child, message, row

__all__ = ["centre", "child"]

KEY = "CAM-1/2026-01-05/14/03-07Z.0.mp4"
"""Two sites may each have a bucket of one vendor's cameras."""


def test_a_table_of_frames_is_that_of_the_stream_that_has_the_key(tmp_path: Path) -> None:
    catalog = SqlCatalog("sqlite://")
    view = View(catalog.footage, catalog.statuses, Spool(tmp_path), {}, FakeClock(T0), "here")
    found = dict[str, bytes]()

    class Remote:
        def __init__(self, name: str) -> None:
            self.name = name

        def read(self, _: str, offset: int, length: int, *__: Any) -> Any:
            yield found[self.name][offset : offset + length]

    view.copies.remote = Remote
    tables = []
    for site, frames in (("post1", 50), ("post2", 40)):
        one = replace(
            segment(0, 10, stream=StreamId(site, "CAM-1", "main"), frames=frames), key=KEY
        )
        own = table(frames)
        init = InitInfo(100, 90000, (TrackInfo(1, "video", 90000, "avc1", b""),), "d")
        meta = footer_meta(one, "n1", 1, "file:test", "")
        found[site] = build_footer(meta, own) + build_mfra(own, init)
        one = replace(one, size_bytes=len(found[site]))
        catalog.commits.add_segment(one, f"{site}/main", "", T0)
        tables += list(view.tables(Found([one]), [one]))
    assert [len(one.tracks[0].dts) for one in tables] == [50, 40]
    view.close()
    catalog.close()


def test_how_pictures_are_decoded_is_what_the_own_stream_says_whatever_digest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = SqlCatalog("sqlite://")
    view = View(catalog.footage, catalog.statuses, Spool(tmp_path), {}, FakeClock(T0), "here")
    monkeypatch.setattr(view, "read", lambda one, *_: iter([one.stream.site.encode()]))
    monkeypatch.setattr("recorder.reading.view.read_init", bytes.decode)
    own, other = (segment(0, 10, stream=StreamId(name, "gate", "main")) for name in ("a", "b"))
    assert own.decoder_digest == other.decoder_digest
    assert [view.init(Found([one]), one)[1] for one in (own, other)] == [b"a", b"b"]
    view.close()
    catalog.close()


def test_of_what_is_larger_than_memory_no_byte_is_read_to_find_its_frames(tmp_path: Path) -> None:
    catalog = SqlCatalog("sqlite://")
    view = View(catalog.footage, catalog.statuses, Spool(tmp_path), {}, FakeClock(T0), "here")
    one = replace(segment(0, 10), size_bytes=MOST_SCANNED + 1)
    with pytest.raises(IndexCorrupt, match="no footer"):
        view._scan_foreign(one)
    view.close()
    catalog.close()


def test_an_init_segment_that_is_none_is_told_by_nobody(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    body = message(child)
    row(10, MOST_INIT + 1)(body)
    (aside,) = hear_child(centre, body, "here", NOW)
    assert "init_bytes" in aside.why
    one: Segment = segment(0, 10)
    meta = {**footer_meta(one, "n1", 1, "file:test", ""), "init_bytes": MOST_INIT + 1}
    with pytest.raises(IndexCorrupt, match="init_bytes"):
        segment_from_footer(meta, table(one.frames), one.key, 10, "0" * 64)
