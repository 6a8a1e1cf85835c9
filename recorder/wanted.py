"""What should be recorded, as the catalog says, or as it said when it last answered."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

from recorder.app import App
from recorder.capture.loop import desired_streams
from recorder.capture.share import Share, Wanted
from recorder.catalog.rows import camera_body, read_body
from recorder.errors import BadDocument, CatalogUnavailable, KeyMissing
from recorder.failing import Repeated
from recorder.model.cameras import Camera
from recorder.patience import Patience
from recorder.spool.remembered import CAMERAS, HELD, OF, is_of_another, recall, recalled, remember

log = logging.getLogger("recorder.service")

LOST = "the catalog knows no camera, and another was here before: those it knew are recorded"
LOST_HINT = (
    "recorder restore of a backup, or recorder rebuild on this node, brings them back; "
    "or add the cameras that there are to be"
)


OLDER = "the catalog is older than its store, and does not know cameras that are recorded still"


class WantedStreams:
    """The site's cameras, and which of their streams this node records."""

    def __init__(self, app: App, asking: Patience) -> None:
        """``asking``: how long recording waits for the catalog."""
        self._app, self._asking = app, asking
        self.cameras: Sequence[Camera] = ()
        self.documents: Sequence[Camera] | None = None
        """The cameras, once the catalog has said them to this process."""
        self.share: Share | None = None
        """What parts the site's streams among its nodes, where it has several."""
        self._mine: set[str] | None = None  # streams held, once known
        self._remembered: dict[str, dict[str, object]] | None = None
        self._kept: Sequence[Camera] | None = None
        """Of which cameras that is, once this process has remembered it."""
        self.lost = ""
        """Why what is recorded is not what the catalog says: it was lost, and knows no camera."""
        self._came = -1
        """How many cameras a catalog that was lost knew at the last look; none is no end of it."""
        self._seen: dict[str, Camera] | None = None
        """Each camera that was known, by name, as it was last: the catalog may be put back."""
        self._older: frozenset[str] | None = None
        """Which of them a catalog knew at the last look that is older than its store."""
        self._noted = False
        self._said = Repeated(app.clock.monotonic)
        self._unwritten: dict[str, str] = {}
        """Why a file beside the spool could not be written, by its name."""

    def camera(self, name: str) -> Camera | None:
        """Return the document of one of this site's cameras."""
        return next((one for one in self.cameras if one.name == name), None)

    async def look(self) -> Wanted:
        """Return the streams that this node should record now.

        Raises: ``CatalogUnavailable`` when neither the catalog nor the spool knows any.
        """
        try:
            found = await self._asking.ask(self._app.catalog.cameras.all)
            known = [*found, *await self._unread()]
            if (not known or len(known) != self._came) and await self._is_lost(known):
                self._came = len(known)
                names = {one.name for one in known}
                remembered = _understood(self._remembered or {})
                self.cameras = [*known, *(one for one in remembered if one.name not in names)]
            else:
                self.lost, self.documents = "", known
                self.cameras = [*known, *await self._forgotten(known)]
                await self._remember()
            self._said.news("catalog", [])
        except CatalogUnavailable as exc:
            for why in self._said.news("catalog", [str(exc)]):
                log.warning("catalog away, recording goes on", extra={"reason": why})
            if self._remembered is None:  # never seen in this process
                self._remembered = await self._uncovered()
                self.cameras = list(_understood(self._remembered))
                if not self.cameras:
                    raise  # there is nothing that could be recorded
        site, now = self._app.settings.site, self._app.clock.now()
        return await self._own_part(desired_streams(list(self.cameras), site, now))

    async def _is_lost(self, known: Sequence[Camera]) -> bool:
        """Tell whether a catalog that knows no camera is another than that which said them last.

        Then those are recorded, for nobody has removed them, until it knows some, and no more of
        them come from one look to the next.
        """
        if self._kept is not None or self._noted or (known and not self.lost):
            return False
        if not self.lost:
            identity = await self._asking.ask(lambda: self._app.catalog_id)
            kept = await self._recall()
            if not kept or not is_of_another(await self._recall(OF), identity):
                return False
            self._remembered = self._app.catalog.secrets.uncover(kept)
            self.lost = LOST
            log.error(LOST, extra={"cameras": len(kept), "hint": LOST_HINT})
        return True

    async def _forgotten(self, known: Sequence[Camera]) -> list[Camera]:
        """Return the cameras that a catalog which was put back does not know any more.

        Those of which its store says that they were there to the last.  One that somebody takes
        away meanwhile is recorded no more.
        """
        if self._seen is None:
            self._seen = {one.name: one for one in _understood(await self._uncovered())}
        names = frozenset(one.name for one in known)
        self._seen.update((one.name, one) for one in known)
        knew = self._app.upkeep.keeper.knew
        for removed in (self._older or names) - names if knew else ():
            del self._seen[removed]
        found = sorted(knew & self._seen.keys() - names)
        if found and self._older is None:
            log.error(OLDER, extra={"cameras": found, "hint": LOST_HINT})
        self._older = names if knew else None
        return [self._seen[name] for name in found]

    async def _uncovered(self) -> dict[str, dict[str, object]]:
        """Return the camera documents that are remembered, with what of them can be read."""
        return self._app.catalog.secrets.uncover(await self._recall())

    async def _unread(self) -> list[Camera]:
        """Return what was last known of cameras whose documents cannot be read: they go on so."""
        names = self._app.catalog.cameras.unread()
        if not names:
            return []
        known = self.cameras
        if not known:  # it was just started
            known = list(_understood(await self._uncovered()))
        return [one for one in known if one.name in names]

    @property
    def modes(self) -> dict[tuple[str, str], str]:
        """How each stream is recorded."""
        return modes_of(self.cameras)

    async def _own_part(self, wanted: Wanted) -> Wanted:
        """Return what this node records of what its site wants."""
        if self.share is None:
            return wanted
        critical = {one.name for one in self.cameras if one.critical}
        twice = [stream for stream in wanted if stream.camera in critical]
        try:
            chosen = await self._asking.ask(self.share.choose, wanted, twice)
        except CatalogUnavailable:  # go on with what it held: the others cannot ask either
            if self._mine is None:  # never asked in this process
                self._mine = set(await self._recall(HELD))
            return {stream: how for stream, how in wanted.items() if str(stream) in self._mine}
        names = {str(stream) for stream in chosen}
        if names != self._mine or HELD in self._unwritten:
            await self._write({name: {} for name in names}, HELD)
            self._mine = names
        return chosen

    async def _remember(self) -> None:
        """Keep the documents beside the spool, for a start while the catalog is away."""
        if not self._noted:
            await self._note_catalog()
        if self._kept == self.cameras:
            return
        documents = {camera.name: camera_body(camera) for camera in self.cameras}
        if self._remembered == documents and CAMERAS not in self._unwritten:
            self._kept = self.cameras
            return
        try:
            covered = await self._asking.ask(self._app.catalog.secrets.cover, documents)
        except KeyMissing as exc:  # what was remembered before stays
            log.error("cameras not remembered", extra={"reason": str(exc)})
        else:
            await self._write(covered, CAMERAS)
        self._remembered = documents
        if CAMERAS not in self._unwritten:
            self._kept = self.cameras

    async def _note_catalog(self) -> None:
        """Note whose cameras these are, once in this process."""
        identity = await self._asking.ask(lambda: self._app.catalog_id)
        said: dict[str, dict[str, object]] = {"catalog": {"id": identity}}
        if await self._recall(OF) != said:
            await self._write(said, OF)
        self._noted = OF not in self._unwritten

    async def _recall(self, name: str = CAMERAS) -> dict[str, dict[str, object]]:
        """Return what lies beside the spool; nothing while its disk does not answer."""
        spool = self._app.spool
        with contextlib.suppress(TimeoutError):
            return await spool.silence.within(recall(spool.root, spool.silence.threads, name))
        return {}

    async def _write(self, said: Mapping[str, Mapping[str, object]], name: str) -> None:
        """Write a file beside the spool; where that fails it is tried again at the next look."""
        spool = self._app.spool
        try:
            spool.silence.check()
            await spool.silence.within(remember(spool.root, said, spool.silence.threads, name))
        except OSError as exc:  # a full disk, one that is away: no stream waits for it
            if self._unwritten.get(name) != str(exc):
                log.error("not remembered", extra={"file": name, "reason": str(exc)})
            self._unwritten[name] = str(exc)
        else:
            self._unwritten.pop(name, None)


