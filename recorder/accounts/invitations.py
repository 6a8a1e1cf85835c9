"""Words that work once: by which a user sets a password, the first admin comes in, a site joins."""

from __future__ import annotations

from recorder.access.permissions import Role
from recorder.access.words import INVITATION, JOINING, digest_of, is_word
from recorder.accounts.passwords import check_password
from recorder.accounts.people import KINDS, USER, People
from recorder.errors import NotKnown, RequestError, StateError
from recorder.model.keys import check_name
from recorder.ports import Account, Credential

FIRST = ""
"""The account of an invitation for whoever comes first: an admin of any name."""


def invite(people: People, name: str) -> tuple[str, Credential]:
    """Make the word by which a user sets a password; one of before counts no more.

    Raises: ``NotFound``; ``RequestError``.
    """
    if people.own(people.get(name), "passwords").kind != USER:
        raise RequestError(f"{name} is a service", hint="make it a token: recorder token add")
    _withdraw(people, name)
    return people.give(INVITATION, name, people.limits.invitation_ns)


def _withdraw(people: People, name: str) -> None:
    now = people.clock.now()
    for one in people.catalog.credentials.of(name, KINDS[INVITATION]):
        people.catalog.credentials.end(one.credential_id, now)


def redeem(people: People, word: object, password: object, name: object = None) -> Account:
    """Set the password of who was invited; the first admin says which name, too.

    Raises: ``NotKnown`` when the word counts not, or no more; ``RequestError``.
    """
    found = _invited(people, word, INVITATION)
    wanted = check_name(found.account or name, "name")
    checked = check_password(password, wanted)
    if found.account == FIRST:
        _check_first(people, wanted)
    if not people.catalog.credentials.use_up(found.credential_id, people.clock.now()):
        raise _spent()
    if found.account == FIRST:
        people.put(wanted, [{"role": Role.ADMIN.value}])
    people.set_password(wanted, checked)
    if found.account == FIRST:
        _withdraw(people, FIRST)  # of other nodes, and of earlier starts
    return people.get(wanted)


def _check_first(people: People, wanted: str) -> None:
    if people.has_admin():
        raise StateError(
            "there is an admin by now", hint="who invites: recorder user add, recorder user invite"
        )
    if people.catalog.accounts.get(wanted) is not None:
        raise StateError(f"user {wanted!r}: there is one already", hint="take another name")


def invited(people: People, word: object, kind: str = INVITATION) -> str:
    """Return whose word it is; empty: the first admin's.

    Raises: ``NotKnown`` when it counts not, or no more.
    """
    return _invited(people, word, kind).account


def _invited(people: People, word: object, kind: str) -> Credential:
    text = str(word)
    found = people.catalog.credentials.by_digest(digest_of(text)) if is_word(text, kind) else None
    if found is None or found.kind != KINDS[kind] or not found.counts(people.clock.now()):
        raise _spent()
    return found


def joins(people: People, word: object, site: str) -> None:
    """Use up the word that a site joins by.

    Raises: ``NotKnown``; ``RequestError`` when it is another site's.
    """
    found = _invited(people, word, JOINING)
    if found.account != site:
        raise RequestError(
            f"the word is for site {found.account}, and {site} shows it",
            hint=f"at the parent: recorder site invite {site}",
        )
    if not people.catalog.credentials.use_up(found.credential_id, people.clock.now()):
        raise _spent()


def first_admin(people: People) -> str:
    """Make the word by which the first admin comes in.

    Each node of a site prints one, at each start: they count until one of them is used.
    """
    return people.give(INVITATION, FIRST, people.limits.invitation_ns)[0]


def _spent() -> NotKnown:
    return NotKnown(
        "the word is not known, was used, or is too old", hint="ask for a new invitation"
    )
