"""Lists in pages: ``limit`` and ``cursor``; the next page's address is in ``Link``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response

from recorder.api.clean_json import CleanJson
from recorder.api.described import Answers, header
from recorder.errors import RequestError

T = TypeVar("T")

MOST = 1000
LimitQuery = Annotated[int, Query(ge=1, le=MOST, description="Most on a page.")]
CursorQuery = Annotated[
    str | None,
    Query(description="Where a page begins: from the Link with rel=next of the page before."),
]
PAGED: Answers = {200: {"headers": {"Link": header("The next page, rel=next; not on the last.")}}}


class Paged:
    """A page that is asked for, of a list that is whole in memory: all of it, unless told."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[
            int | None, Query(ge=1, le=MOST, description="Most on a page; by default all.")
        ] = None,
        cursor: CursorQuery = None,
    ) -> None:
        self.request, self.response = request, response
        self.limit, self.cursor = limit, cursor

    def of(
        self, found: Sequence[T], name: Callable[[T], str], fixed: Mapping[str, str] | None = None
    ) -> Sequence[T]:
        """Return the page; ``name`` tells those of the list apart.

        ``fixed``: parameters as the next page is to have them, such as a time that was ``now``.

        Raises: ``RequestError`` when what the page before ended with is not there any more.
        """
        if self.cursor is not None:
            names = [name(one) for one in found]
            if self.cursor not in names:
                raise RequestError(
                    "cursor: what it stands for is not in the list", hint="begin at the first page"
                )
            found = found[names.index(self.cursor) + 1 :]
        if self.limit is None:
            return found
        return page_of(found, self.limit, name, self.request, self.response, fixed)

    def json(self, found: Sequence[T], name: Callable[[T], str]) -> CleanJson:
        """Answer with the page, of a list that is written already.

        Raises: ``RequestError``.
        """
        return CleanJson(self.of(found, name), headers=linked(self.response))


PagedDep = Annotated[Paged, Depends()]


def linked(response: Response) -> dict[str, str]:
    """Return where the next page is, for an answer that is made beside ``response``."""
    link = response.headers.get("Link")
    return {"Link": link} if link is not None else {}


def of_key(key: str) -> Callable[[Mapping[str, object]], str]:
    """Tell those of a list apart by what stands under one key."""
    return lambda one: str(one[key])


def page_of(
    found: Sequence[T],
    limit: int,
    cursor: Callable[[T], str],
    request: Request,
    response: Response,
    fixed: Mapping[str, str] | None = None,
) -> Sequence[T]:
    """Return a page of what was found of it and one more; say where the next one begins."""
    page = found[:limit]
    if len(found) > limit:
        said = {**(fixed or {}), "cursor": cursor(page[-1])}
        asked = [one for one in request.query_params.multi_items() if one[0] not in said]
        query = urlencode([*asked, *said.items()])
        response.headers["Link"] = f'<?{query}>; rel="next"'
    return page
