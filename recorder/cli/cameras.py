"""Where the commands about cameras get their answers: this node, or a server."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from recorder.audit.entry import Subject
from recorder.cli.whom import Here, There, ask
from recorder.errors import NotFound
from recorder.logbook.subjects import MOST_NAMED
from recorder.made import find_ffmpeg
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.keys import CameraId
from recorder.model.sheets import Wanted, show_sent
from recorder.sites import listing, survey
from recorder.sites.listing import Filter
from recorder.sites.shown import show_seen

if TYPE_CHECKING:
    from recorder.api.shown_cameras import ShownCamera, ShownChanged, ShownProbe, ShownTaken
    from recorder.cli.context import Context


class CameraAnswers(Protocol):
    """What the commands about cameras are answered with.  No ``site``: this one."""

    def listed(self, asked: Filter) -> tuple[list[ShownCamera], list[ShownCamera]]:
        """Return all cameras, and those that are asked for."""

    def show(self, camera: CameraId) -> ShownCamera:
        """Return one camera."""

    def put(
        self,
        camera: CameraId,
        document: Mapping[str, object],
        *,
        new: bool,
        version: int | None = None,
    ) -> ShownChanged:
        """Add a camera, or replace its document unless it is to be ``new``.

        ``version``: only what is still of this one.  Raises: ``StaleVersion``.
        """

    def change(self, camera: CameraId, patch: Mapping[str, object], *, dry: bool) -> ShownChanged:
        """Change what is named of its document, or only say what that would change."""

    def remove(self, camera: CameraId) -> None:
        """Have it recorded no more."""

    def documents(self) -> list[ShownCamera]:
        """Return the cameras of this site; secrets are masked."""

    def take(self, wanted: Sequence[Wanted], file: str, *, dry: bool) -> list[ShownTaken]:
        """Add and change many cameras of this site, or only say what that would change."""

    def probe(self, asked: Mapping[str, object]) -> ShownProbe:
        """Look at what a camera of this site, or a source, offers."""


def answers(context: Context) -> CameraAnswers:
    """Return whom the commands ask."""
    return ask(context, CameraHere, CameraThere)


class CameraHere(Here):
    """The node on this machine: its catalog."""

    def _seen(self) -> list[survey.CameraSeen]:
        return survey.survey(self._app.catalog, self._own, self._app.site_clock.now())

    def _is_below(self, camera: CameraId) -> bool:
        return camera.site not in ("", self._own)

    def listed(self, asked: Filter) -> tuple[list[ShownCamera], list[ShownCamera]]:
        """See :class:`CameraAnswers`."""
        found = self._seen()
        chosen = listing.choose(found, self._own, asked)
        shown = {one.camera: cast("ShownCamera", show_seen(one)) for one in found}
        return [*shown.values()], [shown[one.camera] for one in chosen]

    def show(self, camera: CameraId) -> ShownCamera:
        """See :class:`CameraAnswers`."""
        return cast("ShownCamera", show_seen(listing.find(self._seen(), self._own, camera)))

    def put(
        self,
        camera: CameraId,
        document: Mapping[str, object],
        *,
        new: bool,
        version: int | None = None,
    ) -> ShownChanged:
        """See :class:`CameraAnswers`."""
        from recorder.sites.below import put_below, read_below
        from recorder.sites.changing import show_changed

        app, author = self._app, getpass.getuser()
        now, known = app.clock.now(), app.catalog.cameras
        if self._is_below(camera):
            one = read_below(app.catalog, self._own, camera, document, now, new=new)
            with self._doing("camera.ask", self._about(camera), document=show_camera(one)):
                below = put_below(app.catalog, camera.site, one, author, now)
            return cast("ShownChanged", {**below, "changes": [], "retention": []})
        parsed = parse_camera(camera.camera, document, known.get(camera.camera))
        action = "camera.add" if new else "camera.change"
        with self._doing(action, self._about(camera), document=show_camera(parsed)):
            said = app.changer.put(parsed, author, now, version, replacing=not new)
        return cast("ShownChanged", {**show_camera(said.after), **show_changed(said)})

    def _about(self, camera: CameraId) -> Subject:
        return Subject(camera.site or self._own, camera.camera)

    def change(self, camera: CameraId, patch: Mapping[str, object], *, dry: bool) -> ShownChanged:
        """See :class:`CameraAnswers`."""
        if dry:
            return self._change(camera, patch, dry=True)
        with self._doing("camera.change", self._about(camera), fields=sorted(patch)):
            return self._change(camera, patch, dry=False)

    def _change(self, camera: CameraId, patch: Mapping[str, object], *, dry: bool) -> ShownChanged:
        from recorder.sites.changing import change_below, show_changed

        app, author = self._app, getpass.getuser()
        now, name = app.clock.now(), camera.camera
        if self._is_below(camera):
            said, version = change_below(
                app.catalog.child_cameras, camera.site, name, patch, author, now, dry=dry
            )
            shown = {**show_camera(said.after), **show_changed(said), "version": version}
            return cast("ShownChanged", shown)
        with listing.saying_where(self._seen, name):
            said = app.changer.change(name, patch, author, now, dry=dry)
        return cast("ShownChanged", {**show_camera(said.after), **show_changed(said)})

    def remove(self, camera: CameraId) -> None:
        """See :class:`CameraAnswers`."""
        from recorder.sites.below import remove_below

        app, about = self._app, self._about(camera)
        if self._is_below(camera):
            with self._doing("camera.ask-remove", about):
                remove_below(app.catalog, camera, getpass.getuser(), app.clock.now())
            return
        doing = self._doing("camera.remove", about)
        with doing, listing.saying_where(self._seen, camera.camera):
            if not app.catalog.cameras.delete(camera.camera):
                raise NotFound(f"no camera {camera.camera!r} at this site")

    def documents(self) -> list[ShownCamera]:
        """See :class:`CameraAnswers`."""
        return [cast("ShownCamera", show_camera(one)) for one in self._app.catalog.cameras.all()]

    def take(self, wanted: Sequence[Wanted], file: str, *, dry: bool) -> list[ShownTaken]:
        """See :class:`CameraAnswers`."""
        from recorder.sites.bulk import show_taken, take_sheet

        app, author, now = self._app, getpass.getuser(), self._app.clock.now()
        with contextlib.ExitStack() as noted:
            if not dry:
                names = [one.name for one in wanted[:MOST_NAMED]]
                about = Subject(self._own, name=file)
                doing = self._doing("camera.import", about, cameras=names, count=len(wanted))
                noted.enter_context(doing)
            done = take_sheet(app.changer, wanted, author, now, dry=dry)
        return [cast("ShownTaken", show_taken(one)) for one in done]

    def probe(self, asked: Mapping[str, object]) -> ShownProbe:
        """See :class:`CameraAnswers`."""
        from recorder.capture.probe import probe_source
        from recorder.capture.probing import read_probe

        app = self._app
        meant = read_probe(asked, self._own, lambda one: app.catalog.cameras.get(one.camera))
        ffmpeg = find_ffmpeg(self._settings.capture.ffmpeg)
        found = probe_source(ffmpeg, meant.source, meant.timeout_s, app.clock, app.allowed)
        return cast("ShownProbe", found)


class CameraThere(There):
    """A server, by its API."""

    def listed(self, asked: Filter) -> tuple[list[ShownCamera], list[ShownCamera]]:
        """See :class:`CameraAnswers`."""
        found = list(self._client.cameras())
        if asked == Filter():
            return found, found
        chosen = self._client.cameras(
            site=asked.site,
            group=asked.group,
            state=asked.state,
            text=asked.text,
            below=asked.below,
        )
        return found, list(chosen)

    def show(self, camera: CameraId) -> ShownCamera:
        """See :class:`CameraAnswers`."""
        return self._client.camera(str(camera))

    def put(
        self,
        camera: CameraId,
        document: Mapping[str, object],
        *,
        new: bool,
        version: int | None = None,
    ) -> ShownChanged:
        """See :class:`CameraAnswers`."""
        return self._client.put_camera(str(camera), document, new=new, version=version)

    def change(self, camera: CameraId, patch: Mapping[str, object], *, dry: bool) -> ShownChanged:
        """See :class:`CameraAnswers`."""
        return self._client.change_camera(str(camera), patch, dry_run=dry)

    def remove(self, camera: CameraId) -> None:
        """See :class:`CameraAnswers`."""
        self._client.remove_camera(str(camera))

    def documents(self) -> list[ShownCamera]:
        """See :class:`CameraAnswers`."""
        return [one for one in self._client.cameras(below=False) if "streams" in one]

    def take(self, wanted: Sequence[Wanted], file: str, *, dry: bool) -> list[ShownTaken]:
        """See :class:`CameraAnswers`."""
        return self._client.put_cameras(show_sent(wanted), name=file, dry_run=dry)

    def probe(self, asked: Mapping[str, object]) -> ShownProbe:
        """See :class:`CameraAnswers`."""
        return self._client.probe(asked)
