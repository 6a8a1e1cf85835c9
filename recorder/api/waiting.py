"""Requests for footage that is about to come: they wait for it, and hold no thread meanwhile."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.requests import ClientDisconnect

from recorder import telemetry
from recorder.api.deps import ANSWERS, AppDep, InstantDep, RangeDep
from recorder.api.gate import Gate, gate_of
from recorder.api.measured import WAITED
from recorder.app import App
from recorder.errors import RequestError, UnavailableError
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND, Instant, TimeRange, parse_duration
from recorder.reading.absent import comes, look
from recorder.reading.named import Named

MOST = 256
"""At once.  Each asks the catalog up to four times a second, which takes a millisecond or two."""
STEP_S = 0.25
LOOK_S = 1.0
"""So long nothing needs to be looked at but whether the client is still there."""

WaitQuery = Annotated[
    str | None,
    Query(
        description="Wait so long for footage that is about to come, such as 30s: until all of the "
        "range is there, or the time is over. The node's setting api.wait is the most.",
    ),
]


def read_wait(text: str, most_s: float) -> float:
    """Read how long a request waits, in seconds; a number alone is seconds.

    Raises: ``RequestError``.

    >>> read_wait("500ms", 60), read_wait("20", 60), read_wait("5m", 60)
    (0.5, 20.0, 60)
    """
    try:
        wait_ns = parse_duration(f"{text}s" if text[-1:].isdecimal() else text, "wait")
    except RequestError as exc:
        raise RequestError(str(exc), hint="write it like 30s, or 30") from exc
    return min(most_s, wait_ns / SECOND)


class Waiting:
    """Those who wait, counted."""

    def __init__(self) -> None:
        self.count = 0

    async def until_there(
        self, app: App, request: Request, named: Named, asked: TimeRange, wait_s: float
    ) -> None:
        """Return when all that may come of a range is there, or the time is over.

        Raises: ``UnavailableError`` when too many wait; ``ClientDisconnect``.
        """
        if self.count >= MOST:
            raise UnavailableError(
                f"{number_of(self.count, 'request waits', 'requests wait')} for footage, "
                "which is the most at once",
                hint="ask without wait, or again in a moment",
            )
        self.count += 1
        try:
            with telemetry.API_WAITING.track_inprogress():
                await self._wait(app, request, named, asked, wait_s)
        finally:
            self.count -= 1

    @staticmethod
    async def _wait(
        app: App, request: Request, named: Named, asked: TimeRange, wait_s: float
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while loop.time() < deadline:
            missing = await ANSWERS.run(look, app.view, named, asked)
            if not comes(app.view, named, missing):
                return
            ahead = (asked.end - app.clock.now()) / SECOND
            until = min(deadline, loop.time() + max(STEP_S, ahead))
            while (left := until - loop.time()) > 0:
                if await request.is_disconnected():
                    raise ClientDisconnect
                await asyncio.sleep(min(left, LOOK_S))


async def wait_as_asked(
    request: Request,
    app: App,
    name: tuple[str, str | None, str | None],
    asked: TimeRange,
    wait: str,
) -> None:
    """Wait as long as a request says for a range of ``name``: camera, stream, site."""
    wait_s = read_wait(wait, app.settings.api.wait)
    if wait_s <= 0:
        return
    named = await ANSWERS.run(gate_of(request).named, *name)
    waiting: Waiting = request.app.state.waiting
    began = asyncio.get_running_loop().time()
    await waiting.until_there(app, request, named, asked, wait_s)
    request.scope[WAITED] = asyncio.get_running_loop().time() - began
    request.scope["gate"] = Gate(request, gate_of(request).permission)  # it is later: decide anew


def _name(request: Request) -> tuple[str, str | None, str | None]:
    """Say whose footage is asked for.  The route declares it; twice takes a tenth of a ms."""
    query = request.query_params
    return request.path_params["camera"], query.get("stream"), query.get("site")


async def range_waited(
    asked: RangeDep, request: Request, app: AppDep, wait: WaitQuery = None
) -> TimeRange:
    """Return the range of a request, when it has waited for it as long as it says."""
    if wait is not None:
        await wait_as_asked(request, app, _name(request), asked, wait)
    return asked


async def instant_waited(
    at: InstantDep, request: Request, app: AppDep, wait: WaitQuery = None
) -> Instant:
    """Return the moment of a request, likewise."""
    if wait is not None:
        await wait_as_asked(request, app, _name(request), TimeRange(at, at + 1), wait)
    return at


WaitedRange = Annotated[TimeRange, Depends(range_waited)]
WaitedInstant = Annotated[Instant, Depends(instant_waited)]
