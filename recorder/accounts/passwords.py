"""Passwords: what they must be, and their argon2id hashes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from recorder.errors import RequestError, TooMany
from recorder.model.checks import check_text
from recorder.model.counting import number_of
from recorder.threads import Pool

if TYPE_CHECKING:
    from argon2 import PasswordHasher

FEWEST, MOST = 12, 256
"""Characters.  Source: NIST SP 800-63B-4, 3.1.1.2, and a bound on what is hashed."""
MEMORY_KIB, PASSES, LANES = 64 * 1024, 3, 1
"""Source: RFC 9106, 4, second recommendation; one lane, for the other cores record."""
POOL = Pool("passwords", 1)
"""A hash takes a tenth of a second and 64 MiB: one at a time, away from all else."""
MOST_WAITING = 32
"""Who waits behind so many is told to come again: 3 s are enough."""


@functools.cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@functools.cache
def _nobody() -> str:
    """Return the hash that an unknown name's password is held to: it takes as long."""
    return _hasher().hash("nobody has this password")


def check_password(text: object, name: str) -> str:
    """Return a password that may be set.

    Raises: ``RequestError``.
    """
    password = check_text(text, "password", MOST)
    if len(password) < FEWEST:
        raise RequestError(
            f"password: {number_of(len(password), 'character is', 'characters are')} too few",
            hint=f"at least {FEWEST}; some words in a row are easy to keep in mind",
        )
    if password.casefold() in (name.casefold(), name.casefold() * 2) or len(set(password)) < 4:
        raise RequestError("password: is easy to guess", hint="take some words in a row")
    return password


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    return _hasher().hash(password)


def is_password(kept: str, password: str) -> bool:
    """Tell whether a password is the one that is kept; it takes as long where none is."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        right = _hasher().verify(kept or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return right and bool(kept)


async def in_turn(kept: str, password: str, taken: Callable[[], object]) -> bool:
    """Tell the same, in turn with others and in the way of nobody else.

    ``taken`` is called once it is sure that the password will be looked at: who is turned away for
    want of room has not given a wrong one.
    Raises: ``TooMany``.
    """
    if POOL.waiting >= MOST_WAITING:
        raise TooMany("too many sign in at once", hint="try again in a moment", retry_after_s=3)
    taken()
    return await POOL.run(is_password, kept, password)
