"""Turns of a link: by them each end knows that the other, or itself, was put back.  Pure.

A parent counts what it has heard of a child, and the child says what it has heard of that.  Where
a catalog's file, or a whole machine, was restored, it has its identity still and is older: then
the counts contradict each other, and what was said since is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recorder.model.checks import MOST_INTEGER

TURN, TURN_WAS = "turn", "turn_was"
"""What the counts are called in an answer, and among what is known of a child."""


def read_turn(said: object, known: int) -> int:
    """Read a count of the other end; what is none leaves what is known.

    >>> read_turn(8, 7), read_turn("x", 7), read_turn(-1, 7), read_turn(None, 0)
    (8, 7, 7, 0)
    """
    return said if type(said) is int and 0 <= said <= MOST_INTEGER else known


def next_turn(heard: int, own: int) -> int:
    """Return the parent's new count: ``heard`` says the child, ``own`` is what it was here.

    An answer that was lost is counted once, however often: the child says the same again.  Counts
    that contradict each other do so until the child has heard of it: two more than it has heard.

    >>> next_turn(7, 7), next_turn(7, 8), next_turn(7, 5), next_turn(7, 90)
    (8, 8, 9, 91)
    """
    if put_back(heard, own):
        return max(heard + 2, own + 1)
    return heard + 1


def put_back(heard: int, own: int) -> str:
    """Say which end is older than it was, as the child has to know; nothing when none is.

    >>> put_back(7, 7), put_back(7, 8), put_back(7, 5), put_back(7, 90)
    ('', '', 'the parent', 'this site')
    """
    if own < heard:
        return "the parent"
    return "this site" if own > heard + 1 else ""


def count_turn(
    heard: object, known: Mapping[str, Any], *, returned: bool = False
) -> dict[str, object]:
    """Return the parent's counts, new and old, by what a child said and what is known of it.

    ``returned``: another has heard in its place meanwhile, whatever the counts say.

    >>> count_turn(7, {"turn": 7, "turn_was": 6}), count_turn(None, {})
    ({'turn': 8, 'turn_was': 7}, {'turn': 1, 'turn_was': 0})
    >>> count_turn(7, {"turn": 8}, returned=True)
    {'turn': 10, 'turn_was': 9}
    """
    own, said = read_turn(known.get(TURN), 0), read_turn(heard, 0)
    if returned:
        own = max(own, said + 2)
    return {TURN: next_turn(said, own), TURN_WAS: own}
