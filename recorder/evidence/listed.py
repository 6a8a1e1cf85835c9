"""A zip whose list, headers and bytes say one thing, so that all tools take the same files out.

Some tools go by the list at a zip's end, some by the header before each file, as they read from
the front. Who alters a zip may have the two differ: here they may not.
Source: APPNOTE.TXT 6.3.10, 4.3 to 4.6; Info-ZIP's extra field 0x7075.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

_HEADER = struct.Struct("<4s5H3I2H")
"""Before each file: mark, version, flags, way of packing, time, date, CRC, bytes packed, bytes,
bytes of its name and of its extra fields."""
_END = struct.Struct("<4s4H2IH")
"""At a zip's end: mark, two disks, files here and in all, bytes of the list, where it
begins, bytes of a comment."""
_BIG_END = 76
"""Bytes of what stands before a zip's end where it is larger than 4 GiB."""
_LOCKED, _DESCRIBED, _UTF8 = 0x01, 0x08, 0x0800
_DESCRIPTOR = 24
"""Bytes after a file that tell its length, at most."""
_SAME_FLAGS = _LOCKED | _DESCRIBED | _UTF8
_NONE16, _NONE32 = 0xFFFF, 0xFFFFFFFF
"""What stands where a number is too large for its field, and stands in another."""
_BIG, _NAME = 0x0001, 0x7075
"""Extra fields: the numbers that are too large, and the name in UTF-8."""
_BIG_NUMBERS = struct.Struct("<QQ")
"""Bytes, and bytes packed."""
_NAME_AT = 5
_BLOCK = 1 << 20


def check_zip(archive: zipfile.ZipFile) -> None:
    """Refuse a zip that tools may take other files from than its list has.

    Raises: ``OSError``.
    """
    file, end, spare = cast(BinaryIO, archive.fp), 0, 0
    for one in sorted(archive.infolist(), key=lambda one: one.header_offset):
        _check_next(end, one.header_offset, spare)
        end = _check_header(file, one)
        _check_packed(file, one, end - one.compress_size)
        spare = _DESCRIPTOR if one.flag_bits & _DESCRIBED else 0
    _check_next(end, archive.start_dir, spare)
    _check_end(file, archive)


def _check_next(end: int, begin: int, spare: int) -> None:
    """Hold what begins in a zip to where the last file ended."""
    if not 0 <= begin - end <= spare:
        raise OSError("the zip has bytes that are of no file in its list, or of two")


def _check_header(file: BinaryIO, one: zipfile.ZipInfo) -> int:
    """Hold the header before a file to the list; return where the file's bytes end."""
    file.seek(one.header_offset)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise OSError(f"{one.filename}: begins where the zip has ended")
    _, _, flags, way, _, _, _, packed, size, named, more = _HEADER.unpack(head)
    name, extra = file.read(named), dict(_extras(file.read(more)))
    if (packed, size) == (_NONE32, _NONE32) and len(extra.get(_BIG, b"")) >= _BIG_NUMBERS.size:
        size, packed = _BIG_NUMBERS.unpack_from(extra[_BIG])
    later = (0, _NONE32) if one.flag_bits & _DESCRIBED else ()  # stands after the file
    if (
        packed not in (one.compress_size, *later)
        or size not in (one.file_size, *later)
        or (name, way) != (_name(one), one.compress_type)
        or (flags ^ one.flag_bits) & _SAME_FLAGS
        or one.filename != one.orig_filename
        or not _has_one_name(one, extra, dict(_extras(one.extra)))
    ):
        raise OSError(f"{one.filename}: the zip says two things of it")
    end: int = one.header_offset + _HEADER.size + named + more + one.compress_size
    return end


def _name(one: zipfile.ZipInfo) -> bytes:
    return one.orig_filename.encode("utf-8" if one.flag_bits & _UTF8 else "cp437")


def _has_one_name(one: zipfile.ZipInfo, *extras: dict[int, bytes]) -> bool:
    """Tell whether tools that look for a name in UTF-8 find the same, or none."""
    same = (b"", one.orig_filename.encode())
    return all(extra.get(_NAME, b"")[_NAME_AT:] in same for extra in extras)


def _extras(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the extra fields of a file, each by its number, which none may have twice."""
    seen: set[int] = set()
    while raw.strip(b"\0"):
        kind, size = struct.unpack("<HH", raw[:4].ljust(4, b"\xff"))
        if len(raw) < 4 + size or kind in seen:
            raise OSError("the zip says of a file what cannot be read in one way")
        seen.add(kind)
        yield kind, raw[4 : 4 + size]
        raw = raw[4 + size :]


def _check_packed(file: BinaryIO, one: zipfile.ZipInfo, begin: int) -> None:
    """Refuse a file that does not end where its bytes do: who reads from the front finds others."""
    if one.flag_bits & _LOCKED:  # is not read
        return
    size = one.file_size
    if one.compress_type == zipfile.ZIP_STORED:
        size = one.compress_size
    elif one.compress_type == zipfile.ZIP_DEFLATED:
        file.seek(begin)
        size = _unpacked(file, one)
    if size != one.file_size:
        raise OSError(f"{one.filename}: the zip says two things of it")


def _unpacked(file: BinaryIO, one: zipfile.ZipInfo) -> int:
    """Unpack a file; return its bytes, -1 where it does not end with what is packed.

    What is damaged has the bytes that it should: it is told by who reads it.
    """
    unpacking, left, size = zlib.decompressobj(-zlib.MAX_WBITS), one.compress_size, 0
    with contextlib.suppress(zlib.error):
        while left and not unpacking.eof and size <= one.file_size:
            block = file.read(min(_BLOCK, left))
            left -= len(block) or left
            given = _BLOCK
            while block or given == _BLOCK:
                given = len(unpacking.decompress(block, _BLOCK))
                block, size = unpacking.unconsumed_tail, size + given
        return size if unpacking.eof and not (left or unpacking.unused_data) else -1
    return one.file_size


def _check_end(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Have a zip end with one end, which says of the list what zipfile found."""
    at = file.seek(-_END.size, os.SEEK_END)
    mark, _, _, here, listed, size, begin, comment = _END.unpack(file.read(_END.size))
    count, list_size = len(archive.infolist()), at - archive.start_dir
    if (
        mark != b"PK\5\6"
        or comment
        or {here, listed} - {count, _NONE16}
        or begin not in (archive.start_dir, _NONE32)
        or size not in (list_size, list_size - _BIG_END, _NONE32)
    ):
        raise OSError("the zip does not end with its list, or has more behind it")
