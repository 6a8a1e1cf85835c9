"""A rebuild takes nothing away that it has not looked for, and lets one odd object be odd."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import struct
import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import StateError, StoreUnavailable
from recorder.janitor.check import Tally, check_store
from recorder.janitor.foreign import read_foreign
from recorder.janitor.intake import Rebuilt
from recorder.janitor.protect import Protector
from recorder.janitor.rebuild import AWAY, Beside, _Foreign, drop_gone_here, rebuild
from recorder.model.holds import Hold
from recorder.model.keys import StreamId, parse_key, segment_key
from recorder.model.media import Copy, ObjectInfo, Segment
from recorder.model.timebase import DAY, HOUR, SECOND, TimeRange
from recorder.store.memory import MemoryStore
from tests.support.make import STREAM, T0, stored
from tests.support.media import FF9

NOW = T0 + HOUR
ALL = TimeRange(T0, NOW)


@pytest.fixture
def catalog() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://")
    yield one
    one.close()


class FlakyStore(MemoryStore):
    """A store that stops listing after some objects, or does not give those named."""

    most: int = 1000
    withheld: frozenset[str] = frozenset()

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        for number, info in enumerate(super().list(prefix, after)):
            if number >= self.most:
                raise StoreUnavailable("list: nobody answers")
            yield info

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        if key in self.withheld:
            raise StoreUnavailable(f"read {key}: permission denied")
        return super().read(key, offset, length)


def filled(name: str, starts: tuple[int, ...] = (0, 4, 8)) -> tuple[FlakyStore, list[Segment]]:
    store, held = FlakyStore(name), []
    for start in starts:
        one, body = stored(start, counter=start // 4)
        store.put(one.key, body, "video/mp4", {})
        held.append(one)
    return store, held


def again(catalog: SqlCatalog, store: MemoryStore) -> Rebuilt:
    return rebuild(catalog, store, "north", NOW)


def known(catalog: SqlCatalog, place: str = "main") -> list[Segment]:
    found = catalog.footage.segments(STREAM, ALL)
    copies = catalog.footage.copies(found)
    return [one for one in found if any(copy.place == place for copy in copies[one.key])]


def test_an_empty_catalog_gets_all_that_a_store_holds(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    assert again(catalog, store).ours == 3
    assert known(catalog) == held


def test_a_store_that_stops_answering_costs_no_row(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    again(catalog, store)
    store.most = 1
    with pytest.raises(StoreUnavailable):
        again(catalog, store)
    assert known(catalog) == held


def test_a_store_that_shows_nothing_is_not_believed_unless_somebody_is_sure(
    catalog: SqlCatalog,
) -> None:
    store, held = filled("main")
    again(catalog, store)
    empty = MemoryStore("main")
    with pytest.raises(StateError, match="main shows no segment"):
        rebuild(catalog, empty, "north", NOW + 1)
    assert known(catalog) == held
    assert rebuild(catalog, empty, "north", NOW + 1, sure=True).gone == 3
    assert known(catalog) == []


def test_only_the_store_that_was_read_loses_copies(catalog: SqlCatalog) -> None:
    (store, held), (second, _) = filled("main"), filled("second")
    again(catalog, store)
    again(catalog, second)
    catalog.commits.add_segments([held[0]], "spool:n1", T0)
    store.delete([held[0].key])
    done = rebuild(catalog, store, "north", NOW + 1)
    assert (done.ours, done.gone) == (2, 1)
    assert known(catalog) == held[1:]
    assert known(catalog, "second") == held
    assert known(catalog, "spool:n1") == held[:1]
    assert catalog.footage.gaps(STREAM, ALL) == []


def test_a_segment_that_is_nowhere_any_more_leaves_a_gap(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    again(catalog, store)
    store.delete([held[1].key])
    rebuild(catalog, store, "north", NOW + 1)
    (gap,) = catalog.footage.gaps(STREAM, ALL)
    assert (gap.cause, gap.range) == ("lost", held[1].range)
    (said,) = catalog.audit.newest(9)
    assert (said.action, said.key, said.place, said.rule) == (
        "lost", held[1].key, "main", "rebuild",
    )  # fmt: skip


def test_of_what_was_to_go_the_log_says_nothing_more(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    again(catalog, store)
    copies = catalog.footage.copies(held)
    catalog.deletion.condemn([copies[held[0].key][0]], NOW, [])
    store.delete([held[0].key])
    assert rebuild(catalog, store, "north", NOW + 1).gone == 1
    assert catalog.audit.newest(9) == []


def test_what_a_catalog_of_before_has_in_a_spool_goes_where_that_is_the_same_spool(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    store, (first, second, third) = filled("main")
    again(catalog, store)
    for one in (first, second, third):
        catalog.commits.add_segment(one, "spool:n1", "", NOW)
    store.delete([third.key])
    rebuild(catalog, store, "north", NOW + 1)
    there = set[str]()

    def path_of(key: str) -> Path | None:
        return tmp_path if key in there else None

    assert drop_gone_here(catalog, "spool:n1", path_of, NOW + 1) == 0, "another disk, perhaps"
    there.add(first.key)
    assert drop_gone_here(catalog, "spool:n1", path_of, NOW) == 0, "it came just now"
    assert drop_gone_here(catalog, "spool:n1", path_of, NOW + 1) == 2
    assert known(catalog, "spool:n1") == [first]
    (gap,) = catalog.footage.gaps(STREAM, ALL)
    assert (gap.start, gap.cause) == (third.start, "lost")


def test_marks_and_locks_outlive_a_rebuild(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    again(catalog, store)
    copies = catalog.footage.copies(held)
    catalog.deletion.condemn([copies[held[0].key][0]], NOW, [])
    catalog.object_locks.set_locked([copies[held[1].key][0]], True)
    rebuild(catalog, store, "north", NOW + 1)
    assert catalog.footage.copies(held)[held[0].key][0].condemned_at == NOW
    assert [one.segment for one in catalog.object_locks.to_unlock("main", NOW, 9)] == [held[1]]


def test_what_is_only_added_takes_nothing_out(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    again(catalog, store)
    store.delete([held[0].key])
    assert rebuild(catalog, store, "north", NOW + 1, keep=True).gone == 0
    assert known(catalog) == held


@pytest.mark.parametrize(
    "key",
    [
        "cam/2026-01-05/14/03-07Z.99999999999999999999.mp4",
        "cam/9999-01-05/14/03-07Z.0.mp4",
        "cam\udcff/2026-01-05/14/03-07Z.0.mp4",
        "cam/2026-01-05/14/03-07Z.0.mp4",
        "cam\nL4  clean/2026-01-05/14/03-07Z.0.mp4",
    ],
    ids=["counter", "year", "not UTF-8", "garbage", "a line of its own"],
)
def test_an_odd_object_is_counted_and_ends_nothing(catalog: SqlCatalog, key: str) -> None:
    store, held = filled("main")
    store.put(key, b"no media", "video/mp4", {})
    done = again(catalog, store)
    assert known(catalog) == held
    assert done.other + len(done.unreadable) == 1
    assert all(part.isprintable() for named in done.unreadable for part in named)


def test_an_object_that_is_not_given_is_left_out_and_its_row_stays(catalog: SqlCatalog) -> None:
    store, held = filled("main")
    again(catalog, store)
    store.withheld = frozenset({held[1].key})
    done = rebuild(catalog, store, "north", NOW + 1)
    assert (done.ours, done.gone, [key for key, _ in done.unreadable]) == (2, 0, [held[1].key])
    assert known(catalog) == held


def test_a_store_that_gives_no_object_at_all_is_away(catalog: SqlCatalog) -> None:
    store, held = filled("main", tuple(range(0, 4 * AWAY, 4)))
    store.withheld = frozenset(one.key for one in held)
    with pytest.raises(StoreUnavailable):
        again(catalog, store)


def test_two_objects_of_one_name_are_both_told_of(catalog: SqlCatalog) -> None:
    store, held = filled("main", (0,))
    one, body = stored(0, counter=7)
    store.put(one.key, body, "video/mp4", {})
    done = again(catalog, store)
    assert done.ours == 1
    ((key, why),) = done.unreadable
    assert {key, *(known_.key for known_ in known(catalog))} == {held[0].key, one.key}
    assert "of that stream, instant and writer" in why


def shared(left: bool = False) -> tuple[MemoryStore, Segment]:
    """A store of ours into which another site writes its own, besides what it sent up to us."""
    store, _ = filled("main")
    for site in ("south", "east"):
        one, body = stored(20, stream=StreamId(site, "gate", "main"))
        store.put(one.key, body, "video/mp4", {})
    sign = {"node": "n1", "spool": "s", "at": T0, "left": left}
    store.put("spanstore.owners/south/2f.json", json.dumps(sign).encode(), "", {})
    return store, one


@pytest.mark.parametrize("left", [False, True])
def test_what_another_site_puts_into_the_same_store_itself_is_left_to_it(
    catalog: SqlCatalog, left: bool
) -> None:
    store, sent_up = shared(left)
    done = again(catalog, store)
    assert (done.ours, done.elsewhere) == (4, {"south": 1})
    streams = {copy.segment.stream for copy in catalog.planning.copies_at("main", None, 9)}
    assert streams == {STREAM, sent_up.stream}
    found = check_store(catalog.planning, store, "size", 0, NOW + DAY, Tally(), site="north")
    assert "L4" not in [one.law for one in found]
    ours = SqlCatalog("sqlite://")
    beside = Beside(sites=["south"])
    assert rebuild(ours, store, "north", NOW, beside=beside).ours == 5, "somebody wants it so"
    ours.close()


def test_a_store_that_is_only_read_shows_every_site_s_footage(catalog: SqlCatalog) -> None:
    store, _ = shared()
    assert rebuild(catalog, store, "north", NOW, beside=Beside(sites=None)).ours == 5


def test_bytes_that_contradict_the_catalog_do_not_replace_what_it_knows(
    catalog: SqlCatalog,
) -> None:
    store, held = filled("main", (0,))
    first = replace(held[0], digest="cd" * 32)
    catalog.commits.add_segment(first, "main", "", T0 + SECOND)
    done = rebuild(catalog, store, "north", NOW, sure=True)
    assert known(catalog) == [first]
    assert "are not those the catalog knows" in done.unreadable[0][1]


# -- other recorders' objects --------------------------------------------------------------


class LargeStore(MemoryStore):
    """One object that nobody could hold: a film, and a box of zeros as long as ``rest`` says."""

    film: bytes = b""
    rest: int = 0
    given: int = 0

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        head = struct.pack(">I4s", self.rest, b"free")
        while length:
            at = offset - len(self.film)
            if at < 0:
                block = self.film[offset : offset + length]
            elif at < len(head):
                block = head[at : at + length]
            else:
                block = bytes(min(length, 1 << 20))
            offset, length = offset + len(block), length - len(block)
            self.given += len(block)
            yield block


@pytest.fixture(scope="module")
def film(h264_file: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Eight seconds as a camera writes them."""
    path = tmp_path_factory.mktemp("f") / "f.mp4"
    subprocess.run(
        [FF9, "-v", "error", "-t", "8", "-i", str(h264_file), "-c", "copy", "-movflags",
         "+frag_keyframe+empty_moov+default_base_moof", str(path)], check=True,
    )  # fmt: skip
    return path.read_bytes()


