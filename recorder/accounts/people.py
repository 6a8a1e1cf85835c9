"""Accounts of people and services, and what they are given: words that are shown once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from recorder.access.grants import parse_grants, read_permission
from recorder.access.permissions import ROLES, Role
from recorder.access.words import (
    CODE,
    INVITATION,
    JOINING,
    SESSION,
    TOKEN,
    digest_of,
    make_word,
)
from recorder.accounts.changing import change, version_of
from recorder.accounts.passwords import check_password, hash_password
from recorder.clock import chance, new_id
from recorder.errors import (
    BadDocument,
    NotFound,
    RequestError,
    StaleVersion,
    StateError,
)
from recorder.limits import LimitsPart
from recorder.model.checks import check_text
from recorder.model.keys import check_name
from recorder.model.timebase import DAY, format_duration
from recorder.ports import Account, Accounts, Clock, Credential, Credentials

TOKEN_NS = 90 * DAY
"""If nothing else is said."""
SWEPT_NS = 30 * DAY
"""What counts no more is shown for so long."""
USER, SERVICE = "user", "service"
KINDS = {
    SESSION: "session",
    TOKEN: "token",
    INVITATION: "invitation",
    JOINING: "joining",
    CODE: "code",
}


class PeopleCatalog(Protocol):
    """The parts of the catalog that know people."""

    accounts: Accounts
    credentials: Credentials


class People:
    """Accounts, and what they show; every change is one transaction."""

    def __init__(
        self,
        catalog: PeopleCatalog,
        clock: Clock,
        limits: LimitsPart | None = None,
        chance: Callable[[int], bytes] = chance,
    ) -> None:
        self.catalog, self.clock, self._chance = catalog, clock, chance
        self.limits = limits or LimitsPart()

    # -- accounts ------------------------------------------------------------------------------

    def get(self, name: str) -> Account:
        """Return an account that is open.

        Raises: ``NotFound``.
        """
        found = self.catalog.accounts.get(name)
        if found is None or found.closed is not None:
            raise NotFound(f"no user {name!r}", hint="recorder user list shows those there are")
        return found

    def put(
        self,
        name: str,
        grants: object,
        kind: str = USER,
        *,
        only_new: bool = False,
        expected: str | None = None,
    ) -> tuple[Account, bool]:
        """Add an account, or change its grants unless it is to be new; true when it is.

        ``expected``: only where what it may is of this version (:func:`version_of`).
        Raises: ``BadDocument``; ``RequestError``; ``StateError``, ``StaleVersion``.
        """
        if (known := self.catalog.accounts.get(name)) is not None:
            self.own(known, "grants")
        check_name(name, "user")
        if kind not in (USER, SERVICE):
            raise BadDocument(f"kind: {kind[:64]!r} is none", hint="user or service")
        parse_grants(grants)
        assert isinstance(grants, Sequence)  # noqa: S101 - else they were refused
        fresh = Account(name, kind, list(grants), self.clock.now())
        if expected is None and self.catalog.accounts.add(fresh):
            return fresh, True
        if only_new:
            raise StaleVersion(
                f"user {name!r}: there is, or was, one",
                hint="recorder user grant says anew what one may; recorder user list shows all",
            )

        def granted(old: Account) -> Account:
            if old.closed is not None or old.kind != kind:
                raise StateError(
                    f"user {name!r}: the name was given before",
                    hint="take another: what was done under a name stays its own",
                )
            if expected not in (None, version_of(old)):
                raise StaleVersion(
                    f"user {name!r}: what it may was changed meanwhile",
                    hint="read it again, then say anew what it may",
                )
            if not _is_admin(fresh):
                self._keep_an_admin(old)
            return replace(old, grants=fresh.grants)

        return change(self.catalog.accounts, name, granted), False

    def close(self, name: str) -> None:
        """Close an account; what it shows counts no more, its name is never given again.

        Raises: ``NotFound``; ``StateError`` for the last admin.
        """
        self.get(name)
        now = self.clock.now()

        def closed(old: Account) -> Account:
            self._keep_an_admin(old)
            return replace(old, closed=now, password="")

        change(self.catalog.accounts, name, closed)
        self.catalog.credentials.end_all(name, now)

    @staticmethod
    def own(account: Account, what: str) -> Account:
        """Refuse what somebody whom a provider vouches for has from there, or not at all."""
        if account.identity:
            raise StateError(
                f"user {account.name!r}: a provider vouches for it, and {what} come from there",
                hint="api.oidc says what its groups are given; recorder user close ends it here",
            )
        return account

    def _keep_an_admin(self, account: Account) -> None:
        others = (one for one in self.catalog.accounts.all() if one.name != account.name)
        if _is_admin(account) and account.password and not any(map(can_admin, others)):
            raise StateError(
                f"user {account.name!r} is the last admin", hint="make another admin first"
            )

    def has_admin(self) -> bool:
        """Tell whether anybody can sign in who may do everything."""
        return any(map(can_admin, self.catalog.accounts.all()))

    def set_password(self, name: str, password: object, but: str = "") -> None:
        """Set a password; sessions and tokens of before end, but the one that asks.

        Raises: ``RequestError``; ``NotFound``.
        """
        account = self.own(self.get(name), "passwords")
        if account.kind != USER:
            raise RequestError(f"{name} is a service: it has tokens, and no password")
        kept = hash_password(check_password(password, name))
        change(self.catalog.accounts, name, lambda old: replace(old, password=kept))
        self.catalog.credentials.end_all(name, self.clock.now(), but)

    # -- words ---------------------------------------------------------------------------------

    def give(
        self,
        kind: str,
        account: str,
        lasts_ns: int,
        label: str = "",
        address: str = "",
        only: Sequence[str] | None = None,
    ) -> tuple[str, Credential]:
        """Make a word that is shown now and never again."""
        word, now = make_word(kind, self._chance), self.clock.now()
        made = Credential(
            new_id(),
            KINDS[kind],
            account,
            digest_of(word),
            now,
            now + lasts_ns,
            label,
            only,
            address,
        )
        self.catalog.credentials.add(made)
        self.catalog.credentials.sweep(now - SWEPT_NS)
        return word, made

    # -- tokens --------------------------------------------------------------------------------

    def add_token(
        self, account: str, label: object = "", only: object = None, lasts_ns: int | None = None
    ) -> tuple[str, Credential]:
        """Make a token of a user or service; ``only``: permissions that it is limited to.

        Raises: ``NotFound``; ``RequestError``; ``BadDocument``.
        """
        owner = self.get(account)
        if owner.identity:  # a token would outlive what the provider says of its owner
            raise StateError(
                f"user {account!r} has sessions alone: a provider vouches for it",
                hint="give a service the token: recorder user add NAME --service",
            )
        most = self.limits.token_ns
        lasts_ns = min(TOKEN_NS, most) if lasts_ns is None else lasts_ns
        if not 0 < lasts_ns <= most:
            raise RequestError(
                f"lasts: must be within {format_duration(most)}", hint="rotate it before it ends"
            )
        return self.give(
            TOKEN, owner.name, lasts_ns, check_text(label, "label", 256), only=_read_only(only)
        )

    def rotate(self, token_id: str, overlap_ns: int) -> tuple[str, Credential]:
        """Make a token like one that there is; that one counts for a while longer.

        Raises: ``NotFound``.
        """
        old = self.token(token_id)
        only, lasts_ns = old.only, min(old.expires - old.created, self.limits.token_ns)
        made = self.give(TOKEN, old.account, lasts_ns, old.label, only=only)
        now = self.clock.now()
        self.catalog.credentials.end(token_id, min(old.expires, now + max(0, overlap_ns)))
        return made

    def token(self, token_id: str) -> Credential:
        """Return a token that counts.

        Raises: ``NotFound``.
        """
        return self.credential(token_id, KINDS[TOKEN])

    def credential(self, credential_id: str, kind: str | None = None) -> Credential:
        """Return a session or a token that counts.

        Raises: ``NotFound``.
        """
        now = self.clock.now()
        for one in self.catalog.credentials.of(kind=kind):
            if one.credential_id == credential_id and one.counts(now):
                return one
        raise NotFound(f"no {kind or 'session or token'} {credential_id[:64]!r}")

    def end(self, credential_id: str) -> None:
        """End a session or a token, now.

        Raises: ``NotFound``.
        """
        if not self.catalog.credentials.end(credential_id, self.clock.now()):
            raise NotFound(f"no session or token {credential_id[:64]!r}")

    def live(self, account: str | None, kind: str) -> list[Credential]:
        """Return sessions or tokens that count."""
        now = self.clock.now()
        return [one for one in self.catalog.credentials.of(account, kind) if one.counts(now)]


def _read_only(only: object) -> list[str] | None:
    if only is None:
        return None
    if not isinstance(only, Sequence) or isinstance(only, str) or not only:
        raise BadDocument("only: must be a list of permissions", hint="leave it out for all")
    return [read_permission(one).value for one in only]


def _is_admin(account: Account) -> bool:
    full = ROLES[Role.ADMIN]
    grants = parse_grants(account.grants)
    return any(
        full <= one.permissions and not one.limited and one.times is None and one.until is None
        for one in grants
    )


def can_admin(account: Account) -> bool:
    """Tell whether an account can sign in with a password and change who may what."""
    return account.closed is None and bool(account.password) and _is_admin(account)
