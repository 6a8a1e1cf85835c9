"""Copies with masks and a mark, made on the node itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recorder.errors import RequestError
from recorder.export.burnt import SCRATCH, Burn, burn_of, burnt_clip
from recorder.made import find_ffmpeg
from recorder.model.timebase import format_instant

if TYPE_CHECKING:
    from recorder.app import App
    from recorder.cli.context import Context
    from recorder.cli.finding import Wanted
    from recorder.export.clip import Clip
    from recorder.model.keys import CameraId

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy: its bytes, and how many they are."""

    blocks: Iterator[bytes]
    size: int


def burn_here(context: Context, camera: CameraId, wanted: Wanted, form: str) -> Burn:
    """Say what is to be burnt in.

    Raises: ``RequestError``; ``StateError`` when the camera has no masks.
    """
    if (wanted.masked or wanted.mark) and form != "mp4":
        raise RequestError(
            f"--format {form}: has footage as it was recorded, or several files",
            hint="--masked and --mark go with mp4",
        )
    me, privacy = context.me, context.app.catalog.cameras.privacy(camera)
    mark = (f"{me}  {format_instant(context.app.clock.now(), 0)}", me.purpose)
    return burn_of(camera, privacy, mark if wanted.mark else (), masked=wanted.masked)


def burnt_said(burn: Burn) -> dict[str, bool]:
    """Say in the audit log what was burnt in."""
    there = {"masked": bool(burn.masks), "marked": bool(burn.mark)}
    return {name: True for name, one in there.items() if one}


@contextlib.contextmanager
def copy_here(app: App, clip: Clip, burn: Burn) -> Iterator[Copy]:
    """Make the copy of a clip.

    Raises: ``MalformedMedia``; ``StateError``.
    """
    folder = app.spool.root / SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    with (
        burnt_clip(clip, burn, find_ffmpeg(app.settings.capture.ffmpeg), folder) as path,
        path.open("rb") as file,
    ):
        yield Copy(iter(lambda: file.read(BLOCK), b""), path.stat().st_size)