KEY = "CAM 1/2026-01-05/14/03-07Z.0.mp4"


def foreign(film: bytes, rest: int) -> tuple[LargeStore, ObjectInfo]:
    store = LargeStore("main")
    store.film, store.rest = film, rest
    return store, ObjectInfo(KEY, len(film) + rest)


def test_another_recorder_s_object_is_read_once_and_never_held(film: bytes, tmp_path: Path) -> None:
    parts = parse_key(KEY)
    assert parts is not None
    held, lengths = [], (8 << 20, 64 << 20)
    for rest in lengths:
        store, info = foreign(film, rest)
        tracemalloc.start()
        one = read_foreign(store, info, parts, "north", T0, tmp_path)
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert store.given == info.size
        assert (one.frames, one.size_bytes) == (200, info.size)
        digest = hashlib.sha256(film + struct.pack(">I4s", rest, b"free") + bytes(rest - 8))
        assert one.digest == digest.hexdigest()
    assert max(held) < 6 << 20
    assert held[1] - held[0] < 1 << 20, "a longer object takes no more"
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_the_disk_has_no_room_for_is_left_out(
    film: bytes, catalog: SqlCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = filled("main", (0,))
    store.put(KEY, film, "video/mp4", {})
    store.put(KEY.replace(".0.", ".1."), b"", "video/mp4", {})

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", lambda **_: Full())
        done = rebuild(catalog, store, "north", NOW, beside=Beside(tmp_path))
    assert (done.ours, done.foreign) == (1, 0)
    assert [("no space" in why, "empty" in why) for _, why in done.unreadable] == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert rebuild(catalog, store, "north", NOW, beside=Beside(tmp_path)).foreign == 1


def test_other_recorders_objects_are_put_in_order_a_day_at_a_time(
    film: bytes, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, no more of them wait; what goes on over midnight is one span."""
    store, waited = MemoryStore("main"), list[int]()
    midnight = T0 // DAY * DAY + DAY
    for name in ("A", "B"):
        for number in range(-3, 4):
            start = midnight + number * 10 * SECOND
            counter = number + 100 if number < 2 else number + 200  # it began anew
            store.put(segment_key("CAM-1", start, name, counter), film, "video/mp4", {})
    read = _Foreign.read

    def noted(self: _Foreign) -> None:
        waited.append(len(self._waiting))
        read(self)

    monkeypatch.setattr(_Foreign, "read", noted)
    assert rebuild(catalog, store, "north", NOW).foreign == 14
    assert waited == [0, 6, 8]
    stream = StreamId("north", "CAM-1", "main")
    found = catalog.footage.segments(stream, TimeRange(0, 2 * midnight))
    for name in ("A", "B"):
        begun = [(one.span_start - midnight) // SECOND for one in found if one.writer == name]
        assert begun == [-30] * 5 + [20] * 2


# -- legal holds -----------------------------------------------------------------------------


class KeepingStore(MemoryStore):
    """A store that keeps some objects by legal hold, or does not say."""

    kept: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    asked: int = 0

    @property
    def protects(self) -> bool:
        return True

    def protect(self, key: str, on: bool) -> None:
        self.kept = self.kept | {key} if on else self.kept - {key}

    def protected(self, key: str) -> bool | None:  # type: ignore[override]
        self.asked += 1
        if key in self.silent:
            raise StoreUnavailable("busy")
        return key in self.kept


def keeping(*kept: int) -> tuple[KeepingStore, list[Segment]]:
    """A store with five segments; those of these numbers have a legal hold."""
    store, found = KeepingStore("main"), []
    for number in range(5):
        one, body = stored(4 * number, counter=number)
        store.put(one.key, body, "video/mp4", {})
        found.append(one)
    store.kept = frozenset(found[number].key for number in kept)
    return store, found


def test_what_a_store_keeps_by_legal_hold_is_held_when_the_catalog_was_lost(
    catalog: SqlCatalog,
) -> None:
    store, found = keeping(0, 1, 3)
    done = again(catalog, store)
    holds = sorted(catalog.holds.live(NOW), key=lambda one: one.range.start)
    assert done.held == [one.hold_id for one in holds]
    assert [one.range for one in holds] == [
        TimeRange(found[0].start, found[1].end), found[3].range,
    ]  # fmt: skip
    assert {one.cameras for one in holds} == {(str(STREAM.camera_id),)}
    assert holds[0].case == "legal hold found in store main"
    assert again(catalog, store).held == [], "they are held now"
    assert len(catalog.holds.all()) == 2
    for one in holds:
        catalog.holds.release(one.hold_id, "ann", NOW)
    assert again(catalog, store).held == []
    assert catalog.holds.live(NOW) == [], "what somebody released stays released"


def test_a_legal_hold_that_was_found_is_lifted_when_its_hold_is_released(
    catalog: SqlCatalog,
) -> None:
    store, _ = keeping(0, 1, 3)
    held = again(catalog, store).held
    assert Protector(catalog.holds, catalog.object_locks).run(store, NOW) == (0, 0)
    for one in held:
        catalog.holds.release(one, "ann", NOW)
    assert Protector(catalog.holds, catalog.object_locks).run(store, NOW) == (0, 3)
    assert store.kept == frozenset()


def test_a_legal_hold_whose_hold_was_released_before_the_catalog_was_lost_is_lifted(
    catalog: SqlCatalog,
) -> None:
    store, _ = keeping(0, 1, 3)
    again(catalog, store)
    kept = catalog.kept.take()
    for row in kept["holds"]:
        row.update(released_ns=NOW, released_by="ann")
    anew = SqlCatalog("sqlite://")
    anew.kept.put_back(kept)
    assert again(anew, store).held == []
    assert Protector(anew.holds, anew.object_locks).run(store, NOW) == (0, 3)
    anew.close()


def test_a_legal_hold_that_is_ours_or_of_a_live_hold_makes_no_other(catalog: SqlCatalog) -> None:
    store, found = keeping(0, 3)
    again(catalog, MemoryStoreOf(store))
    hold = Hold("h1", (str(STREAM.camera_id),), found[0].range, "c", "r", "ann", NOW)
    catalog.holds.add(hold)
    catalog.object_locks.set_locked([Copy(found[3], "main")], True)  # released, not lifted yet
    assert again(catalog, store).held == []
    assert catalog.holds.all() == [hold]


def test_where_a_store_does_not_say_it_is_told_and_the_footage_is_taken_in(
    catalog: SqlCatalog,
) -> None:
    store, found = keeping(0)
    store.silent = frozenset(one.key for one in found[1:])
    done = again(catalog, store)
    assert (done.ours, done.locks_unknown, len(done.held), done.unreadable) == (5, 4, 1, [])
    before = store.asked
    assert rebuild(catalog, store, "north", NOW, locks=False).ours == 5
    assert store.asked == before


class MemoryStoreOf(MemoryStore):
    """The same objects, without legal holds."""

    def __init__(self, other: MemoryStore) -> None:
        super().__init__(other.name)
        self._objects = other._objects
