"""Where the commands about holds, events and points get their answers: this node, or a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from recorder.audit.entry import Subject
from recorder.cli.whom import Here, There, ask, named
from recorder.clock import new_id
from recorder.errors import NotFound, StateError
from recorder.logbook.subjects import event_subject, hold_details, hold_subject
from recorder.model.event_changes import changed_event, check_own
from recorder.model.events import (
    Event,
    check_same,
    parse_event,
    parse_point,
    show_event,
    show_point,
)
from recorder.model.holds import parse_hold, show_hold
from recorder.model.keys import CameraId, read_camera_id
from recorder.model.timebase import Instant, TimeRange
from recorder.reading.named import read_asked

if TYPE_CHECKING:
    from recorder.cli.context import Context
    from recorder.model.shown import ShownEvent, ShownHeld, ShownHold, ShownPoint


PAGE = 1000


class MarkAnswers(Protocol):
    """What the commands about marks are answered with; ``body`` as the API takes it."""

    def hold(self, body: dict[str, object], site: str | None) -> ShownHeld:
        """Hold footage."""

    def holds(self, *, every: bool) -> list[ShownHold]:
        """Return what holds now, newest first; ``every``: released and expired ones, too."""

    def release(self, hold_id: str, by: str) -> None:
        """Release a hold."""

    def report(self, body: dict[str, object], site: str | None) -> tuple[ShownEvent, bool]:
        """Report an event; tell whether it is new."""

    def events(
        self, asked: TimeRange, cameras: Sequence[str], site: str | None, kind: str | None
    ) -> list[ShownEvent]:
        """Return the events that touch a range; of a kind, or all."""

    def event(self, event_id: str) -> ShownEvent:
        """Return an event."""

    def change_event(self, event_id: str, patch: dict[str, object]) -> ShownEvent:
        """Change an event."""

    def remove_event(self, event_id: str) -> None:
        """Remove an event."""

    def put_point(self, name: str, body: dict[str, Any], site: str | None) -> ShownPoint:
        """Add or change a point."""

    def points(self) -> list[ShownPoint]:
        """Return all points."""

    def remove_point(self, name: str) -> None:
        """Remove a point."""


def answers(context: Context) -> MarkAnswers:
    """Return whom the commands ask."""
    return ask(context, MarkHere, MarkThere)


class MarkHere(Here):
    """The node on this machine: its catalog."""

    @cached_property
    def _labels(self) -> dict[str, str]:
        return self._app.catalog.cameras.labels()

    def hold(self, body: dict[str, Any], site: str | None) -> ShownHeld:
        """See :class:`MarkAnswers`."""
        from recorder.janitor.holding import place, show_with_footage

        app, now = self._app, self._app.clock.now()
        body = {**body, "cameras": list(app.finder.cameras_of(body["cameras"], site))}
        wanted = parse_hold(body, new_id(), now)
        with self._doing("hold.add", hold_subject(wanted), **hold_details(wanted)):
            held, _ = place(app.catalog.holds, wanted)
        return cast("ShownHeld", show_with_footage(app.catalog, held, now, app.settings.law))

    def holds(self, *, every: bool) -> list[ShownHold]:
        """See :class:`MarkAnswers`."""
        now = self._app.clock.now()
        holds = self._app.catalog.holds
        found = holds.all() if every else holds.live(now)
        return [show_hold(one, now, self._labels) for one in found]

    def release(self, hold_id: str, by: str) -> None:
        """See :class:`MarkAnswers`."""
        from recorder.janitor.holding import release

        with self._doing("hold.release", Subject(name=hold_id), by=by):
            release(self._app.catalog, hold_id, by, self._app.clock.now())

    def report(self, body: dict[str, Any], site: str | None) -> tuple[ShownEvent, bool]:
        """See :class:`MarkAnswers`."""
        from recorder.janitor.kinds import kind_doubt

        app, named = self._app, body.get("point")
        point = app.catalog.points.get(named) if named else None
        if named and point is None:
            raise NotFound(f"no point {named!r}", hint="recorder point list shows those there are")
        if body.get("camera") is not None:
            body = {**body, "camera": str(read_asked(body["camera"], site))}
        made = parse_event(body, point, new_id(), app.settings.site, app.clock.now())
        made = app.finder.touched_by(made, by_point=point is not None)
        with self._doing("event.add", event_subject(made), kind=made.kind):
            new = app.catalog.events.add(made, None)
        known = made if new else app.catalog.events.get(made.event_id)
        if known is None:
            said = f"event {made.event_id!r} was removed"
            raise StateError(said, hint="send it with another id")
        if not new:
            check_same(made, known, body)
        shown = show_event(known, self._labels)
        doubt = kind_doubt(app.catalog.documents, made.kind) if new else ""
        return {**shown, "warnings": [doubt]} if doubt else shown, new

    def events(
        self, asked: TimeRange, cameras: Sequence[str], site: str | None, kind: str | None
    ) -> list[ShownEvent]:
        """See :class:`MarkAnswers`."""
        named = [read_camera_id(one) for one in self._app.finder.cameras_of(cameras, site)]
        return [show_event(one, self._labels) for one in self._touching(asked, named, kind)]

    def _touching(
        self, asked: TimeRange, cameras: Sequence[CameraId], kind: str | None
    ) -> Iterator[Event]:
        after: tuple[Instant, str] | None = None
        while page := self._app.catalog.events.page(asked, cameras, kind, after, PAGE):
            yield from page
            after = page[-1].range.start, page[-1].event_id

    def event(self, event_id: str) -> ShownEvent:
        """See :class:`MarkAnswers`."""
        return show_event(self._found(event_id), self._labels)

    def change_event(self, event_id: str, patch: dict[str, object]) -> ShownEvent:
        """See :class:`MarkAnswers`."""
        found = self._ours(event_id)
        change = partial(changed_event, patch=patch, now=self._app.clock.now())
        with self._doing("event.change", event_subject(found), fields=sorted(patch)):
            changed = self._app.catalog.events.change(event_id, change)
        return show_event(changed, self._labels)

    def remove_event(self, event_id: str) -> None:
        """See :class:`MarkAnswers`."""
        found = self._ours(event_id)
        with self._doing("event.remove", event_subject(found), kind=found.kind):
            self._app.catalog.events.remove(event_id, self._app.clock.now())

    def _ours(self, event_id: str) -> Event:
        found = self._found(event_id)
        check_own(found, self._app.settings.site)
        return found

    def _found(self, event_id: str) -> Event:
        found = self._app.catalog.events.get(event_id)
        if found is None:
            hint = "recorder event list shows those of a range"
            raise NotFound(f"no event {event_id!r}", hint=hint)
        return found

    def put_point(self, name: str, body: dict[str, Any], site: str | None) -> ShownPoint:
        """See :class:`MarkAnswers`."""
        linked = list(self._app.finder.cameras_of(body["cameras"], site, ahead=True))
        made = parse_point(name, {**body, "cameras": linked})
        with self._doing("point.set", Subject(name=name), cameras=linked):
            return show_point(self._app.catalog.points.put(made), self._labels)

    def points(self) -> list[ShownPoint]:
        """See :class:`MarkAnswers`."""
        return [show_point(one, self._labels) for one in self._app.catalog.points.all()]

    def remove_point(self, name: str) -> None:
        """See :class:`MarkAnswers`."""
        with self._doing("point.remove", Subject(name=name)):
            if not self._app.catalog.points.delete(name):
                hint = "recorder point list shows those there are"
                raise NotFound(f"no point {name!r}", hint=hint)


class MarkThere(There):
    """A server, by its API."""

    def hold(self, body: dict[str, Any], site: str | None) -> ShownHeld:
        """See :class:`MarkAnswers`."""
        rest = {key: value for key, value in body.items() if key not in ("cameras", "id")}
        cameras = [named(one, site) for one in body["cameras"]]
        return self._client.hold(cameras, hold_id=body.get("id"), **rest)

    def holds(self, *, every: bool) -> list[ShownHold]:
        """See :class:`MarkAnswers`."""
        return list(self._client.holds(every=every))

    def release(self, hold_id: str, by: str) -> None:
        """See :class:`MarkAnswers`."""
        self._client.release_hold(hold_id, by)

    def report(self, body: dict[str, Any], site: str | None) -> tuple[ShownEvent, bool]:
        """See :class:`MarkAnswers`."""
        if body.get("camera") is not None:
            body = {**body, "camera": named(body["camera"], site)}
        return self._client.report_event_once(**body)

    def events(
        self, asked: TimeRange, cameras: Sequence[str], site: str | None, kind: str | None
    ) -> list[ShownEvent]:
        """See :class:`MarkAnswers`."""
        asked_for = [named(one, site) for one in cameras]
        return list(self._client.events(asked.start, asked.end, cameras=asked_for, kind=kind))

    def event(self, event_id: str) -> ShownEvent:
        """See :class:`MarkAnswers`."""
        return self._client.event(event_id)

    def change_event(self, event_id: str, patch: dict[str, object]) -> ShownEvent:
        """See :class:`MarkAnswers`."""
        return self._client.change_event(event_id, **patch)

    def remove_event(self, event_id: str) -> None:
        """See :class:`MarkAnswers`."""
        self._client.remove_event(event_id)

    def put_point(self, name: str, body: dict[str, Any], site: str | None) -> ShownPoint:
        """See :class:`MarkAnswers`."""
        linked = [named(one, site) for one in body["cameras"]]
        return self._client.put_point(name, {**body, "cameras": linked})

    def points(self) -> list[ShownPoint]:
        """See :class:`MarkAnswers`."""
        return list(self._client.points())

    def remove_point(self, name: str) -> None:
        """See :class:`MarkAnswers`."""
        self._client.remove_point(name)
