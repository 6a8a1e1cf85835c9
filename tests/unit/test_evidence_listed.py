"""A zip that one tool takes other files out of than another is no bundle, however it was made."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.bundles import kinds, look

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
DESCRIBED, UTF8 = 0x08, 0x0800


@dataclass(frozen=True)
class Member:
    """A file of a zip: what the list says of it, and what stands before it where that differs."""

    name: bytes
    body: bytes
    packed: bytes
    way: int = STORED
    size: int = 0
    flags: int = 0
    extra: bytes = b""
    own_name: bytes = b""
    own_way: int | None = None
    own_packed: int | None = None
    own_size: int | None = None
    own_flags: int | None = None
    own_extra: bytes = b""

    def head(self) -> bytes:
        name = self.own_name or self.name
        return struct.pack(
            "<4s5H3I2H", b"PK\3\4", 20, self._or(self.own_flags, self.flags),
            self._or(self.own_way, self.way), 0, 33, zlib.crc32(self.body),
            self._or(self.own_packed, len(self.packed)), self._or(self.own_size, self.size),
            len(name), len(self.own_extra),
        ) + name + self.own_extra + self.packed  # fmt: skip

    def line(self, begin: int) -> bytes:
        return struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, self.flags, self.way, 0, 33, zlib.crc32(self.body),
            len(self.packed), self.size, len(self.name), len(self.extra), 0, 0, 0, 0, begin,
        ) + self.name + self.extra  # fmt: skip

    @staticmethod
    def _or(own: int | None, listed: int) -> int:
        return listed if own is None else own


def deflated(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(body) + packing.flush()


def members(bundle: Path) -> list[Member]:
    found = []
    for one in sorted(one for one in bundle.rglob("*") if one.is_file()):
        name, body = f"b/{one.relative_to(bundle).as_posix()}".encode(), one.read_bytes()
        found.append(Member(name, body, body, STORED, len(body)))
    return found


def written(bundle: Path, made: list[Member], end: Callable[[bytes], bytes] = bytes) -> Path:
    raw, begins = b"", []
    for one in made:
        begins.append(len(raw))
        raw += one.head()
    lines = b"".join(one.line(begin) for one, begin in zip(made, begins, strict=True))
    count = len(made)
    last = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(lines), len(raw), 0)
    path = bundle.parent / "b.zip"
    path.write_bytes(raw + lines + end(last))
    return path


def packed(one: Member) -> Member:
    return replace(one, way=DEFLATED, packed=deflated(one.body))


HIDDEN = Member(b"b/clips/other.mp4", b"other", b"other", STORED, 5).head()
"""A file that no list has."""


def field(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def other_name(one: Member) -> bytes:
    return field(0x7075, struct.pack("<BI", 1, zlib.crc32(one.name)) + b"b/clips/other.mp4")


def far(one: Member) -> Member:
    """As recorders write them: room for more than 4 GiB before each file."""
    none, size = 0xFFFFFFFF, len(one.body)
    return replace(
        one, own_packed=none, own_size=none, own_extra=field(1, struct.pack("<QQ", size, size))
    )


HONEST: dict[str, Callable[[Member], Member]] = {
    "stored": lambda one: one,
    "deflated": packed,
    "room for more": far,
    "length told behind": lambda one: replace(
        packed(one), flags=DESCRIBED, own_packed=0, own_size=0
    ),
    "its packed length told behind": lambda one: replace(
        packed(one), flags=DESCRIBED, own_packed=0
    ),
    "its name in UTF-8": lambda one: replace(one, extra=field(0x7075, b"\1\0\0\0\0" + one.name)),
    "the time": lambda one: replace(one, own_extra=field(0x5455, b"\1\0\0\0\0"), flags=UTF8),
}
"""What tools write that people pack a bundle with."""


@pytest.mark.parametrize("made", HONEST)
def test_a_bundle_is_as_whole_however_it_was_packed(bundle: Path, made: str) -> None:
    assert look(written(bundle, [HONEST[made](one) for one in members(bundle)])).whole


TWO: dict[str, Callable[[Member], Member]] = {
    "bytes behind a stored file, read from the front": lambda one: replace(
        one, packed=one.body + HIDDEN, own_packed=len(one.body)
    ),
    "bytes behind a stored file": lambda one: replace(one, packed=one.body + HIDDEN),
    "bytes behind a deflated file": lambda one: replace(
        packed(one), packed=deflated(one.body) + HIDDEN
    ),
    "more in a deflated file than it has": lambda one: replace(
        packed(one), packed=deflated(one.body + b"more")
    ),
    "a deflated file without an end": lambda one: replace(
        packed(one), packed=deflated(one.body)[:-1]
    ),
    "another way of packing": lambda one: replace(packed(one), own_way=STORED),
    "another length": lambda one: replace(one, own_size=len(one.body) - 1),
    "another packed length": lambda one: replace(
        packed(one), own_packed=len(deflated(one.body)) - 1
    ),
    "a length told behind it, or not": lambda one: replace(one, own_flags=DESCRIBED),
    "another alphabet": lambda one: replace(one, own_flags=UTF8),
    "another name before it": lambda one: replace(one, own_name=b"b/clips/other.mp4"),
    "another name in the list": lambda one: replace(one, extra=other_name(one)),
    "another name besides": lambda one: replace(one, own_extra=other_name(one)),
    "a name that goes on": lambda one: replace(one, name=one.name + b"\0.txt"),
    "extra fields that break off": lambda one: replace(one, own_extra=b"\1\0\x10\0\0"),
    "an extra field twice": lambda one: replace(one, own_extra=field(9, b"a") + field(9, b"b")),
}
"""How a header, a list and bytes may differ."""


@pytest.mark.parametrize("made", TWO)
@pytest.mark.parametrize("which", [0, -1])
def test_a_zip_that_says_two_things_of_a_file_is_none(bundle: Path, made: str, which: int) -> None:
    found = members(bundle)
    found[which] = replace(TWO[made](found[which]), size=found[which].size)
    with pytest.raises(OSError, match=r"says (two things|of a file)"):
        look(written(bundle, found))


def test_a_folder_with_bytes_is_none(bundle: Path) -> None:
    folder = Member(b"b/log/", b"", HIDDEN, STORED, 0, own_packed=0)
    with pytest.raises(OSError, match="says two things"):
        look(written(bundle, [folder, *members(bundle)]))


def large(last: bytes, **other: int) -> bytes:
    """The end of a zip that may be larger than 4 GiB, and what its short form says besides."""
    _, _, _, _, count, size, begin, _ = struct.unpack("<4s4H2IH", last)
    far_end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin)
    at = struct.pack("<4sIQI", b"PK\6\7", 0, begin + size, 1)
    short = {"count": 0xFFFF, "size": 0xFFFFFFFF, "begin": 0xFFFFFFFF} | other
    told = (short["count"], short["count"], short["size"], short["begin"], 0)
    return far_end + at + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *told)


def test_a_large_zip_is_as_whole(bundle: Path) -> None:
    assert look(written(bundle, members(bundle), large)).whole


@pytest.mark.parametrize(
    "end",
    [
        lambda last: last[:-2] + b"\5\0",  # a comment that is not there
        lambda last: large(last, begin=1),
        lambda last: large(last, size=100),
        lambda last: large(last, count=1),
        lambda last: last + b"from the police",
        lambda last: last[:-2] + struct.pack("<H", 6) + b"police",
        lambda last: last[:-2] + b"\xff\xff" + last,
        lambda last: last[:8] + b"\1\0\1\0" + last[12:],  # one file
        lambda last: last[:16] + b"\1\0\0\0" + last[20:],  # another list
    ],
)
def test_a_zip_ends_with_its_list_alone(bundle: Path, end: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OSError, match=r"does not end with its list|of no file|no whole zip"):
        look(written(bundle, members(bundle), end))


def test_what_lies_beside_the_bundle_is_told_alone(bundle: Path) -> None:
    verdict = look(written(bundle, [*members(bundle), Member(b"note.txt", b"", b"")]))
    assert kinds(verdict) == {"extra"}
    assert [one.detail.partition(":")[0] for one in verdict.faults] == ["/note.txt"]
