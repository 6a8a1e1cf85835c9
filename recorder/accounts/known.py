"""Who shows a word: looked up in the catalog, and remembered for some seconds."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from recorder.access.decide import Subject
from recorder.access.grants import parse_grants
from recorder.access.permissions import Permission
from recorder.access.words import SESSION, TOKEN, digest_of, is_word
from recorder.accounts.people import KINDS, PeopleCatalog
from recorder.errors import CatalogUnavailable, RecorderError
from recorder.failing import Repeated
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import MINUTE, Instant
from recorder.ports import Account, Clock, Credential

log = logging.getLogger("recorder.accounts")

LOOK_S = 3.0
"""What another process ends, or allows, is noticed here within it."""
MOST = 10_000
USED_NS = 5 * MINUTE
"""How often it is noted that something is used."""

Mode = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class Known:
    """Who shows something: as others see it, and what it may.

    ``until``: when what was shown ends.
    """

    caller: Caller
    subject: Subject
    until: Instant


class Knower:
    """Who is who; asks the catalog, so it is called from threads."""

    def __init__(
        self, catalog: PeopleCatalog, clock: Clock, mode: Mode, mark: Path, *, beyond: bool
    ) -> None:
        """``beyond``: others than this machine reach the API, or may sign in; ``mark``: a file that
        is there once access is on, for a start while the catalog is away.
        """
        self.catalog, self.clock, self._mark = catalog, clock, mark
        self.mode: Mode = "on" if beyond and mode == "auto" else mode
        self.on = self.mode != "off"
        """As far as is known, and while nothing is; once known to be on it stays on."""
        self.sure = self.mode != "auto"
        """Whether anything is known."""
        self._on_at = float("-inf")
        self._said = Repeated(clock.monotonic)
        self._found: OrderedDict[str, tuple[float, Known | None]] = OrderedDict()

    # -- whether anybody is asked --------------------------------------------------------------

    def said(self) -> bool | None:
        """Tell whether access is on, if that need not be looked up."""
        if self.mode != "auto" or (self.on and self.sure):
            return self.on
        return self.on if self.clock.monotonic() - self._on_at < LOOK_S else None

    def look_whether(self) -> bool:
        """Look up whether access is on: said so, or there is an account.

        While the catalog is away nothing becomes known, and it stays as it was; while the disk is
        that has the mark, everybody is asked.
        """
        try:
            if not self.sure:
                there = _is_there(self._mark)
                self.on, self.sure = there is not False, there is not None
            self.on = self.on or (self.mode == "auto" and self.catalog.accounts.any())
            self._said.news("users", [])
        except CatalogUnavailable as exc:
            for why in self._said.news("users", [str(exc)]):
                log.warning("nobody knows whether there are users", extra={"reason": why})
        self.put_off()
        if self.on and self.sure and self.mode == "auto":
            with contextlib.suppress(OSError):  # it counts for this process all the same
                if not self._mark.exists():
                    self._mark.touch(mode=0o600)
        return self.on

    def put_off(self) -> None:
        """Ask no more for a while."""
        self._on_at = self.clock.monotonic()

    # -- who it is -----------------------------------------------------------------------------

    def remembered(self, word: str) -> tuple[bool, Known | None]:
        """Return whether a word was looked up a moment ago, and what was found."""
        if not _may_be(word):
            return True, None
        at, found = self._found.get(digest_of(word), (float("-inf"), None))
        if self.clock.monotonic() - at >= LOOK_S:
            return False, None
        return True, self._in_time(found)

    def look_up(self, word: str) -> Known | None:
        """Return who shows a word, session or token; ``None``: it does not count.

        Raises: ``CatalogUnavailable``.
        """
        if not _may_be(word):
            return None
        digest = digest_of(word)
        credential = self.catalog.credentials.by_digest(digest)
        found = self._known(credential) if credential is not None else None
        self._found[digest] = (self.clock.monotonic(), found)
        self._found.move_to_end(digest)
        while len(self._found) > MOST:
            self._found.popitem(last=False)
        return found

    def forget(self) -> None:
        """Look everything up anew: something was changed here."""
        self._found.clear()
        self._on_at = float("-inf")

    def _in_time(self, found: Known | None) -> Known | None:
        return found if found is not None and self.clock.now() < found.until else None

    def _known(self, credential: Credential) -> Known | None:
        now = self.clock.now()
        right = credential.kind in (KINDS[SESSION], KINDS[TOKEN])
        account = self.catalog.accounts.get(credential.account)
        if not right or not credential.counts(now) or account is None or account.closed is not None:
            return None
        if credential.used is None or not 0 <= now - credential.used < USED_NS:
            self._note_use(credential, now)
        ends = (credential.expires, credential.ended)
        until = min(one for one in ends if one is not None)
        only = credential.only
        limited = None if only is None else frozenset(map(Permission, only))
        subject = replace(subject_of(account), only=limited)
        kind = CallerKind.USER if account.kind == "user" else CallerKind.SERVICE
        return Known(Caller(kind, account.name, session=credential.credential_id), subject, until)

    def _note_use(self, credential: Credential, now: Instant) -> None:
        try:
            self.catalog.credentials.use(credential.credential_id, now)
        except RecorderError as exc:  # it counts all the same
            log.warning("not noted when it was used", extra={"reason": str(exc)})


def _is_there(mark: Path) -> bool | None:
    """Tell whether a file is there; ``None`` where its disk does not say."""
    try:
        mark.lstat()
    except FileNotFoundError:
        return False
    except OSError as exc:
        log.warning("not known whether there are users", extra={"reason": str(exc)})
        return None
    return True


def _may_be(word: str) -> bool:
    return is_word(word, SESSION) or is_word(word, TOKEN)


def subject_of(account: Account) -> Subject:
    """Return what an account may."""
    return Subject(f"{account.kind}:{account.name}", parse_grants(account.grants))


def show_known(known: Known) -> Mapping[str, object]:
    """Say who somebody is, to himself."""
    permissions = {one for grant in known.subject.grants for one in grant.permissions}
    only = known.subject.only
    return {
        "kind": known.caller.kind.value,
        "name": known.caller.name,
        "permissions": sorted(permissions if only is None else permissions & only),
    }
