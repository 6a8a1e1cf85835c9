"""What only some things of a kind offer."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

Kind = TypeVar("Kind")


def offers(thing: object, kind: type[Kind]) -> TypeGuard[Kind]:
    """Tell whether a thing has what a protocol adds to those it builds on.

    Asked of the thing, not of its class as ``isinstance`` does since Python 3.12: what wraps a
    store hands on what that one offers.
    """
    return all(hasattr(thing, name) for name in vars(kind) if not name.startswith("_"))
