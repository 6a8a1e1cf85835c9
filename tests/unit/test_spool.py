"""What the spool lets go when it is full, and what it takes in of earlier processes."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.config import Settings
from recorder.errors import CatalogUnavailable, IndexCorrupt, SpoolFull, StoreUnavailable
from recorder.event_mode import EventMode
from recorder.flow import keeper_of, sender_of
from recorder.ingest.leftovers import Leftovers
from recorder.model.camera_document import parse_camera
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId
from recorder.model.media import Copy, Segment
from recorder.model.runs import Run
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import AuditEntry
from recorder.ship.sender import Sender
from recorder.spool.disk import Spool
from recorder.spool.keeper import Keeper
from recorder.spool.raw import load_sealed
from tests.support.disk import fill, small_disk
from tests.support.make import T0, seal_one
from tests.support.media import FF9

LENGTH = 40
SCENE = "nullsrc=s=320x180:r=10,geq=lum='100+random(1)*if(gte(T,30)*lt(T,34),100,4)':cb=128:cr=128"
"""Forty seconds of a little noise, in which something happens after the thirtieth."""


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """That scene, in fragments of two seconds."""
    path: Path = tmp_path_factory.mktemp("spool") / "scene.mp4"
    subprocess.run(
        [FF9, "-v", "error", "-f", "lavfi", "-i", SCENE, "-t", str(LENGTH), "-c:v", "libx264",
         "-qp", "24", "-g", "20", "-sc_threshold", "0", "-movflags",
         "empty_moov+default_base_moof+frag_keyframe+skip_trailer", str(path)],
        check=True,
    )  # fmt: skip
    return path.read_bytes()


def make_app(folder: Path, **settings: Any) -> App:
    return App(Settings(site="test", node="n1", data=folder, **settings))


def put(app: App, body: bytes, stream: StreamId, second: int) -> Segment:
    """Seal a file into the spool, ``second`` seconds after ``T0``."""
    begin = T0 + second * SECOND
    run = Run(stream, "n1", 1, 1, begin, "node", "file:test")
    done = seal_one(body, run, begin + LENGTH * SECOND)
    path = app.spool.root / "sealed" / done.segment.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body[: done.keep_bytes] + done.trailer)
    return done.segment


def put_known(app: App, body: bytes, stream: StreamId, *seconds: int) -> list[Segment]:
    """Seal files into the spool that the catalog knows."""
    done = [put(app, body, stream, second) for second in seconds]
    for one in done:
        app.catalog.commits.add_segment(one, "spool:n1", "", T0)
    return done


def hold(segment: Segment) -> Hold:
    return Hold("h", (segment.stream.camera,), segment.range, "17", "theft", "ann", T0)


def make_keeper(app: App, sender: Sender | None = None) -> Keeper:
    return keeper_of(app, sender, lambda: 0.0)


def make_sender(app: App) -> Sender:
    events = EventMode(app)
    return sender_of(app, events.may_ship, events.segment_of)


def test_a_full_spool_lets_neither_what_is_held_nor_its_own_go_before_what_lies_below(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path, spool={"max_size": 2 * len(body) + 40_000, "floor": 0})
    own, guest = StreamId("test", "cam", "main"), StreamId("post1", "gate", "main")
    held, plain = put_known(app, body, own, 0, 100)
    below, orphan = put_known(app, body, guest, 200, 300)
    app.catalog.commits.add_segment(below, "post1/main", "", T0)
    app.catalog.holds.add(hold(held))
    chosen = make_keeper(app).keep()
    said = [(one.item.key, one.shed) for one in chosen]
    assert said == [(below.key, False), (plain.key, True)], "the only copies go last, held never"
    assert [app.spool.was_shed(one.key) for one in (held, plain, below)] == [False, True, False]
    range_ = TimeRange(T0, T0 + 400 * SECOND)
    assert [one.key for one in app.catalog.footage.segments(own, range_)] == [held.key]
    assert {one.key for one in app.catalog.footage.segments(guest, range_)} == {
        below.key,
        orphan.key,
    }
    assert [gap.cause for gap in app.catalog.footage.gaps(guest, range_)] == [], (
        "the site below has it"
    )
    app.close()


def test_a_full_spool_does_not_let_go_what_the_site_below_has_damaged(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path, spool={"max_size": len(body) + 40_000, "floor": 0})
    (plain,) = put_known(app, body, StreamId("test", "cam", "main"), 0)
    (below,) = put_known(app, body, StreamId("post1", "gate", "main"), 200)
    app.catalog.commits.add_segment(below, "post1/main", "", T0)
    app.catalog.integrity.mark_damaged([Copy(below, "post1/main")], T0)
    assert [(one.item.key, one.shed) for one in make_keeper(app).keep()] == [(plain.key, True)]
    app.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_full_spool_does_not_let_go_what_its_store_has_damaged(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    app = make_app(tmp_path, spool={"max_size": 2 * len(body) + 40_000, "floor": 0})
    damaged, above, whole = put_known(app, body, StreamId("test", "cam", "main"), 0, 100, 200)
    for one in (damaged, above, whole):
        app.catalog.commits.add_segment(one, "main", "", T0)
        app.spool.shipped(one.key)
    app.catalog.commits.add_segment(above, "../main", "", T0)
    app.catalog.integrity.mark_damaged([Copy(damaged, "main"), Copy(above, "main")], T0)
    if not known:
        monkeypatch.setattr(app.catalog.footage, "copies", _is_away)
    (chosen,) = make_keeper(app).keep()
    assert chosen.item.key == (above if known else damaged).key, "the store is believed else"
    app.close()


def test_where_a_store_has_damaged_all_of_it_few_questions_tell_and_new_footage_finds_room(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path, spool={"max_size": 30 * len(body), "floor": 0})
    stream, asked = StreamId("test", "cam", "main"), list[int]()
    damaged = put_known(app, body, stream, *range(0, 3000, 100))
    for one in damaged:
        app.catalog.commits.add_segment(one, "main", "", T0)
        app.spool.shipped(one.key)
    app.catalog.integrity.mark_damaged([Copy(one, "main") for one in damaged], T0)
    (waiting,) = put_known(app, body, stream, 9000)
    copies = app.catalog.footage.copies

    def counted(segments: Sequence[Segment]) -> dict[str, list[Copy]]:
        asked.append(len(segments))
        return copies(segments)

    monkeypatch.setattr(app.catalog.footage, "copies", counted)
    chosen = make_keeper(app).keep()
    assert [(one.item.key, one.shed) for one in chosen][:1] == [(waiting.key, True)]
    assert len(asked) < 8, "not one by one"
    app.close()


def _is_away(*_: object) -> object:
    raise CatalogUnavailable("the catalog is away")


@pytest.mark.parametrize("over", [False, True])
def test_a_full_spool_keeps_what_a_hold_keeps_until_a_time_that_was_proven(
    body: bytes, tmp_path: Path, *, over: bool
) -> None:
    app = make_app(tmp_path, spool={"max_size": len(body) + 40_000, "floor": 0})
    held, plain = put_known(app, body, StreamId("test", "cam", "main"), 0, 100)
    ends = T0 + 400 * SECOND  # long ago by this machine's clock
    app.catalog.holds.add(replace(hold(held), expires=ends))
    app.catalog.progress.put("clock", {"wall": ends - (not over)}, T0)
    chosen = [one.item.key for one in make_keeper(app).keep()]
    assert chosen == [held.key if over else plain.key]
    app.close()


def test_a_disk_that_fills_up_within_a_trailer_seals_nothing_half(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 1) as disk:
        app = make_app(disk)
        path, key = disk / "1.mp4", "cam/main/2026-01-01/n1.1/00/00-00.000000Z.1.mp4"
        media, trailer = b"m" * 100_000, b"t" * 9000
        path.write_bytes(media + b"torn")
        filler = fill(disk)
        with pytest.raises(SpoolFull):
            app.spool.finish(path, len(media), trailer, key)
        assert app.spool.path_of(key) is None
        filler.unlink()
        assert app.spool.finish(path, len(media), trailer, key).read_bytes() == media + trailer
        app.close()


def test_what_is_on_its_way_to_the_store_is_not_shed(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(
        tmp_path, spool={"max_size": len(body) + 40_000, "floor": 0}, ship={"workers": 1}
    )
    stream = StreamId("test", "cam", "main")
    sent, fresh = put_known(app, body, stream, 0, 100)
    begun, go, put_file = threading.Event(), threading.Event(), app.stores["main"].put_file

    def slow(*said: Any) -> str:
        begun.set()
        assert go.wait(20)
        return put_file(*said)

    monkeypatch.setattr(app.stores["main"], "put_file", slow)
    sender = make_sender(app)
    sender.refresh()
    sender.start()
    assert begun.wait(20)
    (eviction,) = make_keeper(app, sender).keep()
    assert eviction.item.key == fresh.key, "though it is newer"
    go.set()
    assert sender.drain(20), sender.last_error
    sender.stop(5)
    assert [info.key for info in app.stores["main"].list("test")] == [sent.key]
    range_ = TimeRange(T0, T0 + 400 * SECOND)
    assert [one.key for one in app.catalog.footage.segments(stream, range_)] == [sent.key]
    app.close()


def test_a_sealed_file_that_is_damaged_is_put_aside_and_the_rest_is_shipped(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path)
    stream = StreamId("test", "cam", "main")
    rotten, torn, fine = put_known(app, body, stream, 0, 100, 200)
    sealed = app.spool.root / "sealed"
    with (sealed / rotten.key).open("r+b") as file:  # one bit, in the middle of the pictures
        file.seek(rotten.init_bytes + 2000)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    (sealed / torn.key).write_bytes((sealed / torn.key).read_bytes()[:-1000])
    sender = make_sender(app)
    sender.refresh()
    sender.start()
    assert sender.drain(20), sender.last_error
    sender.stop(5)
    assert [info.key for info in app.stores["main"].list("test")] == [fine.key]
    range_ = TimeRange(T0, T0 + 400 * SECOND)
    gaps = [(gap.start, gap.cause) for gap in app.catalog.footage.gaps(stream, range_)]
    assert gaps == [(rotten.start, "lost"), (rotten.end, "node"), (torn.start, "lost")]
    aside = sorted((app.spool.root / "quarantine").glob("*.txt"))
    assert len(aside) == 2
    assert "not what was sealed" in aside[0].read_text()
    app.close()


def test_a_sealed_file_that_is_whole_is_never_put_aside_and_holds_up_no_other(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path, ship={"workers": 1})
    one, *others = put_known(app, body, StreamId("test", "cam", "main"), *range(0, 1000, 100))

    def newer(path: Path, key: str) -> Segment:
        if key == one.key:
            raise IndexCorrupt("footer version 9 is not known")
        return load_sealed(path, key)

    monkeypatch.setattr("recorder.ship.sender.load_sealed", newer)
    sender = make_sender(app)
    sender.refresh()
    sender.start()
    assert not sender.drain(20)
    sender.stop(5)
    assert "version 9" in sender.last_error
    assert app.spool.path_of(one.key) is not None
    assert [info.key for info in app.stores["main"].list("test")] == [each.key for each in others]
    app.close()


def test_what_was_put_before_a_crash_is_committed_not_shed(body: bytes, tmp_path: Path) -> None:
    app = make_app(tmp_path, spool={"max_size": len(body) + 40_000, "floor": 0})
    stream = StreamId("test", "cam", "main")
    put_before, _ = put_known(app, body, stream, 0, 100)
    app.admit("main")
    path = app.spool.root / "sealed" / put_before.key
    app.stores["main"].put_file(put_before.key, path, "video/mp4", {"sha256": put_before.digest})
    (eviction,) = make_keeper(app, make_sender(app)).keep()
    assert eviction.item.key == put_before.key
    (copy,) = app.catalog.footage.copies([put_before])[put_before.key]
    assert copy.place == "main"
    range_ = TimeRange(T0, T0 + 400 * SECOND)
    assert [gap.cause for gap in app.catalog.footage.gaps(stream, range_)] == []
    app.close()


def test_a_damaged_file_keeps_no_other_from_being_found_in_the_store(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path, spool={"max_size": 40_000, "floor": 0})
    stream = StreamId("test", "cam", "main")
    damaged, whole = put_known(app, body, stream, 0, 100)
    app.admit("main")
    for one in (damaged, whole):
        path = app.spool.root / "sealed" / one.key
        app.stores["main"].put(one.key, path.read_bytes(), "video/mp4", {})
    (app.spool.root / "sealed" / damaged.key).write_bytes(b"damaged")
    assert len(make_keeper(app, make_sender(app)).keep()) == 2
    (copy,) = app.catalog.footage.copies([whole])[whole.key]
    assert copy.place == "main"
    app.close()


def test_while_the_catalog_is_away_what_is_stored_still_makes_room_and_is_forgotten_later(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path, spool={"max_size": len(body), "floor": 0})
    stream = StreamId("test", "cam", "main")
    stored, waiting = put(app, body, stream, 0), put(app, body, stream, 100)
    for one in (stored, waiting):
        app.catalog.commits.add_segment(one, "spool:n1", "", T0)
    app.catalog.commits.add_segment(stored, "main", "", T0)
    app.spool.shipped(stored.key)
    keeper = make_keeper(app)

    @contextmanager
    def away() -> Iterator[None]:
        raise CatalogUnavailable("the catalog is away")
        yield

    with monkeypatch.context() as cut:
        for way in ("read", "write"):
            cut.setattr(app.catalog.database, way, away)
        keeper.keep()
    assert app.spool.path_of(stored.key) is None
    assert app.spool.path_of(waiting.key) is not None
    keeper.keep()
    copies = app.catalog.footage.copies([stored, waiting])
    assert [one.place for one in copies[stored.key]] == ["main"]
    assert keeper.unforgotten == []
    app.close()


def test_footage_of_event_mode_that_is_held_is_shipped_not_dropped(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path)
    service = EventMode(app)
    service.modes = {("cam", "main"): "event"}
    held, plain = (put(app, body, StreamId("test", "cam", "main"), at) for at in (0, 100))
    for one in (held, plain):
        app.catalog.commits.add_segment(one, "spool:n1", "", T0)
    app.catalog.holds.add(hold(held))
    assert service.verdict(held.key) == "ship"
    assert service.verdict(plain.key) == "wait", "no clock says that so much time has passed"
    app.upkeep.janitor.proof.believe()
    assert service.verdict(plain.key) == "drop"
    app.close()


def test_footage_of_a_site_below_goes_by_no_mode_of_a_camera_here_that_is_called_alike(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path)
    app.upkeep.janitor.proof.believe()
    service = EventMode(app)
    service.modes = {("cam", "main"): "event"}
    (own,) = put_known(app, body, StreamId("test", "cam", "main"), 0)
    (below,) = put_known(app, body, StreamId("post1", "cam", "main"), 0)
    assert [service.verdict(one.key) for one in (own, below)] == ["drop", "ship"]
    app.close()


def test_what_an_earlier_process_left_is_committed_with_its_motion_events(
    body: bytes, tmp_path: Path
) -> None:
    app = make_app(tmp_path)
    camera = parse_camera("cam", {"url": "rtsp://10.0.0.1/x", "record": "event",
                                  "activity": "events"})  # fmt: skip
    app.catalog.cameras.put(camera, T0, None)
    left = put(app, body, StreamId("test", "cam", "main"), 0)
    leftovers = Leftovers(app.catalog, app.spool, app.clock, "n1", "test")
    assert leftovers.register() == 1
    assert leftovers.register() == 0
    (event,) = app.catalog.events.touching(TimeRange(T0, T0 + 100 * SECOND), [CameraId("", "cam")])
    assert (event.kind, event.attributes["by"]) == ("motion", "activity")
    assert left.start + 29 * SECOND <= event.range.start <= left.start + 31 * SECOND
    app.close()


def test_a_leftover_stays_where_nobody_can_say_whether_it_was_let_go(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path)
    left = put(app, body, StreamId("test", "cam", "main"), 0)
    app.spool.shipped(left.key)

    def away(*args: object) -> list[AuditEntry]:
        raise StoreUnavailable("the store that has what left the log is away")

    monkeypatch.setattr(app.catalog.audit, "about", away)
    leftovers = Leftovers(app.catalog, app.spool, app.clock, "n1", "test")
    assert leftovers.register() == 1
    assert app.spool.path_of(left.key) is not None
    app.close()


def test_a_leftover_that_cannot_be_read_keeps_no_other_out(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path)
    stream = StreamId("test", "cam", "main")
    bad, good = put(app, body, stream, 0), put(app, body, stream, 100)

    def load(path: Path, key: str) -> Segment:
        if key == bad.key:
            raise OSError(errno.EIO, "input/output error")
        return load_sealed(path, key)

    monkeypatch.setattr("recorder.ingest.leftovers.load_sealed", load)
    assert Leftovers(app.catalog, app.spool, app.clock, "n1", "test").register() == 1
    range_ = TimeRange(T0, T0 + 400 * SECOND)
    assert [one.key for one in app.catalog.footage.segments(stream, range_)] == [good.key]
    assert app.spool.path_of(bad.key) is not None
    app.close()


@pytest.mark.parametrize(
    ("words", "stays"),
    [([("condemn", "main")], False), ([("condemn", "main"), ("spare", "main")], True),
     ([("condemn", "main"), ("spare", "main"), ("condemn", "main")], False),
     ([("condemn", "main"), ("condemn", "two"), ("spare", "two")], True)],
)  # fmt: skip
def test_a_leftover_whose_mark_was_taken_back_was_not_let_go(
    body: bytes, tmp_path: Path, words: list[tuple[str, str]], stays: bool
) -> None:
    """A mistaken policy condemned it and was corrected; the catalog was lost long after."""
    app = make_app(tmp_path)
    left = put(app, body, StreamId("test", "cam", "main"), 0)
    app.spool.shipped(left.key)
    about = (left.stream, left.key)
    for action, place in words:
        app.catalog.audit.write(
            [AuditEntry(T0, action, *about, place, left.range, left.size_bytes, "all", "old", 1)]
        )
    leftovers = Leftovers(app.catalog, app.spool, app.clock, "n1", "test")
    assert leftovers.register() == int(stays)
    assert (app.spool.path_of(left.key) is not None) is stays
    app.close()


def test_a_disk_without_room_or_an_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 8) as root:
        spool = Spool(root)
        assert not spool.takes_nothing()
        fill(root)
        assert spool.takes_nothing()
    with monkeypatch.context() as disk:
        disk.setattr(os, "statvfs", _refuses)
        assert spool.takes_nothing()


def _refuses(_: object) -> object:
    raise OSError(errno.EIO, "input/output error")
