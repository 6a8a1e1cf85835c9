"""Answers with masks and a visible mark burnt in: few at a time, and none of them long."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from recorder.api.footage import Footage, Readers, first_checked
from recorder.api.gate import Gate
from recorder.app import App
from recorder.errors import RequestError, UnavailableError
from recorder.export.burnt import NOTHING, SCRATCH, Burn, burn_of, burnt_clip
from recorder.export.clip import Clip
from recorder.made import find_ffmpeg
from recorder.model.caller import Caller
from recorder.model.keys import CameraId
from recorder.model.timebase import MINUTE, format_duration, format_instant
from recorder.reading.extent import lend

MOST_NS = 10 * MINUTE
"""Of one answer: it is made before its first byte goes out."""
AT_ONCE = 2
"""Each takes two cores' worth of work, on a machine that records."""
_ROOM = threading.BoundedSemaphore(AT_ONCE)

MaskedQuery = Annotated[
    bool, Query(description="With the camera's masks burnt in; encoded anew, times are kept.")
]
MarkQuery = Annotated[
    bool, Query(description="With a visible mark burnt in: who asks, when, and what for.")
]


@dataclass(frozen=True, slots=True)
class Burnt:
    """What a request wants burnt in."""

    masked: bool
    mark: bool


async def _burnt_of(masked: MaskedQuery = False, mark: MarkQuery = False) -> Burnt:
    return Burnt(masked, mark)


BurntDep = Annotated[Burnt, Depends(_burnt_of)]


def _mark_of(app: App, caller: Caller) -> tuple[str, ...]:
    """Return the lines of a mark: who, when, what for."""
    return (f"{caller}  {format_instant(app.clock.now(), 0)}", caller.purpose)


def burn_for(gate: Gate, camera: CameraId, burnt: Burnt) -> Burn:
    """Say what is to be burnt into an answer; nothing where nothing is asked for.

    Raises: ``StateError`` when the camera has no masks.
    """
    lines = _mark_of(gate.app, gate.caller) if burnt.mark else ()
    return burn_of(camera, gate.privacy(camera), lines, masked=burnt.masked)


def check_format(burn: Burn, form: str) -> None:
    """Refuse what cannot be burnt into.

    Raises: ``RequestError``.
    """
    if burn != NOTHING and form != "mp4":
        raise RequestError(
            f"format={form}: has footage as it was recorded, or several files",
            hint="masked and mark go with format=mp4",
        )


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Wait for nobody: a machine that records has no time for more.

    Raises: ``UnavailableError``.
    """
    if not _ROOM.acquire(blocking=False):
        raise UnavailableError(
            f"{AT_ONCE} copies are being made, which is the most at once",
            hint="ask again when they are done",
        )
    try:
        yield
    finally:
        _ROOM.release()


def burnt_answer(
    app: App, clip: Clip, burn: Burn, readers: Readers, headers: dict[str, str]
) -> Footage:
    """Make the copy of a clip, then answer with it.

    Raises: ``RequestError`` when it is too long; ``UnavailableError``; ``MalformedMedia``.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(clip.close)
        if clip.parts[-1].clip_end_ns > MOST_NS:
            raise RequestError(
                f"a masked or marked clip may be {format_duration(MOST_NS)} long",
                hint="ask for less at a time, or make a bundle: recorder export create --masked",
            )
        ffmpeg, folder = find_ffmpeg(app.settings.capture.ffmpeg), app.spool.root / SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        with _room():
            path = stack.enter_context(burnt_clip(clip, burn, ffmpeg, folder))
        size, file = path.stat().st_size, stack.enter_context(path.open("rb"))
        held = stack.pop_all()
    headers |= {"Content-Length": str(size), "Accept-Ranges": "none"}
    blocks = lend(file, 0, size, "the copy")
    return Footage(first_checked(blocks, held.close), readers, 200, headers)
