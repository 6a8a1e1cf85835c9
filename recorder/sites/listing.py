"""Which cameras of this site and below are asked for, and how many there are of each kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from recorder.errors import NotFound
from recorder.model.about import folded
from recorder.model.keys import CameraId
from recorder.model.timebase import SECOND
from recorder.reading.named import LISTED
from recorder.reading.named import choose as choose_site
from recorder.sites.survey import DARK, CameraSeen, order

MOST_DARK = 1000
"""Of so many each is named in metrics: a time series each."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cameras are asked for; ``state`` may be ``dark``, too, ``text`` is looked for."""

    site: str | None = None
    group: str | None = None
    state: str | None = None
    text: str | None = None
    below: bool = True


def choose(found: Iterable[CameraSeen], own: str, asked: Filter) -> list[CameraSeen]:
    """Return the cameras that are asked for."""
    text = folded(asked.text or "")
    return [
        one
        for one in found
        if (asked.below or one.camera.site == own)
        and asked.site in (None, one.camera.site)
        and asked.group in (None, one.group)
        and asked.state in (None, one.worst.state, DARK if one.worst.dark else None)
        and any(text in folded(said) for said in _searched(one))
    ]


def _searched(one: CameraSeen) -> tuple[str, ...]:
    return str(one.camera), one.group, *one.about.texts()


def after(found: Sequence[CameraSeen], own: str, last: CameraId) -> list[CameraSeen]:
    """Return what comes after a camera, in the order of :func:`seen`."""
    return [one for one in found if order(one.camera, own) > order(last, own)]


def find(found: Iterable[CameraSeen], own: str, asked: CameraId) -> CameraSeen:
    """Return the camera that is asked for.

    Raises: ``NotFound``; ``StateError`` when a name may mean one of several.
    """
    known = {one.camera: one for one in found if one.camera.camera == asked.camera}
    if asked in known:
        return known[asked]
    sites = () if asked.site else {one.site for one in known}
    return known[choose_site(asked.camera, own, sites)]


def hint_of(found: Iterable[CameraSeen], name: str) -> str:
    """Say where there are cameras of a name."""
    others = [str(one.camera) for one in found if one.camera.camera == name]
    return f"there is {', '.join(others)}" if others else LISTED


@contextlib.contextmanager
def saying_where(found: Callable[[], Iterable[CameraSeen]], name: str) -> Iterator[None]:
    """Say of a camera that is not at this site where there are some of its name.

    Raises: ``NotFound``, for one that is raised within.
    """
    try:
        yield
    except NotFound as exc:
        raise NotFound(str(exc), hint=hint_of(found(), name)) from exc


def counted(found: Iterable[CameraSeen]) -> dict[tuple[str, ...], float]:
    """Count cameras, by site and state; ``dark`` ones besides by their state."""
    counts: dict[tuple[str, ...], float] = {}
    for one in found:
        worst = one.worst
        for state in (worst.state, DARK) if worst.dark else (worst.state,):
            own = (one.camera.site, state)
            counts[own] = counts.get(own, 0) + 1
    return counts


def dark_since(found: Iterable[CameraSeen]) -> dict[tuple[str, ...], float]:
    """Say of dark cameras since when they are, in Unix seconds; so many at most."""
    dark = [one for one in found if one.worst.dark][:MOST_DARK]
    return {
        (*one.camera, one.about.label, one.worst.cause): (one.worst.since or 0) / SECOND
        for one in dark
    }
