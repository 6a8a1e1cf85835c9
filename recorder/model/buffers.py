"""Bytes that are looked into where they lie: in memory, or mapped from a file."""

from __future__ import annotations

from mmap import mmap

Buffer = bytes | bytearray | memoryview | mmap
"""Indexed it gives a number, sliced it gives bytes; :mod:`struct` and compiled code read it."""
