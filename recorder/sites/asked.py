"""Cameras that the site above asks for: put in force here, or kept to be told further down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from recorder.errors import RequestError, StateError
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import Camera
from recorder.ports import Cameras, ChildCameras, Clock, Progress, Secrets
from recorder.sites.changing import check_case
from recorder.sites.noted import FromAbove

log = logging.getLogger("recorder.sites")

CAMERAS = "cameras from above"


class AskedCatalog(Protocol):
    """The parts of the catalog that cameras from above are put into."""

    cameras: Cameras
    child_cameras: ChildCameras
    progress: Progress
    secrets: Secrets


class Asked:
    """Takes in what the parent says; ``check`` refuses cameras that this site does not allow."""

    def __init__(
        self,
        catalog: AskedCatalog,
        clock: Clock,
        site: str,
        check: Callable[[Camera], Camera],
        above: FromAbove,
    ) -> None:
        self._catalog, self._clock, self._site = catalog, clock, site
        self._check, self._above = check, above
        self._waiting = ""

    def heard(self) -> int:
        """Say up to which of the parent's instants its documents were taken in."""
        return int(self._catalog.progress.of(CAMERAS).get("at", 0))

    def begin_anew(self) -> None:
        """Have all told again: what was taken in before, and changed here since, stays."""
        self._catalog.progress.put(CAMERAS, {**self._facts(), "at": 0}, self._clock.now())

    def _facts(self) -> dict[str, object]:
        return dict(self._catalog.progress.of(CAMERAS))

    def hear(self, documents: Sequence[Mapping[str, Any]], parent: str) -> None:
        """Take documents in, in their order; what cannot be kept now is told again."""
        anew = self.heard() == 0
        for one in documents:
            why = self._catalog.secrets.refusal(
                one["body"] if isinstance(one["body"], Mapping) else {}
            )
            if why != self._waiting and why:
                log.error("cameras from above wait", extra={"reason": why})
            self._waiting = why
            if why:
                return
            facts, named = self._facts(), f"{one['site']}/{one['name']}"
            said = facts.get("taken")
            taken = dict(said) if isinstance(said, dict) else {}
            if not self._is_old(one, taken.get(named), anew=anew):
                self._hear(one, parent)
            taken[named] = _which(one)
            facts = {**facts, "at": int(one["at"]), "taken": taken}
            self._catalog.progress.put(CAMERAS, facts, self._clock.now())

    def _is_old(self, one: Mapping[str, object], taken: object, *, anew: bool) -> bool:
        """Tell whether a document is one that was taken in already: it may be otherwise by now.

        ``anew``: all that there is is told, of which a catalog that was lost knows nothing more; a
        camera that is here since later than the parent asked for it was asked for before.
        """
        which = _which(one)
        if taken == which:
            return True
        if not anew or one["site"] != self._site:
            return False
        known = (known for known in self._catalog.cameras.all() if known.name == one["name"])
        return any(camera.created > (which[0] or 0) for camera in known)

    def _hear(self, one: Mapping[str, Any], parent: str) -> None:
        name, body, now = str(one["name"]), one["body"], self._clock.now()
        own = one["site"] == self._site
        self._above.camera(parent, str(one["site"]), name, gone=body is None, own=own)
        if body is not None and not isinstance(body, Mapping):
            log.error(
                "camera from above not taken", extra={"camera": name, "reason": "no document"}
            )
        elif not own:
            self._catalog.child_cameras.put(str(one["site"]), name, body, one["author"], now)
        elif body is None:
            self._catalog.cameras.delete(name)
        else:
            author = f"{one['author']} at {parent}"
            try:
                camera = replace(self._check(parse_camera(name, body)), author=author)
                known = [one.name for one in self._catalog.cameras.all()]
                if name not in known:
                    check_case(name, known)
            except (RequestError, StateError) as exc:  # written by a newer release, perhaps
                log.error("camera from above not taken", extra={"camera": name, "reason": str(exc)})
            else:
                self._catalog.cameras.put(camera, now, None)


def _which(one: Mapping[str, object]) -> list[int | None]:
    """Name a document: when the parent stored it, and its version there, if it says that."""
    said = one["at"], one.get("version")
    return [each if type(each) is int else None for each in said]
