"""The folders under a spool's root: whose each is, what lies there, and for how long it may.

Every byte there has a line here; what has none is nobody's, is counted as ``other`` and told.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recorder.model.timebase import DAY, Instant
from recorder.regular import NotAFile, is_regular, open_regular
from recorder.room import taken_bytes

OTHER = "other"
"""What lies in no folder of the table; the few small files of the spool itself, too."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder.

    ``owner``: the room that writes there.  ``scratch_ns``: how long a file may lie there that
    nobody touches; ``None`` where its owner alone says when it goes.  ``counted``: it can hold
    much and changes by our own acts alone, so it is not looked through to know what it holds.
    """

    name: str
    owner: str
    holds: str
    scratch_ns: int | None = None
    counted: bool = False


TABLE = (
    Folder("open", "capture", "files being written, until they are sealed"),
    Folder("sealed", "ingest, ship", "segments that are in no store yet", counted=True),
    Folder("cache", "ship", "segments that are in a store, until room is wanted", counted=True),
    Folder("quarantine", "a person", "what could not be read; kept, counted, told", counted=True),
    Folder("incoming", "sites.receive", "transfers from sites below, not whole yet", 7 * DAY),
    Folder("thin", "janitor.thin", "thin segments being made for a store", DAY),
    Folder("sending", "sites.sending", "thin segments being sent to the parent", DAY),
    Folder("moving", "janitor.move", "segments on their way to another store of the site", DAY),
    Folder("mending", "janitor", "whole copies fetched to repair others, or to be read", DAY),
    Folder("burning", "export", "clips being given masks or a mark", DAY),
    Folder("probe", "doctor", "what is written to learn how quick the disk is", DAY),
)
FOLDERS = tuple(one.name for one in TABLE)
COUNTED = tuple(one.name for one in TABLE if one.counted)


@dataclass(frozen=True, slots=True)
class Lying:
    """A file, by its name under a folder of the table."""

    folder: str
    name: str
    size_bytes: int
    touched: Instant


_UNREADABLE = (errno.EIO, errno.EUCLEAN, errno.EBADMSG)
"""What a disk says of a place that it cannot read: it will say so again."""


def is_unreadable(exc: OSError) -> bool:
    """Tell whether a disk cannot read what was asked for; else it may be able to the next time.

    A process that has no descriptors left, or a mount that is away, must not take what is there
    for something that is not.
    """
    return exc.errno in _UNREADABLE


def text_of(path: Path) -> str:
    """Return what a small file says; nothing where there is none, or its disk cannot read it.

    Raises: ``OSError`` for what may pass.
    """
    try:
        with open_regular(path) as file:
            return file.read().decode()
    except (FileNotFoundError, NotADirectoryError, NotAFile):
        return ""
    except OSError as exc:
        if is_unreadable(exc):
            return ""
        raise


def entries_in(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder; of one that was pruned this moment, nothing.

    ``Path.glob`` raises when a folder goes between its look at it and its reading of it.
    """
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name; a link to one elsewhere is none."""
    found = sorted(entries_in(folder), key=_name)
    return [folder / one.name for one in found if one.is_dir(follow_symlinks=False)]


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def files_under(top: Path) -> Iterator[tuple[str, int, Instant]]:
    """Yield name under ``top``, bytes taken and last change of every file there; a link is none."""
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        try:
            with os.scandir(top / inner) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{inner}{entry.name}/")
                        continue
                    try:
                        facts = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if is_regular(facts):
                        size = taken_bytes(entry.path, facts)
                        yield inner + entry.name, size, facts.st_mtime_ns
        except OSError:
            continue


def overdue(files: Iterable[Lying], now: Instant) -> list[Lying]:
    """Return the scratch files that lay untouched for longer than their folder lets them.

    What was touched in the future was touched before the clock was set: it is as old.
    """
    limits = {one.name: one.scratch_ns for one in TABLE}
    found = []
    for one in files:
        limit = limits.get(one.folder)
        if limit is not None and abs(now - one.touched) > limit:
            found.append(one)
    return found


def used_bytes(usage: Mapping[str, int]) -> int:
    """Sum up what counts against a spool's size: all that rooms of ours put there."""
    return sum(usage[folder] for folder in FOLDERS)