def take_back(app: App, kept: Collection[str] = ()) -> list[str]:
    """Put cameras that a lost catalog knew into this one, as the node remembers them; name them.

    Where this one knows some, those of which a newer store says, too, that they were there to the
    last: ``kept``.  Of which a secret cannot be read, that one is left.
    """
    root, catalog, now = app.spool.root, app.catalog, app.clock.now()
    known = {one.name for one in catalog.cameras.all()} | catalog.cameras.unread()
    remembered = catalog.secrets.uncover(recalled(root))
    if known or not is_of_another(recalled(root, OF), app.catalog_id):
        remembered = {name: remembered[name] for name in remembered.keys() & set(kept) - known}
    readable = [
        one
        for one in _understood(remembered)
        if not any(source.cipher for source in one.streams.values())
    ]
    for one in readable:
        catalog.cameras.put(one, now, None)
    return sorted(one.name for one in readable)


def modes_of(cameras: Sequence[Camera]) -> dict[tuple[str, str], str]:
    """Say how each stream is recorded.  Pure."""
    return {
        (camera.name, name): source.record
        for camera in cameras
        for name, source in camera.streams.items()
    }


def _understood(documents: Mapping[str, Mapping[str, object]]) -> Iterator[Camera]:
    """Read what was remembered; one document that is not understood now keeps no other back."""
    for name, body in documents.items():
        try:
            yield read_body(name, body)
        except BadDocument as exc:
            log.error("camera not understood", extra={"camera": name, "reason": str(exc)})
