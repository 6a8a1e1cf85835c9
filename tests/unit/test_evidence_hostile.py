"""Bundles made to mislead: each is named, none is taken for whole, none ends in a traceback."""

from __future__ import annotations

import inspect
import io
import json
import os
import stat
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.evidence import manifest
from recorder.evidence.command import main
from tests.support.bundles import follow, kinds, look, sign_again
from tests.support.exhibit import Exhibit

Zips = Callable[[zipfile.ZipFile], object]
LINK = (stat.S_IFLNK | 0o777) << 16
DAMAGED = 65  # EX_DATAERR, sysexits


def zipped(bundle: Path, top: str = "b/", add: Zips = lambda _: None, way: int = 0) -> Path:
    """Pack a bundle as somebody may, with more in it; ``way`` of packing."""
    path = bundle.parent / "b.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", way) as archive:
        warnings.simplefilter("ignore")  # of two files of one name
        for one in sorted(one for one in bundle.rglob("*") if one.is_file()):
            archive.writestr(f"{top}{one.relative_to(bundle).as_posix()}", one.read_bytes())
        add(archive)
    return path


def told(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Verify it as a person does; return what is said of one that is not whole."""
    assert main([str(path)]) == DAMAGED
    said = capsys.readouterr()
    return said.out + said.err


# -- zips ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "b/"])
def test_a_bundle_that_somebody_else_packed_is_as_whole(bundle: Path, top: str, way: int) -> None:
    assert look(zipped(bundle, top, lambda one: one.writestr(f"{top}log/", b""), way)).whole


@pytest.mark.parametrize("top", ["../", "/", "./", "a\\b/"])
def test_a_zip_that_unpacks_elsewhere_is_named(bundle: Path, top: str) -> None:
    assert kinds(look(zipped(bundle, top))) >= {"extra", "signature"}


@pytest.mark.parametrize(
    ("name", "body", "mode"),
    [("b/../../x/", b"", 0), ("b/native/x/", b"hidden", 0), ("b/link", b"/etc", LINK)],
)
def test_what_a_zip_has_besides_files_is_named(
    bundle: Path, name: str, body: bytes, mode: int
) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode
    assert kinds(look(zipped(bundle, add=lambda one: one.writestr(info, body)))) == {"extra"}


def edited(path: Path, edit: Callable[[bytearray, int, int], None]) -> Path:
    """Edit a zip: its bytes, where the manifest begins, and where it stands in the list."""
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(raw))) as archive:
        begin, listed = archive.getinfo("b/manifest.json").header_offset, archive.start_dir
    edit(raw, begin, raw.index(b"b/manifest.json", listed) - 46)
    path.write_bytes(raw)
    return path


def lock(raw: bytearray, begin: int, at: int) -> None:
    raw[begin + 6] |= 1
    raw[at + 8] |= 1


def is_a_link(raw: bytearray, _: int, at: int) -> None:
    raw[at + 5] = 3  # made on Unix
    raw[at + 38 : at + 42] = struct.pack("<I", LINK)


def tear(raw: bytearray, begin: int, _: int) -> None:
    raw[begin + 50 : begin + 90] = b"\xff" * 40


FILES = (lock, is_a_link, tear)


@pytest.mark.parametrize("edit", FILES)
def test_a_file_that_a_zip_does_not_give_is_named(
    bundle: Path, edit: Callable[[bytearray, int, int], None]
) -> None:
    path = edited(zipped(bundle, way=zipfile.ZIP_DEFLATED), edit)
    assert kinds(look(path)) >= {"changed", "manifest"}


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_in_a_way_without_bounds_is_not_unpacked(bundle: Path, way: int) -> None:
    path = bundle.parent / "b.zip"
    with zipfile.ZipFile(path, "w", way) as archive:
        archive.write(bundle / manifest.SUMS, "b/SHA256SUMS")
    faults = look(path).faults
    assert any("packed in a way" in one.detail for one in faults)


def claim(at: int, value: int, size: int = 4) -> Callable[[bytearray, int, int], None]:
    def edit(raw: bytearray, _: int, listed: int) -> None:
        raw[listed + at : listed + at + size] = value.to_bytes(size, "little")

    return edit


def is_no_text(raw: bytearray, _: int, at: int) -> None:
    raw[at + 9] |= 0x08  # names are in UTF-8
    raw[at + 46] = 0xFF


@pytest.mark.parametrize(
    "edit",
    [
        claim(20, 0x7FFFFFF0),  # how long it is, packed
        claim(20, 10),
        claim(42, 0x7FFFFFF0),  # where it begins
        claim(42, 0),
        claim(6, 99, 2),  # what it takes to read it
        is_no_text,
    ],
)
def test_a_list_that_lies_makes_no_zip(
    bundle: Path, edit: Callable[[bytearray, int, int], None]
) -> None:
    with pytest.raises(OSError, match=r"no whole zip|of no file|two things"):
        look(edited(zipped(bundle), edit))


def test_bytes_of_a_zip_that_are_in_no_list_are_named(bundle: Path) -> None:
    path = zipped(bundle)
    raw = path.read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + raw)
    with pytest.raises(OSError, match="of no file in its list"):
        look(path)
    more = io.BytesIO()
    with zipfile.ZipFile(more, "w") as archive:
        archive.writestr("b/native/hidden.mp4", b"hidden")
        own = archive.start_dir
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        listed = archive.start_dir
    end = bytearray(raw[listed:])
    end[-6:-2] = (listed + own).to_bytes(4, "little")
    path.write_bytes(raw[:listed] + more.getvalue()[:own] + end)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None, "the zip itself is in order"
    with pytest.raises(OSError, match="of no file in its list"):
        look(path)


# -- folders ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [b"native/\xff.mp4", b"x\nPROVEN\n  It is signed by the key that you named.", b"\x1b[2Jx"],
)
def test_a_name_speaks_for_nobody_but_itself(
    bundle: Path, name: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / os.fsdecode(name)).write_bytes(b"x")
    said = told(bundle, capsys)
    assert "is not part of what was signed" in said
    assert "\x1b" not in said
    assert said.isascii()
    assert said.count("\nPROVEN") + said.startswith("PROVEN") == 1


def test_folders_are_looked_through_however_deep(bundle: Path) -> None:
    deep = bundle
    for _ in range(300):
        deep = deep / "a"
        deep.mkdir()
    (deep / "x").write_bytes(b"x")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        found = kinds(look(bundle))
    finally:
        sys.setrecursionlimit(before)
    assert found == {"extra"}


def test_who_looks_by_hand_sees_a_link_that_was_added(bundle: Path) -> None:
    (bundle / "clips/other.mp4").symlink_to("/etc/hostname")
    _, listed = follow(bundle)[-1]
    assert "./clips/other.mp4\n" in listed
    assert "./clips\n" not in listed


# -- sums and JSON ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.replace(b"\n", "\x85".encode(), 1),
        lambda raw: raw.replace(b"\n", b"\x0c", 1),
        lambda raw: raw.replace(b"  ", b" *"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw[:-1],
    ],
)
def test_sums_that_others_read_otherwise_are_none(
    exhibit: Exhibit, bundle: Path, edit: Callable[[bytes], bytes]
) -> None:
    path = bundle / manifest.SUMS
    path.write_bytes(edit(path.read_bytes()))
    (bundle / manifest.SIGNATURE).write_bytes(exhibit.app.press.signer().sign(path.read_bytes()))
    assert "signature" in kinds(look(bundle))


DEEP = b"[" * 100_000 + b"]" * 100_000
SAID: dict[str, Callable[[bytes], bytes]] = {
    "a name twice": lambda raw: raw.replace(b"{", b'{"leaf": 0, "links": [], "version": 1,', 1),
    "nesting without end": lambda raw: DEEP,
    "a number without end": lambda raw: raw.replace(b"1", b"1" + b"0" * 5000, 1),
    "no number": lambda raw: raw.replace(b"{", b'{"more": NaN,', 1),
    "a number that is none": lambda raw: raw.replace(b"{", b'{"more": 1e400,', 1),
    "other letters": lambda raw: raw.decode().encode("utf-16"),
}


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize(
    ("name", "kind"),
    [(manifest.NAME, "manifest"), (manifest.PROOF, "log"), ("chain", "chain")],
)
def test_json_that_others_read_otherwise_is_none(
    exhibit: Exhibit, bundle: Path, name: str, kind: str, what: str
) -> None:
    path = bundle / name
    path = path if path.is_file() else next(path.iterdir())
    path.write_bytes(SAID[what](path.read_bytes()))
    sign_again(bundle, exhibit.app.press.signer())
    assert kind in kinds(look(bundle))


@pytest.mark.parametrize("value", [50.5, True, "50"])
def test_a_count_is_a_whole_number(exhibit: Exhibit, bundle: Path, value: object) -> None:
    path = bundle / manifest.NAME
    body = json.loads(path.read_bytes())
    body["cameras"][0]["segments"][0]["frames"] = value
    path.write_bytes(manifest.write(body))
    sign_again(bundle, exhibit.app.press.signer())
    assert "manifest" in kinds(look(bundle))
