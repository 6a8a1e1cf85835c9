"""A disk that lets nothing go: what it keeps is not forgotten, and keeps no other from going."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.app import App
from recorder.cli.context import echo
from recorder.config import Settings
from recorder.errors import StoreUnavailable
from recorder.event_mode import EventMode
from recorder.flow import keeper_of, sender_of
from recorder.janitor.check import Tally, check_store
from recorder.janitor.purge import Purge
from recorder.model.keys import StreamId
from recorder.model.media import Copy
from recorder.model.places import spool_of
from recorder.model.timebase import SECOND
from recorder.ports import AuditEntry
from recorder.store.files import FileStore
from tests.support.make import T0, segment

PLACE = spool_of("n1")
MAIN = StreamId("test", "cam", "main")


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Have files of a name stay where they are."""
    refused: dict[str, int] = {}
    unlink = Path.unlink

    def unlink_(path: Path, missing_ok: bool = False) -> None:
        for name, number in refused.items():
            if name in str(path):
                raise OSError(number, os.strerror(number), str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_)
    return refused.__setitem__


def sealed(app: App, at_s: int) -> str:
    """Put a segment of ten bytes into the spool, and into the catalog; return its key."""
    one = segment(at_s, 4, stream=MAIN)
    path = app.spool.root / "sealed" / one.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(10))
    app.spool.contents.put("sealed", one.key, 10)
    app.catalog.commits.add_segment(one, PLACE, "", T0)
    return one.key


def places(app: App) -> set[str]:
    found = app.catalog.footage.segments(MAIN, segment(0, 3600).range)
    return {key for key, copies in app.catalog.footage.copies(found).items() if copies}


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings(site="test", node="n1", data=tmp_path, spool={"max_size": 25}))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.EPERM])
def test_what_a_full_disk_does_not_let_go_is_no_gap_and_others_make_room(
    app: App, refuse: Callable[[str, int], None], number: int
) -> None:
    keys = [sealed(app, at_s) for at_s in (0, 10, 20, 30)]
    refuse(keys[0], number)
    sender = sender_of(app, EventMode(app).may_ship, EventMode(app).segment_of)
    keeper = keeper_of(app, sender, lambda: 0.0)
    for _ in range(3):
        keeper.keep()
    assert app.spool.path_of(keys[0]) is not None
    left = {key for key in keys if app.spool.path_of(key) is not None}
    assert len(left) == 2, "another one went in its place"
    assert places(app) == left
    gaps = [gap.start for gap in app.catalog.footage.gaps(MAIN, segment(0, 60).range)]
    assert gaps == [T0 + 10 * SECOND, T0 + 20 * SECOND], "of what went, and nothing else"


def test_what_event_mode_could_not_drop_is_no_gap(
    app: App, refuse: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, mode = sealed(app, 0), EventMode(app)
    mode.modes = {("cam", "main"): "event"}
    monkeypatch.setattr(mode, "verdict", lambda *_: "drop")
    refuse(key, errno.EROFS)
    sender = sender_of(app, mode.may_ship, mode.segment_of)
    assert mode.choose(sender) == 0
    assert places(app) == {key}


def test_an_object_that_its_disk_cannot_reach_keeps_no_other_from_being_deleted(
    tmp_path: Path, refuse: Callable[[str, int], None]
) -> None:
    store = FileStore("main", tmp_path)
    for key in ("a/1", "b/1", "c/1"):
        store.put(key, b"x", "text/plain", {})
    refuse("a/1", errno.EIO)
    assert list(store.delete(["a/1", "b/1"])) == ["a/1"]
    assert [one.key for one in store.list()] == ["a/1", "c/1"]
    refuse("c/1", errno.EROFS)
    with pytest.raises(StoreUnavailable, match="Read-only"):
        store.delete(["c/1"])


def test_a_file_in_place_of_a_folder_keeps_nothing_from_being_deleted(tmp_path: Path) -> None:
    store = FileStore("main", tmp_path / "store")
    (tmp_path / "store").mkdir()
    store.put("a", b"x", "text/plain", {})
    store.put("b/1", b"x", "text/plain", {})
    assert store.delete(["a/1", "b/1"]) == {}
    assert [one.key for one in store.list()] == ["a"]


def test_nothing_counts_as_deleted_in_a_store_that_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "store"
    root.mkdir()
    store = FileStore("main", root)
    store.put("a/1", b"x", "text/plain", {})
    unlink = Path.unlink

    def away(path: Path, missing_ok: bool = False) -> None:
        if root.exists() and not (tmp_path / "away").exists():
            root.rename(tmp_path / "away")
            root.mkdir()
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", away)
    with pytest.raises(StoreUnavailable, match="taken its place"):
        store.delete(["a/1"])
    assert (tmp_path / "away" / "a" / "1").exists()
    monkeypatch.undo()
    root.rmdir()
    with pytest.raises(StoreUnavailable):
        store.delete(["a/1"])


def test_a_link_that_leads_to_itself_hides_no_object(tmp_path: Path) -> None:
    store = FileStore("main", tmp_path)
    store.put("a/1", b"x", "text/plain", {})
    (tmp_path / "a" / "loop").symlink_to("loop")
    (tmp_path / "a" / "nowhere").symlink_to("nothing")
    assert [one.key for one in store.list()] == ["a/1"]


def test_a_refusal_of_the_spools_disk_is_an_error(
    app: App, refuse: Callable[[str, int], None]
) -> None:
    key = sealed(app, 0)
    refuse(key, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        app.spool.remove(key)
    assert app.spool.path_of(key) is not None
    assert app.spool.usage()["sealed"] == 10


def test_a_purge_goes_on_where_a_cache_lets_nothing_go(
    app: App, refuse: Callable[[str, int], None]
) -> None:
    keys = [sealed(app, at_s) for at_s in (0, 10)]
    segments = app.catalog.footage.segments(MAIN, segment(0, 60).range)
    store = app.stores["main"]
    (app.settings.data / "store").mkdir()
    for one in segments:
        store.put(one.key, b"x", "text/plain", {})
        app.catalog.commits.add_segment(one, "main", "", T0)
    due = [Copy(one, "main", condemned_at=T0) for one in segments]
    said = ("main", segments[0].range, 10, "rule", "age", 0)
    entries = [AuditEntry(T0, "condemn", MAIN, one.key, *said) for one in segments]
    assert app.catalog.deletion.condemn(due, T0, entries) == 2
    refuse("sealed/", errno.EIO)
    purge = Purge(app.catalog, {}, [app.spool])
    assert purge.run(store, 0, T0 + 10 * SECOND) == 2
    assert places(app) == set()
    assert [key for key in keys if app.spool.path_of(key) is None] == []


def test_names_that_others_give_are_shown_and_forge_nothing(
    app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app.admit("main")
    store = tmp_path / "store"
    for name in (b"a\x1b[2Jb", b"\xff\xfe", "a\u202eb".encode(), b"a\nL4  clean"):
        (store / os.fsdecode(name)).write_bytes(b"x")
    found = check_store(app.catalog.planning, app.stores["main"], "presence", 0, T0, Tally())
    for one in found:
        echo(f"{one.law}  {one.subject}: {one.detail}")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    assert all(line.startswith("L4  ") and line.isprintable() for line in said)
    echo("two\nlines\x07 \udcff", err=True)
    assert capsys.readouterr().err == "two\nlines\\x07 \\udcff\n"
