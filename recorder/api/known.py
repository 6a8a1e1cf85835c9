"""What an address takes: parameters it knows, methods it has.  What it does not know is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request

from recorder.errors import RequestError
from recorder.model.unknown import meant

R = TypeVar("R", bound=Callable[..., object])

_KNOWN: dict[int, tuple[object, frozenset[str]]] = {}
"""Of routes, by identity, which a route keeps as long as it stands here."""


OTHERS: set[object] = set()
"""Routes whose parameters others than our clients write: a provider says more than it must."""


def written_by_others(route: R) -> R:
    """Have a route take whatever parameters come."""
    OTHERS.add(route)
    return route


async def known_parameters(request: Request) -> None:
    """Refuse a request with a parameter that its address does not take: it would do nothing.

    Raises: ``RequestError`` naming the nearest that it does.
    """
    route = request.scope["route"]
    if not request.scope["query_string"] or route.endpoint in OTHERS:
        return
    if id(route) not in _KNOWN:
        _KNOWN[id(route)] = (route, frozenset(_names(route.dependant)))
    known = _KNOWN[id(route)][1]
    for name in request.query_params:
        if name not in known:
            raise _unknown(name, sorted(known))


def _names(dependant: Any) -> set[str]:
    names = {one.alias for one in dependant.query_params}
    return names.union(*(_names(one) for one in dependant.dependencies))


def _unknown(name: str, known: list[str]) -> RequestError:
    return RequestError(
        f"{name[:64]}: no such parameter", hint=meant(name, known, "this address takes")
    )


def allowed_methods(request: Request) -> str:
    """Return what ``Allow`` says of a request's address.  Source: RFC 9110, 10.2.1."""
    found: set[str] = set()
    for pattern, methods in request.app.state.methods:
        if pattern.match(request.scope["path"]):
            found |= methods
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))
