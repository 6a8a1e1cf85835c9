"""Where the commands that find and fetch footage get their answers: this node, or a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from recorder.access.permissions import Permission
from recorder.audit.entry import Subject
from recorder.cli.allowed import check_here
from recorder.cli.burning import burn_here, burnt_said, copy_here
from recorder.cli.whom import Here, There, ask, named
from recorder.errors import NotYet
from recorder.export.burnt import NOTHING, SCRATCH, burnt_picture
from recorder.model.timebase import (
    Instant,
    TimeRange,
    day_start,
    format_instant,
    parse_instant,
    show_range,
)

if TYPE_CHECKING:
    from recorder.cli.context import Context
    from recorder.client import Download
    from recorder.export.burnt import Burn
    from recorder.model.shown import ShownCovered, ShownTimeline
    from recorder.reading.named import Named


TOLD = (
    "site",
    "camera",
    "stream",
    "asked",
    "covered_seconds",
    "missing_seconds",
    "gaps",
    "parts",
    "sources",
    "sources_sha256",
)
"""What is told of a clip, in order."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream's footage of a range, as a command names it."""

    camera: str
    stream: str | None
    site: str | None
    range: TimeRange
    masked: bool = False
    mark: bool = False

    @property
    def named(self) -> str:
        """The camera as a server is asked for it."""
        return named(self.camera, self.site)


@dataclass(slots=True)
class Fetched:
    """Footage on its way: its bytes, and what is said of it once they have come.

    ``about``: as ``--json`` shows it.  ``size``: where it is known before.
    """

    name: str
    blocks: Iterable[bytes]
    size: int | None = None
    about: dict[str, Any] = field(default_factory=dict)


class FootageAnswers(Protocol):
    """What the commands that find and fetch are answered with."""

    def timeline(self, wanted: Wanted, *, activity: bool) -> ShownTimeline:
        """Return spans, gaps and events."""

    def coverage(self, asked: TimeRange | None) -> list[ShownCovered]:
        """Return each stream's coverage; by default of today, UTC."""

    def clip(
        self, wanted: Wanted, form: str, gaps: str
    ) -> contextlib.AbstractContextManager[Fetched]:
        """Open a clip."""

    def frame(
        self, wanted: Wanted, at: Instant, width: int
    ) -> contextlib.AbstractContextManager[Fetched]:
        """Take a picture; ``about`` has ``at``, its true time."""


def answers(context: Context) -> FootageAnswers:
    """Return whom the commands ask."""
    return ask(context, FootageHere, FootageThere)


class FootageHere(Here):
    """The node on this machine: its catalog, spool and stores."""

    def timeline(self, wanted: Wanted, *, activity: bool) -> ShownTimeline:
        """See :class:`FootageAnswers`."""
        from recorder.api.schemas import events_on, show_activity, show_timeline
        from recorder.model.events import show_event
        from recorder.model.timeline import coverage_by_day

        app = self._app
        named = app.finder.named(wanted.camera, wanted.stream, wanted.site)
        line = app.view.timeline(named.stream, wanted.range, named.document)
        label = app.finder.label(named.stream.camera_id, named.document)
        events, until = events_on(app.catalog.events, wanted.range, named.stream.camera_id)
        labels = app.catalog.cameras.labels()
        shown: ShownTimeline = {
            **show_timeline(named, line, coverage_by_day(line), label),
            "events": [show_event(event, labels) for event in events],
            "events_until": until,
        }
        if activity:
            with app.view.find(named.stream, line.range) as found:
                shown["activity"] = show_activity(found.segments, line.range)
        return shown

    def coverage(self, asked: TimeRange | None) -> list[ShownCovered]:
        """See :class:`FootageAnswers`."""
        from recorder.api.schemas import show_covered

        view, finder, now = self._app.view, self._app.finder, self._app.clock.now()
        asked = asked or TimeRange(day_start(now), now)
        return [
            show_covered(
                stream,
                view.timeline(stream, asked, document),
                finder.label(stream.camera_id, document),
            )
            for stream, document in finder.known_streams()
        ]

    @contextlib.contextmanager
    def clip(self, wanted: Wanted, form: str, gaps: str) -> Iterator[Fetched]:
        """See :class:`FootageAnswers`."""
        from recorder.export.archive import stream_zip
        from recorder.model.missing import show_missing
        from recorder.reading.absent import explained, look, refuse_gaps

        view, asked = self._app.view, wanted.range
        named = self._app.finder.named(wanted.camera, wanted.stream, wanted.site)
        check_here(self._context, Permission.FOOTAGE_EXPORT, named.stream.camera_id, asked)
        burn = burn_here(self._context, named.stream.camera_id, wanted, form)
        name, missing = named.stream, look(view, named, asked)
        if gaps == "fail":
            refuse_gaps(view, named, missing)
        about = {
            "site": name.site,
            "camera": name.camera,
            "stream": name.stream,
            "asked": show_range(asked),
            **show_missing(missing),
        }
        subject = Subject(name.site, name.camera, name.stream, asked)
        if form == "zip":
            with explained(view, named, asked):
                view.find_some(name, asked).close()
            self._note("footage.export", subject, format=form)
            yield Fetched(name.camera, stream_zip(view, name, missing), None, about)
        else:
            with self._whole(named, asked, form, burn, about) as fetched:
                yield fetched

    @contextlib.contextmanager
    def _whole(
        self, named: Named, asked: TimeRange, form: str, burn: Burn, about: dict[str, object]
    ) -> Iterator[Fetched]:
        """Open a clip that is one file."""
        from recorder.export.clip import make_clip, make_native
        from recorder.export.identity import show_part, show_sources, sources_digest
        from recorder.reading.absent import explained

        view, name = self._app.view, named.stream
        make = make_native if form == "fmp4" else make_clip
        subject = Subject(name.site, name.camera, name.stream, asked)
        with (
            explained(view, named, asked),
            view.find_some(name, asked) as found,
            contextlib.ExitStack() as stack,
        ):
            made = make(view, found, asked)
            self._note("footage.clip", subject, format=form, **burnt_said(burn))
            about |= {
                "parts": [show_part(part) for part in made.parts],
                "sources": show_sources(made.file.segments),
                "sources_sha256": sources_digest(made.file.segments).strip(),
            }
            if burn != NOTHING:
                copy = stack.enter_context(copy_here(self._app, made, burn))
                yield Fetched(name.camera, copy.blocks, copy.size, about)
                return
            yield Fetched(name.camera, made.read(), made.file.size, about)

    @contextlib.contextmanager
    def frame(self, wanted: Wanted, at: Instant, width: int) -> Iterator[Fetched]:
        """See :class:`FootageAnswers`."""
        from recorder.made import find_ffmpeg
        from recorder.playback.frame import grab
        from recorder.reading.absent import explained

        app = self._app
        named = app.finder.named(wanted.camera, wanted.stream, wanted.site)
        check_here(self._context, Permission.FOOTAGE_VIEW, named.stream.camera_id, wanted.range)
        burn = burn_here(self._context, named.stream.camera_id, wanted, "mp4")
        ffmpeg = find_ffmpeg(self._context.settings.capture.ffmpeg)
        with explained(app.view, named, wanted.range):
            found = grab(app.view, named.stream, at, ffmpeg, width)
        name, shown = named.stream, TimeRange(found.at, found.at + 1)
        subject = Subject(name.site, name.camera, name.stream, shown)
        self._note("footage.frame", subject, **burnt_said(burn))
        about = {"at": format_instant(found.at)}
        jpeg = (
            found.jpeg
            if burn == NOTHING
            else burnt_picture(found.jpeg, burn, ffmpeg, app.spool.root / SCRATCH)
        )
        yield Fetched(named.stream.camera, [jpeg], len(jpeg), about)


