"""What lies in the place of a file, and is none, keeps nobody waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recorder.errors import CopyMissing
from recorder.regular import NotAFile, open_regular
from recorder.spool.disk import Spool
from recorder.spool.folders import files_under, text_of
from recorder.store.files import FileStore

KINDS = ("pipe", "socket", "folder", "device", "link to a device")


def put(kind: str, path: Path) -> None:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, 0o140600)  # as bind makes it, however long its path is
        case "folder":
            path.mkdir()
        case "device":
            os.mknod(path, 0o020600, os.makedev(1, 5))
        case _:
            path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_no_object_of_a_store(kind: str, tmp_path: Path) -> None:
    store = FileStore("main", tmp_path)
    store.put("a/b.mp4", b"abc", "video/mp4", {})
    put(kind, tmp_path / "a" / "c.mp4")
    assert [one.key for one in store.list()] == ["a/b.mp4"]
    assert store.head("a/c.mp4") is None
    with pytest.raises(CopyMissing):
        list(store.read("a/c.mp4", 0, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_none_of_a_spool(kind: str, tmp_path: Path) -> None:
    run = tmp_path / "open" / "north" / "cam" / "main" / "1.1"
    run.mkdir(parents=True)
    for name in ("run.json", "000000.mp4"):
        put(kind, run / name)
    assert list(files_under(run)) == []
    assert text_of(run / "run.json") == ""
    assert Spool(tmp_path).runs() == []


def test_a_link_among_the_folders_of_runs_leads_nobody_out_of_the_spool(tmp_path: Path) -> None:
    spool, elsewhere = Spool(tmp_path / "spool"), tmp_path / "elsewhere" / "1.1"
    elsewhere.mkdir(parents=True)
    (elsewhere / "000000.mp4").write_bytes(b"abc")
    stream = tmp_path / "spool" / "open" / "north" / "cam"
    stream.mkdir(parents=True)
    (stream / "main").symlink_to(elsewhere.parent)
    assert spool.runs() == []
    spool.next_term("n1", 0)
    assert (elsewhere / "000000.mp4").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_a_file_is_opened(kind: str, tmp_path: Path) -> None:
    put(kind, tmp_path / "x")
    with pytest.raises(NotAFile):
        open_regular(tmp_path / "x")
    (tmp_path / "y").write_bytes(b"abc")
    with open_regular(tmp_path / "y") as file:
        assert file.read() == b"abc"


def test_a_link_to_a_folder_is_followed_but_never_round(tmp_path: Path) -> None:
    store, elsewhere = FileStore("main", tmp_path / "store"), tmp_path / "elsewhere"
    store.root.mkdir()
    store.put("a/one.mp4", b"abc", "video/mp4", {})
    store.put("b/two.mp4", b"abc", "video/mp4", {})
    elsewhere.mkdir()
    (elsewhere / "three.mp4").write_bytes(b"abc")
    (store.root / "c").symlink_to(elsewhere)
    for name, target in {"a/x": "../b", "b/y": "../a", "b/z": "..", "root": "/"}.items():
        (store.root / name).symlink_to(target)
    (elsewhere / "back").symlink_to(store.root)
    found = [one.key for one in store.list()]
    assert found == ["a/one.mp4", "a/x/two.mp4", "b/two.mp4", "b/y/one.mp4", "c/three.mp4"]
