"""Disks of one's own, small enough to fill."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int, more: str = "") -> Iterator[Path]:
    """Mount a filesystem of so many MiB at a folder; ``more``: options of tmpfs."""
    if os.getuid() != 0:
        pytest.fail("a disk of one's own needs root")
    folder.mkdir(parents=True)
    size = f"size={megabytes}m,{more}".rstrip(",")
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until the disk is full; return it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:  # or what did not fit is tried again at the end
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return filler


@contextmanager
def files_end_at(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the write that would is cut short.

    A disk that fills up does just that: it takes what fits and says so, and only the next
    write fails.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
