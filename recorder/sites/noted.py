"""What the parent changes here stands in the audit log, as a site's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recorder.audit.entry import Result, Subject
from recorder.logbook.book import Book
from recorder.logbook.subjects import document_details, hold_details, hold_subject
from recorder.logbook.witness import Vouched
from recorder.model.caller import Caller, CallerKind
from recorder.model.holds import Hold


class FromAbove:
    """Writes entries for what comes down, and has the log vouched for above.

    Without a book it writes nothing, without ``vouched`` it says nothing of the log.
    """

    def __init__(
        self, book: Callable[[], Book] | None = None, vouched: Vouched | None = None
    ) -> None:
        self._book, self._vouched = book, vouched

    def said(self) -> dict[str, object] | None:
        """Say how far the log is, for the parent to countersign."""
        return self._vouched.said() if self._vouched is not None else None

    def heard(self, answer: object) -> None:
        """Take in what the parent says of the log."""
        if self._vouched is not None:
            self._vouched.heard(answer)

    def policy(self, parent: str, body: Mapping[str, object], *, refused: str = "") -> None:
        """A policy takes the place of this site's, or may not.  Raises: ``AuditUnavailable``."""
        details = document_details(body)
        if refused:
            details["reason"] = refused
        about, result = Subject(name="policy"), Result.REFUSED if refused else Result.ALLOWED
        self._note(parent, "policy.set", about, result, **details)

    def camera(self, parent: str, site: str, name: str, *, gone: bool, own: bool) -> None:
        """A camera is asked for, or is to go.  Raises: ``AuditUnavailable``."""
        verbs = ("camera.change", "camera.remove") if own else ("camera.ask", "camera.ask-remove")
        self._note(parent, verbs[gone], Subject(site, name))

    def hold(self, parent: str, hold: Hold, known: Hold | None) -> None:
        """A hold is placed or released, if it is not known so.  Raises: ``AuditUnavailable``."""
        if known is None:
            self._note(parent, "hold.add", hold_subject(hold), **hold_details(hold))
        if hold.released is not None and (known is None or known.released is None):
            about = Subject(name=hold.hold_id)
            self._note(parent, "hold.release", about, by=hold.released_by)

    def _note(
        self,
        parent: str,
        action: str,
        subject: Subject,
        result: Result = Result.ALLOWED,
        **details: object,
    ) -> None:
        if self._book is not None:
            self._book().note(Caller(CallerKind.SITE, parent), action, subject, result, **details)
