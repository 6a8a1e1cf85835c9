"""Camera documents: those in force here, and those told to sites below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from recorder.catalog import schema
from recorder.catalog.alone import WRITTEN, one_at_a_time
from recorder.catalog.changes import Changes
from recorder.catalog.database import Database
from recorder.catalog.readable import facts_of, read_each, read_one
from recorder.catalog.rows import camera_body, read_camera
from recorder.catalog.secrets import SqlSecrets, of_below, of_camera
from recorder.catalog.unchanged import Remembered
from recorder.errors import StaleVersion
from recorder.model.about import About, show_about, take_about
from recorder.model.cameras import Camera
from recorder.model.keys import ANY_SITE, CameraId
from recorder.model.masks import Privacy, read_privacy, show_privacy
from recorder.model.timebase import Instant
from recorder.model.versions import ANY, Expected
from recorder.ports import ChildCamera

_CAMERA = select(schema.camera).where(schema.camera.c.name == bindparam("name"))
_ABOUT = select(schema.member.c.about).where(
    schema.member.c.site == bindparam("site"), schema.member.c.camera == bindparam("camera")
)
"""Built once: every timeline asks these."""
_VERSIONS = select(
    schema.camera.c.name, schema.camera.c.version, schema.camera.c.created_ns
).order_by(schema.camera.c.name)


class SqlCameras:
    """A :class:`recorder.ports.Cameras`."""

    def __init__(
        self, database: Database, changes: Changes, site: str, secrets: SqlSecrets
    ) -> None:
        self._database, self._changes, self._site = database, changes, site
        self._secrets = secrets
        self._known: tuple[list[tuple[object, ...]], list[Camera]] = ([], [])
        self._unread: set[str] = set()
        self._all = Remembered(self._mark, self._look)

    def all(self) -> list[Camera]:
        """Return all camera documents, by name."""
        return list(self._all.get())

    def _mark(self) -> object | None:
        """Most ask every two seconds, of what changes once a month."""
        return None if any(map(_locked, self._known[1])) else self._database.mark()

    def _look(self) -> list[Camera]:
        table = schema.camera
        with self._database.read() as db:
            seen = [tuple(row) for row in db.execute(_VERSIONS)]
            known, cameras = self._known
            if known != seen:
                found = db.execute(select(table).order_by(table.c.name)).all()
                seen = [(row.name, row.version, row.created_ns) for row in found]
                cameras = read_each("camera", found, self._read)
                self._unread = {row.name for row in found} - {one.name for one in cameras}
                self._known = ([] if any(map(_locked, cameras)) else seen, cameras)
            return cameras

    def get(self, name: str) -> Camera | None:
        """Return one camera document."""
        with self._database.read() as db:
            row = db.execute(_CAMERA, {"name": name}).first()
            return read_one("camera", row, self._read) if row is not None else None

    def unread(self) -> frozenset[str]:
        """Return the names of those that :meth:`all` left out when it was asked last."""
        return frozenset(self._unread)

    def _read(self, row: Any) -> Camera:
        return read_camera(row, self._secrets.show(of_camera(row.name), row.body))

    def put(self, camera: Camera, at: Instant, expected: int | None) -> Camera:
        """Store a camera; return it with its new version."""
        table = schema.camera
        with self._database.write() as db:
            one_at_a_time(db, WRITTEN)
            old = db.execute(select(table).where(table.c.name == camera.name)).first()
            present = old.version if old is not None else 0
            if expected is not None and expected != present:
                raise StaleVersion(
                    f"put camera {camera.name}: it is at version {present}, not {expected}",
                    hint="read it again, then send the change",
                )
            created = old.created_ns if old is not None else at
            row = {
                "name": camera.name,
                "version": present + 1,
                "created_ns": created,
                "body": self._secrets.hide(db, of_camera(camera.name), camera_body(camera), at),
            }
            self._database.upsert(db, table, row, ("version", "body"))
            own = CameraId(self._site, camera.name)
            about = {**show_about(camera.about), **show_privacy(camera.privacy)}
            member = {**own._asdict(), "group_name": camera.group, "about": about}
            self._database.upsert(db, schema.member, member, ("group_name", "about"))
            self._changes.note(db, "camera", None, [(0, 0, str(own))], at)
            stored = db.execute(select(table).where(table.c.name == camera.name)).one()
            return self._read(stored)

    def groups(self) -> dict[CameraId, str]:
        """Return the group of every camera there is or was: its footage stays in it."""
        member, stream = schema.member, schema.stream
        with self._database.read() as db:
            rows = db.execute(select(member)).all()
            found = {CameraId(row.site, row.camera): row.group_name for row in rows}
            told = select(stream.c.site, stream.c.camera, stream.c.via).where(stream.c.via != "")
            for site, camera, via in db.execute(told.distinct()):
                said = found.get(CameraId(via, camera))
                anywhere = CameraId(ANY_SITE, camera) in found
                if said is not None and not anywhere:  # a child of old speaks of all as its own
                    found.setdefault(CameraId(site, camera), said)
            return found

    def about(self) -> dict[CameraId, About]:
        """Return what people call cameras, where that is said; those of sites below, too."""
        table = schema.member
        query = select(table.c.site, table.c.camera, table.c.about)
        with self._database.read() as db:
            rows = [row for row in db.execute(query) if row.about]
        return dict(
            read_each(
                "member", rows, lambda row: (CameraId(row[0], row[1]), take_about({**row[2]}))
            )
        )

    def labels(self) -> dict[str, str]:
        """Return what people call cameras, by ``site/camera``."""
        return {str(camera): one.label for camera, one in self.about().items() if one.label}

    def about_of(self, camera: CameraId) -> About:
        """Return what people call one camera."""
        with self._database.read() as db:
            about = db.execute(_ABOUT, camera._asdict()).scalar()
        return take_about(facts_of(about)) if about else About()

    def privacy(self, camera: CameraId) -> Privacy:
        """Return what of a camera's pictures is not for everybody."""
        table = schema.member
        names = (camera.site, ANY_SITE)
        query = select(table.c.site, table.c.about).where(
            table.c.camera == camera.camera, table.c.site.in_(names)
        )
        with self._database.read() as db:
            said = {site: about for site, about in db.execute(query)}
        return read_privacy(said.get(camera.site, said.get(ANY_SITE)))

    def delete(self, name: str, expected: Expected = ANY) -> bool:
        """Remove a camera document; its footage stays."""
        table = schema.camera
        with self._database.write() as db:
            one_at_a_time(db, WRITTEN)
            old = db.execute(select(table.c.version).where(table.c.name == name)).scalar()
            expected.check(int(old or 0), f"remove camera {name}")
            gone = db.execute(delete(table).where(table.c.name == name))
            return gone.rowcount > 0


