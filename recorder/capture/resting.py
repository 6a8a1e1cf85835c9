"""States of streams that nobody is to record now: off, or no longer there.  Pure.

Without a word of their own they would be taken for streams whose node has fallen silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from recorder.model.cameras import Camera
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant
from recorder.ports.states import OFF, REMOVED, StreamStatus


def resting_states(
    cameras: Iterable[Camera], site: str, now: Instant, told: Mapping[StreamId, StreamStatus]
) -> list[StreamStatus]:
    """Return the states of a site's streams that are off now, and of those with no document.

    ``told``: what was said of streams last, whose figures and time of change are kept.
    """
    known = {
        StreamId(site, camera.name, name): camera.enabled and source.wanted(now)
        for camera in cameras
        for name, source in camera.streams.items()
    }
    gone = [stream for stream in told if stream.site == site and stream not in known]
    off = [stream for stream, wanted in known.items() if not wanted]
    return [
        *(_at_rest(stream, OFF, now, told.get(stream)) for stream in off),
        *(_at_rest(stream, REMOVED, now, told[stream]) for stream in gone),
    ]


def _at_rest(
    stream: StreamId, state: str, now: Instant, before: StreamStatus | None
) -> StreamStatus:
    fresh = StreamStatus(stream, "", state, Cause.OFF_SCHEDULE, "", "", now, now)
    if before is None:
        return fresh
    since = before.since if before.state == state else now
    return replace(fresh, since=since, health=before.health)
