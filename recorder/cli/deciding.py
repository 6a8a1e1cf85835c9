"""Where the commands about policy get their answers: this node, or a server."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, Protocol, cast

from policies.document import Policy
from policies.doubts import notes
from policies.read import parse_policy
from recorder.audit.entry import Subject
from recorder.cli.whom import Here, There, ask
from recorder.janitor import deciding, explained
from recorder.janitor.margins import room_said
from recorder.janitor.proposed import show_forecasts, show_plans
from recorder.logbook.subjects import document_details
from recorder.model.timebase import Instant, format_instant

if TYPE_CHECKING:
    from recorder.api.shown_policy import ShownChecked, ShownDryRun, ShownForecast, ShownPolicy
    from recorder.cli.context import Context
    from recorder.cli.finding import Wanted
    from recorder.model.shown import ShownEntry, ShownReasons

Body = dict[str, object]


class PolicyAnswers(Protocol):
    """What the commands about policy are answered with; ``body``: a proposed document."""

    def check(self, body: Body) -> ShownChecked:
        """Check a document, and whether there is room for it."""

    def put(self, body: Body) -> int:
        """Put a document in force; return its version."""

    def show(self) -> ShownPolicy:
        """Return the document in force."""

    def plan(self, body: Body | None) -> list[ShownDryRun]:
        """Return what a document, by default the one in force, would do."""

    def forecast(self, body: Body | None) -> list[ShownForecast]:
        """Return when each store is full."""

    def apply(self, *, stopped_too: bool) -> dict[str, Any]:
        """Carry the document in force out."""

    def explain(self, wanted: Wanted, at: Instant) -> ShownReasons:
        """Return why footage is there, or is not."""

    def log(self, limit: int) -> list[ShownEntry]:
        """Return the newest deletions."""


def answers(context: Context) -> PolicyAnswers:
    """Return whom the commands ask."""
    return ask(context, PolicyHere, PolicyThere)


class PolicyHere(Here):
    """The node on this machine."""

    def _read(self, body: Body) -> Policy:
        """Read a document; refuse one that breaks the law here, too."""
        return parse_policy(body, law=self._settings.law)

    def _policy(self, body: Body | None) -> Policy:
        if body is not None:
            return self._read(body)
        return deciding.policy_that_is_set(self._app.catalog.documents)

    def check(self, body: Body) -> ShownChecked:
        """See :class:`PolicyAnswers`."""
        found, settings = self._read(body), self._settings
        said: dict[str, list[str]] = {}
        levels, groups = None, None
        if settings.catalog or (settings.data / "catalog.db").exists():  # else nothing is recorded
            app = self._app
            now, levels, groups = app.clock.now(), set(app.levels), app.catalog.cameras.groups()
            said = room_said(
                app.catalog, app.planned_stores, found, settings.level, now, app.grace_ns
            )
        rules = [rule.name for rule in found.rules]
        return {"ok": True, "rules": rules, "room": said, "notes": notes(found, levels, groups)}

    def put(self, body: Body) -> int:
        """See :class:`PolicyAnswers`."""
        self._read(body)
        app = self._app
        with self._doing("policy.set", Subject(name="policy"), **document_details(body)):
            stored = app.catalog.documents.put("policy", body, getpass.getuser(), app.clock.now())
        return stored.version

    def show(self) -> ShownPolicy:
        """See :class:`PolicyAnswers`."""
        self._policy(None)
        document = self._app.catalog.documents.newest("policy")
        assert document is not None  # noqa: S101 - it is in force
        return {
            "version": document.version,
            "author": document.author,
            "at": format_instant(document.at, 3),
            "body": dict(document.body),
        }

    def plan(self, body: Body | None) -> list[ShownDryRun]:
        """See :class:`PolicyAnswers`."""
        app, proposed = self._app, self._policy(body)
        found = show_plans(
            app.catalog,
            app.planned_stores,
            proposed if body is not None else None,
            self._settings.level,
            app.clock.now(),
            app.grace_ns,
        )
        return cast("list[ShownDryRun]", found)

    def forecast(self, body: Body | None) -> list[ShownForecast]:
        """See :class:`PolicyAnswers`."""
        app, found = self._app, self._policy(body)
        level, now = self._settings.level, app.clock.now()
        shown = show_forecasts(app.catalog, app.planned_stores, found, level, now, app.grace_ns)
        return cast("list[ShownForecast]", shown)

    def apply(self, *, stopped_too: bool) -> dict[str, object]:
        """See :class:`PolicyAnswers`."""
        from recorder.jobs import retention  # capture and all, which no other command here needs

        about = Subject(name="policy")
        self._settings.law.check(self._policy(None))
        with self._doing("policy.apply", about, stopped_too=stopped_too):
            return dict(retention.apply_policy(self._app, stopped_too=stopped_too))

    def explain(self, wanted: Wanted, at: Instant) -> ShownReasons:
        """See :class:`PolicyAnswers`."""
        app = self._app
        segment, said = explained.explain_moment(app, wanted.camera, wanted.stream, at, wanted.site)
        return {"camera": wanted.camera, "at": format_instant(at), "segment": segment, "said": said}

    def log(self, limit: int) -> list[ShownEntry]:
        """See :class:`PolicyAnswers`."""
        return [explained.show_entry(one) for one in self._app.catalog.audit.newest(limit)]


class PolicyThere(There):
    """A server, by its API."""

    def check(self, body: Body) -> ShownChecked:
        """See :class:`PolicyAnswers`."""
        return cast("ShownChecked", self._client.ask("POST", "/policy/check", None, body))

    def put(self, body: Body) -> int:
        """See :class:`PolicyAnswers`."""
        return self._client.put_policy(body, getpass.getuser())

    def show(self) -> ShownPolicy:
        """See :class:`PolicyAnswers`."""
        return self._client.policy()

    def plan(self, body: Body | None) -> list[ShownDryRun]:
        """See :class:`PolicyAnswers`."""
        path = "/policy/plan"
        asked = self._client
        found = asked.listed(path) if body is None else asked.ask("POST", path, None, body)
        return cast("list[ShownDryRun]", found)

    def forecast(self, body: Body | None) -> list[ShownForecast]:
        """See :class:`PolicyAnswers`."""
        return self._client.forecast(body)

    def apply(self, *, stopped_too: bool) -> dict[str, object]:
        """See :class:`PolicyAnswers`."""
        query = {"yes": True} if stopped_too else {}
        return cast("dict[str, Any]", self._client.ask("POST", "/policy/apply", query, {}))

    def explain(self, wanted: Wanted, at: Instant) -> ShownReasons:
        """See :class:`PolicyAnswers`."""
        return self._client.explain(wanted.named, at, stream=wanted.stream)

    def log(self, limit: int) -> list[ShownEntry]:
        """See :class:`PolicyAnswers`."""
        return self._client.policy_log(limit)