def _locked(camera: Camera) -> bool:
    """Tell whether some of its secrets cannot be read now: the key may be put back."""
    return any(source.cipher for source in camera.streams.values())


class SqlChildCameras:
    """A :class:`recorder.ports.ChildCameras`."""

    def __init__(self, database: Database, secrets: SqlSecrets) -> None:
        self._database, self._secrets = database, secrets

    def put(
        self,
        site: str,
        name: str,
        body: Mapping[str, object] | None,
        author: str,
        at: Instant,
        expected: Expected = ANY,
    ) -> ChildCamera:
        """Store what a site below should record; ``None``: no longer.

        Its time is later than that of everything stored before, for it is what children have
        heard by.
        Raises: ``StaleVersion`` when what was asked for is not what is ``expected``.
        """
        table = schema.camera_below
        with self._database.write() as db:
            one_at_a_time(db, WRITTEN)
            last = db.execute(select(func.max(table.c.at_ns))).scalar() or 0
            own = (table.c.site == site, table.c.name == name)
            known = db.execute(select(table.c.version, table.c.body).where(*own)).first()
            version = known.version if known is not None else 0
            present = version if known is not None and known.body else 0
            expected.check(present, f"camera {site}/{name}")
            one = ChildCamera(site, name, version + 1, body, author, max(at, last + 1))
            row = {
                "site": site,
                "name": name,
                "version": one.version,
                "body": self._secrets.hide(db, of_below(site, name), body or {}, at),
                "author": author,
                "at_ns": one.at,
            }
            self._database.upsert(db, table, row, ("version", "body", "author", "at_ns"))
        return one

    def since(self, after: Instant = 0) -> list[ChildCamera]:
        """Return what sites below should record, stored after an instant, in that order."""
        table = schema.camera_below
        query = select(table).where(table.c.at_ns > after).order_by(table.c.at_ns)
        with self._database.read() as db:
            return read_each(
                "camera_below",
                db.execute(query),
                lambda row: ChildCamera(
                    row.site,
                    row.name,
                    row.version,
                    self._secrets.show(of_below(row.site, row.name), row.body) or None,
                    row.author,
                    row.at_ns,
                ),
            )
