"""Holes: what is missing between the segments of a span, where nothing says so any more.

A catalog that is lost takes its gaps along. A rebuild finds what is left of a span, and would show
all from its first segment to its last as footage.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from recorder.janitor.vanished import MOST
from recorder.model.cameras import Camera
from recorder.model.causes import Cause
from recorder.model.keys import StreamId, parse_key
from recorder.model.timebase import Instant, TimeRange, subtract
from recorder.ports import Audit, Rebuilding


class HoledCatalog(Protocol):
    """The parts of the catalog that know what is missing, and what was let go."""

    @property
    def rebuilding(self) -> Rebuilding:
        """What is missing."""

    @property
    def audit(self) -> Audit:
        """What was let go."""


def say_holes(
    catalog: HoledCatalog,
    site: str,
    now: Instant,
    cameras: Iterable[Camera] = (),
    unread: Iterable[str] = (),
) -> int:
    """Make gaps of what is missing of a site's own streams; return how many holes there were.

    What the log says that policy let go is ``purged``.  Of the rest nobody knows: it is ``lost``,
    but ``no-event`` where ``cameras`` are recorded so.  ``unread``: keys that are there, and were
    not given: what is missing of their streams may be these.
    """
    unclear = {parts.prefix for parts in map(parse_key, unread) if parts is not None}
    holed = catalog.rebuilding.holes(site)
    found = {stream: holes for stream, holes in holed.items() if str(stream) not in unclear}
    modes = _modes(cameras)
    for stream, holes in found.items():
        hull = TimeRange(min(one.start for one in holes), max(one.end for one in holes))
        let_go = _let_go(catalog.audit, stream, hull)
        rest = [left for hole in holes for left in subtract(hole, let_go)]
        purged = [left for hole in holes for left in subtract(hole, rest)]
        catalog.rebuilding.open_gaps(stream, purged, Cause.PURGED, now)
        by_event = modes.get((stream.camera, stream.stream)) == "event"
        cause = Cause.NO_EVENT if by_event else Cause.LOST
        catalog.rebuilding.open_gaps(stream, rest, cause, now)
    return sum(map(len, found.values()))


def _modes(cameras: Iterable[Camera]) -> dict[tuple[str, str], str]:
    return {
        (one.name, name): source.record for one in cameras for name, source in one.streams.items()
    }


def _let_go(audit: Audit, stream: StreamId, hull: TimeRange) -> list[TimeRange]:
    """Return what policy let go of a stream, by the log's last word on each of its segments."""
    said = {one.key: one for one in audit.about(stream.camera_id, hull, MOST)}
    return [one.range for one in said.values() if one.stream == stream and one.action == "condemn"]
