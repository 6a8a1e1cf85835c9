"""A bucket's list, page after page, as the server gives it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minio.datatypes import Object

from recorder.errors import StoreRefused


def once(objects: Iterable[Object]) -> Iterator[Object]:
    """Yield what a bucket lists, until the list goes round.

    A server that does not heed where a page is to begin gives the first one for ever.
    Raises: ``StoreRefused``.
    """
    last, backward = "", set[str]()
    for one in objects:
        name = one.object_name or ""
        if name <= last:  # some servers sort odd names otherwise: once each
            if name in backward:
                raise _goes_round(name)
            backward.add(name)
        last = name
        yield one


def each_version(objects: Iterable[Object]) -> Iterator[Object]:
    """Yield what a bucket lists of one object's versions, until the list goes round.

    Raises: ``StoreRefused``.
    """
    seen = set[tuple[str, str | None]]()
    for one in objects:
        name = one.object_name or ""
        if (name, one.version_id) in seen:
            raise _goes_round(name)
        seen.add((name, one.version_id))
        yield one


def _goes_round(name: str) -> StoreRefused:
    return StoreRefused(
        f"its list comes to {name!a} again and again",
        hint="the server does not heed where a page of a list is to begin",
    )
