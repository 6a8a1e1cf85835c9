"""Which camera is meant: ``site/camera``, or a name alone.

A name alone means this site's camera of that name, else the only other one there is: of
several nobody can say which is meant, and none is answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from recorder.errors import NotFound, RequestError, StateError
from recorder.model.cameras import Camera
from recorder.model.keys import CameraId, StreamId, check_name, read_camera_id
from recorder.ports import Cameras, ChildCameras, Footage, Statuses
from recorder.ports.states import REMOVED

LISTED = "`recorder camera list`, or GET /api/v1/cameras, shows those there are"
"""What helps who named a camera that is none."""


class NamedCatalog(Protocol):
    """The parts of the catalog that know cameras."""

    cameras: Cameras
    child_cameras: ChildCameras
    footage: Footage
    statuses: Statuses


@dataclass(frozen=True, slots=True)
class Named:
    """The stream that a name means; ``elsewhere`` are other sites' cameras of that name."""

    stream: StreamId
    document: Camera | None
    elsewhere: tuple[CameraId, ...] = ()


def choose(name: str, own: str, sites: Collection[str]) -> CameraId:
    """Say which camera a bare name means; ``sites`` have one of that name.

    Raises: ``NotFound``; ``StateError`` when it may be one of several.
    """
    if not sites:
        raise NotFound(f"no camera {name!r}", hint=LISTED)
    if own in sites:
        return CameraId(own, name)
    first, *others = (CameraId(site, name) for site in sorted(sites))
    if others:
        raise StateError(
            f"there is a camera {name!r} at {', '.join(sorted(sites))}, and none here",
            hint=f"say which: {' or '.join(map(str, (first, *others)))} (over HTTP ?site=SITE)",
        )
    return first


def read_asked(camera: str, site: str | None) -> CameraId:
    """Read a camera as it is asked for, ``site`` beside it or before it.

    Raises: ``RequestError``.
    """
    asked = read_camera_id(camera)
    if site is None:
        return asked
    if asked.site not in ("", check_name(site, "site")):
        raise RequestError(f"camera {camera}: is not at site {site}")
    return CameraId(site, asked.camera)


def find_cameras(
    catalog: NamedCatalog,
    own: str,
    names: Iterable[str],
    *,
    every: bool = False,
    ahead: bool = False,
) -> list[CameraId]:
    """Return the cameras that names mean; ``every``: a bare name means all of that name.

    ``ahead``: a camera may be named before there is one; without a site it will be ours.
    Raises: ``NotFound``; ``StateError`` when a name may mean one of several.
    """
    by_name: dict[str, set[str]] = {}
    for one in known_cameras(catalog, own):
        by_name.setdefault(one.camera, set()).add(one.site)
    found: list[CameraId] = []
    for asked in map(read_camera_id, names):
        sites = by_name.get(asked.camera, set())
        if ahead and not sites:
            found.append(CameraId(asked.site or own, asked.camera))
        elif asked.site:
            if asked.site not in sites and not ahead:
                raise NotFound(f"no camera {asked}", hint=_hint(asked.camera, sites))
            found.append(asked)
        elif every and sites:
            found += [CameraId(site, asked.camera) for site in sorted(sites)]
        else:
            found.append(choose(asked.camera, own, sites))
    return list(dict.fromkeys(found))


def known_cameras(catalog: NamedCatalog, own: str) -> set[CameraId]:
    """Return all cameras: of documents, of footage, and those of sites below."""
    known = {CameraId(own, one.name) for one in catalog.cameras.all()}
    known |= {one.camera_id for one in catalog.footage.streams()}
    return known | _below(catalog, own)


def _below(catalog: NamedCatalog, own: str) -> set[CameraId]:
    """Return the cameras that sites below were told to record, or say how they are.

    One that never came up has no footage, and is asked about for just that.
    """
    asked = catalog.child_cameras.since()
    told = (one for one in catalog.statuses.all() if one.state != REMOVED)
    cameras = {one.stream.camera_id for one in told if one.stream.site != own}
    return cameras | {CameraId(one.site, one.name) for one in asked if one.body is not None}


def _hint(name: str, sites: Collection[str]) -> str:
    if not sites:
        return LISTED
    return "there is " + ", ".join(str(CameraId(site, name)) for site in sorted(sites))


def find_stream(
    catalog: NamedCatalog, own: str, asked: CameraId, stream: str | None, open_: Iterable[StreamId]
) -> Named:
    """Find a camera's stream, by document or by footage left of it.

    ``open_``: whose files are not committed yet; looked at when there is no document.
    Raises: ``NotFound`` when neither knows it; ``StateError`` when it may be one of several.
    """
    name = asked.camera
    document = catalog.cameras.get(name) if asked.site in ("", own) else None
    known = catalog.footage.streams(name)
    if document is None:  # removed, and its first file may still be open
        known += [one for one in open_ if one.camera == name]
    sites = {one.site for one in known} | ({own} if document is not None else set())
    if document is None and own not in sites:
        sites |= {one.site for one in _below(catalog, own) if one.camera == name}
    if asked.site and asked.site not in sites:
        raise NotFound(f"no camera {asked}", hint=_hint(name, sites))
    meant = asked if asked.site else choose(name, own, sites)
    there = [one.stream for one in known if one.site == meant.site]
    names = list(document.streams) if document is not None else []
    chosen = stream or ("main" if "main" in names or not names else names[0])
    if chosen not in names and chosen not in there and (names or there):
        raise NotFound(
            f"camera {name!r} has no stream {chosen!r}",
            hint="it has " + ", ".join(sorted({*names, *there})),
        )
    others = tuple(CameraId(site, name) for site in sorted(sites - {meant.site}))
    return Named(StreamId(meant.site, name, chosen), document, others)
