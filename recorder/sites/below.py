"""Cameras that a site below should record: asked for here, told when it is linked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from recorder.capture.allowed import check_below
from recorder.catalog.rows import camera_body, read_body
from recorder.errors import NotFound
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.cameras import Camera
from recorder.model.keys import CameraId
from recorder.model.places import PARENT
from recorder.model.timebase import Instant
from recorder.model.versions import ANY, Expected
from recorder.ports import ChildCameras, Sites
from recorder.sites import survey
from recorder.sites.changing import already, check_case


class BelowCatalog(survey.SurveyCatalog, Protocol):
    """The parts of the catalog that a camera of a site below asks."""

    sites: Sites
    child_cameras: ChildCameras


def check_site(catalog: BelowCatalog, site: str) -> None:
    """Look whether a site is below this one.

    Raises: ``NotFound``.
    """
    if all(beat.name in (PARENT, "") or beat.name != site for beat in catalog.sites.all()):
        raise NotFound(f"no site {site!r} below this one", hint="recorder site shows the tree")


def read_below(
    catalog: BelowCatalog,
    own: str,
    camera: CameraId,
    body: Mapping[str, object],
    now: Instant,
    *,
    new: bool = False,
) -> Camera:
    """Read a document for a site below; ``new``: of no camera that it has already.

    Raises: ``NotFound``, ``BadDocument``, ``StaleVersion``, ``StateError``.
    """
    check_site(catalog, camera.site)
    known = [one.camera for one in survey.survey(catalog, own, now)]
    if new and camera in known:
        raise already(str(camera))
    if camera not in known:
        check_case(camera.camera, (one.camera for one in known if one.site == camera.site))
    return check_below(parse_camera(camera.camera, body, _previous(catalog, camera)))


def put_below(
    catalog: BelowCatalog,
    site: str,
    camera: Camera,
    author: str,
    now: Instant,
    expected: Expected = ANY,
) -> dict[str, object]:
    """Have a site below record a camera; return its document.

    Raises: ``StaleVersion`` when what was asked for is not what is ``expected``.
    """
    body = camera_body(camera)
    stored = catalog.child_cameras.put(site, camera.name, body, author, now, expected)
    return {**show_camera(camera), "version": stored.version, "author": author}


def remove_below(
    catalog: BelowCatalog,
    camera: CameraId,
    author: str,
    now: Instant,
    expected: Expected = ANY,
) -> None:
    """Have a site below record a camera no more; its footage stays.

    Raises: ``NotFound``; ``StaleVersion`` as :func:`put_below`.
    """
    check_site(catalog, camera.site)
    catalog.child_cameras.put(camera.site, camera.camera, None, author, now, expected)


def _previous(catalog: BelowCatalog, camera: CameraId) -> Camera | None:
    bodies = (
        one.body
        for one in catalog.child_cameras.since()
        if (one.site, one.name) == (camera.site, camera.camera)
    )
    body = next(bodies, None)
    return read_body(camera.camera, body) if body else None
