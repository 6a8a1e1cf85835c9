"""Where the commands about approvals get their answers: this node, or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from recorder.access.approvals import show_request
from recorder.errors import RequestError
from recorder.logbook.asked import request_details, request_subject
from recorder.model.timebase import TimeRange, parse_duration

if TYPE_CHECKING:
    from recorder.access.approvals import Request
    from recorder.api.shown import ShownApproval
    from recorder.cli.context import Context
    from recorder.client import Client


class ApprovalAnswers(Protocol):
    """What the commands about approvals are answered with."""

    def ask(self, camera: str, action: str, asked: TimeRange, purpose: str) -> ShownApproval:
        """Ask for an approval."""

    def all(self) -> list[ShownApproval]:
        """Return requests, the newest first."""

    def approve(self, request_id: str, lasts: str) -> ShownApproval:
        """Approve a request."""

    def refuse(self, request_id: str, reason: str) -> ShownApproval:
        """Refuse a request, or end what was approved."""

    def withdraw(self, request_id: str) -> ShownApproval:
        """Take one's own request back."""


def answers(context: Context) -> ApprovalAnswers:
    """Return whom the commands ask."""
    return There(context.client) if context.client is not None else Here(context)


class Here:
    """The node on this machine: its catalog."""

    def __init__(self, context: Context) -> None:
        self._context, self._app = context, context.app

    def ask(self, camera: str, action: str, asked: TimeRange, purpose: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        raise RequestError(
            "on the node itself nothing needs an approval",
            hint="ask as yourself: recorder --server https://… approval ask",
        )

    def all(self) -> list[ShownApproval]:
        """See :class:`ApprovalAnswers`."""
        return [self._shown(one) for one in self._app.catalog.approvals.all()]

    def approve(self, request_id: str, lasts: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        from recorder.accounts import approving

        app, by = self._app, str(self._context.me)
        found = approving.find(app.catalog, request_id)
        lasts_ns = parse_duration(lasts, "lasts")
        about, details = request_subject(found), request_details(found)
        with self._context.doing("approval.approve", about, **details):
            most_ns = app.settings.api.limits.approval_ns
            made = approving.approve(app.catalog, app.clock, found, by, lasts_ns, most_ns)
        return self._shown(made)

    def refuse(self, request_id: str, reason: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        from recorder.accounts import approving

        app, by = self._app, str(self._context.me)
        found = approving.find(app.catalog, request_id)
        about, details = request_subject(found), request_details(found)
        with self._context.doing("approval.refuse", about, **details, reason=reason):
            return self._shown(approving.refuse(app.catalog, app.clock, found, by, reason))

    def withdraw(self, request_id: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        raise RequestError(
            "on the node itself nobody has asked for an approval",
            hint="as yourself: recorder --server https://… approval withdraw; here: refuse",
        )

    def _shown(self, request: Request) -> ShownApproval:
        label = self._app.finder.label(request.camera, None)
        return cast("ShownApproval", show_request(request, self._app.clock.now(), label))


class There:
    """A server, by its API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, camera: str, action: str, asked: TimeRange, purpose: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        return self._client.ask_approval(camera, action, asked.start, asked.end, purpose)

    def all(self) -> list[ShownApproval]:
        """See :class:`ApprovalAnswers`."""
        return self._client.approvals()

    def approve(self, request_id: str, lasts: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        return self._client.approve(request_id, lasts)

    def refuse(self, request_id: str, reason: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        return self._client.refuse(request_id, reason)

    def withdraw(self, request_id: str) -> ShownApproval:
        """See :class:`ApprovalAnswers`."""
        return self._client.withdraw(request_id)