class FootageThere(There):
    """A server, by its API."""

    def timeline(self, wanted: Wanted, *, activity: bool) -> ShownTimeline:
        """See :class:`FootageAnswers`."""
        asked = wanted.range
        return self._client.timeline(
            wanted.named, asked.start, asked.end, stream=wanted.stream, activity=activity
        )

    def coverage(self, asked: TimeRange | None) -> list[ShownCovered]:
        """See :class:`FootageAnswers`."""
        if asked is None:
            now = parse_instant(self._client.answering()["now"])
            asked = TimeRange(day_start(now), now)
        return self._client.coverage(asked.start, asked.end)["cameras"]

    @contextlib.contextmanager
    def clip(self, wanted: Wanted, form: str, gaps: str) -> Iterator[Fetched]:
        """See :class:`FootageAnswers`."""
        download, about = self._opened(wanted, form, gaps)
        with download:
            camera = wanted.camera.rpartition("/")[2]
            yield Fetched(camera, download.blocks(), download.size, about)

    def _opened(self, wanted: Wanted, form: str, gaps: str) -> tuple[Download, dict[str, object]]:
        """Ask for a clip and for what is said of it, until both are of the same footage."""
        start, end = wanted.range.start, wanted.range.end
        asked: dict[str, Any] = {"stream": wanted.stream, "form": form}
        if wanted.masked or wanted.mark:  # it says so inside
            asked |= {"masked": wanted.masked, "mark": wanted.mark, "gaps": gaps}
            return self._client.clip(wanted.named, start, end, **asked), {}
        for _ in range(TRIES):
            download = self._client.clip(wanted.named, start, end, gaps=cast(Any, gaps), **asked)
            if form == "zip":  # it says so itself
                return download, {}
            said = self._client.clip_times(wanted.named, start, end, **asked)
            if said["etag"] == download.etag:
                told: dict[str, Any] = dict(said)
                return download, {key: told[key] for key in TOLD}
            download.close()
        raise NotYet("the clip's footage still grows", hint="ask again, or for an earlier end")

    @contextlib.contextmanager
    def frame(self, wanted: Wanted, at: Instant, width: int) -> Iterator[Fetched]:
        """See :class:`FootageAnswers`."""
        with self._client.frame(
            wanted.named,
            at,
            stream=wanted.stream,
            width=width or None,
            masked=wanted.masked,
            mark=wanted.mark,
        ) as download:
            about = {"at": download.at}
            camera = wanted.camera.rpartition("/")[2]
            yield Fetched(camera, download.blocks(), download.size, about)
