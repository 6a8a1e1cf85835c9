"""Every byte under a spool's root is somebody's, counted, and let go in its time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import recorder
from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.config import Settings
from recorder.doctor.machine import _folders
from recorder.errors import SpoolFull
from recorder.flow import receiver_of
from recorder.ingest.leftovers import Leftovers
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Segment
from recorder.model.runs import Run
from recorder.model.timebase import DAY, MINUTE, SECOND, TimeRange
from recorder.ports import SiteBeat
from recorder.sites.announced import Announced
from recorder.spool.contents import Contents
from recorder.spool.disk import Spool
from recorder.spool.folders import COUNTED, FOLDERS, OTHER, TABLE, files_under
from recorder.spool.keeper import RECOUNT_S, SHEDS_S, SWEEP_S, Keeper, Limits
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

MB = 1_000_000
SCRATCH = [one.name for one in TABLE if one.scratch_ns == DAY]


class Node:
    """A spool, its keeper, and a clock."""

    def __init__(self, folder: Path, max_size: int = 10**9) -> None:
        self.spool, self.clock = Spool(folder), FakeClock(T0)
        self.catalog = SqlCatalog("sqlite://")
        limits = Limits(max_size, 0, "oldest-least-important")
        self.keeper = Keeper(self.spool, self.catalog, self.clock, limits, "n1", "north")

    def lie(self, name: str, size: int, age_ns: int = 0) -> Path:
        """Put a file there, touched so long ago."""
        path = self.spool.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        at = self.clock.now() - age_ns
        os.utime(path, ns=(at, at))
        return path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path)
    yield one
    one.catalog.close()


def walked(spool: Spool) -> dict[str, int]:
    return {name: sum(one[1] for one in files_under(spool.root / name)) for name in FOLDERS}


def test_every_folder_that_is_made_in_a_spool_has_a_line() -> None:
    code = Path(recorder.__file__).parent.rglob("*.py")
    made = {name for one in code for name in re.findall(r'spool\.root / "(\w+)"', one.read_text())}
    assert {"thin", "moving", "mending", "sending"} <= made <= set(FOLDERS)


def test_scratch_that_nobody_touched_for_a_day_goes_and_younger_stays(node: Node) -> None:
    old = [node.lie(f"{name}/old.part", 10, DAY + SECOND) for name in SCRATCH]
    young = [node.lie(f"{name}/young.part", 10, DAY - SECOND) for name in SCRATCH]
    strange = node.lie("thin/of-a-clock-that-was-wrong.part", 10, -30 * DAY)
    node.keeper.keep()
    assert [path for path in (*old, strange) if path.exists()] == []
    assert all(path.exists() for path in young)


def test_scratch_is_looked_at_once_a_minute(node: Node) -> None:
    node.keeper.keep()
    old = node.lie("thin/old.part", 10, 2 * DAY)
    node.keeper.keep()
    assert old.exists()
    node.clock.sleep(SWEEP_S)
    node.keeper.keep()
    assert not old.exists()


def test_scratch_counts_and_what_is_put_aside_stays_and_counts(node: Node) -> None:
    for name in FOLDERS:
        node.lie(f"{name}/a.part", 100, MINUTE)
    node.lie("lost+found/x", 7)
    aside = node.lie("quarantine/b.mp4", 50, 400 * DAY)
    usage = node.spool.usage()
    assert {name: usage[name] for name in FOLDERS} == dict.fromkeys(FOLDERS, 100) | {
        "quarantine": 150
    }
    assert usage[OTHER] == 7
    node.keeper.keep()
    assert aside.exists()


def test_a_transfer_without_a_byte_for_a_week_goes(node: Node) -> None:
    given_up = node.lie("incoming/a.part", 10, 7 * DAY + SECOND)
    slow = node.lie("incoming/b.part", 10, 7 * DAY - SECOND)
    node.keeper.keep()
    assert not given_up.exists()
    assert slow.exists()


def test_transfers_given_up_make_room_for_the_next_oldest_first(tmp_path: Path) -> None:
    app = App(Settings(site="centre", node="n1", data=tmp_path,
                       spool={"max_size": 10 * MB, "floor": 0}))  # fmt: skip
    app.clock = clock = FakeClock(T0)  # type: ignore[assignment]
    app.catalog.sites.put(SiteBeat("post1", "post", "", T0, {}))
    receiver = receiver_of(app, lambda segment: None)
    whole = replace(segment(0), size_bytes=2 * MB)

    def send(number: int) -> Path:
        """Send half of a segment, and no more."""
        key = segment_key("post1/cam/main", T0 + number * MINUTE, "n7.1", number)
        receiver.append(Announced(key, 0, whole.size_bytes, whole.digest), [bytes(MB)])
        part = app.spool.incoming.part_of(key)
        os.utime(part, ns=(clock.now(), clock.now()))
        clock.sleep(1)
        return part

    parts = [send(number) for number in range(7)]
    with pytest.raises(SpoolFull):  # four fifths of ten are nearly full of what is being sent
        send(7)
    clock.sleep(593)
    parts.append(send(7))
    assert [part.exists() for part in parts] == [False, *[True] * 7], "no more than is wanted"
    app.close()


def test_a_part_that_is_being_written_is_not_taken(node: Node) -> None:
    key = segment_key("post1/cam/main", T0, "n7.1", 1)
    incoming = node.spool.incoming
    part = node.lie(f"incoming/{incoming.part_of(key).name}", 10, 8 * DAY)
    (seen,) = incoming.lying()
    with incoming.writing(key):
        node.keeper.keep()
        assert incoming.make_room(1, node.clock.now()) == 0
        with part.open("ab") as file:
            file.write(b"more")
    assert incoming.drop(seen) == 0, "it has got bytes since it was looked at"
    assert part.stat().st_size == 14


def test_a_full_spool_lets_parts_go_before_footage(tmp_path: Path) -> None:
    node = Node(tmp_path, max_size=100)
    node.lie(f"sealed/{segment(0).key}", 100, MINUTE)
    given_up = node.lie("incoming/a.part", 50, 20 * MINUTE)
    live = node.lie("incoming/b.part", 1, SECOND)
    chosen = node.keeper.keep()
    assert [(one.item.key, one.shed) for one in chosen] == [
        ("a.part", False),
        (segment(0).key, True),
    ]
    assert not given_up.exists()
    assert live.exists()
    node.catalog.close()


@pytest.mark.parametrize("cataloged", [True, False])
@pytest.mark.parametrize(
    ("free", "age_s", "stays"),
    [(600, 14, True), (600, 16, False), (600, -16, False), (500, 1, False)],
    ids=["just sealed", "waits too long", "of a clock that was ahead", "hardly any room"],
)
def test_what_was_sealed_moments_ago_is_not_shed_while_half_of_the_floor_is_free(
    node: Node, monkeypatch: pytest.MonkeyPatch, cataloged: bool, free: int, age_s: int, stays: bool
) -> None:
    """Others fill the disk, and its store is about to have it."""
    one = replace(segment(0), size_bytes=100)
    node.keeper.limits = Limits(10**9, 1000, "oldest-least-important")
    node.clock.sleep((one.end - T0) / SECOND + age_s)
    path = node.lie(f"sealed/{one.key}", 100, age_s * SECOND)
    if cataloged:
        node.catalog.commits.add_segment(one, "n1:spool", "", one.end)
    usage = node.spool.usage()
    monkeypatch.setattr(node.spool, "usage", lambda: usage | {"free": free})
    assert not node.keeper.sheds
    node.keeper.keep()
    assert (path.exists(), node.keeper.sheds) == (stays, not stays)
    node.clock.sleep(SHEDS_S)
    assert not node.keeper.sheds


def test_what_the_spool_holds_is_known_without_looking_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, keys = node.spool, [segment(60 * i).key for i in range(6)]
    folder = spool.open_run(Run(STREAM, "n1", 1, 1, T0, "node", ""))
    spool.usage()
    monkeypatch.setattr(spool.contents, "_look", None)
    spool.finish(node.lie(f"{folder}/000000.mp4", 900), 800, b"t" * 50, keys[0])
    spool.assemble(node.lie(f"{folder}/000001.mp4", 900), [b"a" * 70], keys[1])
    for key in keys[2:]:
        spool.take_in(node.lie("incoming/x.part", 300), key)
    spool.mark_end(keys[5] + "_end")
    assert [key for key, _ in spool.keys("sealed")] == [*keys, keys[5] + "_end"]
    for key in (*keys[:4], keys[5] + "_end"):
        spool.shipped(key)
    spool.remove(keys[3])
    spool.quarantine(spool.root / "sealed" / keys[4], "why")
    spool.quarantine(folder / "000001.mp4", "why", keep=True)
    usage = spool.usage()
    assert {name: usage[name] for name in FOLDERS} == walked(spool)
    assert [key for key, _ in spool.keys("cache")] == keys[:3]
    assert [key for key, _ in spool.keys("sealed")] == [keys[5]]


def test_what_somebody_else_changed_is_found_within_the_hour_and_said(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.keeper.keep()
    node.lie(f"cache/{segment(0).key}", 123)
    node.clock.sleep(RECOUNT_S - 1)
    node.keeper.keep()
    assert node.spool.usage()["cache"] == 0
    node.clock.sleep(1)
    node.keeper.keep()
    assert node.spool.usage()["cache"] == 123
    (record,) = [one for one in caplog.records if "counted" in one.message]
    assert record.__dict__["cache"] == 123


def test_what_comes_and_goes_while_the_spool_is_looked_through_is_counted_once(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "sealed" / name).write_bytes(bytes(10))

    def look(top: Path) -> Iterator[tuple[str, int, int]]:
        yield from list(files_under(top))
        if top.name == "sealed":  # now that it was looked through
            contents.put("sealed", "late", 5)
            contents.drop("sealed", "a")
            contents.put("cache", "a", 10)

    contents = Contents(spool.root, look)
    for _ in range(2):
        assert contents.files("sealed") == [("b", 10), ("late", 5)]
        assert {name: contents.sizes()[name] for name in COUNTED} == {
            "sealed": 15, "cache": 10, "quarantine": 0,
        }  # fmt: skip
        contents.recount()


def test_the_catalog_is_asked_of_leftovers_by_batches(tmp_path: Path) -> None:
    catalog, spool = SqlCatalog("sqlite://"), Spool(tmp_path)
    asked: list[TimeRange] = []
    there = [segment(60 * i) for i in range(300)] + [segment(86_400 * 30)]

    class Asked:
        """It knows them all, and notes what it is asked."""

        def segments(self, stream: StreamId, range_: TimeRange) -> list[Segment]:
            asked.append(range_)
            return [one for one in there if one.stream == stream and one.range.overlaps(range_)]

        def __getattr__(self, name: str) -> Any:
            return getattr(catalog.footage, name)

    for one in there:
        spool.contents.put("cache", one.key, 1)
        path = tmp_path / "cache" / one.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    asking = SimpleNamespace(**vars(catalog) | {"footage": Asked()})
    leftovers = Leftovers(asking, spool, FakeClock(T0), "n1", "north")
    assert leftovers.register() == 0
    assert len(asked) == 3, "two batches, and one far away"
    assert max(one.end - one.start for one in asked) < DAY
    catalog.close()


def test_media_of_which_no_stream_can_be_told_is_named_to_whoever_looks(tmp_path: Path) -> None:
    app = App(Settings(site="north", node="n1", data=tmp_path))
    run = app.spool.open_run(Run(STREAM, "n1", 1, 1, T0, "node", ""))
    for path in (run / "000000.mp4", run / "sound0/000000.mp4"):
        path.write_bytes(b"x")
    assert app.spool.nameless() == []
    strange = app.spool.root / "open/north/cam/main/copy of 1.1"
    strange.mkdir(parents=True)
    (strange / "000000.mp4").write_bytes(b"x")
    assert app.spool.nameless() == [strange]
    assert "copy of 1.1" in _folders(app).advice
    app.close()


def test_every_folder_of_the_spool_stands_in_the_documents() -> None:
    root = Path(recorder.__file__).parent.parent
    text = (root / "docs/design/failure.md").read_text()
    for one in TABLE:
        assert f"| `{one.name}` |" in text
