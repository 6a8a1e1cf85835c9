"""Lists in pages: ``limit`` and ``cursor``; the next page's address is in ``Link``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from recorder.api.described import Answers, header

T = TypeVar("T")

MOST = 1000
LimitQuery = Annotated[int, Query(ge=1, le=MOST, description="Most on a page.")]
CursorQuery = Annotated[
    str | None,
    Query(description="Where a page begins: from the Link with rel=next of the page before."),
]
PAGED: Answers = {200: {"headers": {"Link": header("The next page, rel=next; not on the last.")}}}


def page_of(
    found: Sequence[T], limit: int, cursor: Callable[[T], str], request: Request, response: Response
) -> Sequence[T]:
    """Return a page of what was found of it and one more; say where the next one begins."""
    page = found[:limit]
    if len(found) > limit:
        asked = [(key, value) for key, value in request.query_params.multi_items()
                 if key != "cursor"]  # fmt: skip
        query = urlencode([*asked, ("cursor", cursor(page[-1]))])
        response.headers["Link"] = f'<?{query}>; rel="next"'
    return page
