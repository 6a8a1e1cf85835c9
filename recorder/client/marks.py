"""Holds, events and points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from recorder.client.asked import Moment, moment
from recorder.client.asking import Asking

if TYPE_CHECKING:
    from recorder.model import shown


class MarksAsking(Asking):
    """Asks about holds, events and points."""

    def hold(
        self,
        cameras: Sequence[str],
        start: Moment,
        end: Moment,
        *,
        case: str,
        reason: str,
        owner: str,
        expires: Moment | None = None,
        hold_id: str | None = None,
    ) -> shown.ShownHeld:
        """Hold a range: nothing in it is deleted.  With ``hold_id``, the same again is no other."""
        body = {
            "cameras": list(cameras),
            "start": moment(start),
            "end": moment(end),
            "case": case,
            "reason": reason,
            "owner": owner,
            "expires": moment(expires) if expires is not None else None,
            "id": hold_id,
        }
        given = {key: value for key, value in body.items() if value is not None}
        return cast("shown.ShownHeld", self.ask("POST", "/holds", body=given))

    def holds(self, *, every: bool = False) -> Iterator[shown.ShownHold]:
        """Yield what holds now, newest first; ``every``: released and expired ones, too."""
        asked: dict[str, object] = {"limit": 1000}
        yield from self._connection.pages("/holds", asked | ({"all": True} if every else {}))

    def release_hold(self, hold_id: str, by: str) -> None:
        """Release a hold; its record stays."""
        self.ask("DELETE", f"/holds/{quote(hold_id, '')}", {"by": by})

    def report_event(self, **event: object) -> shown.ShownEvent:
        """Report an event: ``camera`` or ``point``, ``kind``, ``at``, ``pre``, ``post``, ``id``."""
        return self.report_event_once(**event)[0]

    def report_event_once(self, **event: Any) -> tuple[shown.ShownEvent, bool]:
        """Report an event; tell whether it was new: with an ``id``, the same again is not."""
        for key in ("at", "start", "end"):
            if isinstance(event.get(key), (datetime, int)):
                event[key] = moment(event[key])
        address = self._connection.address("/events")
        answer = self._connection.open("POST", address, body=event)
        new = answer.status == 201
        return cast("shown.ShownEvent", self._connection.read(answer)), new

    def events(
        self,
        start: Moment,
        end: Moment = "now",
        *,
        cameras: Sequence[str] = (),
        kind: str | None = None,
    ) -> Iterator[shown.ShownEvent]:
        """Yield the events whose footage touches a range."""
        query = {
            "start": moment(start),
            "end": moment(end),
            "camera": list(cameras) or None,
            "kind": kind,
        }
        yield from self._connection.pages("/events", query)

    def event(self, event_id: str) -> shown.ShownEvent:
        """Read an event."""
        return cast("shown.ShownEvent", self.ask("GET", f"/events/{quote(event_id, '')}"))

    def change_event(self, event_id: str, **patch: Any) -> shown.ShownEvent:
        """Change what is named: ``kind``, ``start``, ``end``, ``pre``, ``post``, ``attributes``."""
        for key in ("start", "end"):
            if isinstance(patch.get(key), (datetime, int)):
                patch[key] = moment(patch[key])
        path = f"/events/{quote(event_id, '')}"
        return cast("shown.ShownEvent", self.ask("PATCH", path, body=patch))

    def remove_event(self, event_id: str) -> None:
        """Remove an event: what it touched is kept as if it had not happened."""
        self.ask("DELETE", f"/events/{quote(event_id, '')}")

    def points(self) -> Iterator[shown.ShownPoint]:
        """Yield alarm points and checkpoints."""
        yield from self._connection.pages("/points", {"limit": 1000})

    def put_point(self, name: str, body: Mapping[str, Any]) -> shown.ShownPoint:
        """Add or change a point: ``kind``, ``cameras``, ``pre``, ``post``."""
        return cast("shown.ShownPoint", self.ask("PUT", f"/points/{quote(name, '')}", None, body))

    def remove_point(self, name: str) -> None:
        """Remove a point; its events stay."""
        self.ask("DELETE", f"/points/{quote(name, '')}")
