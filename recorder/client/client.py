"""The API as Python: what a platform service imports, and the command line from afar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

from recorder.client.asked import Moment, address_of, moment
from recorder.client.connection import PATIENCE_S, Connection
from recorder.client.download import Download, fetch

if TYPE_CHECKING:
    from recorder.api import shown as seen
    from recorder.model import shown

Form = Literal["mp4", "fmp4", "zip"]


class Client:
    """A recorder's API, as one caller.  Safe to share between threads; a context manager.

    A camera is named ``gate``, or ``post1/gate`` where several sites have one of its name.
    Every method raises the class of :mod:`recorder.errors` that the server's problem names:
    ``NotFound``, ``NoFootage``, ``NotYet``, ``NotAllowed``, ``StaleVersion`` …; and
    ``ServerUnreachable``.  What may succeed when it is asked again is asked again, for
    ``patience_s``.
    """

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        ca_file: str | None = None,
        patience_s: float = PATIENCE_S,
        purpose: str = "",
    ) -> None:
        """``server``: its URL, like ``https://recorder.example:8600``; ``token``: who asks;
        ``ca_file``: PEM of the CA that signed its certificate, where that is none that everybody
        trusts; ``purpose``: what it is for, which some grants want and the audit log keeps.
        """
        self._connection = Connection(server, token, ca_file, patience_s, purpose)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask any address below ``/api/v1``; return its JSON."""
        return self._connection.json(method, path, query, body, headers)

    def sign_in(self, name: str, password: str) -> tuple[seen.ShownMe, str]:
        """Sign in, and ask as this user from now on; return who that is, and the session's word.

        Raises: ``NotKnown``.
        """
        address = self._connection.address("/access/login")
        body = {"name": name, "password": password}
        answer = self._connection.open("POST", address, body=body)
        word = answer.headers.get("Set-Cookie", "").partition(";")[0].partition("=")[2]
        self._connection.show(word)
        return cast("seen.ShownMe", self._connection.read(answer)), word

    def sign_out(self) -> None:
        """End the session, or the token, that is shown."""
        self.ask("POST", "/access/logout", None, {})
        self._connection.show("")

    def answering(self) -> seen.ShownAnswering:
        """Return who answers: site, level, node, version; and the time there."""
        return cast("seen.ShownAnswering", self.ask("GET", "/answering"))

    # -- footage -----------------------------------------------------------------------------

    def timeline(
        self,
        camera: str,
        start: Moment,
        end: Moment = "now",
        *,
        stream: str | None = None,
        activity: bool = False,
    ) -> shown.ShownTimeline:
        """Return spans and gaps of a range, each gap with its cause."""
        query = {"start": moment(start), "end": moment(end), "stream": stream}
        if activity:
            query["activity"] = "true"
        return cast("shown.ShownTimeline", self._of(camera, "timeline", query))

    def clip(
        self,
        camera: str,
        start: Moment,
        end: Moment = "now",
        *,
        stream: str | None = None,
        form: Form = "mp4",
        gaps: Literal["skip", "fail"] = "skip",
        wait_s: float = 0,
    ) -> Download:
        """Fetch exactly the frames of a range; nothing is re-encoded.

        ``wait_s``: wait so long for footage that is about to come.  ``gaps="fail"``: refuse
        (``HasGaps``) when anything is missing.  Times like ``-90s`` count from each request: give
        fixed ones to wait.
        """
        query = {
            "start": moment(start),
            "end": moment(end),
            "stream": stream,
            "format": form,
            "gaps": gaps,
        }
        return self._footage(*address_of(camera, "clip.mp4", query), wait_s)

    def event_clip(
        self,
        event_id: str,
        *,
        before: str | None = None,
        after: str | None = None,
        camera: str | None = None,
        form: Form = "mp4",
        wait_s: float = 0,
    ) -> Download:
        """Fetch what an event touches, or ``before`` and ``after`` it (``"10s"``)."""
        query = {"before": before, "after": after, "camera": camera, "format": form}
        return self._footage(f"/events/{quote(event_id, '')}/clip.mp4", query, wait_s)

    def clip_times(
        self,
        camera: str,
        start: Moment,
        end: Moment = "now",
        *,
        stream: str | None = None,
        form: Form = "mp4",
    ) -> shown.ShownClip:
        """Return what a clip shows when: true times of each stretch, gaps, sources, digests."""
        query = {"start": moment(start), "end": moment(end), "stream": stream, "format": form}
        return cast("shown.ShownClip", self._of(camera, "clip.json", query))

    def frame(
        self,
        camera: str,
        at: Moment,
        *,
        stream: str | None = None,
        width: int | None = None,
        wait_s: float = 0,
    ) -> Download:
        """Fetch the picture on screen at a moment, as JPEG; ``at`` of it is its true time."""
        query = {"at": moment(at), "stream": stream, "width": width}
        return self._footage(*address_of(camera, "frame.jpg", query), wait_s)

    def strip(
        self, camera: str, start: Moment, end: Moment = "now", *, count: int = 8, width: int = 160
    ) -> shown.ShownStrip:
        """Return small pictures of a range, in one answer."""
        query = {"start": moment(start), "end": moment(end), "count": count, "width": width}
        return cast("shown.ShownStrip", self._of(camera, "strip", query))

    def coverage(self, start: Moment, end: Moment = "now") -> shown.ShownCoverage:
        """Return how much of what should have been recorded was, per camera and day."""
        query = {"start": moment(start), "end": moment(end)}
        return cast("shown.ShownCoverage", self.ask("GET", "/coverage", query))

    def _of(self, camera: str, what: str, query: Mapping[str, Any]) -> Any:
        return self.ask("GET", *address_of(camera, what, query))

    def _footage(self, path: str, query: dict[str, Any], wait_s: float) -> Download:
        return fetch(self._connection, path, query, wait_s)

    # -- cameras -----------------------------------------------------------------------------

    def cameras(
        self,
        *,
        site: str | None = None,
        group: str | None = None,
        state: str | None = None,
        text: str | None = None,
        below: bool = True,
    ) -> Iterator[seen.ShownCamera]:
        """Yield the cameras of the site and of all below it, each with how it does."""
        query = {"site": site, "group": group, "state": state, "q": text, "below": below}
        yield from self._connection.pages("/cameras", query)

    def camera(self, camera: str) -> seen.ShownCamera:
        """Return a camera's document and how it does; secrets are masked."""
        return cast("seen.ShownCamera", self.ask("GET", *address_of(camera)))

    def put_camera(
        self, name: str, document: Mapping[str, Any], *, new: bool = False
    ) -> seen.ShownChanged:
        """Add a camera, or replace its document; ``new``: only add (``StaleVersion``)."""
        headers = {"If-None-Match": "*"} if new else None
        path, query = address_of(name)
        return cast("seen.ShownChanged", self.ask("PUT", path, query, dict(document), headers))

    def change_camera(
        self, name: str, changes: Mapping[str, Any], *, dry_run: bool = False
    ) -> seen.ShownChanged:
        """Change some of a camera's document; the rest stays (RFC 7396)."""
        path, query = address_of(name, query={"dry_run": dry_run or None})
        return cast("seen.ShownChanged", self.ask("PATCH", path, query, dict(changes)))

    def remove_camera(self, name: str) -> None:
        """Stop recording a camera; its footage stays."""
        self.ask("DELETE", *address_of(name))

    # -- holds and events --------------------------------------------------------------------

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

    def holds(self) -> Iterator[shown.ShownHold]:
        """Yield all holds, released and expired ones too, newest first."""
        yield from self._connection.pages("/holds", {"limit": 1000})

    def release_hold(self, hold_id: str, by: str) -> None:
        """Release a hold; its record stays."""
        self.ask("DELETE", f"/holds/{quote(hold_id, '')}", {"by": by})

    def report_event(self, **event: Any) -> shown.ShownEvent:
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

    def points(self) -> Iterator[shown.ShownPoint]:
        """Yield alarm points and checkpoints."""
        yield from self._connection.pages("/points", {"limit": 1000})

    def put_point(self, name: str, body: Mapping[str, Any]) -> shown.ShownPoint:
        """Add or change a point: ``kind``, ``cameras``, ``pre``, ``post``."""
        return cast("shown.ShownPoint", self.ask("PUT", f"/points/{quote(name, '')}", None, body))

    def remove_point(self, name: str) -> None:
        """Remove a point; its events stay."""
        self.ask("DELETE", f"/points/{quote(name, '')}")

    # -- the site ----------------------------------------------------------------------------

    def policy(self) -> seen.ShownPolicy:
        """Return the policy in force.  Raises: ``NotFound``."""
        return cast("seen.ShownPolicy", self.ask("GET", "/policy"))

    def put_policy(self, document: Mapping[str, Any], author: str = "api") -> int:
        """Put a policy in force; return its version."""
        headers = {"X-Author": author}
        return int(self.ask("PUT", "/policy", body=dict(document), headers=headers)["version"])

    def forecast(self, document: Mapping[str, Any] | None = None) -> list[seen.ShownForecast]:
        """Return when each store is full, by default under the policy in force."""
        method = "GET" if document is None else "POST"
        return cast(
            "list[seen.ShownForecast]", self.ask(method, "/policy/forecast", None, document)
        )

    def explain(self, camera: str, at: Moment, *, stream: str | None = None) -> shown.ShownReasons:
        """Return why the footage of a moment is there and when it goes, or why it is not there."""
        query = {"at": moment(at), "stream": stream}
        return cast("shown.ShownReasons", self._of(camera, "explain", query))

    def nodes(self) -> list[seen.ShownNode]:
        """Return the nodes of the site and below."""
        return cast("list[seen.ShownNode]", self.ask("GET", "/nodes"))

    def sites(self) -> list[seen.ShownSite]:
        """Return the sites below and the parent, and how they are linked."""
        return cast("list[seen.ShownSite]", self.ask("GET", "/sites"))

    def stores(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return what lies in the stores, or in one, and for how long there is room."""
        if name is not None:
            return [self.ask("GET", f"/stores/{quote(name, '')}")]
        return cast("list[dict[str, Any]]", self.ask("GET", "/stores"))

    # -- the audit log -----------------------------------------------------------------------

    def audit(
        self,
        *,
        camera: str | None = None,
        site: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        who: str | None = None,
        action: str | None = None,
        result: str | None = None,
        oldest: bool = False,
        page: int = 1000,
    ) -> Iterator[seen.ShownLogged]:
        """Yield entries of the audit log, the newest first; ``who`` is like ``user:ana``."""
        query = {
            "camera": camera,
            "site": site,
            "who": who,
            "action": action,
            "result": result,
            "since": moment(since) if since is not None else None,
            "until": moment(until) if until is not None else None,
            "oldest": oldest or None,
            "limit": page,
        }
        yield from self._connection.pages("/audit", query)

    def checkpoint(self) -> str:
        """Return the audit log's newest checkpoint, a C2SP signed note: keep it elsewhere."""
        answer = self._connection.open("GET", self._connection.address("/audit/checkpoint"))
        return answer.read().decode()
