"""How every camera of this site and of those below does: which are dark, since when, and why.

A state is the last word on a stream.  Where a site is not heard, nothing is known of its
cameras, and that is said; where it is and a node of it is not, what that node records is dark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from recorder.model.about import About
from recorder.model.cameras import Camera
from recorder.model.causes import Cause
from recorder.model.keys import CameraId, StreamId, group_of
from recorder.model.places import PARENT
from recorder.model.timebase import SECOND, Instant, heard_within
from recorder.ports import (
    Cameras,
    ChildCamera,
    ChildCameras,
    NodeBeat,
    Nodes,
    SiteBeat,
    Sites,
    Statuses,
    StreamStatus,
)
from recorder.ports.states import OFF, REMOVED, STOPPED

RECORDING, UNKNOWN, DARK = "recording", "unknown", "dark"
STATES = ("failing", STOPPED, UNKNOWN, "connecting", RECORDING, OFF)
"""Worst first: a camera is shown by the worst of its streams."""
SITE = "site"
"""Cause of ``unknown``: the site that the camera is of is not heard."""
UNREAD = "its document cannot be read here, and no node that knew it before records it"
SILENT_NS = 30 * SECOND
"""Of a site or a node: both say something every few seconds."""


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """How one stream does; ``dark``: it should be recorded now, and as far as is known is not."""

    stream: StreamId
    state: str
    dark: bool
    since: Instant | None
    cause: str = ""
    condition: str = ""
    detail: str = ""
    status: StreamStatus | None = None


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """How one camera does; ``document`` where it is this site's own."""

    camera: CameraId
    group: str
    streams: tuple[StreamSeen, ...]
    document: Camera | None = None
    about: About = field(default_factory=About)

    @property
    def worst(self) -> StreamSeen:
        """The stream that the camera is shown by."""
        return min(self.streams, key=lambda one: (not one.dark, STATES.index(one.state)))


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog of a site says of cameras and of who was heard."""

    own: str
    cameras: Sequence[Camera]
    asked: Sequence[ChildCamera]
    statuses: Sequence[StreamStatus]
    nodes: Sequence[NodeBeat]
    sites: Sequence[SiteBeat]
    groups: Mapping[CameraId, str]
    about: Mapping[CameraId, About] = field(default_factory=dict)
    unread: Collection[str] = ()
    """Cameras of this site whose documents cannot be read: recorded as their node knows them."""


class SurveyCatalog(Protocol):
    """The parts of the catalog that know how cameras do."""

    cameras: Cameras
    child_cameras: ChildCameras
    statuses: Statuses
    nodes: Nodes
    sites: Sites


def survey(catalog: SurveyCatalog, own: str, now: Instant) -> list[CameraSeen]:
    """Return all cameras of this site and of those below, this site's first."""
    return seen(look(catalog, own), now)


def look(catalog: SurveyCatalog, own: str) -> Known:
    """Read what the catalog says."""
    return Known(
        own,
        catalog.cameras.all(),
        catalog.child_cameras.since(),
        catalog.statuses.all(),
        catalog.nodes.all(),
        catalog.sites.all(),
        catalog.cameras.groups(),
        catalog.cameras.about(),
        catalog.cameras.unread(),
    )


def with_told(known: Known, told: Mapping[StreamId, StreamStatus]) -> Known:
    """Add what was said of streams since it was read: of each the later word counts.  Pure."""
    statuses = {one.stream: one for one in known.statuses}
    for stream, one in told.items():
        if stream not in statuses or statuses[stream].at <= one.at:
            statuses[stream] = one
    return replace(known, statuses=tuple(statuses.values()))


def seen(known: Known, now: Instant) -> list[CameraSeen]:
    """Say how all cameras do.  Pure."""
    states = {one.stream: one for one in known.statuses}
    found = [_own(camera, known.own, states, now) for camera in known.cameras]
    found += _unread(known, now)
    found += _below(known, now)
    return sorted(found, key=lambda one: order(one.camera, known.own))


def order(camera: CameraId, own: str) -> tuple[bool, CameraId]:
    """Say where a camera stands in lists: this site's first, then by site and name."""
    return camera.site != own, camera


# -- this site's -----------------------------------------------------------------------------------


