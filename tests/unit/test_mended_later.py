"""A copy that nobody could mend is mended once somebody can, and read last until then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.config import Settings
from recorder.errors import StoreUnavailable
from recorder.janitor.again import FIRST_S
from recorder.janitor.doubted import look_at_doubted
from recorder.jobs.retention import scrub_alone
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Copy
from recorder.model.timebase import DAY
from recorder.spool.disk import Spool
from tests.support.make import segment
from tests.unit.test_keeping import Box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    one = Box(tmp_path)
    yield one
    one.view.close()
    one.catalog.close()


def away(key: str, *_: int) -> Any:
    raise StoreUnavailable(f"read {key}: no answer")


@pytest.mark.parametrize("missing", [False, True])
def test_what_nobody_could_mend_is_mended_once_the_other_store_is_back(
    box: Box, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    main, other, one = box.stores["main"], box.stores["other"], box.segments[0]
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    if missing:
        main.delete([one.key])
    monkeypatch.setattr(other, "read", away)
    assert box.scrubber.run(main, 90 * DAY, float("inf")).damaged == 1
    box.clock.sleep(3600)
    box.scrubber.run(main, 90 * DAY, float("inf"))
    monkeypatch.undo()
    repaired = 0
    for _ in range(8):
        box.clock.sleep(FIRST_S)
        done = box.scrubber.run(main, 90 * DAY, float("inf"))
        repaired += done.repaired
        assert done.lost == 0
    assert repaired == 1
    assert b"".join(main.read(one.key, 0, 5000)) == bytes(5000)
    assert box.catalog.integrity.damaged("main") == 0
    said = {entry.action for entry in box.catalog.audit.newest(9)}
    assert said == {"missing" if missing else "damaged", "repaired"}


def test_what_was_written_over_is_mended_from_under_it_and_held_as_it_was(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    box.stores["other"].delete([one.key])
    held: list[tuple[str, bool]] = []

    def earlier(key: str, size: int) -> Iterator[Any]:
        assert (key, size) == (one.key, 5000)
        yield lambda: iter([b"y" * 5000])
        yield lambda: iter([bytes(4000), bytes(1000)])

    monkeypatch.setattr(main, "earlier", earlier, raising=False)
    monkeypatch.setattr(type(main), "protects", True)
    monkeypatch.setattr(main, "protected", lambda _: True)
    monkeypatch.setattr(main, "protect", lambda key, on: held.append((key, on)))
    assert box.scrubber.run(main, 90 * DAY, float("inf")).repaired == 1
    assert b"".join(main.read(one.key, 0, 5000)) == bytes(5000)
    assert held == [(one.key, True)], "each version is held by itself"


@pytest.mark.parametrize("whole_store", [False, True])
def test_what_is_written_again_and_not_held_yet_is_believed_once_it_is(
    box: Box, monkeypatch: pytest.MonkeyPatch, whole_store: bool
) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.put("spanstore.json", b'{"store": "s"}', "", {})
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    held, asked = list[str](), list[str]()
    refusing = True

    right = main.head

    def protect(key: str, on: bool) -> None:
        if refusing:
            if whole_store and not asked:
                monkeypatch.setattr(main, "head", away)
            asked.append(key)
            raise StoreUnavailable(f"protect {key}: no answer")
        held.append(key)

    monkeypatch.setattr(main, "protected", lambda key: key == one.key, raising=False)
    monkeypatch.setattr(main, "protect", protect)
    with pytest.raises(StoreUnavailable) if whole_store else nullcontext():
        done = box.scrubber.run(main, 90 * DAY, float("inf"))
        assert (done.checked, done.damaged) == (3, 1), "and it keeps no other from being read"
    assert box.catalog.integrity.damaged("main") == 1
    monkeypatch.setattr(main, "head", right)
    for refusing in (True, False):
        box.clock.sleep(7200)
        box.scrubber.run(main, 90 * DAY, float("inf"))
        assert box.catalog.integrity.damaged("main") == int(refusing)
    assert held == [one.key]


def test_what_was_written_again_by_a_process_that_died_before_it_was_held_is_held_later(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.put("spanstore.json", b'{"store": "s"}', "", {})
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    held: list[str] = []
    monkeypatch.setattr(main, "protected", lambda key: key == one.key, raising=False)
    monkeypatch.setattr(main, "protect", _die)
    with pytest.raises(KeyboardInterrupt):
        box.scrubber.run(main, 90 * DAY, float("inf"))
    monkeypatch.setattr(main, "protect", lambda key, _: held.append(key))
    box.clock.sleep(7200)
    box.scrubber.run(main, 90 * DAY, float("inf"))
    assert (held, box.catalog.integrity.damaged("main")) == ([one.key], 0)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_nothing_is_called_lost_as_all_is_to_end(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.delete([one.key])
    monkeypatch.setattr(box.stores["other"], "read", away)
    box.scrubber.run(main, 90 * DAY, float("inf"))
    box.clock.sleep(7 * 3600)
    monkeypatch.setattr(box.scrubber.throttle, "take", lambda _: False)
    assert box.scrubber.run(main, 90 * DAY, float("inf")).lost == 0


def test_what_is_known_to_be_damaged_is_read_where_it_is_whole(box: Box) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    copies = box.catalog.planning.copies_at("main", None, 1)
    assert list(box.view.copies.elsewhere([one])[one.key]) == ["main", "other"]
    box.catalog.integrity.mark_damaged(copies, box.clock.now())
    assert b"".join(box.view.read(one, 0, 5000)) == bytes(5000)
    box.stores["other"].delete([one.key])
    assert b"".join(box.view.read(one, 0, 5000)) == b"x" * 5000, "for want of another"


@pytest.mark.parametrize("whole_store", [False, True])
def test_a_store_that_goes_away_while_a_copy_is_mended_loses_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch, whole_store: bool
) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.put("spanstore.json", b'{"store": "s"}', "", {})
    main.put(one.key, b"x" * 5000, "video/mp4", {})

    def gone(key: str, *_: object) -> str:
        if whole_store:
            monkeypatch.setattr(main, "head", away)
        raise StoreUnavailable(f"put {key}: no answer")

    monkeypatch.setattr(main, "put_file", gone)
    if whole_store:
        with pytest.raises(StoreUnavailable):
            box.scrubber.run(main, 90 * DAY, float("inf"))
        assert box.catalog.integrity.damaged("main") == 1, "other bytes were read there"
        assert {one.action for one in box.catalog.audit.newest(9)} == {"repaired"}
    else:
        assert box.scrubber.run(main, 90 * DAY, float("inf")).damaged == 1, "it was this one"


def test_what_is_altered_in_the_spool_with_its_copy_is_served_from_there_no_more(
    box: Box, tmp_path: Path
) -> None:
    # a directory store on the spool's disk shares its bytes: both names are of one file
    main, spool = box.stores["main"], Spool(tmp_path)
    altered, whole = box.segments[:2]
    box.view.copies.place = "spool:n1"
    for one, body in ((altered, b"x" * 5000), (whole, bytes([1]) * 5000)):
        main.put(one.key, b"x" * 5000, "video/mp4", {})
        cached = tmp_path / "cache" / one.key
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(body)
        box.catalog.commits.add_segment(one, "spool:n1", "", 1)
    assert box.scrubber.run(main, 90 * DAY, float("inf")).repaired == 2
    assert spool.path_of(altered.key) is None
    assert spool.path_of(whole.key) is not None
    rows = box.catalog.footage.copies([altered, whole])
    assert [sorted(copy.place for copy in rows[one.key]) for one in (altered, whole)] == [
        ["main", "other"], ["main", "other", "spool:n1"],
    ]  # fmt: skip


def test_what_is_altered_in_another_nodes_spool_goes_there_too_where_a_store_has_it_whole(
    box: Box, tmp_path: Path
) -> None:
    # that node reads its spool first, and the one that mends the object cannot look into it
    main, spool, place = box.stores["main"], Spool(tmp_path / "n2"), "spool:n2"
    altered, whole, alone = box.segments
    box.view.copies.place = "spool:n1"
    for one, body in ((altered, b"x"), (whole, bytes([1])), (alone, b"x")):
        main.put(one.key, b"x" * 5000, "video/mp4", {})
        cached = tmp_path / "n2" / "cache" / one.key
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(body * 5000)
        box.catalog.commits.add_segment(one, place, "", 1)
    for other in ("spool:n1", "spool:n3"):
        box.catalog.commits.add_segment(whole, other, "", 1)

    def look() -> None:
        look_at_doubted(box.catalog, spool, place, box.clock.now())

    look()
    assert spool.path_of(altered.key) is not None, "nobody said yet that any is in doubt"
    assert box.scrubber.run(main, 90 * DAY, float("inf")).repaired == 3
    stored = [Copy(alone, name) for name in ("main", "other")]
    box.catalog.integrity.mark_damaged(stored, box.clock.now())
    doubted = [box.catalog.integrity.damaged(f"spool:n{number}") for number in (1, 2, 3)]
    assert doubted == [0, 3, 1], "its own it reads itself"
    look()
    assert [spool.path_of(one.key) is None for one in box.segments] == [True, False, False]
    rows = box.catalog.footage.copies(box.segments)
    found = [
        next((one.damaged_at is None for one in rows[key.key] if one.place == place), None)
        for key in box.segments
    ]
    assert found == [None, True, False], "gone, believed again, and what no store has whole stays"
    spool.remove(whole.key)
    box.catalog.integrity.mark_damaged([Copy(whole, place)], box.clock.now())
    look()
    assert place not in {one.place for one in box.catalog.footage.copies([whole])[whole.key]}


def test_each_node_looks_at_its_own_spool_whoever_reads_the_stores_again(tmp_path: Path) -> None:
    app = App(Settings.model_validate({"data": str(tmp_path), "node": "n2"}))
    one, now = (
        replace(segment(), stream=StreamId(app.settings.site, "cam", "main")),
        app.clock.now(),
    )
    one = replace(one, key=segment_key(str(one.stream), one.start, one.writer, 0))
    path = app.spool.root / "cache" / one.key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    for place in ("main", "spool:n2"):
        app.catalog.commits.add_segment(one, place, "", now)
    app.catalog.integrity.mark_damaged([Copy(one, "spool:n2")], now)
    app.catalog.leases.take("n1", ["scrub"], ["scrub"], now, now + DAY)
    scrub_alone(app)
    assert not path.exists()
    app.close()
