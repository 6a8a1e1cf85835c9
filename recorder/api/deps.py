"""What routes share: the app, times, ranges."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, ParamSpec, TypeVar, cast

from fastapi import Depends, Header, Query, Request

from recorder.api.footage import Readers
from recorder.app import App
from recorder.errors import RequestError
from recorder.model.caller import Caller, CallerKind
from recorder.model.moments import read_moment
from recorder.model.timebase import DAY, Instant, TimeRange
from recorder.model.versions import Expected
from recorder.reading.answering import MOST_OPEN
from recorder.threads import Pool, QuickPool

MOST_NS = 366 * DAY
PURPOSE = "x-purpose"
"""The header in which a caller says what it is for; it stands in the audit log."""

# None of these waits for anything: as ``def`` each would take a thread for every request.


P = ParamSpec("P")
T = TypeVar("T")

ANSWERS = QuickPool("answers", 4)
"""For what asks the catalog alone.  In the 40 threads there are for the rest, which wait for one
another and for the event loop, 16 clients were served half as fast as one."""


def quick(route: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Answer a route in its turn: it asks the catalog, and nobody further away."""

    @functools.wraps(route)
    async def answer(*arguments: P.args, **named: P.kwargs) -> T:
        return await ANSWERS.run(functools.partial(route, *arguments, **named))

    return answer


READING = Pool("footage", 2 * MOST_OPEN)
"""For what reads footage before its first byte, of stores and sites that may hang."""


def reads_footage(route: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Answer a route in a thread that no other answer waits for."""

    @functools.wraps(route)
    async def answer(*arguments: P.args, **named: P.kwargs) -> T:
        return await READING.run(functools.partial(route, *arguments, **named))

    return answer


async def app_of(request: Request) -> App:
    """Return the app behind this API."""
    return cast(App, request.app.state.app)


async def caller_of(request: Request) -> Caller:
    """Return who asks, as the door found out (``scope["caller"]``)."""
    found = request.scope.get("caller")
    address = request.client.host if request.client else ""
    caller = cast(Caller, found) if found else Caller(CallerKind.NOBODY, address=address)
    purpose = request.headers.get(PURPOSE, "")
    return replace(caller, purpose=purpose) if purpose and not caller.purpose else caller


async def author_of(
    request: Request,
    said: Annotated[
        str, Header(alias="X-Author", description="Who does it, where nobody is asked who he is.")
    ] = "api",
) -> str:
    """Return who a change is by: the caller, where that is known."""
    caller = await caller_of(request)
    return said if caller.kind is CallerKind.NOBODY else str(caller)


async def readers_of(request: Request) -> Readers:
    """Return who is being sent footage, when there is room for another.

    Raises: ``UnavailableError``.
    """
    readers = cast(Readers, request.app.state.readers)
    readers.admit()
    return readers


AppDep = Annotated[App, Depends(app_of)]
AuthorDep = Annotated[str, Depends(author_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]
ReadersDep = Annotated[Readers, Depends(readers_of)]


TIME = (
    "RFC 3339 with a zone; Unix seconds; now; -90s or +10s from now; with zone, 14:03 or "
    "2026-01-05T14:03:07 there."
)
LoseQuery = Annotated[
    bool, Query(description="Also where footage is nowhere else: gaps `lost` remain of it.")
]
ZoneQuery = Annotated[
    str | None,
    Query(description="Zone of times that name none, such as Europe/Berlin. Answers are in UTC."),
]


def instant_at(text: str, what: str, now: Instant, zone: str | None = None) -> Instant:
    """Read a time of a request."""
    # a '+' that was not percent-encoded arrives as a space
    text = re.sub(r"^ (?=\d)|(:\d\d(?:\.\d+)?) (?=\d\d:\d\d$)", r"\1+", text)
    return read_moment(text, what, now, zone or "")


async def range_of(
    app: AppDep,
    start: Annotated[str, Query(description=f"First instant wanted. {TIME}")],
    end: Annotated[str, Query(description=f"First instant not wanted. {TIME}")],
    zone: ZoneQuery = None,
) -> TimeRange:
    """Read the range of a request."""
    now = app.clock.now()
    begin, stop = instant_at(start, "start", now, zone), instant_at(end, "end", now, zone)
    if stop <= begin:
        raise RequestError(f"end {end} is not after start {start}")
    return bounded(TimeRange(begin, stop))


def bounded(asked: TimeRange) -> TimeRange:
    """Refuse a range whose answer nobody could use.

    Raises: ``RequestError``.
    """
    if asked.duration_ns > MOST_NS:
        raise RequestError("range is longer than 366 days", hint="ask for less at a time")
    return asked


async def instant_of(
    app: AppDep, at: Annotated[str, Query(description=TIME)], zone: ZoneQuery = None
) -> Instant:
    """Read the moment of a request."""
    return instant_at(at, "at", app.clock.now(), zone)


IfMatch = Annotated[str | None, Header(alias="If-Match", description="Only if it is at this ETag.")]
_NEW = "*: only if there is none yet."
NewOnly = Annotated[str | None, Header(alias="If-None-Match", pattern=r"^\*$", description=_NEW)]
"""Only if there is none yet.  A pattern, for generated clients take no constant in a header."""


async def expected_by(
    if_match: IfMatch = None,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", description=_NEW)] = None,
) -> Expected:
    """Read what a change expects to find."""
    return Expected(if_match, if_none_match)


ExpectedDep = Annotated[Expected, Depends(expected_by)]
RangeDep = Annotated[TimeRange, Depends(range_of)]
InstantDep = Annotated[Instant, Depends(instant_of)]
SiteQuery = Annotated[
    str | None, Query(description="Site of the camera, where others have one of that name.")
]
StreamQuery = Annotated[str | None, Query(description="Stream of the camera; by default main.")]