def _own(
    camera: Camera, site: str, states: Mapping[StreamId, StreamStatus], now: Instant
) -> CameraSeen:
    streams = []
    for name, source in camera.streams.items():
        stream = StreamId(site, camera.name, name)
        status = states.get(stream)
        if not camera.enabled or not source.wanted(now):
            resting = status is not None and status.state == OFF
            since = status.since if status is not None and resting else None
            one = StreamSeen(stream, OFF, False, since, Cause.OFF_SCHEDULE, status=status)
        elif status is None or status.state in (OFF, REMOVED):  # added or begun this moment
            since = status.at if status is not None else camera.created
            one = _unheard(stream, status, since, "no node has taken it up yet")
        else:
            one = _told(stream, status, now)
        streams.append(one)
    return CameraSeen(
        CameraId(site, camera.name), camera.group, tuple(streams), camera, camera.about
    )


def _unread(known: Known, now: Instant) -> Iterator[CameraSeen]:
    for name in known.unread:
        camera = CameraId(known.own, name)
        mine = [one for one in known.statuses if one.stream.camera_id == camera]
        streams = [_told(one.stream, one, now) for one in mine if one.state not in (OFF, REMOVED)]
        none = StreamSeen(
            StreamId(known.own, name, "main"), UNKNOWN, True, None, Cause.NODE, "", UNREAD
        )
        about, group = known.about.get(camera, About()), group_of(known.groups, camera)
        yield CameraSeen(camera, group, tuple(streams) or (none,), None, about)


def _told(stream: StreamId, status: StreamStatus, now: Instant) -> StreamSeen:
    """Believe the last word on a stream, if it is not too old by its site's clock."""
    if not heard_within(status.at, now, SILENT_NS + 1):
        node = f"node {status.node or 'that has it'}"
        said = f"{node} was stopped" if status.state == STOPPED else f"no word from {node}"
        return _unheard(stream, status, status.at, said)
    state = status.state if status.state in STATES else UNKNOWN
    dark = state not in (RECORDING, OFF)
    return StreamSeen(
        stream,
        state,
        dark,
        status.since,
        status.cause if state != RECORDING else "",
        status.condition,
        status.detail,
        status,
    )


def _unheard(
    stream: StreamId, status: StreamStatus | None, since: Instant, detail: str
) -> StreamSeen:
    return StreamSeen(stream, UNKNOWN, True, since, Cause.NODE, detail=detail, status=status)


# -- below -----------------------------------------------------------------------------------------


def _below(known: Known, now: Instant) -> Iterator[CameraSeen]:
    clocks = _clocks(known, now)
    silent, heard = _silent(known.sites, now), {one.name for one in known.sites}
    by_camera: dict[CameraId, list[StreamSeen]] = {}
    for status in known.statuses:
        site = status.stream.site
        if site == known.own or status.state == REMOVED:
            continue
        if site in silent:
            one = _of_silent(status.stream, status, *silent[site])
        else:
            one = _told(status.stream, status, clocks.get(site, now) if site in heard else now)
        by_camera.setdefault(status.stream.camera_id, []).append(one)
    for asked in known.asked:
        camera = CameraId(asked.site, asked.name)
        if asked.body is not None and asked.site != known.own and camera not in by_camera:
            stream = StreamId(asked.site, asked.name, "main")
            one = StreamSeen(stream, UNKNOWN, False, asked.at, SITE, "", "not heard of it yet")
            by_camera[camera] = [one]
    for camera, streams in by_camera.items():
        about = known.about.get(camera, About())
        yield CameraSeen(camera, group_of(known.groups, camera), tuple(streams), None, about)


def _of_silent(stream: StreamId, status: StreamStatus, site: str, since: Instant) -> StreamSeen:
    detail = f"site {site} is not heard; last word: {status.state}"
    return StreamSeen(stream, UNKNOWN, False, since, SITE, "", detail, status)


def _clocks(known: Known, now: Instant) -> dict[str, Instant]:
    """Say how late each site's own clock was when it was heard last: it may differ from ours."""
    found = {known.own: now}
    said: Iterable[tuple[str, Instant]] = (
        *((one.site, one.at) for one in known.nodes),
        *((one.stream.site, one.at) for one in known.statuses),
    )
    for site, at in said:
        if site != known.own:
            found[site] = max(found.get(site, 0), at)
    return found


def _silent(sites: Sequence[SiteBeat], now: Instant) -> dict[str, tuple[str, Instant]]:
    """Return the sites that nothing is known of now: which of those above them, or they
    themselves, is not heard, and since when.
    """
    beats = {one.name: one for one in sites if one.name != PARENT}
    found: dict[str, tuple[str, Instant]] = {}
    for name in beats:
        at, way = name, [name]
        while (above := str(beats[at].facts.get("parent", ""))) in beats and above not in way:
            way.append(above)
            at = above
        for one in reversed(way):  # from the top: who is silent hides what is below it
            if not heard_within(beats[one].at, now, SILENT_NS + 1):
                found[name] = (one, beats[one].at)
                break
    return found
