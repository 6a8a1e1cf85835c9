"""Making a bundle: under a hold, in the log, from whole copies alone, whatever breaks off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from recorder.errors import CopyMissing, NoFootage, NotFound, NotYet, RequestError, StateError
from recorder.evidence.manifest import File
from recorder.evidence.opened import opened
from recorder.evidence.verify import verify
from recorder.export.sinks import MARK, FolderSink, bundle_at
from recorder.logbook.shelf import Shelf
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import AskedEntries
from tests.support.exhibit import STORE, Exhibit
from tests.support.make import STREAM, T0
from tests.support.shelf import make_film

FIRST = TimeRange(T0 + SECOND, T0 + 8 * SECOND)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def exhibit(film: Path, tmp_path: Path) -> Iterator[Exhibit]:
    one = Exhibit(tmp_path / "site", film)
    yield one
    one.close()


def is_whole(path: Path) -> bool:
    with opened(path) as found:
        return verify(found).whole


class Dying(FolderSink):
    """Dies after so many files."""

    left = 0

    def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().put(name, blocks, expected)


def test_a_bundle_that_dies_after_any_file_has_no_name_and_is_gone_on_with(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    target, part = tmp_path / "bundle", tmp_path / "bundle.part"
    files = 0
    while True:
        part.mkdir(exist_ok=True)
        (part / MARK).touch()
        sink = Dying(part)
        sink.left = files
        try:
            exhibit.fill(sink, FIRST)
        except KeyboardInterrupt:
            assert not target.exists()
            assert not is_whole(part), "what broke off is not signed"
            files += 1
        else:
            break
    assert files > 10
    assert exhibit.bundle(target, 1, 8) == target
    assert is_whole(target)
    assert not part.exists()


def test_what_an_earlier_try_left_is_not_fetched_again_and_nothing_else_of_it_stays(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    part = tmp_path / "bundle.part"
    part.mkdir()
    (part / MARK).touch()
    sink = Dying(part)
    sink.left = 4
    with pytest.raises(KeyboardInterrupt):
        exhibit.fill(sink, FIRST)
    (part / "native" / "stray").write_bytes(b"stray")
    there = {one: one.stat().st_mtime_ns for one in part.rglob("*.mp4")}
    assert len(there) == 4
    target = exhibit.bundle(tmp_path / "bundle", 1, 8)
    assert is_whole(target)
    for path, written in there.items():
        assert (target / path.relative_to(part)).stat().st_mtime_ns == written


def test_a_copy_that_is_damaged_is_not_handed_out(exhibit: Exhibit, tmp_path: Path) -> None:
    store = exhibit.app.stores[STORE]
    segment = exhibit.segments[1]
    body = bytearray(b"".join(store.read(segment.key, 0, segment.size_bytes)))
    body[segment.size_bytes // 3] ^= 1
    store.put(segment.key, bytes(body), "video/mp4", {})
    for name in ("bundle", "bundle.zip"):
        with pytest.raises(CopyMissing, match="not, byte for byte, what was recorded"):
            exhibit.bundle(tmp_path / name, 1, 8)
        assert not (tmp_path / name).exists()
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_footage_is_held_while_a_bundle_is_made_and_no_longer(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    holds, seen = exhibit.app.catalog.holds, list[int]()

    class Seeing(FolderSink):
        def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
            seen.append(sum(one.live(exhibit.app.clock.now()) for one in holds.all()))
            return super().put(name, blocks, expected)

    exhibit.fill(Seeing(tmp_path / "one"), FIRST)
    assert set(seen) == {1}
    with pytest.raises(KeyboardInterrupt):
        exhibit.fill(Dying(tmp_path / "two"), FIRST)
    (one, two) = holds.all()
    assert not one.live(exhibit.app.clock.now())
    assert not two.live(exhibit.app.clock.now())
    assert one.expires is not None, "one that was killed ends by itself"


def test_the_log_says_who_took_what_for_which_case(exhibit: Exhibit, tmp_path: Path) -> None:
    exhibit.bundle(tmp_path / "bundle", 1, 8)
    found = exhibit.app.catalog.audit_log.search(AskedEntries(action="footage.export"), 10)
    (raw,) = [one.raw.decode() for one in found]
    for word in ("ana", "10.0.0.7", "cam07", "12/2026", "trial"):
        assert word in raw
    made = exhibit.app.catalog.audit_log.search(AskedEntries(action="export.made"), 10)
    assert len(made) == 1


def test_nothing_is_written_over(exhibit: Exhibit, tmp_path: Path) -> None:
    target = exhibit.bundle(tmp_path / "bundle", 1, 8)
    with pytest.raises(StateError, match="is there already"):
        exhibit.bundle(target, 1, 8)
    assert is_whole(target)


def test_a_folder_that_is_somebody_elses_is_not_cleared(exhibit: Exhibit, tmp_path: Path) -> None:
    mine = tmp_path / "bundle.part" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    with pytest.raises(StateError, match="is not what an export left"):
        exhibit.bundle(tmp_path / "bundle", 1, 8)
    assert mine.read_text() == "years of work"


def test_what_cannot_be_handed_over_is_refused_before_anything_is_written(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    with pytest.raises(NoFootage, match=r"has no footage from .*:47\.000Z to .*:57\.000Z"):
        exhibit.bundle(tmp_path / "bundle", 100, 110)
    at = T0 + 100 * SECOND
    with pytest.raises(NoFootage, match=r"has no footage of \S*:47\.000Z$"):
        exhibit.app.view.find_some(STREAM, TimeRange(at, at + 1))
    now = (exhibit.app.clock.now() - T0) / SECOND
    with pytest.raises(NotYet, match="still being recorded"):
        exhibit.bundle(tmp_path / "bundle", 1, now + 60)
    with bundle_at(tmp_path / "two") as sink, pytest.raises(NotFound):
        exhibit.fill(sink, FIRST, ["nobody"])
    assert list((tmp_path / "two").iterdir()) == []
    assert not list(tmp_path.glob("bundle*"))


def test_a_case_that_says_nothing_is_none(exhibit: Exhibit, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="case"):
        exhibit.bundle(tmp_path / "bundle", 1, 8, case="")


def test_no_tile_of_the_log_is_read_twice_for_the_proofs_of_a_bundle(
    exhibit: Exhibit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tile = list[tuple[int, int, int]](), Shelf.tile

    def seen(self: Shelf, level: int, number: int, width: int) -> Sequence[bytes]:
        read.append((level, number, width))
        return tile(self, level, number, width)

    monkeypatch.setattr(Shelf, "tile", seen)
    assert is_whole(exhibit.bundle(tmp_path / "bundle", 1, 8))
    assert read
    assert len(read) == len(set(read))
