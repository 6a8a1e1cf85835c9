"""The end of a segment object: its footer, asked for until all of it is there.  Pure.

The one place that does it.  How long a footer is depends on how long the segment is: a minute
with sound has 5 kB, an hour of it 290 kB, and sound of short frames makes it larger still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from recorder.bmff.footer import Footer, read_footer, tail_needed
from recorder.errors import IndexCorrupt

TAIL_BYTES = 64 * 1024
"""The first read holds footer and ``mfra`` of minutes with sound.  Not smaller: a server with
Nagle's algorithm on answers shorter reads 40 ms later (measured with RGW, bench/README.md)."""
MOST_TAIL = 48 << 20
"""No footer with its ``mfra`` is longer: one of a day has some 15 MB.  What says so is of somebody
who sends it, or of another kind; reading it would take the memory that recording needs."""

Read = Callable[[int, int], bytes]
"""Gives the bytes from an offset on, exactly as many as asked for."""


def read_tail(read: Read, size: int) -> Footer | None:
    """Return the footer of an object of ``size`` bytes; ``None`` when it has none of ours.

    ``read`` is called three times at most: ``mfra`` says how long it is, then the footer does.
    Raises: ``IndexCorrupt`` when the footer is damaged or the object ends early; what ``read``
    raises.
    """
    tail, length = b"", min(TAIL_BYTES, size)
    while True:
        more = read(size - length, length - len(tail))
        if len(more) != length - len(tail):
            raise IndexCorrupt(f"object of {size} bytes ends early")
        tail = more + tail
        needed = tail_needed(tail)
        if needed is None or needed <= length:
            return read_footer(tail, size)
        if needed > min(size, MOST_TAIL):
            raise IndexCorrupt(f"footer needs {needed} bytes, the object has {size}")
        length = needed


def own_footer(read: Read, size: int, what: str) -> Footer:
    """Return the footer of an object that is known to be ours.

    Raises: ``IndexCorrupt`` when ``what`` has no whole footer; what ``read`` raises.
    """
    footer = read_tail(read, size)
    if footer is None:
        raise IndexCorrupt(f"{what} has no footer")
    return footer


def of_file(file: BinaryIO) -> Read:
    """Read from an open file that is buffered; moves its position."""

    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read
