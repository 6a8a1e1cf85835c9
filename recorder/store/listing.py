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
                raise StoreRefused(
                    f"its list comes to {name!a} again and again",
                    hint="the server does not heed where a page of a list is to begin",
                )
            backward.add(name)
        last = name
        yield one
