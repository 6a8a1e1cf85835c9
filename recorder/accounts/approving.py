"""Four eyes: requests are written down, and answered by another person."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from recorder.access.approvals import (
    ASKED_NS,
    MOST_ASKED,
    MOST_TEXT,
    Request,
    State,
    check_lasts,
    check_open,
)
from recorder.errors import NotFound, StateError, TooMany
from recorder.model.checks import check_text
from recorder.model.timebase import DAY
from recorder.ports import Approvals, Clock

SHOWN_NS = 30 * DAY
"""What is over is shown for so long; the audit log has it for ever."""


class ApprovalCatalog(Protocol):
    """The part of the catalog that keeps requests."""

    approvals: Approvals


def ask(catalog: ApprovalCatalog, clock: Clock, wanted: Request) -> Request:
    """Write a request down; its time begins now.

    Raises: ``TooMany``.
    """
    now = clock.now()
    if len(catalog.approvals.of(wanted.who, State.ASKED, now)) >= MOST_ASKED:
        raise TooMany(f"{MOST_ASKED} requests of yours wait for an answer", retry_after_s=60)
    made = replace(wanted, asked=now, until=now + ASKED_NS)
    catalog.approvals.add(made)
    catalog.approvals.sweep(now - SHOWN_NS)
    return made


def find(catalog: ApprovalCatalog, request_id: str) -> Request:
    """Return a request.

    Raises: ``NotFound``.
    """
    found = catalog.approvals.get(request_id)
    if found is None:
        raise missing(request_id)
    return found


def missing(request_id: str) -> NotFound:
    """Say that there is no such request, or none that one may know of."""
    return NotFound(f"no request {request_id[:64]!r}")


def approve(
    catalog: ApprovalCatalog, clock: Clock, request: Request, by: str, lasts_ns: int, most_ns: int
) -> Request:
    """Approve a request from now on, for so long.

    Raises: ``StateError``; ``RequestError``.
    """
    now = clock.now()
    check_open(request, now, to=State.APPROVED)
    until = now + check_lasts(lasts_ns, most_ns)
    made = replace(request, state=State.APPROVED, decided=now, by=by, until=until)
    return _decided(catalog, made, request)


def refuse(
    catalog: ApprovalCatalog, clock: Clock, request: Request, by: str, reason: object
) -> Request:
    """Refuse a request, or end what was approved.

    Raises: ``StateError``; ``RequestError``.
    """
    now = clock.now()
    check_open(request, now, to=State.REFUSED)
    why = check_text(reason, "reason", MOST_TEXT)
    made = replace(request, state=State.REFUSED, decided=now, by=by, reason=why)
    return _decided(catalog, made, request)


def withdraw(catalog: ApprovalCatalog, clock: Clock, request: Request) -> Request:
    """Take a request back, or what was approved: who asked needs it no more.

    Raises: ``StateError``.
    """
    now = clock.now()
    check_open(request, now, to=State.WITHDRAWN)
    made = replace(request, state=State.WITHDRAWN, decided=now, by=request.who)
    return _decided(catalog, made, request)


def _decided(catalog: ApprovalCatalog, made: Request, before: Request) -> Request:
    if not catalog.approvals.decide(made, before.state):
        raise StateError(
            f"request {made.request_id}: another person was faster",
            hint="recorder approval list shows how it was answered",
        )
    return made
