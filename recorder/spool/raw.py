"""The files that capture left of a run, mapped into memory as sealing takes them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from recorder.mapped import mapped
from recorder.model.media import Segment
from recorder.model.timebase import Instant
from recorder.sealing import Raw, follower_of
from recorder.segment.arrival import Follower
from recorder.segment.layout import Part
from recorder.segment.meta import segment_from_footer
from recorder.segment.sound import SoundFile, read_sound
from recorder.segment.tail import of_file, own_footer
from recorder.spool.folders import is_unreadable

log = logging.getLogger("recorder.spool")


class RunFiles(Protocol):
    """What is needed of the spool."""

    def files(self, folder: Path) -> list[Path]:
        """Return the media files of a run, oldest first."""

    def sounds(self, folder: Path) -> list[tuple[int, Path]]:
        """Return the files of a run's sound: number of the track, file; oldest first."""

    def arrivals(self, path: Path) -> list[tuple[int, Instant]]:
        """Return what was noted of a file's growth."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of a run and the sound beside it, open; ``sources`` by their numbers."""

    raw: Raw
    sources: tuple[BinaryIO, ...]
    maps: tuple[Any, ...]

    def read(self, part: Part) -> bytes:
        """Return the bytes of a part of a layout."""
        if isinstance(part, bytes):
            return part
        source, offset, length = part
        data: bytes = self.maps[source][offset : offset + length]
        return data


@contextlib.contextmanager
def opened(spool: RunFiles, path: Path, *, growing: bool, ahead_ns: int = 0) -> Iterator[Opened]:
    """Open a file of a run; ``growing``: it is still being written.

    ``ahead_ns``: how far the clock of its disk, by which its bytes came, is ahead of ours.
    Raises: ``OSError`` when it is gone, ``ValueError`` while it is empty.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        facts = path.stat()
        maps = [stack.enter_context(mapped(file))]
        sources: list[BinaryIO] = [file]
        sounds: list[SoundFile] = []
        for track, sound in spool.sounds(path.parent):
            with _left_out(sound):
                one = stack.enter_context(sound.open("rb"))
                view = stack.enter_context(mapped(one))
                last = os.fstat(one.fileno())
                came = _came(spool, sound, last, ahead_ns)
                found = read_sound(view, len(sources), track, came)
                if found is not None:
                    sources.append(one)
                    maps.append(view)
                    sounds.append(found)
        arrivals = _came(spool, path, facts, ahead_ns)
        following = None if growing else follower(spool, path, ahead_ns)
        raw = Raw(int(path.stem), maps[0], arrivals, following, growing, tuple(sounds))
        yield Opened(raw, tuple(sources), tuple(maps))


@contextlib.contextmanager
def _left_out(sound: Path) -> Iterator[None]:
    """Do without sound that has not begun, is gone this moment, or cannot be read for good."""
    try:
        yield
    except (FileNotFoundError, ValueError):
        return
    except OSError as exc:
        if not is_unreadable(exc):
            raise
        log.error("sound cannot be read", extra={"file": sound.name, "reason": str(exc)})


def _came(
    spool: RunFiles, path: Path, facts: os.stat_result, ahead_ns: int
) -> list[tuple[int, Instant]]:
    """Return when a file had which length, by our clock."""
    noted = [*spool.arrivals(path), (facts.st_size, facts.st_mtime_ns)]
    return [(size, at - ahead_ns) for size, at in noted] if ahead_ns else noted


def follower(spool: RunFiles, path: Path, ahead_ns: int = 0) -> Follower | None:
    """Return the first frame of the file after one, ``None`` while there is none.

    Raises: ``OSError`` while the disk cannot be asked.
    """
    after = next((one for one in spool.files(path.parent) if one.name > path.name), None)
    if after is None:
        return None
    try:
        with after.open("rb") as file, mapped(file) as view:
            facts = os.fstat(file.fileno())
            return follower_of(view, _came(spool, after, facts, ahead_ns))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as exc:
        if is_unreadable(exc):
            return None
        raise


def read_sealed(path: Path, key: str) -> Segment:
    """Make a segment of a sealed file's footer alone; its digest is not known.

    Raises: ``IndexCorrupt`` when it has no whole footer, ``OSError`` when it is gone.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        footer = own_footer(of_file(file), size, key)
    return segment_from_footer(footer.meta, footer.frames(), key, size, "")


def load_sealed(path: Path, key: str) -> Segment:
    """Make a segment from a sealed file alone: footer for facts, all bytes for the digest.

    Raises: ``IndexCorrupt`` when it has no whole footer.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        footer = own_footer(of_file(file), size, key)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return segment_from_footer(footer.meta, footer.frames(), key, size, digest)
